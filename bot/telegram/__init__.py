"""Client of the Telegram Bot API: transport, rate limits, retries and the comparison of clocks.

Texts and keyboards are made in handlers; updates come in through bot/inbound.
"""
