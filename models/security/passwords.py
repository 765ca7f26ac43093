"""Argon2id password hashes (RFC 9106).

They are slow on purpose: call off the event loop, never in a transaction.
"""

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from models.base.spelling import spelled

# 19 MiB, two passes: the OWASP password storage cheat sheet's minimum for Argon2id, about 50 ms here.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

# The hash against which passwords for unknown usernames are checked, so that the answer takes the same time. It is
# of discarded random letters. It is a constant because computing it at import would slow every command by one
# hash.
NO_PASSWORD = "$argon2id$v=19$m=19456,t=2,p=1$yCnWy0Rt1Y0Qh9WKQJEdkw$c/VvRaejgNSVka+TQzJSGMJXQpfBik3ZA5BjnBrK9PU"  # noqa: S105 - nobody's


def hash_password(password: str) -> str:
    """Return the hash to store, with its salt and parameters.

    The password is hashed in canonical spelling, because phones and spreadsheets encode the same Thai text
    differently.
    """
    return _HASHER.hash(spelled(password))


def password_matches(password_hash: str, password: str) -> bool:
    """Whether `password` matches `password_hash`.

    The NFC form is tried as well, because an older version hashed passwords in that form.
    """
    spellings = dict.fromkeys((spelled(password), unicodedata.normalize("NFC", password)))
    return any(_verified(password_hash, spelling) for spelling in spellings)


def _verified(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except VerificationError:
        return False
