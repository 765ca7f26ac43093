"""What every table and every rule builds on: column types, the root of the domain errors, the calendar, Thai text.

Nothing here knows what a certificate, an account or a register is.
"""
