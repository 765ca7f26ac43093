"""The outbox: the kinds of notices and their rules, the queued messages, when a chat may ring (`timing`: the times
of the digests, quiet hours, days off), the reachability of chats, and the marks on live cards that have to be
refreshed. The queued messages are a table of `outbox`; `tables` has those of the live card and the preferences.

The package of each subject decides why a notice is sent. handlers/notices renders the texts.
"""
