"""What is wrong with a file: a problem a cell, in order of lines, and no more than anybody mends."""

import pytest

from models.imports.tabular.problems import (
    BadNumber,
    ImportRefused,
    Problem,
    Problems,
    alike,
    english,
    packed,
    refuse,
    shown,
    unpacked,
)


def told(problems: Problems) -> list[str]:
    with pytest.raises(ImportRefused) as refused:
        problems.require_none()
    assert str(refused.value) == "\n".join(str(problem) for problem in refused.value.problems)
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("line", "column", "text"),
    [
        (7, "name", "line 7, name: is empty; fill it in"),
        (7, None, "line 7: is empty; fill it in"),
        (None, "name", "name: is empty; fill it in"),
        (None, None, "is empty; fill it in"),
    ],
)
def test_a_problem_says_where_what_and_how_to_mend_it(line: int | None, column: str | None, text: str) -> None:
    assert str(Problem(line, column, "is empty", "fill it in")) == text


def test_they_are_told_in_order_of_lines_and_what_concerns_the_file_first() -> None:
    found = Problems()
    for line in (9, None, 2, 5):
        found.add(line, "name", "is wrong", "mend it")
    assert [one.split(":")[0] for one in told(found)] == ["name", "line 2, name", "line 5, name", "line 9, name"]


def test_a_cell_has_one_problem_and_a_line_may_have_several() -> None:
    found = Problems()
    for what in ("is wrong", "is very wrong"):
        found.add(2, "name", what, "mend it")
        found.add(3, None, what, "mend it")
    assert told(found) == [
        "line 2, name: is wrong; mend it",
        "line 3: is wrong; mend it",
        "line 3: is very wrong; mend it",
    ]


def test_a_column_that_is_wrong_as_a_whole_is_told_once() -> None:
    found = Problems()
    for line in range(2, 50):
        found.add(line, "id", "is wrong", "mend it")
    found.add(3, "name", "is wrong", "mend it")
    found.replace_column("id", "holds national ID numbers", "delete it")
    assert told(found) == ["id: holds national ID numbers; delete it", "line 3, name: is wrong; mend it"]


def test_more_than_anybody_mends_are_not_kept() -> None:
    found = Problems(most=3)
    for line in range(2, 5):
        assert not found.is_full
        found.add(line, "name", "is wrong", "mend it")
    assert found.is_full
    found.add(99, "name", "is wrong", "mend it")
    assert told(found) == [
        "more than 3 problems; mend these and import again",
        *(f"line {line}, name: is wrong; mend it" for line in range(2, 5)),
    ]


def test_without_a_problem_nothing_is_refused() -> None:
    found = Problems()
    assert not found
    found.require_none()
    found.add(None, None, "is wrong", "mend it")
    assert found
    assert str(refuse("the file is empty", "give another")) == "the file is empty; give another"


def test_a_text_keeps_what_another_language_needs() -> None:
    inner = english("U+{code:04X}", code=0x200B)
    text = english("contains {character}, which cannot be seen", character=inner)
    assert text == "contains U+200B, which cannot be seen"
    assert (text.template, text.values) == ("contains {character}, which cannot be seen", {"character": inner})


def test_a_column_of_secrets_hides_the_number_where_it_is_named() -> None:
    named = BadNumber("is the number 2", "type A-002", "2", is_named=True)
    assert "2" not in named.hidden.what + named.hidden.mend
    unnamed = BadNumber("is a number with a fraction", "type it", "2", is_named=False)
    assert unnamed.hidden is unnamed


def test_problems_that_are_alike_are_one_line_with_all_their_places() -> None:
    empty = english("is empty"), english("fill it in")
    found = [
        Problem(None, None, english("the file is odd"), english("look at it")),
        *(Problem(line, "name", *empty) for line in (2, 3, 4, 9)),
        Problem(5, "code", english("{text} is no code", text="a"), english("correct it")),
        Problem(9, "note", *empty),
        Problem(7, "code", english("{text} is no code", text="b"), english("correct it")),
        Problem(8, "code", english("is far too long"), english("shorten it")),
        Problem(None, None, english("the file is odd"), english("look at it")),
    ]
    assert list(map(str, alike(found))) == [
        "the file is odd; look at it",
        "lines 2–4, 9, name; line 9, note: is empty; fill it in",
        "lines 5, 7, code: a is no code (line 5; the others are alike); correct it",
        "line 8, code: is far too long; shorten it",
        "the file is odd; look at it",
    ]


def test_a_text_is_packed_with_what_another_language_needs() -> None:
    inner = english("U+{code:04X}", code=0x200B)
    text = english("contains {character}", character=inner)
    again = unpacked(packed(text))
    assert (again, again.template, again.values["character"].template) == (text, text.template, inner.template)
    assert [unpacked(packed(value)) for value in (None, 7, "plain")] == [None, 7, "plain"]


@pytest.mark.parametrize("text", ["1234567890123", "๑๒๓๔๕๖๗๘๙๐๑๒๓", "no. 1-2345-67890-12-1", "12 345 678 90123 4"])
def test_what_could_be_an_id_number_is_not_shown(text: str) -> None:
    assert shown(text) == "(not shown)"
    assert shown(text[1:12]) == text[1:12]
