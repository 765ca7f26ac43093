"""Keys derived from the secret key, what is sealed with them, and passwords.

Who may do what is not decided here (models/accounts), and what is signed neither (models/audit).
"""
