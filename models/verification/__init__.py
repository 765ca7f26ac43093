"""`laocert audit verify`: each module compares one kind of row in the database with its recorded events.

Nothing here changes a row. models/audit verifies the chain of events itself.
"""
