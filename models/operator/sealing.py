"""All rows sealed at once: what was there before there were seals, and under a new secret key.

A seal says that the program has written a row (models/security/row_seal.py). Who seals a row by these operations
vouches for it: so they refuse while a seal that is there does not fit, and each is recorded, with the seals of all
rows in the chains of their organizations and provinces.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, or_, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Account, Officer
from models.accounts.throttle import Throttle
from models.audit import event_chain
from models.audit.event_chain import SYSTEM, Event, Link
from models.audit.row_seal import load_seal_state, seal_rows
from models.audit.sealings import AllSealed, newest_sealing
from models.base.errors import DomainError
from models.certification.certify import Confirmation
from models.links.invitation import Invitation
from models.organizations.organization import Organization
from models.rounds.round import Round
from models.security.keys import Keyring
from models.security.row_seal import SealedRow, fits

# In the order in which everybody else holds rows of several of them.
MODELS: tuple[type[SealedRow], ...] = (Organization, Account, Officer, Invitation, Confirmation, Round, Throttle)
# Rows that are sealed by one statement.
_SOME = 2000
_DEADLOCK = "40P01"
LOOK = "look at them: laocert seal check"

Progress = Callable[[str, int, int], None]


class SealingRefused(DomainError):
    """Rows cannot be sealed as they are, or with the keys that are here; the message says how to go on."""


@dataclass(frozen=True)
class Sealing:
    """What sealing does: how many rows of each table get a seal, and since when all have one, where they do
    already and nothing was to be done. `unchecked` rows had a seal under a key that is named as lost.
    """

    rows: dict[str, int]
    since: datetime | None = None
    pin_until: date | None = None
    unchecked: int = 0

    @property
    def total(self) -> int:
        """The rows of all tables."""
        return sum(self.rows.values())


async def count_unsealed(session: AsyncSession) -> dict[str, int]:
    """How many rows of each table lack a seal; tables without such rows are left out."""
    counts = {}
    for model in MODELS:
        table = model.core()  # type: ignore[attr-defined]
        lacks_one = or_(*(table.c[sealed.into].is_(None) for sealed in model.SEALS))
        if count := await session.scalar(select(func.count()).select_from(table).where(lacks_one)):
            counts[table.name] = count
    return counts


async def count_accepted_unsealed(session: AsyncSession) -> int:
    """How many rows lack a seal and give rights all the same: none once it is recorded that all were sealed."""
    # Without a look at the event itself: the schema is upgraded without a key, too.
    if await session.scalar(text("SELECT 1 FROM audit_event WHERE kind = 'sealed_all' LIMIT 1")):
        return 0
    return sum((await count_unsealed(session)).values())


async def look_at_sealing(session: AsyncSession) -> Sealing:
    """What seal_all would do now. Raises SealingRefused."""
    newest = await newest_sealing(session)
    if newest is not None:
        return Sealing({}, newest.at)
    return await _sealing(session)


async def seal_all(session: AsyncSession, now: datetime, progress: Progress = lambda *_: None) -> Sealing:
    """Seal every row that has no seal yet, as it stands, and record that all have one: from then on a row without
    a seal gives no right. Where that is recorded already, nothing is done.

    Raises SealingRefused.
    """
    await _hold_all(session)
    newest = await newest_sealing(session)
    if newest is not None:
        return Sealing({}, newest.at)
    sealing = await _sealing(session)
    await _seal(session, now, progress, {"rows": sealing.rows, "unchecked": sealing.unchecked})
    return sealing


async def _sealing(session: AsyncSession) -> Sealing:
    unchecked = await _require_fitting(session)
    return Sealing(await count_unsealed(session), unchecked=unchecked)


async def look_at_rotation(session: AsyncSession, pin_until: date | None = None) -> Sealing:
    """What rotate would do now. Raises SealingRefused."""
    newest, unchecked = await _require_rotatable(session)
    if newest.key_id == event_chain.keyring(session).current_id:
        return Sealing({}, newest.at, pin_until or newest.pin_until)
    return Sealing(await _count_all(session), pin_until=pin_until, unchecked=unchecked)


async def rotate(
    session: AsyncSession, now: datetime, pin_until: date | None = None, progress: Progress = lambda *_: None
) -> Sealing:
    """Seal every row anew under the key in use, and record it: from then on seals under older keys are refused.

    PINs are moved to the new key as they are given; after the day `pin_until` (Bangkok's) those that were not are
    taken no more. Where the rows are under the key in use already, only another such day is recorded.

    Raises SealingRefused.
    """
    await _hold_all(session)
    newest, unchecked = await _require_rotatable(session)
    if newest.key_id != event_chain.keyring(session).current_id:
        counts = await _count_all(session)
        told = {"rows": counts, "unchecked": unchecked, "instead_of": newest.key_id}
        until = {"pin_until": pin_until.isoformat()} if pin_until else {}
        await _seal(session, now, progress, told | until)
        return Sealing(counts, pin_until=pin_until, unchecked=unchecked)
    if pin_until not in (None, newest.pin_until):
        await event_chain.record(
            session, Event.SEALED_ALL, SYSTEM, now, rows={}, pin_until=pin_until and pin_until.isoformat()
        )
    return Sealing({}, newest.at, pin_until or newest.pin_until)


async def _require_rotatable(session: AsyncSession) -> tuple[AllSealed, int]:
    """The newest sealing, when rows can be sealed anew under the key in use, and how many rows cannot be checked.
    Raises SealingRefused.
    """
    keys, newest = event_chain.keyring(session), await newest_sealing(session)
    if newest is None:
        raise SealingRefused("the rows are not sealed yet, under any key; run: laocert keys seal")
    if newest.key_id == keys.current_id:
        return newest, 0
    if keys.key(event_chain.PURPOSE, newest.key_id) is None and newest.key_id not in keys.lost:
        raise SealingRefused(
            f"the rows are sealed under key {newest.key_id}, which is not here; put it into"
            " LAOCERT_OLD_SECRET_KEYS (docs/operations.md, The secret key)"
        )
    if keys.current_id in (await load_seal_state(session)).all_under:
        raise SealingRefused(
            f"key {keys.current_id} was in use before and has been replaced; set LAOCERT_SECRET_KEY to a new key"
        )
    return newest, await _require_fitting(session, needs_all=True)


# --- the rows -----------------------------------------------------------------------------------------------


async def _hold_all(session: AsyncSession) -> None:
    """Keep everybody else from writing to the tables until the transaction ends; SQLite has one writer anyway.

    Raises SealingRefused when a program that is writing wanted a table that is held already.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    tables = ", ".join(f'"{model.__tablename__}"' for model in MODELS)  # type: ignore[attr-defined]
    try:
        await session.execute(text(f"LOCK TABLE {tables} IN EXCLUSIVE MODE"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != _DEADLOCK:
            raise
        raise SealingRefused("the bot was writing at that moment; nothing was done: try again") from None


async def _require_fitting(session: AsyncSession, *, needs_all: bool = False) -> int:
    """Refuse while a seal does not fit, or, with `needs_all`, a row has none. How many rows have one under a key
    that is named as lost: nobody can say of them whether it fits. Raises SealingRefused.
    """
    keys = event_chain.keyring(session)
    counts: Counter[bool | None] = Counter()
    for model in MODELS:
        table = model.core()  # type: ignore[attr-defined]
        for row in await session.execute(select(table)):
            counts[_fits(keys, model, row._mapping, needs_all=needs_all)] += 1
    if bad := counts[False]:
        raise SealingRefused(f"{bad:,} rows have a seal that does not fit, and nothing was done; {LOOK}")
    return counts[None]


def _fits(keys: Keyring, model: type[SealedRow], values: Any, *, needs_all: bool) -> bool | None:
    """Whether a row's seals fit; None for one under a lost key."""
    is_lost = False
    for sealed in model.SEALS:
        seal = values[sealed.into]
        if seal is None:
            if needs_all:
                return False
        elif seal.partition(":")[0] in keys.lost:
            is_lost = True
        elif not fits(keys, model, sealed, values, seal):
            return False
    return None if is_lost else True


async def _count_all(session: AsyncSession) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for model in MODELS:
        table = model.core()  # type: ignore[attr-defined]
        counts[table.name] = await session.scalar(select(func.count()).select_from(table)) or 0
    return dict(+counts)


async def _seal(session: AsyncSession, now: datetime, progress: Progress, details: dict[str, Any]) -> None:
    """Seal all rows under the key in use, as they stand, and record it."""
    by_chain: dict[str, dict[str, str]] = defaultdict(dict)
    units = await _units(session)
    for model in MODELS:
        table = model.core()  # type: ignore[attr-defined]
        rows = (await session.execute(select(table))).all()
        for first in range(0, len(rows), _SOME):
            progress(f"sealing {table.name}", first, len(rows))
            some = rows[first : first + _SOME]
            seals = await seal_rows(session, model, some)
            if not model.IS_RECORDED:
                continue
            for row, (name, seal) in zip(some, seals.items(), strict=True):
                by_chain[_chain(model, row._mapping, units)][name] = seal
        progress(f"sealing {table.name}", len(rows), len(rows))
    links = [Link(Event.SEALED, chain, {"seals": seals}) for chain, seals in sorted(by_chain.items())]
    await event_chain.record_all(session, links, now)
    await event_chain.record(session, Event.SEALED_ALL, SYSTEM, now, **details)
    await load_seal_state(session)


@dataclass(frozen=True)
class _Units:
    """The chains of accounts and officers, by their ids."""

    of_account: dict[int, str]
    of_officer: dict[int, str]


async def _units(session: AsyncSession) -> _Units:
    unit = func.coalesce(Account.organization_code, Account.province_code)
    accounts = {row.id: row.unit for row in await session.execute(select(Account.id, unit.label("unit")))}
    officers = await session.execute(select(Officer.id, Officer.account_id))
    return _Units(accounts, {row.id: accounts[row.account_id] for row in officers})


async def chain_of(session: AsyncSession, model: type[SealedRow], values: Any) -> str:
    """The chain in which changes of a row are recorded."""
    return _chain(model, values, await _units(session))


def _chain(model: type[SealedRow], values: Any, units: _Units) -> str:
    if model is Organization:
        return str(values["dla_code"])
    if model is Account:
        return units.of_account[values["id"]]
    if model is Confirmation:
        return units.of_officer[values["officer_id"]]
    if model in (Officer, Invitation):
        return units.of_account[values["account_id"]]
    return SYSTEM
