"""Keys derived from the secret key: one a purpose, with an id, and what those before it still open."""

from models.security.keys import Keyring

OLDEST, OLD, NEW = (f"a secret key of more than 32 letters, the {which}" for which in ("first", "second", "third"))


def test_each_purpose_has_a_key_of_its_own() -> None:
    keys = Keyring(NEW)
    pin, inbox = keys.key("pin", keys.current_id), keys.key("inbox", keys.current_id)
    assert pin is not None
    assert inbox is not None
    assert pin != inbox
    assert len(pin) == len(inbox) == 32
    # The secret key is never used as it is, nor can it be read from its id.
    assert NEW.encode()[:32] not in (pin, inbox)
    assert pin.hex()[:8] != keys.current_id


def test_the_same_secret_key_gives_the_same_keys_in_every_program() -> None:
    """These letters stand in databases: another derivation would lose them."""
    keys = Keyring("a key for tests only of more than 32 letters")
    assert keys.current_id == Keyring("a key for tests only of more than 32 letters").current_id == "e68a98c8"
    key = keys.key("audit chain", keys.current_id)
    assert key is not None
    assert key.hex()[:16] == "3caa53474440ee8a"


def test_a_changed_key_keeps_what_the_old_ones_open() -> None:
    before, after = Keyring(OLD), Keyring(NEW, (OLD, OLDEST))
    assert after.current_id != before.current_id
    assert after.key("pin", before.current_id) == before.key("pin", before.current_id) is not None
    assert after.all_keys("pin") == [
        Keyring(secret).key("pin", Keyring(secret).current_id) for secret in (NEW, OLD, OLDEST)
    ]
    # And not the other way round.
    assert before.key("pin", after.current_id) is None
    assert before.all_keys("pin") == [before.key("pin", before.current_id)]


def test_the_record_may_go_on_after_keys_that_are_known_or_given_up() -> None:
    lost = Keyring(OLDEST).current_id
    keys = Keyring(NEW, (OLD,), (lost,))
    assert keys.admitted == {keys.current_id, Keyring(OLD).current_id, lost}
    # Given up: it opens nothing.
    assert keys.key("pin", lost) is None
    assert Keyring(OLD).current_id not in Keyring(NEW).admitted
