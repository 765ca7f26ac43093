"""Logging in, the PIN, invitations, who is linked, and an officer's own home and profile.

What an account may do to an organization is in handlers/certification.
"""
