"""The session of a demonstration: a database with sample data, the emulated Bot API, and the bot's process."""

import asyncio
import os
import random
import secrets
import sys
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from demo import last_round, sample
from demo.botapi import Emulator
from demo.clock import MovedClock
from models.audit import event_chain
from models.base.calendar import BANGKOK, BUDDHIST_ERA
from models.base.errors import DomainError
from models.chats.conversation import Card, Conversation
from models.database.engine import Database
from models.imports import import_accounts, import_organizations, import_personnel
from models.rounds.round import RoundState, current_round, open_round
from models.schema import version
from models.security.keys import Keyring
from models.succession.word_keeping import keep_words

# Phuket and Ranong: the two provinces with the fewest organizations.
PROVINCES = ("83", "85")

# The fiscal year begins on 1 October.
FISCAL_YEAR_BEGINS = 10
DAYS_UNTIL_CLOSING = 30

# Seconds until a bot that has not polled counts as hung, even on a busy machine; and seconds that it gets to stop.
PATIENCE = 300.0
GRACE = 12.0


class DemoRefused(DomainError):
    """The demonstration cannot start. The message says why and what to do."""


class Session:
    """One demonstration in a folder. It continues with the data that the folder already contains.

    The bot is `laocert run` with its own settings and the demonstration's clock, which it reads from the folder.
    It does not know that Telegram is emulated.
    """

    def __init__(self, folder: Path, emulator: Emulator, clock: MovedClock) -> None:
        self.folder = folder
        self.emulator = emulator
        self.clock = clock
        # One of them had merged into another before the round.
        self.units = [unit for unit in sample.read_units(PROVINCES) if unit.code != last_round.MERGED]
        self.database = Database(f"sqlite+aiosqlite:///{folder / 'demo.db'}", Keyring(self._secret_key()))
        self._bot: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Create the data and start the bot at the same time, and wait for its first poll. Raises DemoRefused."""
        try:
            await version.upgrade(self.database)
            await self._require_key()
            async with self.database.write() as session:
                # A kept folder may come from an older version.
                await keep_words(session, self.clock())
            await self._forget_cards()
            # The bot needs only the tables, so it starts while the data is imported.
            await self.start_bot()
            await self._fill()
        except DBAPIError as error:
            path = self.folder / "demo.db"
            raise DemoRefused(
                f"{path} cannot be used: {error.orig}; remove it, or choose another folder with --keep"
            ) from error
        await self._bot_polls()

    async def _require_key(self) -> None:
        """Check that the folder's key is the one that its data was created with. Raises DemoRefused."""
        async with self.database.read() as session:
            try:
                await event_chain.require_known_key(session, "what this folder holds")
            except event_chain.KeyUnknown as error:
                raise DemoRefused(
                    f"{self.folder / 'secret.key'} is not the key of {self.folder / 'demo.db'}; put the right one"
                    " back, or choose another folder with --keep"
                ) from error

    async def _forget_cards(self) -> None:
        """Delete the references to messages of an earlier demonstration, whose ids new messages will reuse."""
        async with self.database.write() as session:
            await session.execute(update(Conversation).values(card_message_id=None))
            await session.execute(delete(Card))

    async def _fill(self) -> None:
        """Import the sample data, hold the last round, merge two organizations, and open a round, unless the
        folder has them. Each step skips what is done already, so that an interrupted start can be repeated.
        """
        async with self.database.read() as session:
            newest = await current_round(session)
            if newest is not None and newest.state is RoundState.OPEN:
                return
        files = {name: self.folder / f"{name}.csv" for name in ("organizations", "accounts", "personnel")}
        sample.write_organizations(files["organizations"], PROVINCES)
        sample.write_accounts(files["accounts"], sample.read_units(PROVINCES))
        # The same rosters in every demonstration.
        rng = random.Random(2570)  # noqa: S311
        locked = (last_round.SUCCESSOR, last_round.MERGED)
        sample.write_personnel(files["personnel"], (unit for unit in self.units if unit.code not in locked), rng)
        now = self.clock()
        today = now.astimezone(BANGKOK).date()
        first_day = date(today.year - (today.month < FISCAL_YEAR_BEGINS), FISCAL_YEAR_BEGINS, 1)
        fiscal_year = first_day.year + 1 + BUDDHIST_ERA
        await import_organizations(self.database, files["organizations"], now)
        await import_accounts(self.database, files["accounts"], now)
        await last_round.hold_last_round(self.database, self.folder, first_day, fiscal_year)
        await last_round.merge(self.database, self.folder, first_day, now)
        await import_personnel(self.database, files["personnel"], now=now)
        async with self.database.write() as session:
            await open_round(session, fiscal_year, today + timedelta(days=DAYS_UNTIL_CLOSING), now)
        await last_round.deliver_merged_register(self.database, self.folder, now)

    @property
    def bot_runs(self) -> bool:
        """Whether the bot's process is running."""
        return self._bot is not None and self._bot.returncode is None

    async def start_bot(self) -> None:
        """Start `laocert run` against the emulated server; its log goes to bot.log in the folder."""
        if self.bot_runs:
            return
        # Without the settings of a real bot on this machine.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LAOCERT_")}
        environment |= {
            "LAOCERT_BOT_TOKEN": self.emulator.token,
            "LAOCERT_API_URL": self.emulator.url,
            "LAOCERT_DATABASE_URL": self.database.url.render_as_string(),
            "LAOCERT_SECRET_KEY": self._secret_key(),
            "LAOCERT_LISTEN": "127.0.0.1:0",
        }
        with (self.folder / "bot.log").open("ab") as log:
            self._bot = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "demo.leash",
                "run",
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                # Not in the checkout, whose .env must not be read.
                cwd=self.folder,
                # Ctrl+C in the terminal must reach only the demonstration, which then stops the bot.
                start_new_session=True,
            )

    async def _bot_polls(self) -> None:
        """Wait for the bot's first poll. Raises DemoRefused if the bot ends, or does not poll within PATIENCE."""
        if self._bot is None:
            raise DemoRefused("the bot was not started")
        polls = asyncio.ensure_future(self.emulator.updates.until_waiting())
        ends = asyncio.ensure_future(self._bot.wait())
        try:
            finished, _ = await asyncio.wait({polls, ends}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            polls.cancel()
            ends.cancel()
        if polls not in finished:
            what = "ended at its start" if ends in finished else f"did not ask for updates in {PATIENCE:.0f} s"
            raise DemoRefused(f"the bot {what}: {self._last_words()}; see {self.folder / 'bot.log'}")

    def _last_words(self) -> str:
        lines = (self.folder / "bot.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    async def kill_bot(self) -> None:
        """Kill the bot with SIGKILL."""
        if self._bot is not None and self.bot_runs:
            self._bot.kill()
            await self._bot.wait()

    async def close(self) -> None:
        """Stop the bot, by force after GRACE, and close the database."""
        if self._bot is not None and self.bot_runs:
            self._bot.terminate()
            try:
                async with asyncio.timeout(GRACE):
                    await self._bot.wait()
            except TimeoutError:
                await self.kill_bot()
        await self.database.close()

    def _secret_key(self) -> str:
        """Return the folder's secret key, created at the first call, so that a kept demonstration can continue."""
        path = self.folder / "secret.key"
        key = path.read_text().strip() if path.exists() else ""
        if not key:
            key = secrets.token_hex(32)
            path.touch(mode=0o600)
            path.write_text(key)
        return key
