"""Which links the server takes, and how it writes them (td/telegram/LinkManager.cpp, tdutils HttpUrl.cpp)."""

from __future__ import annotations

import re

_USER = re.compile(r"tg:(?://)?user\?id=(\d+)", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?")
_HOST = re.compile(
    r"(?:[^/?#@]*@)?(?P<host>\[[0-9a-fA-F:]+\]|[^/?#:]*)(?::(?P<port>[^/?#]*))?(?P<rest>.*)", re.DOTALL
)
_OPAQUE = ("tg", "ton", "tonsite")


def user_link(url: str) -> int | None:
    """Give the user of a tg://user?id=… link."""
    match = _USER.fullmatch(url)
    return int(match.group(1)) if match else None


def checked_url(url: str) -> tuple[str | None, str]:
    """Give the link as the server keeps it, or None and the reason."""
    try:
        return _checked(url.strip()), ""
    except ValueError as error:
        return None, str(error)


def _checked(url: str) -> str:
    match = _SCHEME.match(url)
    scheme = match.group(1).lower() if match else "http"
    if match and (scheme in _OPAQUE or (scheme in {"http", "https"} and match.group(2))):
        after_scheme = url[match.end() :]
    elif match and match.group(2):
        raise ValueError("Unsupported URL protocol")
    else:
        scheme, after_scheme = "http", url
    parts = _HOST.fullmatch(after_scheme)
    if parts is None or not parts["host"]:
        raise ValueError("URL host is empty")
    host, tail = parts["host"], parts["rest"]
    if parts["port"] is not None and not (parts["port"].isdigit() and 0 < int(parts["port"]) < 65536):
        raise ValueError("Wrong port number specified in the URL")
    if scheme in _OPAQUE:
        return f"{scheme}://{host}{tail}"
    if re.search(r"[\s<>\"%]", host):
        raise ValueError("Disallowed character in URL host")
    if "." not in host and not host.startswith("["):
        raise ValueError("Wrong HTTP URL")
    port = f":{parts['port']}" if parts["port"] else ""
    return f"{scheme}://{host.lower()}{port}{tail if tail.startswith('/') else '/' + tail}"
