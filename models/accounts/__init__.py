"""Accounts, their officers, access rights, PINs, and the rate limit on failed passwords and PINs.

models/links links chats to accounts and ends links.
"""
