"""Organizations that get another name, end, and go on as others: what the operator decides of them, what ends with
one, and what goes over to its successor.

The row of an end is in models/organizations, the files that name many of them are read in models/imports.
"""
