"""How a queued notice reads, and when an officer wants to be disturbed.

To whom and when something is sent is decided in models.
"""
