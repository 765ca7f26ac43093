"""The connection to SQLite and PostgreSQL, and the locks that programs hold against each other.

No table and no rule of the procedure belongs here; the schema has a room of its own (models/schema).
"""
