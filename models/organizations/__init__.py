"""Organizations and provinces, and how one is recognized by a name that somebody types.

What an organization has certified or has in its register is in rooms above.
"""
