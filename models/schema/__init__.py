"""The database schema: its version and migrations, the triggers of both databases, and the check for drift.

The tables are declared in the package of their subject, each with the privileges of the database's roles on it
(`__grants__`).
"""
