"""Files to and from the bot: sendDocument, sendPhoto and getFile."""

from __future__ import annotations

import mimetypes
import struct
from typing import Any

from demo.botapi.api import Api, method
from demo.botapi.errors import ApiError, bad_request
from demo.botapi.params import Params, Upload
from demo.botapi.state import File

DOWNLOAD_LIMIT = 20 * 2**20
PHOTO_LIMIT = 10 * 2**20
_PATH_LIFE = 3600.0
_ATTACH = "attach://"
_SIDES_LIMIT = 10_000  # width plus height
_RATIO_LIMIT = 20


def input_file(api: Api, params: Params, name: str, kind: str, value: str | None = None) -> File | None:
    """Find the file of a call: uploaded, or an id of an earlier one (Client.cpp, get_input_file)."""
    value = params.text(name) if value is None else value
    field = value.removeprefix(_ATTACH) if value.startswith(_ATTACH) else name
    if value and not value.startswith(_ATTACH):
        return _known_file(api, value, kind)
    upload = params.files.get(field)
    return _store(api, upload, kind) if upload is not None else None


def _known_file(api: Api, value: str, kind: str) -> File:
    if value.startswith(("http://", "https://")):
        raise bad_request("Failed to get HTTP URL content")  # the emulator has no internet
    file = api.world.files.get(value)
    if file is None:
        raise bad_request("Wrong file identifier/HTTP URL specified")
    if file.kind != kind:
        raise bad_request(f"Can't use file of type {file.kind.capitalize()} as {kind.capitalize()}")
    return file


def _store(api: Api, upload: Upload, kind: str) -> File:
    if not upload.content:
        raise bad_request("File must be non-empty")
    if kind == "photo" and len(upload.content) > PHOTO_LIMIT:
        raise bad_request("File is too big")
    mime = upload.mime
    if mime == "application/octet-stream":
        mime = mimetypes.guess_type(upload.name)[0] or mime
    return api.world.store_file(kind, upload.name, mime, upload.content)


def document_content(file: File) -> dict[str, Any]:
    """Return the Document field of a message."""
    return {"document": {"file_name": file.name, "mime_type": file.mime, **file.json()}}


def photo_content(file: File) -> dict[str, Any]:
    """Return the photo field of a message, with the original as its only size. Raises ApiError for a bad
    picture.
    """
    width, height = _dimensions(file.content)
    if width + height > _SIDES_LIMIT or max(width, height) > _RATIO_LIMIT * min(width, height):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return {"photo": [{**file.json(), "width": width, "height": height}]}


def _dimensions(content: bytes) -> tuple[int, int]:
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return max(width, 1), max(height, 1)
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg_dimensions(content)
    raise bad_request("IMAGE_PROCESS_FAILED")


def _jpeg_dimensions(content: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:
        marker, size = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return max(width, 1), max(height, 1)
        at += 2 + size
    return 800, 600  # a stub good enough for tests


@method("getFile")
def get_file(api: Api, params: Params) -> dict[str, Any]:
    """Prepare a file for download. Its link is valid for an hour."""
    file_id = params.text("file_id")
    if not file_id:
        raise bad_request("file_id not specified")
    file = api.world.files.get(file_id)
    if file is None:
        raise bad_request("invalid file_id")
    if len(file.content) > DOWNLOAD_LIMIT:
        raise bad_request("file is too big")
    if not file.path:
        suffix = "." + file.name.rpartition(".")[2] if "." in file.name else ""
        file.path = f"{file.kind}s/file_{len(api.world.paths)}{suffix}"
        api.world.paths[file.path] = file
    file.valid_until = api.world.clock() + _PATH_LIFE
    return {**file.json(), "file_path": file.path}


def download(api: Api, path: str) -> bytes:
    """Return the bytes of a file at a path from getFile. Raises ApiError if it is unknown or has expired."""
    file = api.world.paths.get(path)
    if file is None or file.valid_until < api.world.clock():
        raise ApiError(404, "Not Found")
    return file.content
