"""The way to a certificate of either level: menu, review, warning, result, history, and verifying a code.

Lists of organizations are in handlers/province, spot-checks in handlers/spot_checks.
"""
