"""Numbers in a workbook: taken only where the cell shows just what is taken, and otherwise refused by name."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from models.imports.tabular import BadCell, Column, ImportRefused, Layout, Problems, open_table
from models.imports.tabular.number_formats import changes_text, number_text

COLUMNS = ["code", "name", "secret"]
LAYOUT = Layout(
    (
        Column("code", "รหัส", 40, is_code=True),
        Column("name", "ชื่อ", 200, empty=""),
        Column("secret", "รหัสผ่าน", 200, empty="", verbatim=True),
    ),
    counts_ids=True,
)
# A cell: what is in it, and its number format.
Cell = tuple[Any, str]
Write = Callable[[Path, list[list[Cell]]], Path]


def by_openpyxl(path: Path, rows: list[list[Cell]]) -> Path:
    workbook = Workbook()
    sheet: Any = workbook.active
    sheet.append(COLUMNS)
    for row, cells in enumerate(rows, 2):
        for column, (value, code) in enumerate(cells, 1):
            sheet.cell(row, column, value).number_format = code
    workbook.save(path)
    return path


def by_xlsxwriter(path: Path, rows: list[list[Cell]]) -> Path:
    workbook = xlsxwriter.Workbook(path)
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, COLUMNS)
    for row, cells in enumerate(rows, 1):
        for column, (value, code) in enumerate(cells):
            sheet.write(row, column, value, workbook.add_format({"num_format": code}))
    workbook.close()
    return path


both_writers = pytest.mark.parametrize("write", [by_openpyxl, by_xlsxwriter])


def read(path: Path) -> list[tuple[str, ...]]:
    problems = Problems()
    with open_table(path, LAYOUT, problems) as table:
        rows = [tuple(cells) for batch in table.batches() for _line, cells in batch]
        for name in table.national_id_columns():
            problems.replace_column(name, "holds national ID numbers", "delete it")
    problems.require_none()
    return rows


def refusal(path: Path) -> list[str]:
    with pytest.raises(ImportRefused) as refused:
        read(path)
    return [str(problem) for problem in refused.value.problems]


# --- what is taken, as the cell shows it ------------------------------------------------------------------------


@both_writers
@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (1, "General", "1"),
        (1, "@", "1"),
        (1, "0", "1"),
        (1, "0000", "0001"),
        (12345, "0000", "12345"),
        (1.0, "0000", "0001"),
        (0, "0000", "0000"),
        (99999999999, "General", "99999999999"),
        (7391846205, "000000000000", "007391846205"),
        (999999999999999, "0", "999999999999999"),
    ],
)
def test_a_number_is_taken_as_it_is_shown(
    tmp_path: Path, write: Write, value: float, code: str, text: str
) -> None:
    path = write(tmp_path / "a.xlsx", [[(value, code)]])
    assert read(path) == [(text, "", "")]


@given(st.integers(0, 10**15 - 1), st.integers(1, 20))
def test_zeros_fill_up_and_change_no_number(number: int, zeros: int) -> None:
    text = number_text(number, "0" * zeros)
    assert isinstance(text, str)
    assert int(text) == number
    assert len(text) == max(zeros, len(str(number)))


# --- what is refused ----------------------------------------------------------------------------------------

UNCLEAR = "format the column as text and type what the cell is to say"


@both_writers
@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (1, '"A-"000', "A-001"),
        (1234, '"A-"000', "A-1234"),
        (7, '000"/67"', "007/67"),
        (7, r"\A000", "A007"),
        (12345, "00-00-0", "12-34-5"),
        (1, "[Red]0000", "0001"),
        (1, "0000;-0000", "0001"),
        (0, '0;-0;"none "0', "none 0"),
        (1.5, "0", "2"),
        (2.5, "0", "3"),
    ],
)
def test_what_a_cell_shows_is_told_where_it_is_certain(
    tmp_path: Path, write: Write, value: float, code: str, shown: str
) -> None:
    [problem] = refusal(write(tmp_path / "a.xlsx", [[(value, code)]]))
    assert problem == (
        f"line 2, code: is the number {value}, and the cell shows {shown};"
        f" format the column as text and type {shown}"
    )


@both_writers
@pytest.mark.parametrize(
    ("value", "code"),
    [
        (1, "0.00"),
        (1234, "#,##0"),
        (1, "#"),
        (1, "0%"),
        (0.5, "0%"),
        (1, "0.00E+00"),
        (1, "# ?/?"),
        (1, "0/0"),
        (1, "[$-41E]0"),
        (1, "[$-D000000]0"),
        (1, "t0"),
        (1, "bbbb"),
        (1, "[<5]000;0"),
        (1, "000;[>5]0"),
        (1, ";;;"),
        (1, '"none"'),
        (1, "0_)"),
        (1, "* 0"),
        (1, "0,"),
        (0.4, "0"),
        (1, 'General"x"'),
        (1, '0"x'),
        (1, "0\\"),
        (1, '"A"@'),
        (1, "๐๐๐"),
        # What shows the same digits, in a colour or with blanks around them.
        (12, "[Red]0"),
        (1234, "[Red]0000"),
        (12, '0" "'),
        (12, '" "0'),
        (12, "0;-0"),
    ],
)
def test_a_number_in_another_format_is_refused(tmp_path: Path, write: Write, value: float, code: str) -> None:
    [problem] = refusal(write(tmp_path / "a.xlsx", [[(value, code)]]))
    assert problem == (
        f"line 2, code: is the number {value} in the format {code}, which may show something else; {UNCLEAR}"
    )


@both_writers
@pytest.mark.parametrize(
    ("value", "code", "what"),
    [
        (1, "yyyy-mm-dd", "is a date or time"),
        (45366, "yyyy-mm-dd", "is the date 15/03/2024"),
        (45366.5, "d mmm bbbb", "is the date 15/03/2024"),
        (-1, "d/m/yy", "is a date or time"),
        (1, "mm-dd-yy", "is a date or time"),
        (1, "[h]:mm:ss", "is a date or time"),
        (1, "[$-107041E]d mmm yyyy", "is a date or time"),
        (1.5, "General", "is a number with a fraction"),
        (100000000000, "General", "is a number of more than 11 digits, which Excel shows in a shortened form"),
        (100000000000, "@", "is a number of more than 11 digits, which Excel shows in a shortened form"),
        (-1, "General", "is a negative number"),
        (-5, "0000", "is a negative number"),
        (-5, "0000;(0000)", "is a negative number"),
        (-1, '"A-"000', "is a negative number"),
        (-0.5, "0", "is a negative number"),
        (-100000000000, "@", "is a negative number"),
        (1000000000000000, "0", "is a number of more than 15 digits"),
        (1e300, "0000", "is a number of more than 15 digits"),
        (True, "0000", "is TRUE or FALSE"),
        ("=1+1", "0000", "is a formula"),
        ("ก", '"A-"@', "has a number format that changes its text"),
        ("ก", ";;;", "has a number format that changes its text"),
        ("ก", '0;0;0;"A"', "has a number format that changes its text"),
    ],
)
def test_what_is_no_number_of_zeros(tmp_path: Path, write: Write, value: Any, code: str, what: str) -> None:
    [problem] = refusal(write(tmp_path / "a.xlsx", [[(value, code)]]))
    assert problem.startswith(f"line 2, code: {what}; ")
    assert what == "is a formula" or "; format the column as text and type " in problem


@pytest.mark.parametrize("number", [1, 3, 9, 59, 61, 81, 27])
def test_a_format_that_is_built_in_by_its_number(tmp_path: Path, number: int) -> None:
    """`0` is 1; Thai digits, `t0`, are 59, which only Thai programs spell out (ECMA-376 part 1, 18.8.30)."""
    path = tmp_path / "a.xlsx"
    workbook = xlsxwriter.Workbook(path)
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, COLUMNS)
    sheet.write_number(1, 0, 12, workbook.add_format({"num_format": number}))
    workbook.close()
    if number == 1:
        assert read(path) == [("12", "", "")]
    else:
        assert "which may show something else" in refusal(path)[0]


def test_a_formula_with_its_last_result_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    workbook = xlsxwriter.Workbook(path)
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, COLUMNS)
    sheet.write_formula(1, 0, "=1", workbook.add_format({"num_format": "0000"}), 1)
    sheet.write_array_formula(2, 0, 2, 0, "{=1}", None, 1)
    workbook.close()
    assert [line.split(";")[0] for line in refusal(path)] == [
        "line 2, code: is a formula",
        "line 3, code: is a formula",
    ]


def test_a_number_as_a_header_is_refused_like_any_other(tmp_path: Path) -> None:
    workbook = Workbook()
    sheet: Any = workbook.active
    sheet.append([*COLUMNS, 67])
    sheet.append(["1"])
    sheet["D1"].number_format = '"25"00'
    workbook.save(tmp_path / "a.xlsx")
    assert refusal(tmp_path / "a.xlsx")[0].startswith(
        "line 1, column D: is the number 67, and the cell shows 2567;"
    )


def patched(path: Path, old: bytes, new: bytes) -> Path:
    """A workbook with other bytes in its parts."""
    target = path.with_name("patched.xlsx")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as archive:
        contents = {name: source.read(name) for name in source.namelist()}
        assert any(old in content for content in contents.values())
        for name, content in contents.items():
            archive.writestr(name, content.replace(old, new))
    return target


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # A style that no one defines, and a format that no one defines.
        (b'<c r="A2" s="1"', b'<c r="A2" s="99"'),
        (b'<numFmt numFmtId="164"', b'<numFmt numFmtId="165"'),
    ],
)
def test_a_number_whose_format_is_not_known_is_refused_and_a_text_is_not(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    number = patched(by_openpyxl(tmp_path / "number.xlsx", [[(1, "0000")]]), old, new)
    assert refusal(number)[0].startswith("line 2, code: is the number 1 in the format undefined,")
    text = patched(by_openpyxl(tmp_path / "text.xlsx", [[("0001", "0000")]]), old, new)
    assert read(text) == [("0001", "", "")]


def test_a_number_of_400_digits_is_too_long(tmp_path: Path) -> None:
    path = patched(by_openpyxl(tmp_path / "a.xlsx", [[(17, "0")]]), b"<v>17</v>", b"<v>" + b"9" * 400 + b"</v>")
    assert refusal(path)[0].startswith("line 2, code: is a number of more than 15 digits; ")


@pytest.mark.parametrize("code", ['"' + "a" * 50 + '"0', '"a\u202e"0', '"a\nb"0'])
def test_only_what_can_be_typed_is_told(tmp_path: Path, code: str) -> None:
    [problem] = refusal(by_openpyxl(tmp_path / "a.xlsx", [[(1, code)]]))
    assert "which may show something else" in problem
    assert problem.isprintable()
    assert "a" * 41 not in problem


@both_writers
@pytest.mark.parametrize("code", ["_(@_)", '_(* #,##0_);_(* \\(#,##0\\);_(* "-"_);_(@_)', "@", "0000", "[Red]@"])
def test_a_text_is_taken_in_a_format_that_does_not_change_it(tmp_path: Path, write: Write, code: str) -> None:
    assert read(write(tmp_path / "a.xlsx", [[("0001", code)]])) == [("0001", "", "")]


# --- what is never told -------------------------------------------------------------------------------------


@both_writers
@pytest.mark.parametrize(("value", "code"), [(739184, '"canary-"000000'), (7391846205, "#,##0"), (739184.5, "0")])
def test_a_password_is_not_told(tmp_path: Path, write: Write, value: float, code: str) -> None:
    [problem] = refusal(write(tmp_path / "a.xlsx", [[("1", "@"), ("", "@"), (value, code)]]))
    assert problem == f"line 2, secret: is a number that the cell shows in another form; {UNCLEAR}"


@both_writers
@pytest.mark.parametrize("code", ["General", "0-0000-00000-00-0", "#,##0", "0"])
def test_a_column_of_national_ids_is_refused_as_a_whole_and_none_is_told(
    tmp_path: Path, write: Write, code: str
) -> None:
    ids = [1234567890121, 3100500000011]
    rows: list[list[Cell]] = [[(str(number), "@"), (one, code)] for number, one in enumerate(ids)]
    assert refusal(write(tmp_path / "a.xlsx", rows)) == ["name: holds national ID numbers; delete it"]
    wrong: list[list[Cell]] = [[("1", "@"), (1234567890120, "0-0000-00000-00-0")]]
    assert "23456789012" not in refusal(write(tmp_path / "a.xlsx", wrong))[0]


# --- everything at once ---------------------------------------------------------------------------------------

FORMATS = st.sampled_from(["General", "@"]) | st.text('0#?.,%E+-;"\\/_*@ []Adภt', min_size=1, max_size=8)


@given(st.integers(-(10**16), 10**16) | st.floats(allow_nan=False), FORMATS)
def test_any_number_in_any_format_is_its_digits_or_refused(number: float, code: str) -> None:
    """Taken is only what reads as the same number, with no more than zeros before it."""
    text = number_text(number, code)
    if isinstance(text, BadCell):
        return
    assert int(text) == number
    assert code in ("General", "@") or set(code) == {"0"}
    assert text.isdigit()


@given(st.text('0#?.,%E+-;"\\/_*@ []Adภt', max_size=12))
def test_any_format_is_looked_at_to_its_end(code: str) -> None:
    assert changes_text(code) in (True, False)


@given(value=st.floats(allow_nan=False, allow_infinity=False), code=FORMATS)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cell_is_read_or_refused(tmp_path: Path, value: float, code: str) -> None:
    path = by_openpyxl(tmp_path / "a.xlsx", [[(value, code)]])
    try:
        [(text, *_)] = read(path)
    except ImportRefused:
        return
    assert int(text) == value
