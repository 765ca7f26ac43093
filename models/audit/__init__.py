"""The append-only chains of events, each signed over the one before it.

Which acts are events is decided where the act is; what the tables say beside the events is compared in
models/verification.
"""
