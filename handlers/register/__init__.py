"""An organization's register in the chat: the file it sends, what would change, and empty menus.

The review of its numbers is in handlers/certification.
"""
