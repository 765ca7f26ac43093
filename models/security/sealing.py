"""Seals what must not be readable in a stolen file: updates in the inbox hold typed passwords, keypads a PIN."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.security.keys import Keyring

_NONCE = 12  # bytes, NIST SP 800-38D


class Unreadable(Exception):
    """Sealed under a secret key that is not here, or damaged."""


class Seal:
    """AES-256-GCM under keys of its own, one a purpose, derived from the secret keys: the current one seals, all
    of them open.
    """

    def __init__(self, keys: Keyring, purpose: str = "inbox") -> None:
        self._ciphers = [AESGCM(key) for key in keys.all_keys(purpose)]

    def close(self, body: bytes, about: bytes = b"") -> bytes:
        """Seal a body. `about` is associated data: it is not in the result, and without the same bytes nothing
        opens it.
        """
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._ciphers[0].encrypt(nonce, body, about)

    def open(self, sealed: bytes, about: bytes = b"") -> bytes:
        """The body that was sealed with this associated data. Raises Unreadable."""
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], about)
            except (InvalidTag, ValueError):
                continue
        raise Unreadable
