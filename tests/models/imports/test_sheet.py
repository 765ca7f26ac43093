"""The rows of a worksheet as its XML has them: in order, in place, and alike in whatever form they are written."""

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.imports.tabular import BadCell, ImportRefused
from models.imports.tabular.xlsx_source import LIMITS, XlsxSource
from tests.models.imports.workbooks import MAIN, XML, inline_row, letters, shared_strings, workbook, worksheet

Rows = list[tuple[int, list[Any]]]
STRINGS = shared_strings(["ก", "ข", "ค"])


def rows(sheet: str | bytes, strings: str | None = STRINGS) -> Rows:
    """All rows; why a cell is none in its place."""
    source = XlsxSource(io.BytesIO(workbook(sheet, strings)), LIMITS)
    read = [row for batch in source.batches() for row in batch]
    source.close()
    return [(line, [cell.what if isinstance(cell, BadCell) else cell for cell in cells]) for line, cells in read]


def refusal(sheet: str | bytes, strings: str | None = STRINGS) -> str:
    with pytest.raises(ImportRefused) as refused:
        rows(sheet, strings)
    return str(refused.value)


TWO_ROWS: Rows = [(1, ["ก", "x"]), (3, ["", "ข"])]
PLAIN = (
    '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t>x</t></is></c></row>'
    '<row r="3"><c r="B3" s="1" t="s"><v>1</v></c></row>'
)


