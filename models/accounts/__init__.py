"""Accounts, the officers linked to them, what they may see, and how passwords and PINs are tried and throttled.

How a chat is linked or loses its link is in models/links.
"""
