"""Encrypts data that must not be readable in a stolen database: inbox updates (passwords) and keypads (PINs)."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.security.keys import Keyring

_NONCE = 12  # bytes, NIST SP 800-38D


class Unreadable(Exception):
    """The ciphertext cannot be decrypted: its secret key is missing, or it was changed."""


class Seal:
    """AES-256-GCM with keys derived for one purpose: encrypts with the current key, decrypts with all keys."""

    def __init__(self, keys: Keyring, purpose: str = "inbox") -> None:
        self._ciphers = [AESGCM(key) for key in keys.all_keys(purpose)]

    def close(self, body: bytes, about: bytes = b"") -> bytes:
        """Encrypt a body. `about` is associated data: not part of the result, but required to decrypt it."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._ciphers[0].encrypt(nonce, body, about)

    def open(self, sealed: bytes, about: bytes = b"") -> bytes:
        """Decrypt a body that was encrypted with the same associated data. Raises Unreadable."""
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], about)
            except (InvalidTag, ValueError):
                continue
        raise Unreadable
