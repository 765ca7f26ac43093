"""The parts of a workbook's ZIP archive (ECMA-376 part 2), read within strict limits."""

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
# Bytes fed to the XML parser at a time.
BLOCK = 1 << 16
# Bytes that the parser may buffer of an unfinished tag. Excel's longest text has 32,767 characters.
_LONGEST_TAG = 1 << 20
# The nesting depth of elements; a cell's rich text has seven levels.
_DEEPEST = 100
# Elements of one relationships part, which has one for each sheet, link and picture.
_MOST_RELATED = 10_000
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"


@dataclass(frozen=True)
class Limits:
    """The limits on a workbook, which bound the time and memory of reading it.

    `unpacked`: bytes of all parts that are read. `strings`: bytes of the shared strings, which are kept in memory.
    `pieces`: the sum of rows, cells and XML tags. `distinct`: cells that are not in the cache. `parts`: members of
    the archive. `macros`: whether macros are allowed.
    """

    unpacked: int
    strings: int
    pieces: int
    distinct: int
    parts: int = 1000
    macros: bool = True


@dataclass(frozen=True)
class Relationship:
    """A reference to another part: the last word of its type (`worksheet`, `styles`), and the part's name."""

    kind: str
    target: str


class Package:
    """An archive whose parts are read by name, and the remaining limits on it."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        """Open an archive. Raises ImportRefused if it is not a workbook, is damaged or exceeds a limit."""
        _require_workbook(file)
        self.limits = limits
        self._unpacked = limits.unpacked
        self._pieces = limits.pieces
        file.seek(0)
        with unharmed():
            self._archive = zipfile.ZipFile(file)
        parts = self._archive.infolist()
        # Names are case-insensitive (ECMA-376 part 2, 9.1.1), and old programs write backslashes.
        self._parts = {_key(part.filename): part for part in parts}
        if len(parts) > limits.parts:
            raise too_large()
        if len(self._parts) < len(parts):
            raise damaged(english("two of its parts have the same name"))
        if not limits.macros and any(name.endswith("vbaproject.bin") for name in self._parts):
            raise refuse(english("the workbook holds macros"), ONLY_ROWS)

    def size(self, name: str) -> int:
        """Return the uncompressed size of a part in bytes, as the archive states it; zipfile reads no more.

        Raises ImportRefused if the part is missing.
        """
        return self._part(name).file_size

    def _part(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._parts[_key(name)]
        except KeyError:
            raise damaged(english("a part of it is missing")) from None

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a part's content in blocks. Raises ImportRefused if it is missing, damaged, encrypted or too
        large.
        """
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
        """Subtract from the remaining `pieces`. Raises ImportRefused if the limit is exceeded."""
        self._pieces -= pieces
        if self._pieces < 0:
            raise too_large()

    def relationships(self, name: str) -> dict[str, Relationship]:
        """Return a part's relationships to other parts of the archive, by id. The name "" means the archive
        itself.

        Raises ImportRefused for a damaged or over-long relationships part.
        """
        folder, base = posixpath.split(name)
        part = posixpath.join(folder, "_rels", f"{base}.rels")
        related: dict[str, Relationship] = {}
        count = 0
        if _key(part) not in self._parts:
            return related

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
            kind = attributes.get("Type", "").rpartition("/")[2]
            related[attributes.get("Id", "")] = Relationship(kind, target)

        self.parse(part, start)
        return related

    def parse(
        self,
        name: str,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], None] | None = None,
        text: Callable[[str], None] | None = None,
    ) -> None:
        """Parse a part's XML, and call back for its elements, whose names are `<namespace> <name>`.

        Raises ImportRefused for XML that is malformed, nested too deeply, or beyond a limit.
        """
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
        """Close the archive. The underlying file stays open."""
        self._archive.close()


def _key(name: str) -> str:
    return name.replace("\\", "/").casefold()


class Feed:
    """Feeds content to an XML parser, within the package's limits."""

    def __init__(self, package: Package, parser: Any) -> None:
        self._package = package
        self._parser = parser
        self._fed = 0

    def __call__(self, content: bytes) -> None:
        """Parse the next bytes. Raises ImportRefused for malformed XML, or if a limit is exceeded."""
        self._package.count(content.count(b"<"))
        self._fed += len(content)
        with unharmed():
            self._parser.Parse(content, False)
        if self._fed - self._parser.CurrentByteIndex > _LONGEST_TAG:
            raise too_large()

    def end(self) -> None:
        """Finish parsing. Raises ImportRefused if the document is incomplete."""
        with unharmed():
            self._parser.Parse(b"", True)


def new_parser() -> Any:
    """Return an expat parser that names elements `<namespace> <name>` and refuses DTDs, and with them all
    entities.
    """
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
    """Return the refusal of a password-protected file."""
    return refuse(english("the file is {kind}", kind=IS_LOCKED), WITHOUT_PASSWORD)


def too_large() -> ImportRefused:
    """Return the refusal of a workbook that exceeds a limit."""
    return refuse(english("the workbook holds far more than its rows"), ONLY_ROWS)


def damaged(what: str) -> ImportRefused:
    """Return the refusal of a workbook that no spreadsheet program writes like this."""
    return refuse(english("the workbook is damaged: {what}", what=what), SAVE_ANEW)


@contextmanager
def unharmed() -> Iterator[None]:
    """Turn exceptions of unpacking and parsing into the refusal of a damaged workbook. Raises ImportRefused."""
    try:
        yield
    except expat.ExpatError:
        raise damaged(english("its XML cannot be read")) from None
    except RuntimeError as error:
        # zipfile raises it for an encrypted part.
        if "password" in str(error):
            raise locked() from None
        raise damaged(english("it cannot be unpacked")) from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, EOFError, ValueError, LookupError):
        raise damaged(english("it cannot be unpacked")) from None
