"""The heart: certificates of both levels, everything else that belongs to a revision, the rules for making and
ending them, and how long a confirmation stays good (`certify`). `statement` is what an officer agrees to, `words`
what a certificate calls its organization.

What officers say of a certificate is in models/remarks, how spot-checks are made in models/spot_checks, lists of
many organizations in models/province.
"""