@pytest.mark.parametrize(
    "sheet",
    [
        worksheet(PLAIN),
        # Blanks and line ends between the elements.
        worksheet(PLAIN.replace("><row", ">\n  <row").replace("><c", ">\r\n<c").replace("</row>", " </row>")),
        worksheet("\n" + PLAIN + "\n"),
        # Other attributes, their order and their quotes.
        worksheet(PLAIN.replace('<row r="3"', '<row spans="1:2" r="3" ht="12.8" customHeight="false"')),
        worksheet(PLAIN.replace('<c r="A1" t="s">', "<c t='s' r='A1'>")),
        # Numbers of rows and cells that follow from those before.
        worksheet(PLAIN.replace(' r="1"', "").replace(' r="A1"', "").replace(' r="B1"', "")),
        # Comments, CDATA, references, processing instructions, and pieces of a text.
        worksheet(PLAIN.replace("<t>x</t>", "<t><![CDATA[x]]></t>")),
        worksheet(PLAIN.replace("<t>x</t>", "<t>&#120;</t>").replace("<v>1</v>", "<v>&#x31;</v>")),
        worksheet(
            PLAIN.replace("<t>x</t>", "<r><t>x</t></r><r><rPr/><t></t></r><rPh sb='0' eb='1'><t>y</t></rPh>")
        ),
        worksheet(f"<!-- {PLAIN} -->" + PLAIN),
        worksheet(
            PLAIN + '<!-- <row r="5"><c r="A5"><v>1</v></c></row><row r="6"><c r="A6"><v>1</v></c></row> -->'
        ),
        worksheet(PLAIN + '<?x <row r="5"><c r="A5"><v>1</v></c></row><row r="6"><c r="A6"><v>1</v></c></row>?>'),
        worksheet(PLAIN, before='<!-- <sheetData><row r="1"><c r="A1"><v>5</v></c></row></sheetData> -->'),
        worksheet(PLAIN).replace("<sheetData>", '<sheetData ><!-- <sheetData><row r="1"><c r="A1"/></row> -->'),
        # Cells that are empty, with a format or without.
        worksheet(PLAIN.replace("</row>", "</row>", 1).replace("</c></row>", '</c><c r="C1" s="1"/></row>', 1)),
        worksheet(PLAIN + '<row r="4"><c r="A4" s="1"/><c r="B4" s="1"></c></row><row r="9" s="1"/>'),
        # A prefix, another encoding, and strict Open XML.
        worksheet(PLAIN)
        .replace("<", "<x:")
        .replace("<x:/", "</x:")
        .replace("<x:?", "<?")
        .replace("xmlns=", "xmlns:x="),
        worksheet(PLAIN).replace("UTF-8", "UTF-16").encode("utf-16"),
        worksheet(PLAIN).replace("UTF-8", "TIS-620").encode("tis-620"),
        worksheet(PLAIN).encode("utf-8-sig"),
        worksheet(PLAIN).replace(MAIN, "http://purl.oclc.org/ooxml/spreadsheetml/main"),
        # What is not of this language says nothing.
        worksheet(
            PLAIN, after='<extLst><ext><row xmlns="urn:x" r="5"><c r="A5"><v>1</v></c></row></ext></extLst>'
        ),
    ],
)
def test_a_sheet_is_the_same_in_whatever_form_it_is_written(sheet: str | bytes) -> None:
    assert rows(sheet) == TWO_ROWS


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (inline_row(2, ["a"]) + inline_row(1, ["b"]), "line 1: stands below row 2"),
        (inline_row(2, ["a"]) + inline_row(2, ["b"]), "line 2: stands below row 2"),
        (inline_row(2, ["a"]) + "<row r='1'><c><v>1</v></c></row>", "line 1: stands below row 2"),
        (inline_row(1_048_577, ["a"]), "it has a row 1048577"),
        ('<row r="0"/>', "a row of it has no number"),
        ('<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>', "line 1: the cell A1 does not stand"),
        ('<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>1</v></c></row>', "line 1: the cell A1 does not stand"),
        ('<row r="1"><c r="A2"><v>1</v></c></row>', "line 1: the cell A2 does not stand"),
        ('<row r="1"><c r="XFE1"><v>1</v></c></row>', "it has a column XFE"),
        ('<row r="1"><c r="1"><v>1</v></c></row>', "line 1: the cell 1 does not stand"),
        ("<row><row/></row>", "its rows are not where they belong"),
        ("<c><v>1</v></c>", "its rows are not where they belong"),
        ("<row><c>1</c></row>", "its rows are not where they belong"),
        ("<row>1</row>", "its rows are not where they belong"),
        ("<row><c><v>1</v><v>2</v></c></row>", "a cell has two values"),
        ("<row><c><v>1<v>2</v></v></c></row>", "its rows are not where they belong"),
        ("<row><c><v>1</c></row>", "its XML cannot be read"),
        ("<row r='1'><c><v>1</v></c></row></sheetData><sheetData><row r='2'/>", "it has its rows twice"),
    ],
)
def test_a_sheet_that_is_out_of_order_is_refused(data: str, what: str) -> None:
    assert what in refusal(worksheet(data))


@pytest.mark.parametrize("end", [1, 40, 200])
def test_a_sheet_that_ends_too_early_is_refused(end: int) -> None:
    assert "its XML cannot be read" in refusal(
        worksheet("".join(inline_row(row, ["a"]) for row in (1, 2, 3)))[:-end]
    )


@pytest.mark.parametrize("style", ["", ' s="1"', " s='1'"])
@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ('t="s"><v>3</v>', "refers to a text that the workbook does not hold"),
        ('t="s"><v>-1</v>', "refers to a text that the workbook does not hold"),
        ('t="s"><v>1_0</v>', "refers to a text that the workbook does not hold"),
        ('t="s"><v>1.0</v>', "refers to a text that the workbook does not hold"),
        ('t="e"><v>#N/A</v>', "is the error value #N/A of a spreadsheet"),
        ('t="e"><v>#GETTING_DATA</v>', "is the error value #GETTING_DATA of a spreadsheet"),
        ('t="e"><v>มี</v>', "is an error value of a spreadsheet"),
        ('t="e">', "is an error value of a spreadsheet"),
        ('t="b"><v>1</v>', "is TRUE or FALSE"),
        ('t="d"><v>2026-01-01</v>', "is a date or time"),
        ('t="z"><v>1</v>', "is of a kind that is not known"),
        ("><v>x</v>", "is of a kind that is not known"),
        ("><v>1_0</v>", "is of a kind that is not known"),
        ("><v>0x1</v>", "is of a kind that is not known"),
        ("><v>nan</v>", "is of a kind that is not known"),
        ("><v>1E999999999</v>", "is a number of more than 15 digits"),
        ("><f>1+1</f><v>2</v>", "is a formula"),
        ('t="str"><f>A2</f><v>x</v>', "is a formula"),
        ("><f/>", "is a formula"),
        ('t="inlineStr"><v>1</v><is><t>x</t></is>', "has two values"),
        ("><is><t>x</t></is>", "has two values"),
        ('t="str"><v>' + "a" * 32768 + "</v>", "has more than 32,767 characters"),
    ],
)
def test_a_cell_that_is_not_certain_is_refused_in_its_place(style: str, cell: str, what: str) -> None:
    sheet = worksheet(f'<row r="1"><c r="A1"{style} {cell}</c></row>')
    assert rows(sheet) == [(1, [what])]


