"""How a queued notice reads, and the screen on which an officer chooses when it may ring.

To whom and when something is sent is decided in models; quiet hours are computed in models/notices.
"""
