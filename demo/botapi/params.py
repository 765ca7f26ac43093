"""A request's parameters: from the query string, a form, multipart or JSON, all of them text in the end.

The real server keeps every parameter as text too (HttpReader.cpp): a JSON body's strings as they are, its
other values as their JSON. Numbers are read leniently there, so they are here (td::to_integer).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
from aiohttp import BodyPartReader, parse_content_disposition, web

from demo.botapi.errors import ApiError, bad_request

# 50 MB to send, and what multipart puts around it. The hosted server answers 413 above.
UPLOAD_LIMIT = 50 * 2**20
_BODY_LIMIT = UPLOAD_LIMIT + 2**20
_LEADING_INTEGER = re.compile(r"-?\d+")
MISSING = object()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with the request."""

    name: str
    mime: str
    content: bytes


@dataclass(slots=True)
class Params:
    """What the bot sent with one call."""

    args: dict[str, str]
    files: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Give a parameter's text, empty when it was not sent: the real server does not tell these apart."""
        return self.args.get(name, "")

    def flag(self, name: str) -> bool:
        """Read a Boolean (Client.cpp, to_bool)."""
        return self.text(name).strip().lower() in {"true", "yes", "1"}

    def integer(self, name: str, default: int = 0, low: int | None = None, high: int | None = None) -> int:
        """Read an Integer, clamped, never refused (Client.cpp, get_integer_arg)."""
        text = self.text(name)
        match = _LEADING_INTEGER.match(text) if text else None
        value = (int(match.group()) if match else 0) if text else default
        if low is not None:
            value = max(low, value)
        return value if high is None else min(high, value)

    def json(self, name: str) -> Any:
        """Decode a JSON parameter: MISSING when it is empty, ValueError when it is no JSON."""
        text = self.text(name)
        return orjson.loads(text) if text else MISSING


async def read_params(request: web.BaseRequest) -> Params:
    """Read all parameters of a request, whichever way they came."""
    args = dict(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True))
    length = request.content_length
    if length is not None and length > _BODY_LIMIT:
        raise ApiError(413, "Request Entity Too Large")
    if not request.body_exists:
        return Params(args)
    try:
        return await _read_body(request, args)
    except UnicodeDecodeError:
        raise bad_request("Strings must be encoded in UTF-8") from None
    except ValueError as error:
        raise bad_request(f"Can't parse form data: {error}") from None


async def _read_body(request: web.BaseRequest, args: dict[str, str]) -> Params:
    kind = request.content_type
    if kind == "application/json":
        args.update(_json_args(await request.read()))
    elif kind == "application/x-www-form-urlencoded":
        args.update(parse_qsl((await request.read()).decode(), keep_blank_values=True))
    elif kind == "multipart/form-data":
        return await _multipart(request, args)
    return Params(args)


def _json_args(body: bytes) -> Mapping[str, str]:
    # A body that is no JSON object is logged and passed over by the real server, not refused.
    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(values, dict):
        return {}
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in values.items()
    }


async def _multipart(request: web.BaseRequest, args: dict[str, str]) -> Params:
    files: dict[str, Upload] = {}
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader) or part.name is None:
            continue
        content = bytes(await part.read(decode=True))
        # Percent signs in a name are decoded, and filename* is not known (HttpReader.cpp).
        _, disposition = parse_content_disposition(part.headers.get("Content-Disposition"))
        name = disposition.get("filename")
        if name is None:
            args[part.name] = content.decode()
        else:
            mime = part.headers.get("Content-Type", "application/octet-stream")
            files[part.name] = Upload(unquote(name), mime, content)
    if any(len(file.content) > UPLOAD_LIMIT for file in files.values()):
        raise ApiError(413, "Request Entity Too Large")
    return Params(args, files)
