"""Keys derived from the secret key, what is encrypted with them (`sealing`), how a row's seal is computed
(`row_seal`), and passwords.

Who may do what is not decided here (models/accounts). What is signed, and when a row is sealed and compared, is
decided in models/audit (`row_seal` there).
"""
