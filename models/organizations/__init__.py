"""Organizations and provinces, how an organization has ended, and the search by a typed name.

Certifications and registers do not belong here: they are in packages that import this one.
"""
