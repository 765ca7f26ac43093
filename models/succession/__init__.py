"""Renaming, closing and succession of organizations: the operator's decision, what ends with an organization, what
its successor takes over, and the names on older certificates, which are stored before a name changes.

The table of ends is in models/organizations. models/imports reads files with many successions.
"""
