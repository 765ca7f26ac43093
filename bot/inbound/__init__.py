"""Incoming updates: from long polling or a webhook into the inbox, and from there through a worker to their
answers.

What an update does is decided in handlers; notices go out through bot/outbound.
"""
