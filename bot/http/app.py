"""The HTTP app with its paths: /healthz, /healthz/work, /readyz, /metrics and the webhook's."""

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

# Prometheus's text exposition format.
CONTENT_TYPE = "text/plain; version=0.0.4"


def make_app(
    readiness: Readiness,
    work: Work,
    stored: Cached[Stored | None],
    clock: Callable[[], datetime],
    webhook: Webhook | None,
    path: str,
) -> Starlette:
    """Build the app. `webhook` is served at `path`, if there is one. `stored` reads the database's numbers."""

    async def healthz(_request: Request) -> Response:
        """Liveness: an answer shows that the event loop runs."""
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        """Readiness of this process, for a proxy to route by."""
        return _answer("ready", await readiness.parts())

    async def healthz_work(_request: Request) -> Response:
        """Health of what all replicas share."""
        return _answer("working", await work.parts())

    async def metrics(_request: Request) -> Response:
        from bot.http.scrape import text  # noqa: PLC0415 - many processes are never scraped

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
    """The state of all parts as JSON, under the overall state `name`; status 200 when all are ok, else 503."""
    is_well = all(part.is_ok for part in parts.values())
    details = {part_name: {"ok": part.is_ok, "said": part.detail} for part_name, part in parts.items()}
    return JSONResponse({name: is_well, **details}, status_code=200 if is_well else 503)
