"""Connections to SQLite and PostgreSQL, and coordination between processes: a lease lets one process poll or send,
a sender lock lets one process handle a sender's updates, and an exclusion keeps all processes out during a
restore.

Tables and rules of the procedure do not belong here; the schema is in models/schema.
"""
