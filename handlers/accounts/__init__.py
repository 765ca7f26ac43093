"""The screens for logging in, the PIN, invitations, linked officers, home and profile.

The screens for working on an organization are in handlers/certification.
"""
