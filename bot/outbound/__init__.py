"""Outgoing notices: the courier picks the rows of the outbox that are due, the ledger records their state before
and after the call, a delivery makes the call and interprets Telegram's errors.

Answers to taps are sent by bot/inbound; what is queued is decided in models.
"""
