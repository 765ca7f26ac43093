"""A small country as test data, and helpers to link officers, certify and wait."""

import asyncio
import inspect
import itertools
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from unittest.mock import patch

import pytest
from argon2 import PasswordHasher
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_attribute

from models.accounts.account import Account, Role, active_officer, login_candidate
from models.accounts.account import Officer as AccountOfficer
from models.accounts.pin import _keyed
from models.audit import event_chain
from models.audit.digests import keyed_digest
from models.audit.row_seal import seal_rows
from models.base import thai
from models.certification import certify as certifying
from models.certification.certificate import Certification, Level
from models.certification.certify import Demands, certify, prepare_confirmation
from models.certification.review import review
from models.certification.spot_check import Mark
from models.database.engine import Database
from models.database.lease import LeaseTimes
from models.links.link import link_officer
from models.notices.kind import RULES, NoticeKind
from models.organizations.organization import Organization, Province
from models.register.roster import Category, PersonnelRecord, Roster
from models.rounds.round import Round, open_round
from models.security.keys import Keyring
from models.security.row_seal import SealedRow, name_of
from models.spot_checks.spot_checking import draw, hand_in, mark

T = TypeVar("T")

# Seconds that a test waits for a state, enough for a very busy machine. The same as demo.botapi.PATIENCE.
PATIENCE = 300.0
# A lease that does not end while its holder is only slow.
PATIENT_LEASE = LeaseTimes(patience=PATIENCE, good_for=PATIENCE, gone_after=int(PATIENCE))
SECRET_KEY = "a key for tests only of more than 32 letters"
KEYRING = Keyring(SECRET_KEY)

# The organizations of the country: (dla_code, type, name, district, province).
ORGANIZATIONS = [
    ("5110201", "เทศบาลตำบล", "บางปู", "เมืองสมุทรปราการ", "11"),
    ("6110301", "อบต.", "บางปู", "เมืองสมุทรปราการ", "11"),
    ("6110302", "อบต.", "แพรกษา", "เมืองสมุทรปราการ", "11"),
    ("6110303", "อบต.", "เทพารักษ์", "บางพลี", "11"),
    ("6120401", "อบต.", "ไทรม้า", "เมืองนนทบุรี", "12"),
]
PASSWORD = "ถูกต้อง-horse-1"
# Like the hashes of models/security/passwords.py and models/accounts/pin.py, but cheap: a hash contains its own
# cost.
_QUICKLY = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD_HASH = _QUICKLY.hash(PASSWORD)
PIN = "804915"
# The buttons of an LAO's way from home to the keypad before the irreversible press.
TO_PIN = ("ระบบรับรองข้อมูล", "ดำเนินการ(อปท.)", "รับรองข้อมูลระดับ อปท.", "รับรองระดับ อปท.", "ยืนยันการรับรอง")
# The number of records in a spot-check: the default of LAOCERT_SPOT_CHECK_SIZE.
SPOT_CHECK_SIZE = 3
DEMANDS = Demands(SPOT_CHECK_SIZE, 10)


def pin_hash(user_id: int, pin: str = PIN) -> str:
    """Return the hash of a PIN as the database stores it."""
    keyed = _keyed(KEYRING, KEYRING.current_id, user_id, pin)
    return f"{KEYRING.current_id}:{_QUICKLY.hash(keyed)}"


def record(
    organization: str, number: int, category: Category = Category.OFFICIAL, menus: str = "rrr"
) -> dict[str, str]:
    """Return the columns of a personnel record with generated values."""
    return {
        "organization_code": organization,
        "record_no": f"{number:04}",
        "full_name": f"บุคคล ทดสอบ{number}",
        "category": category,
        "position": f"ตำแหน่ง {number % 11}",
        "level": "ปฏิบัติการ",
        "menus": menus,
    }


