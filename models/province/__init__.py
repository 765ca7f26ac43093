"""What a province sees of its organizations: the list and the next waiting one (`listing`), which organizations
wait and the counts (`progress`), visits, the live card (when it is edited or replaced), and the content of
exported files.

The hours at which a card may ring are in models/notices (`timing`). The review of a single organization belongs to
models/certification.
"""
