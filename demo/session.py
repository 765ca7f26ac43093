"""A demonstration: a database with sample data, the emulated Bot API, and the bot as a process of its own."""

import asyncio
import os
import random
import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo import sample
from demo.botapi import Emulator
from models import schema
from models.database import Database
from models.imports import import_accounts, import_organizations, import_personnel
from models.round import BANGKOK, BUDDHIST_ERA, current_round, open_round

# Phuket and Ranong: the two provinces with the fewest organizations.
PROVINCES = ("83", "85")

# The fiscal year begins on 1 October.
FISCAL_YEAR_BEGINS = 10
DAYS_UNTIL_CLOSING = 30


class DemoRefused(Exception):
    """The demonstration cannot start; the message says why and how to mend it."""


class Session:
    """One demonstration in a folder; what is in the folder already is gone on with.

    The bot is `laocert run`, with settings of its own; nothing in it knows that Telegram is emulated.
    """

    def __init__(self, folder: Path, emulator: Emulator) -> None:
        self.folder = folder
        self.emulator = emulator
        self.units = sample.read_units(PROVINCES)
        self.database = Database(f"sqlite+aiosqlite:///{folder / 'demo.db'}")
        self._bot: asyncio.subprocess.Process | None = None

    async def prepare(self) -> None:
        """Make the database with sample data and an open round, unless the folder has one."""
        await schema.upgrade(self.database)
        async with self.database.read() as session:
            if await current_round(session) is not None:
                return
        files = {name: self.folder / f"{name}.csv" for name in ("organizations", "accounts", "personnel")}
        sample.write_organizations(files["organizations"], PROVINCES)
        sample.write_accounts(files["accounts"], self.units)
        # The same rosters in every demonstration.
        sample.write_personnel(files["personnel"], self.units, random.Random(2570))  # noqa: S311
        now = datetime.now(UTC)
        await import_organizations(self.database, files["organizations"])
        await import_accounts(self.database, files["accounts"])
        await import_personnel(self.database, files["personnel"], now=now)
        today = now.astimezone(BANGKOK).date()
        fiscal_year = today.year + BUDDHIST_ERA + (today.month >= FISCAL_YEAR_BEGINS)
        async with self.database.write() as session:
            await open_round(session, fiscal_year, today + timedelta(days=DAYS_UNTIL_CLOSING), now)

    @property
    def bot_runs(self) -> bool:
        """Whether the bot's process is there."""
        return self._bot is not None and self._bot.returncode is None

    async def start_bot(self) -> None:
        """Start `laocert run` against the emulated server; its log goes to bot.log in the folder."""
        environment = os.environ | {
            "LAOCERT_BOT_TOKEN": self.emulator.token,
            "LAOCERT_API_URL": self.emulator.url,
            "LAOCERT_DATABASE_URL": self.database.url.render_as_string(),
            "LAOCERT_SECRET_KEY": self._secret_key(),
        }
        with (self.folder / "bot.log").open("ab") as log:
            self._bot = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", "run", env=environment, stdout=log, stderr=log, cwd=self.folder
            )

    async def kill_bot(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        if self._bot is not None and self.bot_runs:
            self._bot.kill()
            await self._bot.wait()

    async def close(self) -> None:
        """Stop the bot and let go of the database."""
        if self._bot is not None and self.bot_runs:
            self._bot.terminate()
            await self._bot.wait()
        await self.database.close()

    def _secret_key(self) -> str:
        """A key of this folder's own, so that a kept demonstration can be gone on with."""
        path = self.folder / "secret.key"
        if not path.exists():
            path.write_text(secrets.token_hex(32))
            path.chmod(0o600)
        return path.read_text()
