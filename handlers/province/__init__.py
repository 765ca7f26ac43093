"""A province's lists in the chat: finding an organization, going to the next, the live card, and files to
download.

One organization's review is in handlers/certification.
"""
