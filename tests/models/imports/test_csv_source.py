"""CSV files: their encoding, their lines and quotes, and what only bears the name of one."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.imports.tabular.csv_source import NOT_THAI
from tests.models.imports.tables import HEADER, empty_workbook, kept, read, refusal, texts, to_csv

thai = st.sampled_from([chr(point) for point in (*range(0x0E01, 0x0E3B), *range(0x0E3F, 0x0E5C))])
western = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


@given(
    names=st.lists(texts(thai | western).filter(lambda text: not NOT_THAI.search(text)), min_size=1, max_size=5)
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_thai_text_survives_cp874(tmp_path: Path, names: list[str]) -> None:
    # A line that UTF-8 cannot be: without it a text of ASCII letters would be read as that, to the same end.
    rows = [HEADER, ["0", "ก", ""], *(["1", name, ""] for name in names)]
    path = to_csv(tmp_path / "a.csv", rows, encoding="cp874")
    assert [cells[1] for _line, cells in read(path)][1:] == [kept(name) for name in names]


@pytest.mark.parametrize("name", ["José", "Núñez", "Ñandú", "Müller", "Zoë", "façade", "é"])
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_a_text_in_a_western_encoding_is_not_taken_for_thai(tmp_path: Path, name: str, encoding: str) -> None:
    path = to_csv(tmp_path / "a.csv", [HEADER, ["1", name, ""]], encoding=encoding)
    assert "neither UTF-8" in refusal(path)[0]


def test_lines_are_counted_across_quoted_line_breaks(tmp_path: Path) -> None:
    path = to_csv(tmp_path / "a.csv", [HEADER, ["1", "ก\nข", ""], ["", "ค", ""]])
    assert [line.split(":")[0] for line in refusal(path)] == ["line 2, name", "line 4, code"]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"\r\n\r\n", "the file is empty"),
        ("a.csv", b"\xef\xbb\xbf", "the file is empty"),
        ("a.csv", b"code,name,note\r\n", "the file has a header but no rows"),
        ("a.csv", empty_workbook(), "the file is named .csv but is an XLSX workbook; name it .xlsx"),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "the file is named .csv but is an old Excel file"),
        ("a.csv", "code,name,note".encode("utf-16"), "the file is a text in UTF-16"),
        ("a.csv", "code,name,note".encode("utf-16-le"), "the file is a text in UTF-16"),
        ("a.csv", "code,name,note\n".encode("utf-32"), "the file is a text in UTF-16"),
        ("a.csv", b"code,name,note\n1,\0a,\n", "the file is not a text: line 2 holds a NUL byte"),
        ("a.csv", 2 * b"\xef\xbb\xbf" + b"code,name,note\n1,a,\n", "begins with two byte order marks"),
        ("a.csv", b"code;name;note\n1;a;\n", "the file has semicolons between its columns, and no commas"),
        ("a.csv", b"\n\ncode\tname\tnote\n1\ta\t\n", "the file has tabs between its columns, and no commas"),
        ("a.csv", b'"code"|"name"|"note"\n', "the file has vertical bars between its columns, and no commas"),
        ("a.csv", b"sep=;\ncode;name;note\n", "the file has semicolons between its columns, and no commas"),
        ("a.csv", b"sep=#\ncode#name#note\n", "the file has no commas between its columns"),
        ("a.csv", b"code,name,note\n" + b"," * 16384, "line 2: has more than 16,384 cells"),
        ("a.csv", b"%PDF-1.7", "the file is named .csv but is a PDF"),
        ("a.csv", b" <html><table>", "the file is named .csv but is a web page"),
        ("a.csv", b"code,name,note\n1,\xff,\n", "neither UTF-8 (line 2) nor CP874 (line 2)"),
        ("a.csv", b"code,name,note\n1,\xe0\xb8,\n2,\xfc,", "neither UTF-8 (line 2) nor CP874 (line 3)"),
        ("a.csv", b"\xef\xbb\xbfcode,name,note\n1,\xb9,\n", "line 2: is not UTF-8, as the file's first bytes say"),
        ("a.csv", b'code,name,note\n1,"\xe0\xb8\x81,\n2,x,\n', "line 2: cannot be read as CSV"),
        ("a.csv", b'code,name,note\n1,"a"b,\n', "line 2: cannot be read as CSV"),
    ],
)
def test_what_is_no_csv_file(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    found = refusal(path)
    assert len(found) == 1
    assert what in found[0]