async def put_roster(
    session: AsyncSession, organization: str, counts: tuple[int, int, int], now: datetime
) -> None:
    """Replace an organization's register by one with so many people of each category. The last has an empty
    menu.
    """
    await session.execute(delete(PersonnelRecord).where(PersonnelRecord.organization_code == organization))
    await session.merge(
        Roster(
            organization_code=organization,
            file_name="ทะเบียน.csv",
            imported_at=now - timedelta(days=1),
            menu_names=["ประวัติ", "การศึกษา", "เครื่องราชฯ"],
        )
    )
    await session.flush()
    number = 0
    for category, count in zip(Category, counts, strict=True):
        for _ in range(count):
            number += 1
            menus = "rn-" if number == sum(counts) else "rrn"
            session.add(PersonnelRecord(**record(organization, number, category, menus)))
    await session.flush()


async def settle(database: Database, now: datetime) -> None:
    """Insert two provinces, their organizations with accounts and registers (one has none), and an open round."""
    async with database.write() as session:
        session.add(Province(code="11", name_th="สมุทรปราการ", name_en="Samut Prakan"))
        session.add(Province(code="12", name_th="นนทบุรี", name_en="Nonthaburi"))
        await session.flush()
        for code, kind, name, district, province in ORGANIZATIONS:
            session.add(
                Organization(
                    dla_code=code,
                    type_th=kind,
                    type_code="tao" if kind == "อบต." else "subdistrict_municipality",
                    name_th=name,
                    district_th=district,
                    province_code=province,
                    sort_key=thai.sort_key(name) + kind + district,
                )
            )
            session.add(
                Account(
                    username=f"lao{code}",
                    password_hash=PASSWORD_HASH,
                    role=Role.LAO,
                    organization_code=code,
                    display_name=kind + name,
                )
            )
        for code, name in (("11", "สมุทรปราการ"), ("12", "นนทบุรี")):
            session.add(
                Account(
                    username=f"province{code}",
                    password_hash=PASSWORD_HASH,
                    role=Role.PROVINCE,
                    province_code=code,
                    display_name=f"จังหวัด{name}",
                )
            )
        await session.flush()
        for code, *_ in ORGANIZATIONS[:3]:
            await put_roster(session, code, (12, 3, 5), now)
        await put_roster(session, ORGANIZATIONS[4][0], (7, 0, 2), now)
        await open_round(session, 2570, date(2027, 9, 15), now)


async def alter(session: AsyncSession, rows: Iterable[SealedRow], now: datetime, **values: Any) -> None:
    """Change rows as the program does: sealed, and with an event that tells of it in each row's chain."""
    chains = set()
    for row in rows:
        for name, value in values.items():
            set_attribute(row, name, value)
        chains.add(row.recorded_in or event_chain.SYSTEM)
    links = [event_chain.Link(event_chain.Event.ACCOUNT_CHANGED, chain, {"change": "test"}) for chain in chains]
    await event_chain.record_all(session, links, now)


async def seal_organizations(session: AsyncSession) -> None:
    """Seal organizations that a test has changed by SQL, as if an import had done it."""
    table, now = Organization.core(), datetime(2026, 11, 2, tzinfo=UTC)
    seals = await seal_rows(session, Organization, (await session.execute(select(table))).all())
    links = [
        event_chain.Link(event_chain.Event.ACCOUNT_CHANGED, name.partition(":")[2], {"seals": {name: seal}})
        for name, seal in sorted(seals.items())
    ]
    await event_chain.record_all(session, links, now)


async def move_last_day(session: AsyncSession, day: date | None) -> None:
    """Give every round another last day."""
    await alter(session, await session.scalars(select(Round)), datetime(2026, 11, 2, tzinfo=UTC), closes_on=day)


async def unrecorded(database: Database) -> dict[str, str | None]:
    """The rows whose seal is not the one that the newest event about them carries."""
    recorded: dict[str, str | None] = {}
    async with database.read() as session:
        events = select(event_chain.AuditEvent.details).order_by(event_chain.AuditEvent.id)
        for details in await session.scalars(events):
            recorded |= json.loads(details).get("seals", {}) if details.startswith("{") else {}
        rows = [
            row
            for model in SealedRow.__subclasses__()
            if model.IS_RECORDED
            for row in await session.scalars(select(model))
        ]
    return {name_of(row): row.seal for row in rows if recorded.get(name_of(row), row.seal) != row.seal}


