"""Passwords: their hashes, and the forms in which the same letters can be typed."""

import unicodedata

from models.accounts import pin
from models.security.keys import Keyring
from models.security.passwords import _HASHER, NO_PASSWORD, hash_password, password_matches


def test_a_password_matches_its_own_hash_only() -> None:
    kept = hash_password("ถูกต้อง-horse-1")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert password_matches(kept, "ถูกต้อง-horse-1")
    assert not password_matches(kept, "ถูกต้อง-horse-2")
    assert not password_matches(kept, "")
    assert not password_matches(NO_PASSWORD, "")


def test_what_nobody_has_takes_as_long() -> None:
    assert NO_PASSWORD.startswith(hash_password("1")[:30])
    assert pin._NO_PIN.startswith(pin.hash_pin(Keyring("k" * 32), 1, "804915").partition(":")[2][:30])


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert password_matches(hash_password("caf\u00e9-12345"), "cafe\u0301-12345")


def test_a_password_that_looks_alike_is_the_same() -> None:
    kept = hash_password("นํ้าเเดง-12345")
    assert password_matches(kept, "น้ำแดง-12345")
    assert password_matches(kept, "น้ําแดง-\u200b１2345")
    assert not password_matches(kept, "นำแดง-12345")


def test_a_hash_of_an_older_version_is_of_the_letters_as_they_were_typed() -> None:
    kept = _HASHER.hash(unicodedata.normalize("NFC", "นํ้าเเดง-12345"))
    assert password_matches(kept, "นํ้าเเดง-12345")
    assert not password_matches(kept, "นํ้าเเดง-12346")
