"""Whether this process can do its work: it can write to the database, the schema fits, and it has started.

What all replicas share is in bot/http/work.py: a proxy that went by it would take all of them away at once.
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
    """For how long an answer counts, and when it comes too late."""

    # Seconds that an answer counts: probes ask Telegram no more than twice a minute, the database every other
    # second.
    database_for: float = 2.0
    bot_api_for: float = 30.0
    # Seconds after which no answer is one.
    patience: float = 5.0


READINESS_TIMES = ReadinessTimes()


@dataclass(frozen=True)
class Part:
    """One thing that must be there, and in a few words what is the matter with it."""

    is_ok: bool
    said: str


class Readiness:
    """Looks at the parts when asked, and remembers for some seconds what it saw. The program sets `started`."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], times: ReadinessTimes = READINESS_TIMES
    ) -> None:
        self._database = database
        self._clock = clock
        self._patience = times.patience
        self._parts = Cached(self._ask_database, times.database_for)
        self.started = Part(False, "not yet")

    async def parts(self) -> dict[str, Part]:
        """All of them, by name."""
        return {**await self._parts.get(), "started": self.started}

    async def database_answers(self) -> bool:
        """Whether the database is there, and can be written to."""
        return (await self._parts.get())["database"].is_ok

    async def _ask_database(self) -> dict[str, Part]:
        try:
            async with asyncio.timeout(self._patience):
                revision, wanted = await version.revision(self._database), version.head()
                if revision == wanted:
                    await self._write()
        except Exception as error:
            return {"database": Part(False, name_of(error)), "migrations": Part(False, "not known")}
        if revision != wanted:
            outdated = Part(False, f"{revision or 'none'}, needed is {wanted}")
            return {"database": Part(True, "answers"), "migrations": outdated}
        return {"database": self._database_part(), "migrations": Part(True, wanted)}

    async def _write(self) -> None:
        """A primary that takes no writes any more, and a full disk, answer to reads as ever."""
        async with self._database.write() as session:
            await inbox.try_to_keep(session, random.getrandbits(62), self._clock())

    def _database_part(self) -> Part:
        """What was full a moment ago may have room for a try and none for an update."""
        return Part(False, Trouble.FULL) if self._database.was_full else Part(True, "takes writes")
