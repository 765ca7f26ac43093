"""Passwords as Argon2id hashes (RFC 9106). Slow on purpose: call it off the event loop, never in a transaction."""

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

# 19 MiB, two passes: the OWASP password storage cheat sheet's minimum for Argon2id, about 50 ms here.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

# What an unknown username is checked against, so that its answer takes the same time: the hash of random letters
# that nobody knows. Made here it would cost every command a hash at its start.
NO_PASSWORD = "$argon2id$v=19$m=19456,t=2,p=1$yCnWy0Rt1Y0Qh9WKQJEdkw$c/VvRaejgNSVka+TQzJSGMJXQpfBik3ZA5BjnBrK9PU"  # noqa: S105 - nobody's


def _composed(password: str) -> str:
    """Phones and spreadsheets type the same Thai letters in different forms (Unicode NFC makes them one)."""
    return unicodedata.normalize("NFC", password)


def hash_password(password: str) -> str:
    """The hash to store, with its own salt and parameters."""
    return _HASHER.hash(_composed(password))


def password_matches(password_hash: str, password: str) -> bool:
    """Whether `password` is the one behind `password_hash`."""
    try:
        return _HASHER.verify(password_hash, _composed(password))
    except VerificationError:
        return False
