"""Keys derived from the secret key, one a purpose, each with an id, so that the secret key can be changed.

The secret key itself is never stored and never used as it is (RFC 5869).
"""

from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def _derive(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"laocert {purpose}".encode()).derive(secret.encode())


@dataclass(frozen=True)
class Keyring:
    """The secret key in use and those before it, which only open and verify.

    `lost`: ids of keys that were in use before and that nobody has any more. Nothing made under them can be opened
    or verified; naming them says that the record may go on without them.
    """

    current: str
    old: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    @cached_property
    def _by_id(self) -> dict[str, str]:
        return {_derive(secret, "id").hex()[:8]: secret for secret in (*reversed(self.old), self.current)}

    @cached_property
    def _derived(self) -> dict[tuple[str, str], bytes]:
        """Keys that were derived before: a tap needs several, and deriving one costs more than what it is for."""
        return {}

    @cached_property
    def current_id(self) -> str:
        """The id of the key in use: 8 hexadecimal letters."""
        return _derive(self.current, "id").hex()[:8]

    @cached_property
    def admitted(self) -> frozenset[str]:
        """The ids of the keys after whose events the record may go on."""
        return frozenset((*self._by_id, *self.lost))

    def key(self, purpose: str, key_id: str) -> bytes | None:
        """The 32 bytes for a purpose under the secret key with this id; None when that key is not here."""
        derived = self._derived.get((purpose, key_id))
        if derived is None and (secret := self._by_id.get(key_id)) is not None:
            derived = self._derived[purpose, key_id] = _derive(secret, purpose)
        return derived

    def all_keys(self, purpose: str) -> list[bytes]:
        """The 32 bytes for a purpose under every key, the current one first."""
        return [_derive(secret, purpose) for secret in (self.current, *self.old)]
