"""What a province sees of its organizations: the list, the next waiting one, progress, visits, the live card (when
it is edited and when it rings), and the content of exported files.

The review of a single organization belongs to models/certification.
"""
