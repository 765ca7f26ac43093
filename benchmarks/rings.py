"""What two officers of one province hear on its busiest day: `python -m benchmarks.rings [--minutes N]`.

200 organizations of a province certify within so many minutes (10), at random moments, through the same functions
as the chat; `laocert run` on SQLite tells the province's two officers through the emulated Bot API in loose
weather (demo/botapi/limits.py). One of them looks at the chat now and then, the other does not. Prints for each
how many new messages came and how long its card was behind; exits 1 beyond 12 in ten minutes, or 5 s.
"""

import argparse
import asyncio
import random
import re
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from benchmarks.nation import SECRET_KEY, Country
from demo import sample
from demo.botapi import LOOSE, Emulator, Phone
from models.accounts.account import Account, Officer, active_officer
from models.certification.certificate import Level
from models.certification.certify import Demands, certify, prepare_confirmation
from models.certification.review import review
from models.database.engine import Database
from models.notices import card_marks
from models.security.keys import Keyring

PROVINCE = "30"
ORGANIZATIONS = 200
# The bounds: new messages in ten minutes, and seconds until a card shows a certificate.
MOST_RINGS, MOST_BEHIND = 12, 5.0
# Seconds between two looks of the officer who looks.
LOOKS = (5.0, 40.0)
DEMANDS = Demands(spot_check_size=3, difference_percent=100)
WAITING = re.compile(r"🔔 รอท่าน ([\d,]+) ")


class Watch:
    """One officer's phone: its new cards, and when the card first showed each number of waiting organizations."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.shown_at: list[float] = []

    async def run(self) -> None:
        """Record the time at which each number first appears, until cancelled."""
        while True:
            await self.phone.until(lambda _: self._number() > len(self.shown_at), timeout=3600)
            self.shown_at += [time.monotonic()] * (self._number() - len(self.shown_at))

    def _number(self) -> int:
        cards = [card for message in self.phone.messages if (card := WAITING.match(message.text))]
        return max((int(card[1].replace(",", "")) for card in cards), default=0)

    @property
    def rings(self) -> int:
        """The number of new messages that were a card, including those deleted since."""
        return sum(
            event.kind == "sent" and WAITING.match(event.message.history[0]) is not None
            for event in self.phone.events
        )


async def link(database: Database, phone: Phone, username: str) -> None:
    """Link an officer to the account, with a live card."""
    phone.chat.bot_status = "member"
    now = datetime.now(UTC)
    async with database.write() as session:
        account = (await session.scalars(select(Account).where(Account.username == username))).one()
        officer = Officer(
            account_id=account.id,
            user_id=phone.id,
            full_name="สมมุติ ทดสอบ",
            position="ปลัด",
            linked_at=now,
            last_seen_at=now,
            pin_hash="none",
        )
        session.add(officer)
        await session.flush()
        await card_marks.begin(session, officer, now)


async def certify_one(database: Database, user_id: int, code: str, rng: random.Random) -> float:
    """Certify an organization, and return the monotonic time of the commit."""
    async with database.write() as session:
        now, officer = datetime.now(UTC), await active_officer(session, user_id)
        if officer is None:
            sys.exit("an officer's link has ended")
        current_review = await review(session, officer, code)
        confirmation, _ = await prepare_confirmation(
            session, officer, Level.LAO, code, current_review.fingerprint(Level.LAO), now, rng, demands=DEMANDS
        )
        await certify(session, officer, confirmation.nonce, now, rng, demands=DEMANDS)
    return time.monotonic()


async def look_now_and_then(phone: Phone, rng: random.Random) -> None:
    """Send /menu at random intervals, until cancelled."""
    while True:
        await asyncio.sleep(rng.uniform(*LOOKS))
        await phone.send("/menu")


async def measure(
    country: Country, units: list[sample.Unit], minutes: float
) -> list[tuple[str, int, list[float]]]:
    """Return for each of the two officers: a name, the number of new messages, and the seconds until the card
    showed each certificate.
    """
    rng = random.Random(1)  # noqa: S311 - the same in every run
    database = Database(country.environment["LAOCERT_DATABASE_URL"], Keyring(SECRET_KEY))
    async with Emulator(weather=LOOSE) as emulator:
        organizations = {emulator.phone(unit.code): unit for unit in units if unit.role == "lao"}
        (province,) = [unit for unit in units if unit.role == "province"]
        watches = {who: Watch(emulator.phone(who)) for who in ("looks now and then", "never looks")}
        for phone, unit in organizations.items():
            await link(database, phone, unit.username)
        for watch in watches.values():
            await link(database, watch.phone, province.username)
        bot = await country.start_bot(emulator)
        tasks = [asyncio.create_task(watch.run()) for watch in watches.values()]
        tasks.append(asyncio.create_task(look_now_and_then(watches["looks now and then"].phone, rng)))
        began, committed_at = time.monotonic(), []
        moments = sorted(rng.uniform(0, minutes * 60) for _ in organizations)
        for moment, (phone, unit) in zip(moments, organizations.items(), strict=True):
            await asyncio.sleep(max(began + moment - time.monotonic(), 0))
            committed_at.append(await certify_one(database, phone.id, unit.code, rng))
        for watch in watches.values():
            await watch.phone.until(
                lambda _, watch=watch: len(watch.shown_at) == len(committed_at),  # type: ignore[misc]
                timeout=60,
            )
        for task in tasks:
            task.cancel()
        bot.terminate()
        await bot.wait()
    await database.close()
    return [
        (
            who,
            watch.rings,
            [shown_at - certified_at for shown_at, certified_at in zip(watch.shown_at, committed_at, strict=True)],
        )
        for who, watch in watches.items()
    ]


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        country = Country(folder, None, "bot")
        everybody = sample.read_units([PROVINCE])
        chosen = [unit for unit in everybody if unit.role == "lao"][:ORGANIZATIONS]
        units = [*chosen, *(unit for unit in everybody if unit.role == "province")]
        sample.write_organizations(folder / "organizations.csv", [PROVINCE])
        sample.write_accounts(folder / "accounts.csv", units)
        sample.write_personnel(folder / "personnel.csv", chosen, random.Random(1))  # noqa: S311 - samples
        country.laocert("db", "upgrade")
        for kind in ("organizations", "accounts", "personnel"):
            country.laocert("import", kind, str(folder / f"{kind}.csv"))
        country.laocert("round", "open", "--fiscal-year", "2570", "--closes", "2670-09-15")
        results = asyncio.run(measure(country, units, options.minutes))
    print(f"{ORGANIZATIONS} certifications in {options.minutes:g} minutes; an officer who")
    is_within = True
    for who, rings, behind in results:
        print(
            f"  {who}: {rings} new messages, the card behind {statistics.median(behind):.2f} s (median),"
            f" {max(behind):.2f} s (longest)"
        )
        is_within &= rings <= MOST_RINGS and max(behind) <= MOST_BEHIND
    if not is_within:
        sys.exit(f"more than {MOST_RINGS} new messages, or longer than {MOST_BEHIND:g} s behind")


if __name__ == "__main__":
    main()
