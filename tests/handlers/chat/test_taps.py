"""Callback data: packed and unpacked within the Bot API's 64 bytes; forged data is refused."""

import contextlib
import enum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.chat.taps.certification import LaoHistory
from handlers.chat.taps.tap import MAX_CALLBACK_DATA, InvalidTap, Tap, all_kinds, unpack


def value(hint: Any) -> st.SearchStrategy[Any]:
    if hint is int:
        return st.integers(0, 999_999_999)
    if hint is str:
        return st.from_regex(r"[A-Za-z0-9_-]{1,24}", fullmatch=True)
    assert issubclass(hint, enum.StrEnum)
    return st.sampled_from(list(hint))


def tap(kind: type[Tap]) -> st.SearchStrategy[Tap]:
    return st.builds(kind, **{name: value(hint) for name, hint in kind._types.items()})


@given(st.one_of([tap(kind) for kind in all_kinds()]))
def test_a_tap_is_itself_again_and_fits(tapped: Tap) -> None:
    data = tapped.pack()
    assert 1 <= len(data.encode()) <= MAX_CALLBACK_DATA
    assert unpack(data) == tapped


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: kind.__name__)
def test_the_longest_values_of_a_kind_fit(kind: type[Tap]) -> None:
    longest = {int: 999_999_999, str: "x" * 24}
    kind(**{name: longest.get(hint) or max(hint, key=len) for name, hint in kind._types.items()}).pack()


ALMOST = st.builds(
    lambda code, parts: ":".join([code, *parts]),
    st.sampled_from([kind.code for kind in all_kinds()]),
    st.lists(
        st.sampled_from(["0", "01", "-1", "๑", "o", "l", "x" * 41, "", " 1", "1\n", "a b", "511"]), max_size=5
    ),
)


@given(st.one_of(st.text(max_size=80), ALMOST))
@example("")
@example("lh:٣")
@example("pp:5110201:o:0:")
def test_what_comes_from_outside_is_a_tap_or_refused(data: str) -> None:
    with contextlib.suppress(InvalidTap):
        assert unpack(data).pack() == data


def test_a_value_that_does_not_fit_is_a_bug_of_ours() -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever check finds it
        LaoHistory(-1).pack()


def test_no_two_members_of_an_enum_begin_alike() -> None:
    hints = {hint for kind in all_kinds() for hint in kind._types.values() if issubclass(hint, enum.StrEnum)}
    for hint in hints:
        assert len({member.value[0] for member in hint}) == len(hint), hint
