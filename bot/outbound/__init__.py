"""The way of a notice out: from the outbox to Telegram, each at most as often as its kind allows.

Answers to taps are sent by bot/inbound; what is queued is decided in models.
"""
