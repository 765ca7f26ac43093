"""Cryptography: keys derived from the secret key, encryption (`sealing`), how a row's seal is computed
(`row_seal`), and password hashes.

Access rights are in models/accounts, the audit chain in models/audit; `row_seal` there makes and compares
the seals.
"""
