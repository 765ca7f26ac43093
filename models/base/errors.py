"""The root of the domain errors."""


class DomainError(Exception):
    """A rule of the procedure refuses what was asked; nothing was changed.

    Each subject names its own subclasses; handlers/problems.py turns them into a sentence for an officer,
    the command line prints str() of them.
    """
