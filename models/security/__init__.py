"""Cryptography: keys derived from the secret key, encryption, row seals, and password hashes.

Access rights are in models/accounts, the audit chain in models/audit.
"""
