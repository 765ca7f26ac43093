"""Workbooks made by hand, part by part, as no writer would make them."""

import io
import re
import zipfile
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

CONTENT_TYPES = f'{XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
STYLES = f'{XML}<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="49"/></cellXfs></styleSheet>'


def relationships(*related: tuple[str, str]) -> str:
    """A part of relationships `rId1`, `rId2`, ... to kinds and targets."""
    entries = "".join(
        f'<Relationship Id="rId{number}" Type="{RELATIONSHIPS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(related, 1)
    )
    return f'{XML}<Relationships xmlns="{PACKAGE}">{entries}</Relationships>'


def workbook_part(*sheets: tuple[str, str], properties: str = "") -> str:
    """The part that names the sheets, each with its attributes."""
    entries = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"{more}/>'
        for number, (name, more) in enumerate(sheets, 1)
    )
    inside = f"{properties}<sheets>{entries}</sheets>"
    return f'{XML}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONSHIPS}">{inside}</workbook>'


def worksheet(data: str, before: str = "", after: str = "") -> str:
    """A sheet with these rows."""
    return f'{XML}<worksheet xmlns="{MAIN}">{before}<sheetData>{data}</sheetData>{after}</worksheet>'


def xstring(text: str) -> str:
    """A text as workbooks write it: what looks like `_x0041_` stays what it is (ECMA-376 part 1, 22.9.2.19)."""
    return re.sub("_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)


def shared_strings(texts: list[str]) -> str:
    """The table of texts."""
    entries = "".join(f'<si><t xml:space="preserve">{escape(xstring(text))}</t></si>' for text in texts)
    return f'{XML}<sst xmlns="{MAIN}">{entries}</sst>'


def parts_of(sheet: str | bytes, strings: str | None = None, styles: str = STYLES) -> dict[str, str | bytes]:
    """The parts of a workbook with one sheet."""
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": CONTENT_TYPES,
        "_rels/.rels": relationships(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": workbook_part(("Sheet1", "")),
        "xl/_rels/workbook.xml.rels": relationships(
            ("worksheet", "worksheets/sheet1.xml"),
            ("styles", "styles.xml"),
            ("sharedStrings", "sharedStrings.xml"),
        ),
        "xl/styles.xml": styles,
        "xl/sharedStrings.xml": shared_strings([]) if strings is None else strings,
        "xl/worksheets/sheet1.xml": sheet,
    }
    return parts


def archive(parts: dict[str, str | bytes]) -> bytes:
    """A file of these parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in parts.items():
            target.writestr(name, content)
    return file.getvalue()


def workbook(sheet: str | bytes, strings: str | None = None, styles: str = STYLES, **others: str | bytes) -> bytes:
    """A file with one sheet."""
    return archive(parts_of(sheet, strings, styles) | others)


def letters(column: int) -> str:
    """The name of a column, counted from 0."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def inline_row(number: int, texts: list[str], attributes: str = "") -> str:
    """A row whose texts stand in its cells."""
    cells = "".join(
        f'<c r="{letters(column)}{number}" t="inlineStr"><is><t>{escape(xstring(text))}</t></is></c>'
        for column, text in enumerate(texts)
        if text
    )
    return f'<row r="{number}"{attributes}>{cells}</row>'
