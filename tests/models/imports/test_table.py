"""Headers and rows of a file of either kind: what comes out of clean ones, and how others are refused."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.imports.tabular import ImportRefused
from models.imports.tabular.cells import REFUSED_CATEGORIES
from tests.models.imports.tables import HEADER, kept, read, refusal, texts, to_csv, to_xlsx

# --- what comes through -------------------------------------------------------------------------------------

NOT_SEEN = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u3164\uffa0\ufffd"
anything = st.characters(
    exclude_categories=[*REFUSED_CATEGORIES, "Cn", "Mn"], exclude_characters=NOT_SEEN
) | st.sampled_from("่้๊๋์ํ็ุู")


@given(names=st.lists(texts(anything), min_size=1, max_size=5))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("kind", ["utf-8", "utf-8-sig", "xlsx"])
def test_any_clean_text_survives(tmp_path: Path, kind: str, names: list[str]) -> None:
    rows = [HEADER, *(["1", name, ""] for name in names)]
    path = (
        to_xlsx(tmp_path / "a.xlsx", rows) if kind == "xlsx" else to_csv(tmp_path / "a.csv", rows, encoding=kind)
    )
    assert read(path) == [(line, ["1", kept(name), "-"]) for line, name in enumerate(names, 2)]


@given(content=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".xlsx"]))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(ImportRefused):
        read(path)


def test_headers_in_thai_in_any_order_and_case(tmp_path: Path) -> None:
    path = to_csv(tmp_path / "a.CSV", [["ชื่อ", " NOTE ", "รหัส"], ["กก", "n", "๑๒"]])
    assert read(path) == [(2, ["12", "กก", "n"])]


def test_empty_lines_and_empty_cells_at_the_end_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('\r\n,,\r\ncode,name,note,,\r\n1,ก,,,\r\n\r\n , ,\r\n2,"ข,ค",x\r\n', newline="")
    assert read(path) == [(4, ["1", "ก", "-"]), (7, ["2", "ข,ค", "x"])]


# --- what is refused ----------------------------------------------------------------------------------------


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    rows = [HEADER, ["", "=1", ""], ["1", "ก"], ["1", "ก", "", "x"], ["1", "\u200b", ""]]
    found = refusal(to_csv(tmp_path / "a.csv", rows))
    assert [line.split(":")[0] for line in found] == [
        "line 2, code",
        "line 2, name",
        "line 3",
        "line 4",
        "line 5, name",
    ]
    assert found[2] == "line 3: has 2 cells, the header has 3; give each column one cell, empty or not"


def test_more_problems_than_anybody_mends_end_the_reading(tmp_path: Path) -> None:
    found = refusal(to_csv(tmp_path / "a.csv", [HEADER, *([["", "ก", ""]] * 20)]), most=5)
    assert len(found) == 6
    assert "more than 5 problems; mend these and import again" in found


@pytest.mark.parametrize(
    ("header", "what"),
    [
        (["code", "name"], "line 1: these columns are missing: note (หมายเหตุ); add them to the header"),
        (["code", "name", "note", "รหัส"], "line 1, รหัส: is there twice"),
        (
            ["code", "name", "note", "else"],
            "line 1, column 4: else is no column of this kind of file; the columns are code, name, note (รหัส, ชื่อ,",
        ),
        (["code", "", "name", "note"], "line 1, column 2: has no name"),
        (["code", "na\u202eme", "note"], "line 1, column 2: contains U+202E"),
        (["รายชื่อ"], "line 1: is no header: none of the columns of such a file is in it; the columns are code"),
        (["code", "name", "note", "1-2345-67890-12-1"], "line 1, column 4: has a name with 13 digits or more"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, header: list[str], what: str) -> None:
    found = refusal(to_csv(tmp_path / "a.csv", [header, ["1"] * len(header)]))
    assert any(what in line for line in found), found


def test_a_file_that_is_of_neither_kind(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x")
    (what,) = refusal(tmp_path / "a.txt")
    assert "ends neither with .csv nor with .xlsx" in what
    (tmp_path / "a.xls").write_bytes(b"x")
    (what,) = refusal(tmp_path / "a.xls")
    assert what.startswith("the file is an old Excel file (.xls); open it in a spreadsheet program and save it as")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.csv") == [
        "the file cannot be opened: No such file or directory; check its name and your rights"
    ]
    (tmp_path / "folder.csv").mkdir()
    assert "cannot be opened" in refusal(tmp_path / "folder.csv")[0]
