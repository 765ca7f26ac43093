"""What a province sees of all its organizations: lists, progress, statistics, visits, its live card, and files of
them.

One organization's review is in models/certification.
"""
