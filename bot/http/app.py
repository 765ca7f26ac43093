"""The paths that are served: the webhook's own, /healthz, /readyz and /metrics."""

from collections.abc import Callable
from datetime import datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.http.cached import Cached
from bot.http.readiness import Readiness
from bot.http.stored import READ_EVERY, look
from bot.http.webhook import Webhook
from models.database.engine import Database

# Prometheus's text format.
CONTENT_TYPE = "text/plain; version=0.0.4"


def make_app(
    readiness: Readiness,
    database: Database,
    clock: Callable[[], datetime],
    webhook: Webhook | None,
    path: str,
    read_every: float = READ_EVERY,
) -> Starlette:
    """The app; with a webhook at `path`, or without one. The numbers of the database are read every `read_every`
    seconds at most.
    """

    async def healthz(_request: Request) -> Response:
        """The event loop lives, or there would be no answer."""
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        parts = await readiness.parts()
        is_ready = all(part.is_ok for part in parts.values())
        told = {name: {"ok": part.is_ok, "said": part.said} for name, part in parts.items()}
        return JSONResponse({"ready": is_ready, **told}, status_code=200 if is_ready else 503)

    async def metrics(_request: Request) -> Response:
        from bot.http.scrape import text  # noqa: PLC0415 - many a program is never scraped

        return Response(text(await stored.get(), clock()), media_type=CONTENT_TYPE)

    stored = Cached(lambda: look(database), read_every)
    routes = [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]
    if webhook is not None:
        routes.append(Route(path, webhook.receive, methods=["POST"]))
    return Starlette(routes=routes)
