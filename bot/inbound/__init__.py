"""The way of an update in: from polling or a webhook into the inbox, and from there through a worker to its
answer.

What an update does is in handlers; notices go out through bot/outbound.
"""
