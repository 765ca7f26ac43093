"""The root of the domain errors."""


class DomainError(Exception):
    """A rule of the procedure refuses an operation. The caller rolls the transaction back: nothing changes.

    Each subject defines its own subclasses. handlers/problems.py turns them into a sentence for an officer; the
    command line prints `str()` of them.
    """
