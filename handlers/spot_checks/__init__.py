"""The screens of a spot-check: its records one by one, marks, notes, summary, and handing in.

The screens for certifying afterwards are in handlers/certification.
"""
