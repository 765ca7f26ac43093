"""The parts of a workbook other than its sheets' rows: the list of sheets, shared strings, and number formats."""

import re
from dataclasses import dataclass
from functools import lru_cache

from models.imports.tabular.number_formats import BUILTIN_CODES, UnknownFormat
from models.imports.tabular.package import Package, Relationship, damaged, too_large
from models.imports.tabular.problems import BadCell, english

# Transitional and strict Open XML: the same elements under two names (ECMA-376 parts 1 and 4).
NAMESPACES = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
# Characters of a cell's text (Excel, specifications and limits).
MAX_TEXT = 32_767
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
# The first id of a workbook's own number formats; lower ids are built in.
_FIRST_OWN = 164
_TRUE = frozenset({"1", "true"})

# For a text that is longer than a cell can hold. No spreadsheet program writes one.
TOO_LONG = BadCell(english("has more than 32,767 characters"), english("shorten it"))


@lru_cache(1000)
def local_name(tag: str) -> str:
    """Return the local name of an element in a spreadsheet namespace; "" for elements of other namespaces."""
    namespace, _, name = tag.rpartition(" ")
    return name if namespace in NAMESPACES else ""


def is_true(value: str | None) -> bool:
    """Return whether an attribute's value is true (XML Schema, boolean)."""
    return value in _TRUE


def unescaped(text: str) -> str:
    """Replace escapes such as `_x000A_` by their characters (ECMA-376 part 1, 22.9.2.19)."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


@dataclass(frozen=True)
class SheetEntry:
    """One worksheet: its name, the part with its rows, and its state (`visible`, `hidden`, `veryHidden`)."""

    name: str
    part: str
    state: str

    @property
    def is_hidden(self) -> bool:
        """Whether the sheet is invisible when the workbook is opened."""
        return self.state != "visible"


class Workbook:
    """The worksheets of a package, its shared strings, and the number format of each cell style.

    `starts_1904`: dates count from 1904.
    """

    def __init__(self, package: Package) -> None:
        """Read all parts but the sheets. Raises ImportRefused for a workbook that is damaged or too large."""
        self._package = package
        self.sheets: list[SheetEntry] = []
        self.starts_1904 = False
        part = self._main_part()
        self._related = package.relationships(part)
        package.parse(part, self._start)
        self.strings = self._strings()
        self.number_formats = self._number_formats()

    def _main_part(self) -> str:
        return _of_kind(self._package.relationships(""), "officeDocument") or "xl/workbook.xml"

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local_name(tag)
        if name == "workbookPr":
            self.starts_1904 = is_true(attributes.get("date1904"))
        elif name == "sheet":
            key = next((value for key, value in attributes.items() if key.endswith("/relationships id")), "")
            related = self._related.get(key)
            if related is None:
                raise damaged(english("a part of it is missing"))
            if related.kind == "worksheet":
                state = attributes.get("state", "visible")
                if any(sheet.part == related.target for sheet in self.sheets):
                    raise damaged(english("two of its sheets are one"))
                self.sheets.append(SheetEntry(attributes.get("name", ""), related.target, state))

    def _strings(self) -> list[str | BadCell]:
        part = _of_kind(self._related, "sharedStrings")
        if part is None:
            return []
        if self._package.size(part) > self._package.limits.strings:
            raise too_large()
        return _SharedStrings(self._package, part).strings

    def _number_formats(self) -> list[str | None]:
        part = _of_kind(self._related, "styles")
        return [] if part is None else _Styles(self._package, part).number_formats()


def _of_kind(related: dict[str, Relationship], kind: str) -> str | None:
    parts = {relationship.target for relationship in related.values() if relationship.kind == kind}
    if len(parts) > 1:
        raise damaged(english("two of its parts say the same"))
    return next(iter(parts), None)


class _SharedStrings:
    """The shared strings, which cells refer to by index (ECMA-376 part 1, 18.4.9)."""

    def __init__(self, package: Package, part: str) -> None:
        self.strings: list[str | BadCell] = []
        self._pieces: list[str] = []
        # Nesting depth within phonetic text, which appears above the cell's text and does not belong to it.
        self._phonetic = 0
        self._is_text = False
        package.parse(part, self._start, self._end, self._text)

    def _start(self, tag: str, _attributes: dict[str, str]) -> None:
        name = local_name(tag)
        if name == "si":
            self._pieces = []
        elif name == "rPh":
            self._phonetic += 1
        elif name == "t":
            self._is_text = not self._phonetic

    def _text(self, text: str) -> None:
        if self._is_text:
            self._pieces.append(text)

    def _end(self, tag: str) -> None:
        name = local_name(tag)
        if name == "t":
            self._is_text = False
        elif name == "rPh":
            self._phonetic -= 1
        elif name == "si":
            text = "".join(self._pieces)
            self.strings.append(TOO_LONG if len(text) > MAX_TEXT else unescaped(text))


class _Styles:
    """The cell styles and their number formats (ECMA-376 part 1, 18.8)."""

    def __init__(self, package: Package, part: str) -> None:
        self._codes: dict[str, str] = {}
        # The format id of each cell style, and the id of its base style unless it applies its own format.
        self._styles: list[tuple[str, str | None]] = []
        self._bases: list[str] = []
        self._list = ""
        package.parse(part, self._start, self._end)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local_name(tag)
        if name in ("cellXfs", "cellStyleXfs", "numFmts"):
            self._list = name
        elif name == "numFmt" and self._list == "numFmts":
            self._codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif name == "xf":
            number = attributes.get("numFmtId", "0")
            if self._list == "cellStyleXfs":
                self._bases.append(number)
            elif self._list == "cellXfs":
                is_applied = attributes.get("applyNumberFormat")
                base = None if is_applied is None or is_true(is_applied) else attributes.get("xfId", "0")
                self._styles.append((number, base))

    def _end(self, tag: str) -> None:
        if local_name(tag) == self._list:
            self._list = ""

    def number_formats(self) -> list[str | None]:
        """Return the format code of each cell style; None where it is ambiguous or not defined."""
        return [self._code(number, base) for number, base in self._styles]

    def _code(self, number: str, base: str | None) -> str | None:
        # Programs differ on a format that a style has but does not apply.
        has_base = base is not None and base.isdecimal() and int(base) < len(self._bases)
        if base is not None and has_base and self._bases[int(base)] != number:
            return None
        code = self._codes.get(number)
        if code is None and number.isdecimal():
            code = BUILTIN_CODES.get(int(number))
        if code is None and number.isdecimal() and int(number) < _FIRST_OWN:
            return UnknownFormat(f"numFmtId {int(number)}")
        return code
