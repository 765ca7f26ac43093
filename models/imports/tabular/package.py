"""The parts of a workbook's archive (ECMA-376 part 2), read within bounds that no file can pass."""

import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO
from xml.parsers import expat

from models.imports.tabular.foreign import (
    IS_LOCKED,
    IS_WORKBOOK,
    SAVE_AS_WORKBOOK,
    WITHOUT_PASSWORD,
    what_it_is,
)
from models.imports.tabular.problems import ImportRefused, english, refuse

SAVE_ANEW = english("open it in a spreadsheet program and save it as Excel Workbook (.xlsx) anew")
ONLY_ROWS = english("save only its rows, as a new XLSX or as CSV")
# Bytes handed to the XML parser at a time.
BLOCK = 1 << 16
# What the parser holds back of a tag that does not end: Excel's longest text has 32,767 characters.
_LONGEST_TAG = 1 << 20
# Elements within elements: a cell's rich text has seven.
_DEEPEST = 100
# Elements of one part of relationships: one for each sheet, link and picture.
_MOST_RELATED = 10_000
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"


@dataclass(frozen=True)
class Limits:
    """What a workbook may hold, so that reading it is bounded whatever is in it.

    `unpacked`: bytes of all parts that are read; `strings`: bytes of the table of shared strings, which is kept in
    memory; `pieces`: rows, cells, and tags that the XML parser is handed,
    together; `distinct`: cells that are not like one that was read shortly before; `parts`: of the archive.
    """

    unpacked: int
    strings: int
    pieces: int
    distinct: int
    parts: int = 1000
    macros: bool = True


@dataclass(frozen=True)
class Relationship:
    """What a part refers to: the last word of its type (`worksheet`, `styles`), and the name of the other part."""

    kind: str
    target: str


