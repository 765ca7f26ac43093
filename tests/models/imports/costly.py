"""Files of at most 5 MB that cost a careless reader minutes or gigabytes, by what is in them."""

import io
import random
import zipfile
from collections.abc import Callable
from functools import partial

from models.imports.sent_file import MAX_BYTES
from tests.models.imports.files import COLUMNS, FIRST
from tests.models.imports.workbooks import (
    MAIN,
    XML,
    archive,
    inline_row,
    letters,
    parts_of,
    shared_strings,
    workbook,
    workbook_part,
    worksheet,
)

PERSON = [FIRST, "0001", "บุคคล ทดสอบ", "official", "ปลัด", "ต้น"]


def _head(menus: int = 0) -> list[str]:
    return [*COLUMNS, *(f"เมนู {number}" for number in range(menus))]


def _widest(*, inline: bool, plain: bool = True) -> bytes:
    """5,000 records with 200 menus, all filled in."""
    choice = random.Random(1).choice
    strings = [*_head(200), *PERSON, "มี", "ไม่มี", *(f"{number:04}" for number in range(5000))]
    rows = [inline_row(1, _head(200))]
    # A blank that the plain form does not have.
    blank = "" if plain else " "
    places = [letters(column) for column in range(206)]
    for number in range(5000):
        row = number + 2
        values = [206, 214 + number, *range(208, 212), *(choice((212, 213)) for _ in range(200))]
        if inline:
            cells = (
                f'<c{blank} r="{place}{row}" s="1" t="inlineStr"><is><t>{strings[value]}</t></is></c>'
                for place, value in zip(places, values, strict=True)
            )
        else:
            cells = (
                f'<c{blank} r="{place}{row}" s="1" t="s"><v>{value}</v></c>'
                for place, value in zip(places, values, strict=True)
            )
        rows.append(f'<row r="{row}">{"".join(cells)}</row>')
    return workbook(worksheet("".join(rows)), shared_strings(strings))


def _sheet(data: str | bytes, before: str = "", after: str = "") -> bytes:
    if isinstance(data, bytes):
        empty = worksheet(inline_row(1, _head()), before, after).encode()
        return workbook(empty.replace(b"</sheetData>", data + b"</sheetData>"))
    return workbook(worksheet(inline_row(1, _head()) + data, before, after))


def _far_row() -> bytes:
    return _sheet(inline_row(2, PERSON) + '<row r="1048576"><c r="XFD1048576" s="1"/></row>')


def _million_rows() -> bytes:
    rows = "".join(f'<row r="{row}" ht="15" customHeight="1"/>' for row in range(3, 1_048_577))
    return _sheet(inline_row(2, PERSON) + rows)


def _million_rows_of_the_parser() -> bytes:
    return _sheet("".join(f'<row  r="{row}"></row>' for row in range(3, 1_048_577)))


def _attributes() -> bytes:
    return _sheet("<row " + " ".join(f'a{number}=""' for number in range(1_000_000)) + "/>")


def _one_attribute() -> bytes:
    return _sheet('<row r="2" spans="' + "1" * (60 << 20) + '"/>')


def _empty_cells() -> bytes:
    cells = "".join(f'<c r="{letters(column)}{{0}}" s="1"/>' for column in range(30))
    return _sheet("".join(f'<row r="{row}">{cells.format(row)}</row>' for row in range(2, 60_000)))


def _far_cells() -> bytes:
    return _sheet("".join(f'<row r="{row}"><c r="XFD{row}"><v>1</v></c></row>' for row in range(2, 300_000)))


