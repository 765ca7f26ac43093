"""Recognizes files of other formats by their first bytes, and files of another kind by their headers."""

import io
import zipfile
from typing import BinaryIO

from models.imports.tabular.problems import English, english

OLD_OFFICE = b"\xd0\xcf\x11\xe0"
ZIP = b"PK\x03\x04"
# The stream of an encrypted workbook inside an OLE file (MS-OFFCRYPTO, 2.3.4.4).
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_SEARCHED = 1 << 16

SAVE_AS_WORKBOOK = english("open it in a spreadsheet program and save it as Excel Workbook (.xlsx)")
WITHOUT_PASSWORD = english("open it, remove the password, and save it as Excel Workbook (.xlsx)")
IS_LOCKED = english("a workbook locked by a password")
IS_WORKBOOK = english("an XLSX workbook")

_BY_HEAD: tuple[tuple[bytes, English], ...] = (
    (b"%PDF", english("a PDF")),
    (b"\x89PNG", english("a picture")),
    (b"\xff\xd8\xff", english("a picture")),
    (b"GIF8", english("a picture")),
    (b"Rar!", english("a packed archive")),
    (b"7z\xbc\xaf", english("a packed archive")),
    (b"\x1f\x8b", english("a packed archive")),
    (b"{\\rtf", english("a text document")),
)
_MARKUP: tuple[tuple[bytes, English], ...] = (
    (b"<?xml", english("an XML file")),
    (b"<html", english("a web page")),
    (b"<!doctype", english("a web page")),
    (b"<table", english("a web page")),
    (b"<meta", english("a web page")),
)
# By the prefix of a name in the ZIP archive.
_BY_PART: tuple[tuple[str, English], ...] = (
    ("xl/workbook.bin", english("a binary workbook (.xlsb)")),
    ("word/", english("a Word document")),
    ("ppt/", english("a presentation")),
    ("Index/", english("a Numbers file")),
    ("content.xml", english("an OpenDocument file (.ods)")),
)

#: English and Thai headers of each kind of import file. A test compares them with the layouts of models/imports/.
KINDS: dict[str, tuple[tuple[str, str], ...]] = {
    "organizations": (
        ("dla_code", "รหัส อปท."),
        ("type_th", "ประเภท อปท."),
        ("type_code", "รหัสประเภท"),
        ("name_th", "ชื่อ อปท."),
        ("province_code", "รหัสจังหวัด"),
        ("province_th", "จังหวัด"),
        ("province_en", "จังหวัด (อังกฤษ)"),
        ("district_th", "อำเภอ"),
    ),
    "accounts": (
        ("username", "ชื่อผู้ใช้"),
        ("password", "รหัสผ่าน"),
        ("role", "ระดับ"),
        ("organization", "รหัสหน่วยงาน"),
        ("display_name", "ชื่อหน่วยงาน"),
    ),
    "personnel": (
        ("organization", "รหัส อปท."),
        ("record_no", "เลขที่ทะเบียน"),
        ("full_name", "ชื่อ-สกุล"),
        ("category", "ประเภทบุคลากร"),
        ("position", "ตำแหน่ง"),
        ("level", "ระดับ"),
    ),
    "successions": (
        ("from", "รหัส อปท. เดิม"),
        ("to", "รหัส อปท. ใหม่"),
        ("kind", "การเปลี่ยนแปลง"),
        ("name", "ชื่อ อปท."),
        ("type", "ประเภท อปท."),
        ("district", "อำเภอ"),
        ("province", "รหัสจังหวัด"),
    ),
}


def what_it_is(file: BinaryIO) -> English | None:
    """Return a file's format by its content: IS_WORKBOOK, IS_LOCKED, another one, or None for a text or an unknown
    one.
    """
    file.seek(0)
    head = file.read(_SEARCHED)
    if head.startswith(OLD_OFFICE):
        return IS_LOCKED if _holds(file, _ENCRYPTED) else english("an old Excel file (.xls)")
    if head.startswith(ZIP):
        return _archive(file)
    for beginning, kind in _BY_HEAD:
        if head.startswith(beginning):
            return kind
    text = head[:200].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((kind for beginning, kind in _MARKUP if text.startswith(beginning)), None)


def _holds(file: BinaryIO, words: bytes) -> bool:
    file.seek(0)
    overlap = b""
    while block := file.read(1 << 20):
        if words in overlap + block:
            return True
        overlap = block[-len(words) :]
    return False


def _archive(file: BinaryIO) -> English:
    """Return the format of a ZIP file by the names of its members; "a damaged ZIP file" if it cannot be read."""
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, io.UnsupportedOperation):
        return english("a damaged ZIP file")
    for beginning, kind in _BY_PART:
        if any(name.startswith(beginning) for name in names):
            return kind
    return IS_WORKBOOK if "[Content_Types].xml" in names else english("a ZIP file")
