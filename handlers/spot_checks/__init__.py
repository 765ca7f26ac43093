"""A spot-check in the chat: one record after the other, its marks and notes, and handing it in.

The certificate that follows is in handlers/certification.
"""
