"""The foundation of all tables and rules: column types, what each table declares of its columns (`coverage`) and
of the database's roles (`grants`), the root of the domain errors, the calendar, Thai text.

Nothing in this package may know what a certificate, an account or a register is.
"""
