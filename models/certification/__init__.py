"""Certificates of both levels, the other rows of a revision, and the rules for certifying and reopening.

models/remarks has the officers' remarks, models/spot_checks the operations on spot-checks, models/province the
lists of many organizations.
"""
