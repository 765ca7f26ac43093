"""What the operator does to the whole: end a round, forget a person, see
what organizations lack.

Work on one account is in models/links, on one organization in models/certification.
"""
