"""XLSX files of one sheet: a header that stays in sight, filters, and text that never becomes a formula.

Written as text (ECMA-376, part 1, 18.3 "Worksheets"), not cell by cell with openpyxl: a province's list takes it
300 to 400 ms of Python, all of which other officers' taps would feel, and this a tenth of that.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Generic, NamedTuple, TypeVar
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

Row = TypeVar("Row")
Value = str | int | None

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

# What XML 1.0 cannot hold.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# What a spreadsheet would take for a letter's number (ECMA-376, part 1, 22.9.2.19, ST_Xstring).
_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
# A formula's first letters: the cell keeps a quote before them, so that it stays text when somebody edits it.
_FORMULA = ("=", "+", "-", "@")

# Places in cellXfs below. 49 is the built-in format "@": text.
_TEXT, _QUOTED, _HEADER = 1, 2, 3
_STYLES = f"""{_XML}<styleSheet xmlns="{_MAIN}">\
<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>\
<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>\
<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>\
<fill><patternFill patternType="solid"><fgColor rgb="FFE3ECF4"/></patternFill></fill></fills>\
<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>\
<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>\
<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>\
<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>\
<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" quotePrefix="1"/>\
<xf numFmtId="49" fontId="1" fillId="2" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1" applyFill="1"/>\
</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>"""

_FIXED = {
    "[Content_Types].xml": f"""{_XML}<Types xmlns="{_PACKAGE}/content-types">\
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>\
<Default Extension="xml" ContentType="application/xml"/>\
<Override PartName="/xl/workbook.xml" \
ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>\
<Override PartName="/xl/worksheets/sheet1.xml" \
ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>\
<Override PartName="/xl/styles.xml" \
ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>""",
    "_rels/.rels": f"""{_XML}<Relationships xmlns="{_PACKAGE}/relationships">\
<Relationship Id="rId1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>""",
    "xl/_rels/workbook.xml.rels": f"""{_XML}<Relationships xmlns="{_PACKAGE}/relationships">\
<Relationship Id="rId1" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>\
<Relationship Id="rId2" Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>""",
    "xl/styles.xml": _STYLES,
}


class Column(NamedTuple, Generic[Row]):
    """One column: its header, its width in characters, and what of a row stands in it."""

    name: str
    width: int
    value: Callable[[Row], Value]


class Workbook(Generic[Row]):
    """A file that is written row by row, so that any number of them takes no memory; use it with `with`.

    Numbers stay numbers, all else is text: codes keep their zeros. The same rows make the same bytes.
    """

    def __init__(self, file: str | Path | IO[bytes], title: str, columns: Sequence[Column[Row]]) -> None:
        self._columns = columns
        self._title = title
        self._zip = ZipFile(file, "w")
        self.rows = 0

    def __enter__(self) -> "Workbook[Row]":
        """Write what comes before the first row."""
        for name, content in _FIXED.items():
            self._put(name, content)
        self._sheet = self._zip.open(_part("xl/worksheets/sheet1.xml"), "w")
        widths = "".join(
            f'<col min="{number}" max="{number}" width="{column.width}" customWidth="1"/>'
            for number, column in enumerate(self._columns, 1)
        )
        header = "".join(_cell(column.name, _HEADER) for column in self._columns)
        self._sheet.write(
            f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView tabSelected="1" workbookViewId="0">'
            '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
            '<selection pane="bottomLeft" activeCell="A2" sqref="A2"/></sheetView></sheetViews>'
            f"<cols>{widths}</cols><sheetData><row>{header}</row>".encode()
        )
        return self

    def append(self, row: Row) -> None:
        """Write one row below the others."""
        cells = "".join(_cell(column.value(row)) for column in self._columns)
        self._sheet.write(f"<row>{cells}</row>".encode())
        self.rows += 1

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Write what comes after the last row; after an error the file is closed as it is."""
        filtered = f"$A$1:${_letters(len(self._columns))}${self.rows + 1}"
        if kind is None:
            self._sheet.write(f'</sheetData><autoFilter ref="{filtered.replace("$", "")}"/></worksheet>'.encode())
        self._sheet.close()
        if kind is None:
            self._put("xl/workbook.xml", _workbook(self._title, filtered))
        self._zip.close()

    def _put(self, name: str, content: str) -> None:
        self._zip.writestr(_part(name), content)


def _part(name: str) -> ZipInfo:
    """A part of the package without the time at which it was written."""
    part = ZipInfo(name)
    part.compress_type = ZIP_DEFLATED
    return part


def _workbook(title: str, filtered: str) -> str:
    """The sheet's name, and where its filters are."""
    # Excel, sheet names: at most 31 letters, none of these.
    name = re.sub(r"[\[\]:*?/\\']", " ", title)[:31]
    return (
        f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}">'
        f'<sheets><sheet name={quoteattr(name)} sheetId="1" r:id="rId1"/></sheets>'
        '<definedNames><definedName name="_xlnm._FilterDatabase" localSheetId="0" hidden="1">'
        f"'{escape(name)}'!{filtered}</definedName></definedNames></workbook>"
    )


def _cell(value: Value, style: int | None = None) -> str:
    """A cell that is what it says."""
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    text = _ESCAPE.sub("_x005F_", _ILLEGAL.sub("", value or ""))
    if not text:
        return "<c/>"
    style = style or (_QUOTED if text.startswith(_FORMULA) else _TEXT)
    return f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def _letters(number: int) -> str:
    """The name of a column, the first being 1: A … Z, AA …."""
    name = ""
    while number:
        number, letter = divmod(number - 1, 26)
        name = chr(ord("A") + letter) + name
    return name
