"""The schema in the database: its version and migrations, the triggers of both databases, and whether all of it
has drifted from what the program expects.

The tables themselves are declared in the room of their subject.
"""
