"""The yearly round: its table, and when it can be opened and closed.

What a closing ends for organizations is counted in models/operator.
"""
