"""How long files take to make, and what others feel of it: `python -m benchmarks.documents [--rounds N]`.

On the largest province (334 organizations, 200 of them certified by the LAO, 120 of these by the province): the
picture, the list as XLSX and a certificate as PDF are each made with facts that were not seen before. Then twenty
officers tap on through `laocert run` on SQLite against the emulated Bot API: in quiet times, while others ask for
files again and again, and while another program makes as many files beside the bot at the same low priority, which
is what the machine itself cannot help; by turns. Prints how long a tap waited for its answer in each, and ratios.
"""

import argparse
import asyncio
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from benchmarks.logins import OFFICERS, Watch, percentiles
from benchmarks.nation import SECRET_KEY, Country, log_in
from bot.inbound.files import FileMaker
from bot.papers import certificate, picture, province_list
from demo import sample
from demo.botapi import Emulator, Message, Phone
from handlers.chat.screen import AttachmentKind
from handlers.chat.taps.certification import CertificatePdf
from handlers.chat.taps.province import ExportList, SeeProgress
from handlers.province.export import CertificatePage
from models.accounts.account import Account, Officer
from models.certification.certificate import Certification, Level
from models.certification.words import Words
from models.database.engine import Database
from models.organizations.organization import Organization
from models.province import export
from models.province import statistics as progress_of
from models.rounds.round import current_round
from models.security.keys import Keyring

PROVINCE = "30"
BY_LAO, BY_PROVINCE = 200, 120
TIMES = 15
# Officers who ask for files, each as soon as the last one came and a second has passed: a chat gets one message a
# second.
ASKING = 4
ASK_EVERY = 1.1
# Short, so that what else the machine does falls on all alike.
QUIET = BUSY = BESIDE = 3.0

# The facts of one file of each kind.
Facts = dict[AttachmentKind, Any]


async def fill(database: Database) -> int:
    """Insert certificates as if the round had been open for 100 days, and return the id of one of them."""
    rng, now = random.Random(1), datetime.now(UTC)  # noqa: S311 - samples
    async with database.write() as session:
        round_ = await current_round(session)
        account = await session.scalar(select(Account).where(Account.province_code == PROVINCE))
        assert round_ is not None  # noqa: S101 - opened before
        assert account is not None  # noqa: S101 - imported before
        round_.opened_at = now - timedelta(days=100)
        officer = Officer(account_id=account.id, user_id=1, full_name="สมมุติ ทดสอบ", position="ปลัด", linked_at=now)
        session.add(officer)
        await session.flush()
        organizations = await session.scalars(
            select(Organization)
            .where(Organization.province_code == PROVINCE)
            .order_by(Organization.sort_key.desc())
            .limit(BY_LAO)
            .options(joinedload(Organization.province))
        )
        for place, organization in enumerate(organizations):
            made_at = now - timedelta(days=rng.randrange(100))
            for level in (Level.LAO, Level.PROVINCE) if place < BY_PROVINCE else (Level.LAO,):
                session.add(_certificate(organization, round_.id, officer.id, level, made_at, rng))
        await session.flush()
        certificate_id = await session.scalar(select(Certification.id).limit(1))
        return certificate_id or 0


def _certificate(
    organization: Organization, round_id: int, officer_id: int, level: Level, made_at: datetime, rng: random.Random
) -> Certification:
    return Certification(
        organization_code=organization.dla_code,
        round_id=round_id,
        revision=1,
        level=level,
        officials=rng.randrange(100),
        permanent_employees=rng.randrange(10),
        contract_employees=rng.randrange(100),
        with_empty_menus=rng.randrange(20),
        roster_digest="0" * 64,
        roster_file="ทะเบียนบุคลากร.csv",
        roster_imported_at=made_at,
        officer_id=officer_id,
        officer_name="นางสาวสมมุติ ทดสอบระบบ",
        officer_position="หัวหน้าสำนักปลัดองค์การบริหารส่วนตำบล",
        user_id=1,
        account_username="sample",
        statement=f"{level}/1/th",
        audit_head="unrecorded",
        code=f"{rng.getrandbits(40):010X}",
        is_late=False,
        certified_at=made_at,
        **asdict(Words.of(organization)),
    )


