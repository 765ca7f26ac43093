"""The way to a certificate of either level: menu, review, warning, result, history, and verifying a code. `lao` is
the organization's way, `province` its province's.

Lists of organizations are in handlers/province, spot-checks in handlers/spot_checks.
"""
