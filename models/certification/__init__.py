"""The heart: certificates of both levels, everything else that belongs to a revision, and the rules for making and
ending them.

What officers say of a certificate is in models/remarks, how spot-checks are made in models/spot_checks, lists of
many organizations in models/province.
"""
