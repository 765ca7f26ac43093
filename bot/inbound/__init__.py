"""Incoming updates: from long polling or a webhook into the inbox, and from there through a worker to their
answers.

`files` makes files for officers; `uploads` fetches theirs, whose size limit is in models/imports (`sent_file`).
What an update does is decided in handlers; notices go out through bot/outbound.
"""
