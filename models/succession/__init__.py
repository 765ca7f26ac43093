"""Organizations that get another name, end, and go on as others: what the operator decides of them, what ends with
one, what goes over to its successor, and the words of older certificates, kept before a name changes.

The row of an end is in models/organizations, the files that name many of them are read in models/imports.
"""
