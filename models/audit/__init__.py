"""The append-only chains of events, each signed over the one before it, and the seals of rows: when one is made
and looked at (`row_seal`; models/security/row_seal.py computes it), and whether an older row was put back
(`replay`).

Which acts are events is decided where the act is; what the tables say beside the events is compared in
models/verification.
"""
