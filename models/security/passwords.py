"""Passwords as Argon2id hashes (RFC 9106). Slow on purpose: call it off the event loop, never in a transaction."""

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from models.base.spelling import spelled

# 19 MiB, two passes: the OWASP password storage cheat sheet's minimum for Argon2id, about 50 ms here.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

# What an unknown username is checked against, so that its answer takes the same time: the hash of random letters
# that nobody knows. Made here it would cost every command a hash at its start.
NO_PASSWORD = "$argon2id$v=19$m=19456,t=2,p=1$yCnWy0Rt1Y0Qh9WKQJEdkw$c/VvRaejgNSVka+TQzJSGMJXQpfBik3ZA5BjnBrK9PU"  # noqa: S105 - nobody's


def hash_password(password: str) -> str:
    """The hash to store, with its own salt and parameters. Of the one spelling: phones and spreadsheets type the
    same Thai letters in different forms.
    """
    return _HASHER.hash(spelled(password))


def password_matches(password_hash: str, password: str) -> bool:
    """Whether `password` is the one behind `password_hash`. The hashes of an older version are of the letters as
    they were typed, in Unicode's NFC alone.
    """
    spellings = dict.fromkeys((spelled(password), unicodedata.normalize("NFC", password)))
    return any(_verified(password_hash, spelling) for spelling in spellings)


def _verified(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except VerificationError:
        return False
