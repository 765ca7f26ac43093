"""The checkers of the Bot API's schema refuse wrong values."""

import pytest

from demo.botapi.errors import EmulatorBug
from demo.botapi.schema import load

CHAT = {"id": 1, "type": "private"}


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        ("Message", {"message_id": 1, "date": 0}, "Message lacks ['chat']"),
        ("Message", {"message_id": "1", "date": 0, "chat": CHAT}, "message_id: an Integer expected, got '1'"),
        ("Message", {"message_id": 1, "date": 0, "chat": CHAT, "mood": "x"}, "Message has no field 'mood'"),
        ("Message", {"message_id": 1, "date": True, "chat": CHAT}, "date: an Integer expected, got True"),
        ("Message", {"message_id": 1, "date": 0, "chat": {"id": 1}}, "chat: Chat lacks ['type']"),
        ("Array of Update", [{"update_id": 1}, 5], "[1]: an object Update expected, got 5"),
        ("Array of String", "abc", "an Array expected, got 'abc'"),
    ],
)
def test_what_is_wrong_is_named(kind, value, error):
    assert load().checker(kind)(value) == error
    with pytest.raises(EmulatorBug):
        load().verify(kind, value)


def test_unions_are_told_apart_by_their_fixed_word():
    user = {"id": 1, "is_bot": True, "first_name": "x"}
    check = load().checker("ChatMember")
    assert check({"status": "member", "user": user}) is None
    assert check({"status": "kicked", "user": user, "until_date": 0}) is None
    assert check({"status": "kicked", "user": user}) is not None
    assert check({"status": "asleep", "user": user}) is not None


def test_recursive_types():
    inner = {"message_id": 1, "date": 0, "chat": CHAT}
    check = load().checker("Message")
    assert check({**inner, "reply_to_message": inner}) is None
    assert check({**inner, "reply_to_message": {**inner, "x": 1}}) == "reply_to_message: Message has no field 'x'"


def test_every_type_and_method_compiles():
    schema = load()
    assert schema.version == "Bot API 10.1"
    for name in schema._types:
        schema.checker(name)
    for name in schema._methods:
        assert schema.method(name) is not None
    assert schema.method("sendmessage") is schema.method("SendMessage")
    assert schema.method("nothing") is None
