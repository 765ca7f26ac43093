"""Sealing all rows: those from before there were seals (`keys seal`), and all under a new secret key (`keys
rotate`).

A seal proves that the program has written a row (models/security/row_seal.py). The operator who runs these
commands vouches for rows that had no checkable seal. They refuse to run while any row has a bad seal, and record
the seals of all rows in the chains of their organizations and provinces.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from models.organizations.organization import Organization, OrganizationEnd
from models.rounds.round import Round
from models.security.keys import Keyring
from models.security.row_seal import SealedRow, fits

# In the order in which all transactions lock rows of several of these tables.
MODELS: tuple[type[SealedRow], ...] = (Organization, Account, Officer, Invitation, Confirmation, Round, Throttle)
# The number of rows sealed by one statement.
_SOME = 2000
_DEADLOCK = "40P01"
LOOK = "look at them: laocert seal check"

Progress = Callable[[str, int, int], None]


class SealingRefused(DomainError):
    """The rows cannot be sealed in their state, or with the configured keys; the message says what to do."""


@dataclass(frozen=True)
class Sealing:
    """The preview or result of sealing all rows.

    `rows` has the number of rows to seal by table. `since` is set when all rows were already sealed, at that time,
    and nothing had to be done. `pin_until` is the last day on which PINs under older keys are accepted.
    `unchecked` is the number of rows with a seal under a lost key.
    """

    rows: dict[str, int]
    since: datetime | None = None
    pin_until: date | None = None
    unchecked: int = 0

    @property
    def total(self) -> int:
        """The number of rows in all tables."""
        return sum(self.rows.values())


async def count_unsealed(session: AsyncSession) -> dict[str, int]:
    """Return the number of rows without a seal by table; tables without such rows are omitted."""
    counts = {}
    for model in MODELS:
        table = model.core()  # type: ignore[attr-defined]
        lacks_seal = or_(*(table.c[sealed.into].is_(None) for sealed in model.SEALS))
        if count := await session.scalar(select(func.count()).select_from(table).where(lacks_seal)):
            counts[table.name] = count
    return counts


async def count_accepted_unsealed(session: AsyncSession) -> int:
    """Return the number of rows without a seal that are accepted: none once the sealing of all rows is
    recorded.
    """
    # The event is not verified, because `db upgrade` also runs without a secret key.
    if await session.scalar(text("SELECT 1 FROM audit_event WHERE kind = 'sealed_all' LIMIT 1")):
        return 0
    return sum((await count_unsealed(session)).values())


async def look_at_sealing(session: AsyncSession) -> Sealing:
    """Return what seal_all would do now. Raises SealingRefused as it does."""
    newest = await newest_sealing(session)
    if newest is not None:
        return Sealing({}, newest.at)
    return await _sealing(session)


async def seal_all(session: AsyncSession, now: datetime, progress: Progress = lambda *_: None) -> Sealing:
    """Seal all rows with their current values and record it; from then on a row without a seal gives no right.

    Does nothing when that is already recorded. Raises SealingRefused when a row has a bad seal, the record was
    changed, or the bot was writing at the same time.
    """
    with _refusing_deadlocks():
        await _hold_all(session)
        newest = await newest_sealing(session)
        if newest is not None:
            return Sealing({}, newest.at)
        sealing = await _sealing(session)
        await _seal(session, now, progress, {"rows": sealing.rows, "unchecked": sealing.unchecked})
        return sealing


async def _sealing(session: AsyncSession) -> Sealing:
    if (await load_seal_state(session)).distrusts:
        raise SealingRefused(
            "the record was changed where it would say that all rows are sealed, and nothing was done; look at it:"
            " laocert audit verify"
        )
    unchecked = await _require_fitting(session)
    return Sealing(await count_unsealed(session), unchecked=unchecked)


async def look_at_rotation(session: AsyncSession, pin_until: date | None = None) -> Sealing:
    """Return what rotate would do now. Raises SealingRefused as it does."""
    newest, unchecked = await _require_rotatable(session)
    if newest.key_id == event_chain.keyring(session).current_id:
        return Sealing({}, newest.at, pin_until or newest.pin_until)
    return Sealing(await _count_all(session), pin_until=pin_until, unchecked=unchecked)


async def rotate(
    session: AsyncSession, now: datetime, pin_until: date | None = None, progress: Progress = lambda *_: None
) -> Sealing:
    """Reseal every row under the current key and record it; from then on seals under older keys are refused.

    A PIN is rehashed under the new key when its officer next enters it. After the day `pin_until` in Bangkok, PINs
    under older keys are no longer accepted. If the rows are already under the current key, only a changed
    `pin_until` is recorded.

    Raises SealingRefused when the rows were never sealed, a row has a bad or no seal, the previous key is missing,
    the current key was replaced before, or the bot was writing at the same time.
    """
    with _refusing_deadlocks():
        await _hold_all(session)
        newest, unchecked = await _require_rotatable(session)
        if newest.key_id != event_chain.keyring(session).current_id:
            counts = await _count_all(session)
            details = {"rows": counts, "unchecked": unchecked, "instead_of": newest.key_id}
            pin_details = {"pin_until": pin_until.isoformat()} if pin_until else {}
            await _seal(session, now, progress, details | pin_details)
            return Sealing(counts, pin_until=pin_until, unchecked=unchecked)
        if pin_until not in (None, newest.pin_until):
            await event_chain.record(
                session, Event.SEALED_ALL, SYSTEM, now, rows={}, pin_until=pin_until and pin_until.isoformat()
            )
        return Sealing({}, newest.at, pin_until or newest.pin_until)


async def _require_rotatable(session: AsyncSession) -> tuple[AllSealed, int]:
    """Check that rows can be resealed under the current key. Raises SealingRefused.

    Returns the last sealing, and the number of rows with a seal under a lost key.
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