def test_texts_are_unescaped_once() -> None:
    sheet = worksheet('<row r="1"><c r="A1" t="str"><v>a_x000A_b_x005F_x000A_c_xZZZZ_</v></c></row>')
    assert rows(sheet) == [(1, ["a\nb_x000A_c_xZZZZ_"])]


def test_a_text_of_many_pieces_is_one(  # rich text, with a reading above it that is no part of it
) -> None:
    strings = f'{XML}<sst xmlns="{MAIN}"><si><r><t>a</t></r><r><rPr/><t>b</t></r><rPh><t>y</t></rPh></si></sst>'
    assert rows(worksheet('<row r="1"><c r="A1" t="s"><v>0</v></c></row>'), strings) == [(1, ["ab"])]


# --- the plain form and the parser, beside each other ---------------------------------------------------------

CELL = st.sampled_from(
    [
        '<c r="{ref}" t="s"><v>0</v></c>',
        '<c r="{ref}" s="1" t="s"><v>2</v></c>',
        '<c r="{ref}" s="1"/>',
        '<c r="{ref}"></c>',
        '<c r="{ref}" t="inlineStr"><is><t>x y</t></is></c>',
        '<c r="{ref}" t="inlineStr"><is><t xml:space="preserve"> &amp; </t></is></c>',
        '<c r="{ref}"><v>12</v></c>',
        '<c r="{ref}"><f>1</f><v>12</v></c>',
        '<c r="{ref}" t="str"><v>ก</v></c>',
        '<c r="{ref}" t="str"><v>a]]&gt;b</v></c>',
        '<c t="s" r="{ref}"><v>1</v></c>',
        '<c r="{ref}"><!-- > --><v>12</v></c>',
        '<c r="{ref}"><v> 7 </v></c>',
        "<x/>",
        "\n",
    ]
)
ROW = st.lists(st.tuples(CELL, st.integers(1, 3)), max_size=5)


def as_parsed(sheet: str) -> str:
    """The same sheet, of which nothing is in the plain form."""
    return sheet.replace("<sheetData>", "<sheetData >")


def outcome(sheet: str) -> object:
    try:
        return rows(sheet)
    except ImportRefused as refused:
        return str(refused)


@given(
    st.lists(
        st.tuples(ROW, st.integers(0, 3), st.sampled_from(["", ' ht="15"', ' hidden="1"', " x='1'"])), max_size=6
    )
)
@settings(deadline=None, max_examples=150)
def test_the_plain_form_is_read_as_the_parser_reads_it(
    content: list[tuple[list[tuple[str, int]], int, str]],
) -> None:
    data, number = "", 0
    for cells, step, attributes in content:
        number += step
        column, text = -1, ""
        for cell, gap in cells:
            column += gap
            text += cell.format(ref=f"{letters(column)}{number}")
        data += f'<row r="{number}"{attributes}>{text}</row>'
    sheet = worksheet(data)
    assert outcome(sheet) == outcome(as_parsed(sheet))