# Seeds each certification differently, but identically in every run.
_COUNTER = itertools.count()


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def timestamp(self) -> float:
        return self.now.timestamp()

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


async def until(check: Callable[[], Awaitable[T] | T], limit: float = PATIENCE) -> T:
    """Call `check` until its result is true, and return the result. Raises TimeoutError after `limit` seconds."""
    async with asyncio.timeout(limit):
        while True:
            result = check()
            value = await result if inspect.isawaitable(result) else result
            if value:
                return value
            await asyncio.sleep(0.02)


async def link(
    session: AsyncSession, username: str, user_id: int, now: datetime, name: str = "ทดสอบ ลงนาม"
) -> AccountOfficer:
    """Link an officer with a name, a position and a PIN to an account, or update the user's linked officer."""
    candidate = await login_candidate(session, username)
    linked = await active_officer(session, user_id) or await link_officer(session, user_id, candidate, now)
    linked.full_name, linked.position, linked.pin_hash = name, "ปลัด", pin_hash(user_id)
    linked.may_set_pin_until, linked.last_seen_at = None, now
    pin = keyed_digest(event_chain.keyring(session), linked.pin_hash)
    chosen = {"officer": linked.id, "pin": pin}
    await event_chain.record(session, event_chain.Event.PIN_SET, linked.account.unit, now, **chosen)
    return linked


async def certify_as(
    database: Database,
    username: str,
    user_id: int,
    organization: str,
    level: Level,
    now: datetime,
    session: AsyncSession | None = None,
    difference_percent: int = 100,
) -> Certification:
    """Certify an organization as an officer, in the caller's transaction or a new one.

    A province first draws a spot-check and passes it.
    """
    if session is None:
        async with database.write() as own:
            return await certify_as(database, username, user_id, organization, level, now, own, difference_percent)
    rng = random.Random(f"{organization}{level}{user_id}{next(_COUNTER)}")
    officer = await link(session, username, user_id, now)
    current = await review(session, officer, organization)
    is_waiting = current.lao is not None and current.province is None
    if level is Level.PROVINCE and is_waiting and current.spot_check is None:
        await pass_spot_check(session, officer, organization, now, rng)
        current = await review(session, officer, organization)
    demands = Demands(SPOT_CHECK_SIZE, difference_percent)
    confirmation, _ = await prepare_confirmation(
        session, officer, level, organization, current.fingerprint(level), now, rng, demands=demands
    )
    return await certify(session, officer, confirmation.nonce, now, rng, demands=demands)


@contextmanager
def before_words() -> Iterator[None]:
    """Let certificates and their events of the block be as before schema 0012: without the organization's name."""
    make = certifying._certificate

    def make_without(*facts: Any) -> Certification:
        certificate = make(*facts)
        certificate.organization_name = certificate.organization_type = certificate.district_th = None
        certificate.province_code = certificate.province_th = certificate.province_en = None
        return certificate

    with patch.object(certifying, "_certificate", make_without):
        yield


async def pass_spot_check(
    session: AsyncSession, officer: AccountOfficer, organization: str, now: datetime, rng: random.Random
) -> None:
    """Draw a spot-check, mark every record ถูกต้อง, and hand it in."""
    checking = await draw(session, officer, organization, now, rng, size=SPOT_CHECK_SIZE)
    for item in checking.check.items:
        place = item.place
        await mark(
            session,
            officer,
            organization,
            checking.check.id,
            place,
            Mark.CORRECT,
            None,
            now,
            despite_empty_menus=True,
        )
    await hand_in(session, officer, organization, checking.check.id, now, None)


def make_bulk(monkeypatch: pytest.MonkeyPatch, bulk: NoticeKind) -> None:
    """Let one kind of notices, and no other, count as bulk."""
    for kind, rules in RULES.items():
        monkeypatch.setitem(RULES, kind, replace(rules, is_bulk=kind is bulk))
