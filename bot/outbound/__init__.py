"""The way of a notice out: the courier chooses what is due, the ledger marks it and writes down how it ended, a
delivery is the one call to Telegram and what its refusal means.

Answers to taps are sent by bot/inbound; what is queued is decided in models.
"""
