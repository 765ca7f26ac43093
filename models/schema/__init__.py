"""The schema in the database: migrations, triggers, and whether they are as the program expects.

The tables themselves are declared in the room of their subject.
"""
