"""Whether the program can do its work: the database answers at its schema, and the Bot API answers."""

import asyncio
from dataclasses import dataclass

from telegram import Bot
from telegram.error import InvalidToken, NetworkError, TelegramError

from bot.http.cached import Cached
from models.database.engine import Database
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
    """Looks at the parts when asked, and remembers for some seconds what it saw."""

    def __init__(self, bot: Bot, database: Database, times: ReadinessTimes = READINESS_TIMES) -> None:
        self._bot = bot
        self._database = database
        self._patience = times.patience
        self._revision = Cached(self._ask_database, times.database_for)
        self._bot_api = Cached(self._ask_bot_api, times.bot_api_for)

    async def parts(self) -> dict[str, Part]:
        """All of them, by name."""
        database, bot_api = await asyncio.gather(self._revision.get(), self._bot_api.get())
        return {**database, "bot_api": bot_api}

    async def database_answers(self) -> bool:
        """Whether the database is there."""
        return (await self._revision.get())["database"].is_ok

    async def bot_api_answers(self) -> bool:
        """Whether Telegram is there, and knows the token."""
        return (await self._bot_api.get()).is_ok

    async def _ask_database(self) -> dict[str, Part]:
        try:
            async with asyncio.timeout(self._patience):
                found = await version.revision(self._database)
        except Exception as error:
            away = Part(False, type(error).__name__)
            return {"database": away, "migrations": Part(False, "not known")}
        wanted = version.head()
        said = found or "none"
        return {
            "database": Part(True, "answers"),
            "migrations": Part(found == wanted, said if found == wanted else f"{said}, needed is {wanted}"),
        }

    async def _ask_bot_api(self) -> Part:
        try:
            async with asyncio.timeout(self._patience):
                await self._bot.get_me()
        except (InvalidToken, NetworkError, TimeoutError) as error:
            return Part(False, type(error).__name__)
        except TelegramError:
            # Refused, for example asked to wait: that is an answer.
            pass
        return Part(True, "answers")
