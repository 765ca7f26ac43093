"""Client of the Telegram Bot API: transport, rate limits of one chat (`limiter`) and of the whole bot
(`bot_rate`), retries and the comparison of clocks.

Texts and keyboards are made in handlers; updates come in through bot/inbound.
"""