def _strings(total: int) -> bytes:
    return workbook(worksheet(inline_row(1, _head())), shared_strings(["ก" * 1000] * (total // 3000)))


def _small_strings() -> bytes:
    strings = f'{XML}<sst xmlns="{MAIN}">' + "<si><t/></si>" * 900_000 + "</sst>"
    return workbook(worksheet(inline_row(1, _head())), strings)


def _long_strings_everywhere() -> bytes:
    texts = [f"{number:04}" + "มี " * 3000 for number in range(500)]
    rows = "".join(
        f'<row r="{row}">'
        + "".join(
            f'<c r="{letters(column)}{row}" t="s"><v>{(row * 7 + column) % 500}</v></c>' for column in range(206)
        )
        + "</row>"
        for row in range(2, 3000)
    )
    return workbook(worksheet(inline_row(1, _head(200)) + rows), shared_strings(texts))


def _deep(name: str, count: int) -> bytes:
    return _sheet(f"<{name}>".encode() * count)


def _deep_in_strings() -> bytes:
    return workbook(worksheet(inline_row(1, _head())), f'{XML}<sst xmlns="{MAIN}"><si>' + "<r>" * 3_000_000)


def _comment() -> bytes:
    return _sheet("<!--" + "x" * (80 << 20) + "-->")


def _blanks() -> bytes:
    return _sheet(" " * (90 << 20))


def _long_text() -> bytes:
    return _sheet('<row r="2"><c r="A2" t="inlineStr"><is><t>' + "ก" * (25 << 20) + "</t></is></c></row>")


def _entities() -> bytes:
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    sheet = worksheet('<row r="1"><c r="A1" t="inlineStr"><is><t>&l9;</t></is></c></row>')
    return workbook(sheet.replace("<worksheet", f"<!DOCTYPE w [{lol}]><worksheet", 1))


def _styles() -> bytes:
    styles = (
        f'{XML}<styleSheet xmlns="{MAIN}"><cellXfs>' + '<xf numFmtId="0"/>' * 900_000 + "</cellXfs></styleSheet>"
    )
    return workbook(worksheet(inline_row(1, _head())), styles=styles)


def _merged() -> bytes:
    cells = "".join(f'<mergeCell ref="A{row}:B{row}"/>' for row in range(2, 400_000))
    return _sheet(inline_row(2, PERSON), after=f"<mergeCells>{cells}</mergeCells>")


def _relationships() -> bytes:
    name = "xl/_rels/workbook.xml.rels"
    parts = parts_of(worksheet(inline_row(1, _head())))
    one = '<Relationship Id="a" Type="x/worksheet" Target="../../../a/b/c"/>'
    return archive(parts | {name: str(parts[name]).replace("</Rel", one * 780_000 + "</Rel")})


def _sheets() -> bytes:
    name = "xl/workbook.xml"
    parts = parts_of(worksheet(inline_row(1, _head())))
    return archive(parts | {name: workbook_part(*[("a", "")] * 200_000)})


def _columns() -> bytes:
    return _sheet(
        inline_row(2, PERSON), before="<cols>" + '<col min="1" max="2" hidden="1"/>' * 780_000 + "</cols>"
    )


def _styles_without_end() -> bytes:
    """5,000 records with 200 menus, each cell in a style of its own that no one defines."""
    texts = [*PERSON, *["มี"] * 200]
    rows = (
        f'<row r="{row}">'
        + "".join(
            f'<c r="{letters(column)}{row}" s="{row * 150 + column:06}" t="str"><v>{texts[column]}</v></c>'
            if column != 1
            else f'<c r="B{row}" t="str"><v>{row}</v></c>'
            for column in range(206)
        )
        + "</row>"
        for row in range(2, 5002)
    )
    return workbook(worksheet(inline_row(1, _head(200)) + "".join(rows)))


def _numbers_like_ids() -> bytes:
    rows = (inline_row(row, [f"{row:06}{column:07}" for column in range(206)]) for row in range(2, 4000))
    return _sheet("".join(rows))


def _parts() -> bytes:
    return archive(parts_of(worksheet("")) | {f"x{number}": b"" for number in range(45_000)})


def _unpacks_without_end() -> bytes:
    return archive(parts_of(b" " * (2 << 30)))


def _other_packing() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as target:
        for name, content in parts_of(worksheet(inline_row(1, _head()))).items():
            target.writestr(name, content)
    return file.getvalue()


def _csv(line: str, count: int) -> bytes:
    return (",".join(_head()) + "\n" + line * count).encode()[:MAX_BYTES]


def _csv_of_problems() -> bytes:
    return _csv(",".join(["x"] * 206) + "\n", 12_000)


WORKBOOKS: dict[str, Callable[[], bytes]] = {
    "5,000 rows and 200 menus": partial(_widest, inline=False),
    "5,000 rows and 200 menus, in their cells": partial(_widest, inline=True),
    "5,000 rows and 200 menus, not in the plain form": partial(_widest, inline=False, plain=False),
    "a formatted cell far down": _far_row,
    "a million empty rows": _million_rows,
    "a million empty rows, not in the plain form": _million_rows_of_the_parser,
    "a million attributes": _attributes,
    "an attribute of 60 MB": _one_attribute,
    "formatted cells and nothing in them": _empty_cells,
    "cells in the last column": _far_cells,
    "100 MB of strings": partial(_strings, 100 << 20),
    "11 MB of strings": partial(_strings, 11 << 20),
    "900,000 strings": _small_strings,
    "long strings in every cell": _long_strings_everywhere,
    "deep rows": partial(_deep, "row", 3_000_000),
    "deep cells": partial(_deep, "c", 3_000_000),
    "deep elements": partial(_deep, "x", 3_000_000),
    "deep strings": _deep_in_strings,
    "a comment of 80 MB": _comment,
    "90 MB of blanks": _blanks,
    "a text of 75 MB": _long_text,
    "entities of entities": _entities,
    "900,000 styles": _styles,
    "400,000 merged ranges": _merged,
    "780,000 relationships": _relationships,
    "200,000 sheets": _sheets,
    "780,000 hidden columns": _columns,
    "a style for each cell": _styles_without_end,
    "numbers that are as long as IDs": _numbers_like_ids,
    "45,000 parts": _parts,
    "2 GB of blanks": _unpacks_without_end,
    "another way of packing": _other_packing,
}
TEXTS: dict[str, Callable[[], bytes]] = {
    "empty lines": partial(_csv, "\n", MAX_BYTES),
    "lines of commas": partial(_csv, ",,,,,\n", MAX_BYTES // 6),
    "nothing but commas": partial(_csv, ",", MAX_BYTES),
    "lines of two cells": partial(_csv, "a,b\n", MAX_BYTES // 4),
    "a quote that is never closed": partial(_csv, '"', MAX_BYTES),
    "wide lines": _csv_of_problems,
    "blanks": partial(_csv, " ", MAX_BYTES),
    "records": lambda: _csv(",".join([*PERSON, "\n"]), 40_000),
}
