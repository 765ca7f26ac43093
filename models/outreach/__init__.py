"""Messages on the program's or the operator's initiative: reminders before the deadline, broadcasts, and the
report on organizations that the reminders did not reach.

models/notices sends them. A notice that announces an operation is enqueued by that operation, not here.
"""
