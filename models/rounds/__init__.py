"""The yearly round: its table, and the rules for opening and closing it.

models/operator counts what a closing ends for organizations.
"""
