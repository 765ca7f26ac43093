"""A province's screens about many organizations: the filter and the list, the queue of waiting organizations, the
live card, and files to download.

The review of one organization is in handlers/certification.
"""
