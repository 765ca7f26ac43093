"""The conversation: what each tap or message does, and what the screens say. It runs no query of its own.

`problems` has the sentences for domain errors, and for a wait that Telegram asks for.
"""
