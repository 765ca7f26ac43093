"""Screens on the way to a certificate of either level: menu, review, warning, result, history, and verifying a
code. `lao` has those of the organization's level, `province` those of the province's.

Lists of organizations are in handlers/province, spot-checks in handlers/spot_checks.
"""
