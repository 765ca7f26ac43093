"""The outbox: the kinds of notices with their rules, what is queued for whom, quiet hours, whether a chat can be
reached, and the marks that say that a live card shows something else now.

Why something is sent is decided in the room of its subject; how it reads is in handlers/notices.
"""
