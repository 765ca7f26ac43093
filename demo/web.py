"""The page's server: static files, the event stream, and the actions on the phones."""

from base64 import b64decode
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import fontpkg_sarabun  # type: ignore[import-untyped]
from aiohttp import web

from demo.behind import ROOT, sources
from demo.demonstration import Demonstration
from demo.phones import NoSuchPhone

PAGE = Path(__file__).parent / "page"
FONTS = fontpkg_sarabun.ROOT / "files"
BEAT = 15.0
# Types that the browser shows in place. It downloads all others.
OPENED_IN_PLACE = ("image/png", "image/jpeg", "application/pdf")

# Bytes of a request: a file of 20 MB in base64, and its name.
LARGEST_BODY = 28 << 20

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors 'self'"
_HOSTS = ("127.0.0.1", "localhost")


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests that do not come from this machine's own page, such as from another site in the same
    browser.
    """
    origin = request.headers.get("Origin")
    if urlsplit(f"//{request.host}").hostname not in _HOSTS or (
        origin is not None and urlsplit(origin).netloc != request.host
    ):
        raise web.HTTPForbidden(text="this page is for this machine only")
    if request.method == "POST" and request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    try:
        response = await handler(request)
    except NoSuchPhone as error:
        raise web.HTTPNotFound(text=f"not on the page: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise web.HTTPBadRequest(text=f"not understood: {error}") from error
    if not response.prepared:
        _harden(response)
    return response


def _harden(response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers.setdefault("Cache-Control", "no-cache")


class Pages:
    """The request handlers for one demonstration."""

    def __init__(self, demonstration: Demonstration) -> None:
        self._demo = demonstration

    def application(self) -> web.Application:
        """Return the application with all routes."""
        app = web.Application(middlewares=[_guard], client_max_size=LARGEST_BODY)
        app.add_routes(
            [
                web.get("/", self._index),
                web.static("/page", PAGE),
                web.get(r"/fonts/{name:Sarabun-(Regular|SemiBold|Bold)\.ttf}", self._font),
                web.get("/events", self._events),
                web.get("/files/{id}", self._file),
                web.get("/source/{path:.+}", self._source),
                web.post("/phones", self._open),
                web.post(r"/phones/{phone:\d+}/send", self._send),
                web.post(r"/phones/{phone:\d+}/file", self._send_file),
                web.post(r"/phones/{phone:\d+}/tap", self._tap),
                web.post("/trouble/{switch}", self._trouble),
                web.post("/clock/{jump}", self._jump),
            ]
        )
        return app

    async def _index(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE / "index.html")

    async def _font(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(FONTS / request.match_info["name"], headers={"Content-Type": "font/ttf"})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        _harden(response)
        await response.prepare(request)
        await response.write(b"retry: 1000\n\n")
        try:
            async for part in self._demo.feed.watch(BEAT):
                await response.write(part)
        except ConnectionError:
            pass  # the page was closed
        return response

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """Deliver a file that the bot or a phone has sent."""
        file = self._demo.session.emulator.world.files.get(request.match_info["id"])
        if file is None:
            raise web.HTTPNotFound
        mime = file.mime if file.mime in OPENED_IN_PLACE else "application/octet-stream"
        how = "inline" if mime in OPENED_IN_PLACE else "attachment"
        disposition = f"{how}; filename*=UTF-8''{quote(file.name)}"
        return web.Response(body=file.content, content_type=mime, headers={"Content-Disposition": disposition})

    async def _source(self, request: web.Request) -> web.StreamResponse:
        """Deliver a source file of the program that the page links to."""
        path = request.match_info["path"]
        if path not in sources():
            raise web.HTTPNotFound
        return web.Response(text=(ROOT / path).read_text(encoding="utf-8"))

    async def _open(self, request: web.Request) -> web.StreamResponse:
        opened = self._demo.open_phone(str((await request.json())["unit"]))
        return web.json_response({"id": opened.phone.id})

    async def _send(self, request: web.Request) -> web.StreamResponse:
        text = str((await request.json())["text"]).strip()
        if not 0 < len(text) <= 4096:
            raise ValueError("a text of 1 to 4096 letters")
        await self._demo.phones.send(int(request.match_info["phone"]), text)
        return web.json_response({})

    async def _send_file(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        name = str(body["name"])
        if not 0 < len(name) <= 255:
            raise ValueError("a file's name of 1 to 255 letters")
        content = b64decode(str(body["content"]), validate=True)
        mime = str(body["mime"]) or "application/octet-stream"
        await self._demo.phones.send_file(int(request.match_info["phone"]), name, content, mime)
        return web.json_response({})

    async def _tap(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        await self._demo.phones.tap(int(request.match_info["phone"]), int(body["message"]), str(body["data"]))
        return web.json_response({})

    async def _trouble(self, request: web.Request) -> web.StreamResponse:
        on = (await request.json())["on"]
        if not isinstance(on, bool):
            raise ValueError("on: true or false")
        await self._demo.switch(request.match_info["switch"], on)
        return web.json_response({})

    async def _jump(self, request: web.Request) -> web.StreamResponse:
        self._demo.jump(request.match_info["jump"])
        return web.json_response({})
