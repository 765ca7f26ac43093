"""Screens on the way to a certificate of either level: menu, review, warning, result, history, and verifying a
code. `lao` has those of the organization's level, `province` those of the province's.

When a certification is allowed, and how long a confirmation lives, is decided in models/certification. Lists of
organizations are in handlers/province, spot-checks in handlers/spot_checks.
"""
