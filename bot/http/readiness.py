"""Readiness of this process: it can write to the database, the schema is the program's, and it has started.

What all replicas share is in bot/http/work.py: a proxy that routed by it would take all of them out of rotation at
once.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.http.cached import Cached
from models.chats import inbox
from models.database.engine import Database
from models.database.trouble import Trouble, name_of
from models.schema import version


@dataclass(frozen=True)
class ReadinessTimes:
    """For how long the result of a check is cached, and how long a check may take; in seconds."""

    # Caching: probes reach the database at most every two seconds, Telegram at most twice a minute.
    database_for: float = 2.0
    bot_api_for: float = 30.0
    # Timeout of a check.
    patience: float = 5.0


READINESS_TIMES = ReadinessTimes()


@dataclass(frozen=True)
class Part:
    """The state of one thing that is checked, with a few words about it."""

    is_ok: bool
    detail: str


class Readiness:
    """Checks the parts on request, with a cache of some seconds. The program sets `started`."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], times: ReadinessTimes = READINESS_TIMES
    ) -> None:
        self._database = database
        self._clock = clock
        self._patience = times.patience
        self._parts = Cached(self._ask_database, times.database_for)
        self.started = Part(False, "not yet")

    async def parts(self) -> dict[str, Part]:
        """The state of each part by name: `database`, `migrations`, `started`. Raises nothing."""
        return {**await self._parts.get(), "started": self.started}

    async def database_answers(self) -> bool:
        """Whether the database answers and takes writes."""
        return (await self._parts.get())["database"].is_ok

    async def _ask_database(self) -> dict[str, Part]:
        try:
            async with asyncio.timeout(self._patience):
                revision, head = await version.revision(self._database), version.head()
                if revision == head:
                    await self._write()
        except Exception as error:
            return {"database": Part(False, name_of(error)), "migrations": Part(False, "not known")}
        if revision != head:
            outdated = Part(False, f"{revision or 'none'}, needed is {head}")
            return {"database": Part(True, "answers"), "migrations": outdated}
        return {"database": self._database_part(), "migrations": Part(True, head)}

    async def _write(self) -> None:
        """Try a write, because a read-only former primary and a full disk still answer reads."""
        async with self._database.write() as session:
            await inbox.try_to_keep(session, random.getrandbits(62), self._clock())

    def _database_part(self) -> Part:
        """Not ok while updates were refused by a full disk: the small write of the check may still have room."""
        return Part(False, Trouble.FULL) if self._database.was_full else Part(True, "takes writes")
