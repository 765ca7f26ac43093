"""The log: on stderr, for people or as JSON lines, with nothing in it that must stay secret."""

import logging
import re
import sys
from contextvars import ContextVar
from typing import Any

import orjson

# The id of the update that is being received or done: all its lines bear it.
UPDATE: ContextVar[int | None] = ContextVar("update", default=None)

# A bot token (Bot API, Authorizing your bot), also within a URL.
_TOKEN = re.compile(r"\d{3,}:[A-Za-z0-9_-]{20,}")

# These print whole updates, parameters or URLs at DEBUG or INFO: passwords and tokens would be in them.
_TALKATIVE = (
    "telegram",
    "httpx",
    "httpcore",
    "aiosqlite",
    "aiohttp",
    "asyncio",
    "sqlalchemy",
    "alembic",
    "uvicorn",
)


class Redact:
    """Blanks bot tokens and the given secrets in every line, tracebacks included."""

    def __init__(self, secrets: list[str]) -> None:
        self._secrets = [secret for secret in secrets if secret]

    def clean(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "•••")
        return _TOKEN.sub("•••", text)


class _Formatter(logging.Formatter):
    def __init__(self, redact: Redact) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact.clean(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        line, update = super().formatMessage(record), UPDATE.get()
        return line if update is None else f"{line} [update {update}]"


class _JsonFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "logger": record.name,
            "message": self._clean(record.getMessage()),
        }
        update = UPDATE.get()
        if update is not None:
            line["update"] = update
        if record.exc_info:
            line["traceback"] = self._clean(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = self._clean(record.stack_info)
        return orjson.dumps(line).decode()

    def _clean(self, text: str) -> str:
        # Before JSON escapes a secret's quotes. Half a surrogate pair is no JSON.
        return self._redact.clean(text).encode(errors="backslashreplace").decode()


def set_up(level: str, form: str, secrets: list[str]) -> None:
    """Send all logging to stderr, as `form` (console or json), at `level`."""
    redact = Redact(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter(redact) if form == "json" else _Formatter(redact))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    quiet()


def quiet() -> None:
    """Let libraries say only what is worth a warning, whatever the level: what they carry is nobody's business."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
