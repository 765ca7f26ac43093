"""The foundation of all tables and rules: column types, the root of the domain errors, the calendar, Thai text.

Nothing in this package may know what a certificate, an account or a register is.
"""
