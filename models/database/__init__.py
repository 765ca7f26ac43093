"""The connection to SQLite and PostgreSQL, and what keeps programs out of each other's way: a lease lets one
program poll or send, a sender lock lets one serve a sender's updates, an exclusion keeps all out while a copy is
restored.

No table and no rule of the procedure belongs here; the schema has a room of its own (models/schema).
"""
