"""The texts of queued notices, and the screen on which an officer chooses when notices may ring.

Who receives a notice, and when, is decided in models/notices.
"""
