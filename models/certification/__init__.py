"""Certificates of both levels, the other rows of a revision, the rules for certifying and reopening, and how long
a confirmation stays good (`certify`). `statement` is what an officer agrees to, `words` what a certificate calls
its organization, `review` what an officer sees, with the fingerprint that binds a confirmation to it.

models/remarks has the officers' remarks, models/spot_checks the operations on spot-checks, models/province the
lists of many organizations.
"""
