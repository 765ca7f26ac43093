"""Seals the updates in the inbox: they hold typed passwords and must not be readable in a stolen file."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12  # bytes, NIST SP 800-38D


class Unreadable(Exception):
    """Sealed under another secret key, or damaged."""


class Seal:
    """AES-256-GCM under a key of its own, derived from the secret key (RFC 5869)."""

    def __init__(self, secret_key: str) -> None:
        key = HKDF(SHA256(), 32, salt=None, info=b"laocert inbox").derive(secret_key.encode())
        self._cipher = AESGCM(key)

    def close(self, body: bytes) -> bytes:
        """Seal a body."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, body, None)

    def open(self, sealed: bytes) -> bytes:
        """The body that was sealed. Raises Unreadable."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except (InvalidTag, ValueError) as error:
            raise Unreadable from error
