"""Keyed digests for events, of values that must be comparable later but not readable: PIN hashes, officers' names.

Without the secret key a digest cannot be attacked by guessing values. A digest has the id of its key, so that it
can still be compared after a rotation of the secret key.
"""

import hashlib
import hmac

from models.security.keys import Keyring

PURPOSE = "recorded digest"


def keyed_digest(keys: Keyring, value: str | None) -> str | None:
    """Return `<key id>:<HMAC-SHA256>` of a value under the current key; None for None."""
    return None if value is None else _digest(keys, keys.current_id, value)


def is_digest_of(keys: Keyring, digest: object, value: str | None) -> bool | None:
    """Whether a digest is that of a value; None when that is unknown, because there is no digest or its key is
    missing.
    """
    if not isinstance(digest, str):
        return None
    key_id = digest.partition(":")[0]
    if keys.key(PURPOSE, key_id) is None:
        return None
    return value is not None and hmac.compare_digest(_digest(keys, key_id, value) or "", digest)


def _digest(keys: Keyring, key_id: str, value: str) -> str | None:
    key = keys.key(PURPOSE, key_id)
    return None if key is None else f"{key_id}:{hmac.new(key, value.encode(), hashlib.sha256).hexdigest()}"
