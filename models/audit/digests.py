"""Keyed digests of what must be compared later and must not be read in an event: PIN hashes, officers' names.

Without the secret key nobody can try values until one fits. A digest names its key: it holds after a change of the
secret key, as the event in which it stands does.
"""

import hashlib
import hmac

from models.security.keys import Keyring

PURPOSE = "recorded digest"


def keyed_digest(keys: Keyring, value: str | None) -> str | None:
    """`<key id>:<HMAC-SHA256>` of a value; None of nothing."""
    return None if value is None else _digest(keys, keys.current_id, value)


def is_digest_of(keys: Keyring, digest: object, value: str | None) -> bool | None:
    """Whether a digest is that of a value; None where nobody can say: there is none, or its key is not here."""
    if not isinstance(digest, str):
        return None
    key_id = digest.partition(":")[0]
    if keys.key(PURPOSE, key_id) is None:
        return None
    return value is not None and hmac.compare_digest(_digest(keys, key_id, value) or "", digest)


def _digest(keys: Keyring, key_id: str, value: str) -> str | None:
    key = keys.key(PURPOSE, key_id)
    return None if key is None else f"{key_id}:{hmac.new(key, value.encode(), hashlib.sha256).hexdigest()}"
