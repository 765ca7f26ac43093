"""Sealed updates: unreadable without the key, and noticed when they were touched."""

import pytest

from models.security.keys import Keyring
from models.security.sealing import Seal, Unreadable

KEY = Keyring("k" * 32)


def test_what_was_sealed_opens_again_and_shows_nothing() -> None:
    body = "รหัสผ่าน".encode()
    sealed = Seal(KEY).close(body)
    assert Seal(KEY).open(sealed) == body
    assert body not in sealed
    assert Seal(KEY).close(body) != sealed


def test_another_key_or_a_changed_byte_is_refused() -> None:
    sealed = Seal(KEY).close(b"body")
    for key, touched in (
        (Keyring("x" * 32), sealed),
        (KEY, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (KEY, sealed[:5]),
        (KEY, b""),
    ):
        with pytest.raises(Unreadable):
            Seal(key).open(touched)


def test_a_changed_key_opens_what_the_old_one_sealed() -> None:
    sealed = Seal(KEY).close(b"body")
    assert Seal(Keyring("x" * 32, (KEY.current,))).open(sealed) == b"body"


def test_a_body_opens_with_its_associated_data_only() -> None:
    sealed = Seal(KEY).close(b"body", b"of this row")
    assert Seal(KEY).open(sealed, b"of this row") == b"body"
    for about in (b"", b"of another row"):
        with pytest.raises(Unreadable):
            Seal(KEY).open(sealed, about)