async def measure_making(database: Database, certificate_id: int) -> Facts:
    """Measure loading the facts and making the files, and return the facts.

    Each file has another time in it, because typst caches what it has typeset.
    """
    now = datetime.now(UTC)
    async with database.read() as session:
        code = (await session.get_one(Certification, certificate_id)).code

        async def timed(name: str, load: Callable[[], Awaitable[object]]) -> None:
            times = []
            for _ in range(TIMES):
                started = time.perf_counter()
                await load()
                times.append(time.perf_counter() - started)
            print(f"  {name}: {_spread(times)}")

        print(f"facts from the database, {TIMES} times: shortest, median, longest")
        await timed("progress", lambda: progress_of.province_progress(session, PROVINCE, now))
        await timed("list", lambda: export.province_list(session, PROVINCE, now))
        progress = await progress_of.province_progress(session, PROVINCE, now)
        listed = await export.province_list(session, PROVINCE, now)
        issued = await export.certificate_of_code(session, code, now)
    print(f"files, {TIMES} times: shortest, median, longest (the first one of a process loads the fonts)")
    link = f"https://t.me/laocert_bot?start=v{code}"
    moments = [now + timedelta(minutes=number) for number in range(TIMES)]
    makers: dict[str, Callable[[datetime], bytes]] = {
        "picture (PNG)": lambda at: picture.png(replace(progress, as_of=at)),
        f"list (XLSX, {len(listed.rows)} rows)": lambda at: province_list.xlsx(replace(listed, as_of=at)),
        "certificate (PDF)": lambda at: certificate.pdf(CertificatePage(replace(issued, issued_at=at), link)),
    }
    for name, make in makers.items():
        times, work = [], []
        for at in moments:
            started, worked = time.perf_counter(), time.process_time()
            make(at)
            times.append(time.perf_counter() - started)
            work.append(time.process_time() - worked)
        print(f"  {name}: {_spread(times)}; of the processor {statistics.median(work) * 1000:.0f} ms")
    return {
        AttachmentKind.PROGRESS: progress,
        AttachmentKind.PROVINCE_LIST: listed,
        AttachmentKind.CERTIFICATE: CertificatePage(issued, link),
    }


def _spread(times: list[float]) -> str:
    values = (min(times), statistics.median(times), max(times))
    return ", ".join(f"{value * 1000:.0f} ms" for value in values)


async def ask_on(
    phone: Phone, card: Message, taps: list[str], first: int, watch: Watch, waits: list[float]
) -> None:
    """Ask for one file after another during busy times, and append the seconds of each to `waits`."""
    for number in itertools.count(first):
        while watch.now != "busy" and not watch.stop:  # noqa: ASYNC110 - measuring needs no event for it
            await asyncio.sleep(0.05)
        if watch.stop:
            return
        last_id, started = phone.last.id, time.perf_counter()
        await phone.tap_data(card, taps[number % len(taps)])
        await phone.until(
            lambda screen, last_id=last_id: any(  # type: ignore[misc]
                message.id > last_id and ("document" in message.content or "photo" in message.content)
                for message in screen.messages
            ),
            60,
        )
        waits.append(time.perf_counter() - started)
        await asyncio.sleep(ASK_EVERY)


async def make_beside(maker: FileMaker, facts: Facts, first: int, watch: Watch) -> None:
    """Make files at the pace of `ask_on`, in another program's process."""
    kinds = list(facts)
    for number in itertools.count(first):
        while watch.now != "beside" and not watch.stop:  # noqa: ASYNC110 - measuring needs no event for it
            await asyncio.sleep(0.05)
        if watch.stop:
            return
        kind = kinds[number % len(kinds)]
        file_facts = facts[kind]
        if kind is not AttachmentKind.CERTIFICATE:
            file_facts = replace(file_facts, as_of=file_facts.as_of + timedelta(minutes=number))
        await maker.make(kind, file_facts)
        await asyncio.sleep(ASK_EVERY)


