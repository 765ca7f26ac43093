"""Keys derived from the secret key, one for each purpose. A key id tells secret keys apart after a rotation.

The secret key itself is never stored and never used directly (HKDF, RFC 5869).
"""

from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def _derive(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"laocert {purpose}".encode()).derive(secret.encode())


@dataclass(frozen=True)
class Keyring:
    """The current secret key and old ones, which only decrypt and verify.

    `lost` has the ids of former keys that nobody has any more. Nothing made under them can be decrypted or
    verified; by configuring them the operator allows the record to continue nevertheless.
    """

    current: str
    old: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    @cached_property
    def _by_id(self) -> dict[str, str]:
        return {_derive(secret, "id").hex()[:8]: secret for secret in (*reversed(self.old), self.current)}

    @cached_property
    def _derived(self) -> dict[tuple[str, str], bytes]:
        """Cache of derived keys: a tap needs several, and deriving one takes longer than using it."""
        return {}

    @cached_property
    def current_id(self) -> str:
        """The id of the current key: 8 hexadecimal digits."""
        return _derive(self.current, "id").hex()[:8]

    @cached_property
    def admitted(self) -> frozenset[str]:
        """The ids of all configured keys, lost ones included: those whose events the record may continue after."""
        return frozenset((*self._by_id, *self.lost))

    def key(self, purpose: str, key_id: str) -> bytes | None:
        """Return the 32-byte key for a purpose, derived from the secret key with this id; None when that is
        missing.
        """
        derived = self._derived.get((purpose, key_id))
        if derived is None and (secret := self._by_id.get(key_id)) is not None:
            derived = self._derived[purpose, key_id] = _derive(secret, purpose)
        return derived

    def all_keys(self, purpose: str) -> list[bytes]:
        """Return the 32-byte keys for a purpose, derived from all secret keys, the current one first."""
        return [_derive(secret, purpose) for secret in (self.current, *self.old)]
