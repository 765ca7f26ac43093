"""Renaming, closing and succession of organizations: the operator's decision; what ends with an organization
(`ending`); its register, accounts and officers that go over to the successor, in a merger the named accounts only
(`succeeding`); and the names on older certificates, which are stored before a name changes.

The table of ends is in models/organizations. models/imports reads files with many successions.
"""
