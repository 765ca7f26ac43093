"""The register of an organization: its records, headcounts, empty menus, how its numbers compare with last
round's, and record by record how one register differs from another.

Files that bring a register in are read in models/imports; what was certified of it is in models/certification.
"""
