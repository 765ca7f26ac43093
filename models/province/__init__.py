"""What a province sees of all its organizations: lists, who waits and who is next, progress, visits, its live card
(when it is edited and when it rings), and the facts of files.

One organization's review is in models/certification.
"""
