"""The outbox: what is to be sent to whom and when, whether a chat can be reached, and the marks on the province's
live card.

Why something is sent is decided in the room of its subject; how it reads is in handlers/notices.
"""
