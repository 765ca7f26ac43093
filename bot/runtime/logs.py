"""Logging: lines for people or as JSON, on stderr, with secrets redacted."""

import logging
import re
import sys
from contextvars import ContextVar
from typing import Any

import orjson

# The id of the update that is being received or processed; each log line about it contains the id.
UPDATE: ContextVar[int | None] = ContextVar("update", default=None)

# A bot token, also inside a URL (Bot API, Authorizing your bot).
_TOKEN = re.compile(r"\d{3,}:[A-Za-z0-9_-]{20,}")

# Loggers that print whole updates, parameters or URLs at DEBUG or INFO, and with them passwords and tokens.
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
    """Redacts bot tokens and the listed secrets."""

    def __init__(self, secrets: list[str]) -> None:
        self._secrets = [secret for secret in secrets if secret]

    def clean(self, text: str) -> str:
        """The text with each secret replaced by `•••`."""
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
        # Redacted before JSON escapes the quotes in a secret. orjson refuses unpaired surrogates.
        return self._redact.clean(text).encode(errors="backslashreplace").decode()


def set_up(level: str, form: str, secrets: list[str]) -> None:
    """Log to stderr from `level` on, in the format `form` (`console` or `json`), with `secrets` redacted."""
    redact = Redact(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter(redact) if form == "json" else _Formatter(redact))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    quiet()


def quiet() -> None:
    """Let libraries log warnings and errors only, at any level: other lines contain personal data."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
