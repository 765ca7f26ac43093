"""The register of an organization: its records, headcounts and empty menus, the comparison of its headcounts with
the last round's, and the record-by-record difference between two registers.

models/imports reads the files that bring a register in. Certificates are in models/certification.
"""
