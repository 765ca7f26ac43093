"""What the program says without being asked: reminders before the deadline, broadcasts, and who could not be
reached.

Sending is in models/notices; what an act announces is queued where the act is.
"""
