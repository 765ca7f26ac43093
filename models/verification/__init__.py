"""Whether what stands in the database is what was recorded: each module compares one kind of row with its events.

Nothing here changes a row. The chain of events itself is in models/audit; what may happen to a row is in the
room of the row.
"""