async def take_turns(
    country: Country, units: list[sample.Unit], certificate_id: int, facts: Facts, rounds: int
) -> None:
    """Measure quiet, busy and beside times by turns, and print the results."""
    maker = FileMaker()
    # Its process starts with the first file.
    await maker.make(AttachmentKind.PROGRESS, facts[AttachmentKind.PROGRESS])
    rng, watch, waits = random.Random(1), Watch(), []  # noqa: S311 - the same in every run
    async with Emulator() as emulator:
        bot = await country.start_bot(emulator)
        try:
            organizations = [unit for unit in units if unit.role == "lao"]
            (province,) = (unit for unit in units if unit.role == "province")
            officers = {emulator.phone(unit.code): unit for unit in organizations}
            asking = [emulator.phone(f"จังหวัด {number}") for number in range(ASKING)]
            await asyncio.gather(*(log_in(phone, unit) for phone, unit in officers.items()))
            # One after the other: each is told of the next ones, and that stands below its card then.
            for phone in asking:
                await log_in(phone, province)
            # The process that makes files starts with the first one.
            taps = [SeeProgress().pack(), ExportList().pack(), CertificatePdf(certificate_id).pack()]
            cards = [phone.last for phone in asking]
            await asking[0].tap_data(cards[0], taps[1])
            await asking[0].until(
                lambda phone: any("document" in message.content for message in phone.messages), 60
            )
            tasks = [asyncio.create_task(watch.tap_on(phone, rng)) for phone in officers]
            for number, phone in enumerate(asking):
                tasks.append(asyncio.create_task(ask_on(phone, cards[number], taps, number, watch, waits)))
                tasks.append(asyncio.create_task(make_beside(maker, facts, number, watch)))
            for _ in range(rounds):
                for now, seconds in (("", 1.5), ("quiet", QUIET), ("busy", BUSY), ("", 1.5), ("beside", BESIDE)):
                    watch.now = now
                    await asyncio.sleep(seconds)
            watch.now, watch.stop = "", True
            await asyncio.gather(*tasks)
        finally:
            maker.close()
            bot.terminate()
            await bot.wait()
    report(watch, waits, rounds * BUSY)


def report(watch: Watch, waits: list[float], seconds: float) -> None:
    """Print all times side by side."""
    quiet, busy, beside = (percentiles(watch.times[name]) for name in ("quiet", "busy", "beside"))
    rate = len(waits) / seconds
    print(f"from tap to answer, {OFFICERS} officers tapping on: median, 95th percentile")
    for words, name, milliseconds in (
        ("nobody asks for files", "quiet", quiet),
        (f"{rate:.1f} files a second are made for officers", "busy", busy),
        ("another program makes as many beside the bot", "beside", beside),
    ):
        print(
            f"  while {words}, {len(watch.times[name]):,} taps: {milliseconds[0]:.1f} ms, {milliseconds[1]:.1f} ms"
        )
    print(f"  busy to quiet {busy[0] / quiet[0]:.2f} and {busy[1] / quiet[1]:.2f} times as long")
    print(f"  busy to beside {busy[0] / beside[0]:.2f} and {busy[1] / beside[1]:.2f} times as long")
    median, most = percentiles(waits)
    print(f"from tap to file, {len(waits)} files: median {median:.0f} ms, 95th percentile {most:.0f} ms")


async def measure(country: Country, units: list[sample.Unit], rounds: int) -> None:
    """Fill the province, then measure making files and the taps meanwhile."""
    database = Database(country.environment["LAOCERT_DATABASE_URL"], Keyring(SECRET_KEY))
    certificate_id = await fill(database)
    facts = await measure_making(database, certificate_id)
    await database.close()
    await take_turns(country, units, certificate_id, facts, rounds)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        country = Country(folder, None)
        everyone = sample.read_units([PROVINCE])
        # Those at the beginning of the dictionary: the certified ones are at its end.
        units = [unit for unit in everyone if unit.role == "province"]
        units += [unit for unit in everyone if unit.role == "lao"][:OFFICERS]
        sample.write_organizations(folder / "organizations.csv", [PROVINCE])
        sample.write_accounts(folder / "accounts.csv", units)
        sample.write_personnel(folder / "personnel.csv", units, random.Random(1))  # noqa: S311 - samples
        country.laocert("db", "upgrade")
        for kind in ("organizations", "accounts", "personnel"):
            country.laocert("import", kind, str(folder / f"{kind}.csv"))
        country.laocert("round", "open", "--fiscal-year", "2570", "--closes", "2570-09-15")
        asyncio.run(measure(country, units, options.rounds))


if __name__ == "__main__":
    main()
