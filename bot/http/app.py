"""The paths that are served: the webhook's own, /healthz, /healthz/work, /readyz and /metrics."""

from collections.abc import Callable
from datetime import datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.http.cached import Cached
from bot.http.readiness import Part, Readiness
from bot.http.stored import Stored
from bot.http.webhook import Webhook
from bot.http.work import Work

# Prometheus's text format.
CONTENT_TYPE = "text/plain; version=0.0.4"


def make_app(
    readiness: Readiness,
    work: Work,
    stored: Cached[Stored | None],
    clock: Callable[[], datetime],
    webhook: Webhook | None,
    path: str,
) -> Starlette:
    """The app; with a webhook at `path`, or without one. `stored` are the numbers of the database."""

    async def healthz(_request: Request) -> Response:
        """The event loop lives, or there would be no answer."""
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        """What a proxy may route by: this process alone."""
        return _answer("ready", await readiness.parts())

    async def healthz_work(_request: Request) -> Response:
        """What is the same for all replicas."""
        return _answer("working", await work.parts())

    async def metrics(_request: Request) -> Response:
        from bot.http.scrape import text  # noqa: PLC0415 - many a program is never scraped

        await work.bot_api()
        return Response(text(await stored.get(), clock()), media_type=CONTENT_TYPE)

    routes = [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/healthz/work", healthz_work, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]
    if webhook is not None:
        routes.append(Route(path, webhook.receive, methods=["POST"]))
    return Starlette(routes=routes)


def _answer(name: str, parts: dict[str, Part]) -> Response:
    """200 when all parts are well, and else 503; each part with what is the matter."""
    is_well = all(part.is_ok for part in parts.values())
    said = {part_name: {"ok": part.is_ok, "said": part.said} for part_name, part in parts.items()}
    return JSONResponse({name: is_well, **said}, status_code=200 if is_well else 503)