class Package:
    """An archive whose parts are read by name, and the bounds on what is read of it altogether."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        """Raises ImportRefused for what is no workbook, saying what it is instead."""
        _require_workbook(file)
        self.limits = limits
        self._unpacked = limits.unpacked
        self._pieces = limits.pieces
        file.seek(0)
        with unharmed():
            self._archive = zipfile.ZipFile(file)
        parts = self._archive.infolist()
        # Names differ neither by case (ECMA-376 part 2, 9.1.1) nor, as old writers have them, by their slashes.
        self._parts = {_key(part.filename): part for part in parts}
        if len(parts) > limits.parts:
            raise too_large()
        if len(self._parts) < len(parts):
            raise damaged(english("two of its parts have the same name"))
        if not limits.macros and any(name.endswith("vbaproject.bin") for name in self._parts):
            raise refuse(english("the workbook holds macros"), ONLY_ROWS)

    def size(self, name: str) -> int:
        """Bytes of a part when unpacked, by the archive's word, to which zipfile keeps."""
        return self._part(name).file_size

    def _part(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._parts[_key(name)]
        except KeyError:
            raise damaged(english("a part of it is missing")) from None

    def chunks(self, name: str) -> Iterator[bytes]:
        """A part's content. Raises ImportRefused for one that is damaged, locked, or too large."""
        part = self._part(name)
        if part.file_size > self._unpacked:
            raise too_large()
        if part.compress_type not in _METHODS:
            raise damaged(english("it is packed in a way that workbooks are not"))
        with unharmed(), self._archive.open(part) as content:
            while block := content.read(BLOCK):
                self._unpacked -= len(block)
                if self._unpacked < 0:
                    raise too_large()
                yield block

    def count(self, pieces: int) -> None:
        """Take so many pieces off what may be read. Raises ImportRefused when nothing is left."""
        self._pieces -= pieces
        if self._pieces < 0:
            raise too_large()

    def relationships(self, name: str) -> dict[str, Relationship]:
        """What a part refers to inside the archive, by id; "" is the archive itself."""
        folder, base = posixpath.split(name)
        part = posixpath.join(folder, "_rels", f"{base}.rels")
        found: dict[str, Relationship] = {}
        count = 0
        if _key(part) not in self._parts:
            return found

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal count
            count += 1
            if count > _MOST_RELATED:
                raise too_large()
            if tag != f"{_RELATIONSHIPS} Relationship" or attributes.get("TargetMode") == "External":
                return
            target = posixpath.normpath(posixpath.join("/", folder, _key(attributes.get("Target", "")))).lstrip(
                "/"
            )
            found[attributes.get("Id", "")] = Relationship(attributes.get("Type", "").rpartition("/")[2], target)

        self.parse(part, start)
        return found

    def parse(
        self,
        name: str,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], None] | None = None,
        text: Callable[[str], None] | None = None,
    ) -> None:
        """Call back for the elements of a part, whose names are `<namespace> <name>`."""
        depth = 0

        def begin(tag: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth > _DEEPEST:
                raise damaged(english("its XML is far too deep"))
            start(tag, attributes)

        def finish(tag: str) -> None:
            nonlocal depth
            depth -= 1
            if end is not None:
                end(tag)

        parser = new_parser()
        parser.StartElementHandler, parser.EndElementHandler = begin, finish
        if text is not None:
            parser.CharacterDataHandler = text
        feed = Feed(self, parser)
        for block in self.chunks(name):
            feed(block)
        feed.end()

    def close(self) -> None:
        """Let go of the archive; the file is its owner's."""
        self._archive.close()


def _key(name: str) -> str:
    return name.replace("\\", "/").casefold()


class Feed:
    """Hands content to an XML parser, within the package's bounds."""

    def __init__(self, package: Package, parser: Any) -> None:
        self._package = package
        self._parser = parser
        self._fed = 0

    def __call__(self, content: bytes) -> None:
        """Parse some more. Raises ImportRefused for what is no XML, or too much of it."""
        self._package.count(content.count(b"<"))
        self._fed += len(content)
        with unharmed():
            self._parser.Parse(content, False)
        if self._fed - self._parser.CurrentByteIndex > _LONGEST_TAG:
            raise too_large()

    def end(self) -> None:
        """Nothing comes any more. Raises ImportRefused when that is too early."""
        with unharmed():
            self._parser.Parse(b"", True)


def new_parser() -> Any:
    """A parser that names elements `<namespace> <name>` and refuses a DTD, and so every entity of a file's own."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _refuse_doctype(*_declaration: object) -> None:
    raise damaged(english("it declares a document type"))


def _require_workbook(file: BinaryIO) -> None:
    file.seek(0)
    if not file.read(1):
        raise refuse(english("the file is empty"), english("give a file with a header line and rows"))
    kind = what_it_is(file)
    if kind is IS_WORKBOOK:
        return
    if kind is IS_LOCKED:
        raise locked()
    if kind is None:
        what = english("the file is named .xlsx but is no workbook")
        raise refuse(what, english("save it as Excel Workbook (.xlsx), or name it .csv if it is one"))
    raise refuse(english("the file is named .xlsx but is {kind}", kind=kind), SAVE_AS_WORKBOOK)


def locked() -> ImportRefused:
    """The refusal of a file that a password locks."""
    return refuse(english("the file is {kind}", kind=IS_LOCKED), WITHOUT_PASSWORD)


def too_large() -> ImportRefused:
    """The refusal of a file that holds more than any register."""
    return refuse(english("the workbook holds far more than its rows"), ONLY_ROWS)


def damaged(what: str) -> ImportRefused:
    """The refusal of a file that no spreadsheet program writes."""
    return refuse(english("the workbook is damaged: {what}", what=what), SAVE_ANEW)


@contextmanager
def unharmed() -> Iterator[None]:
    """Whatever unpacking and parsing trip over is a damaged workbook. Raises ImportRefused."""
    try:
        yield
    except expat.ExpatError:
        raise damaged(english("its XML cannot be read")) from None
    except RuntimeError as error:
        # zipfile, of a part that is encrypted.
        if "password" in str(error):
            raise locked() from None
        raise damaged(english("it cannot be unpacked")) from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, EOFError, ValueError, LookupError):
        raise damaged(english("it cannot be unpacked")) from None