@contextmanager
def _refusing_deadlocks() -> Iterator[None]:
    """Turn a deadlock with a running program into SealingRefused."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != _DEADLOCK:
            raise
        raise SealingRefused("the bot was writing at that moment; nothing was done: try again") from None


async def _hold_all(session: AsyncSession) -> None:
    """Lock the sealed tables against writes until the transaction ends. SQLite has only one writer anyway."""
    if session.get_bind().dialect.name != "postgresql":
        return
    tables = ", ".join(f'"{model.__tablename__}"' for model in MODELS)  # type: ignore[attr-defined]
    await session.execute(text(f"LOCK TABLE {tables} IN EXCLUSIVE MODE"))


async def _require_fitting(session: AsyncSession, *, needs_all: bool = False) -> int:
    """Raise SealingRefused when a row has a bad seal, or, with `needs_all`, no seal.

    Returns the number of rows with a seal under a lost key, which cannot be checked.
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
    """Whether a row's seals are good; None when one is under a lost key and the others are good."""
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
    """Seal all rows with their current values under the current key, and record it."""
    by_chain: dict[str, dict[str, str]] = defaultdict(dict)
    units = await _units(session)
    # The seals of ended organizations go to `system`, because their chains are closed. They are merged here,
    # because one event must name all rows of a chain.
    ended = set(await session.scalars(select(OrganizationEnd.organization_code)))
    for model in MODELS:
        table = model.core()  # type: ignore[attr-defined]
        rows = (await session.execute(select(table))).all()
        for start in range(0, len(rows), _SOME):
            progress(f"sealing {table.name}", start, len(rows))
            batch = rows[start : start + _SOME]
            seals = await seal_rows(session, model, batch)
            if not model.IS_RECORDED:
                continue
            for row, (name, seal) in zip(batch, seals.items(), strict=True):
                chain = _chain(model, row._mapping, units)
                by_chain[SYSTEM if chain in ended else chain][name] = seal
        progress(f"sealing {table.name}", len(rows), len(rows))
    links = [Link(Event.SEALED, chain, {"seals": seals}) for chain, seals in sorted(by_chain.items())]
    await event_chain.record_all(session, links, now)
    await event_chain.record(session, Event.SEALED_ALL, SYSTEM, now, **details)
    await load_seal_state(session)


@dataclass(frozen=True)
class _Units:
    """The chains of accounts and of officers, by id."""

    of_account: dict[int, str]
    of_officer: dict[int, str]


async def _units(session: AsyncSession) -> _Units:
    unit = func.coalesce(Account.organization_code, Account.province_code)
    accounts = {row.id: row.unit for row in await session.execute(select(Account.id, unit.label("unit")))}
    officers = await session.execute(select(Officer.id, Officer.account_id))
    return _Units(accounts, {row.id: accounts[row.account_id] for row in officers})


async def chain_of(session: AsyncSession, model: type[SealedRow], values: Any) -> str:
    """Return the chain in which changes of a row are recorded; `values` are the row's columns."""
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
