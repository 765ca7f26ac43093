"""The record of what happened: append-only chains of events, each bound to the one before it by a keyed hash.

One chain for each organization (its dla_code) and province (its two digits), and one for what belongs to none
(`system`). The chain of an organization that has ended ends with the event that says so; what concerns it later
is recorded in `system`, under its code. A head is a digest over the ends of all chains at one moment; filed
elsewhere, it shows any later change of what came before it. The database refuses updates and deletes by trigger
(models/schema/triggers.py); who takes the triggers away cannot make the hashes fit without the key.
"""

import enum
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.base.calendar import BANGKOK
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.tables import Base, BigKey
from models.organizations.organization import Organization, Province
from models.security.keys import Keyring
from models.security.row_seal import SealedRow

SYSTEM = "system"
# What migration 0002 wrote into certificates that were made before there was an audit chain.
UNRECORDED = "unrecorded"
PURPOSE = "audit chain"
# Where a session notes the rows that were sealed anew and that no event has told of yet, by name.
RESEALED = "resealed"
# Where a key that is not known was found, as an operator is told.
NEWEST = "the newest event of this database"
# Of the 64 hexadecimal letters of a head's digest: 128 bits, short enough to be written into a letter.
HEAD_LETTERS = 32


class KeyMissing(DomainError):
    """The database was opened without the secret key; nothing that is recorded can be done."""

    def __init__(self) -> None:
        super().__init__(
            "LAOCERT_SECRET_KEY is not set, and every change is recorded under it; set the key that this"
            " database is used with (docs/operations.md, The secret key)"
        )


class KeyUnknown(DomainError):
    """What was recorded last was recorded under a key that is not here: the secret key is mistyped, or was changed
    without naming the old one. Going on would split the record and lock every officer out of its PIN.
    """

    def __init__(self, key_id: str, keys: Keyring, where: str) -> None:
        super().__init__(
            f"{where} was made with key {ascii(key_id)[1:-1]:.16}, and LAOCERT_SECRET_KEY is another one"
            f" (its id is {keys.current_id}); set LAOCERT_SECRET_KEY to the key in use, or, to change the key,"
            " name the one before it in LAOCERT_OLD_SECRET_KEYS (docs/operations.md, The secret key)"
        )


class EventBroken(DomainError):
    """An event that something is decided by is not as it was recorded."""


class Event(enum.StrEnum):
    """What is recorded."""

    LOGIN = "login"
    LOGIN_FAILED = "login_failed"
    UNLINKED = "unlinked"
    INVITED = "invited"
    HANDED_OVER = "handed_over"
    PIN_SET = "pin_set"
    PIN_FAILED = "pin_failed"
    PIN_MOVED = "pin_moved"
    PIN_BLOCKED = "pin_blocked"
    FORGOTTEN = "forgotten"
    ACCOUNT_CHANGED = "account_changed"
    IMPORTED = "imported"
    EXPORTED = "exported"
    ROUND_OPENED = "round_opened"
    ROUND_CLOSED = "round_closed"
    ROUND_REOPENED = "round_reopened"
    CERTIFIED = "certified"
    # A spot-check: its draw, each mark, and that nothing in it changes any more.
    DRAWN = "drawn"
    MARKED = "marked"
    HANDED_IN = "handed_in"
    REOPENED = "reopened"
    PETITIONED = "petitioned"
    DECIDED = "decided"
    QUESTIONED = "questioned"
    ANSWERED = "answered"
    EXPLAINED = "explained"
    # What somebody has no right to was tried; how many more of a chat and day there were
    # (models/audit/repeated.py).
    REFUSED = "refused"
    REPEATED = "repeated"
    WORDS_KEPT = "words_kept"
    BROADCAST = "broadcast"
    # An organization or a province is described so from now on.
    DESCRIBED = "described"
    # An organization has other words than before; has ended: the last event of its chain; goes on from others.
    RENAMED = "renamed"
    ENDED = "ended"
    SUCCEEDED = "succeeded"
    # An officer's name or position was typed; a PIN may be chosen anew; invitations were used or ended; a warning
    # was shown.
    NAMED = "named"
    PIN_RESET = "pin_reset"
    INVITATION_USED = "invitation_used"
    INVITATIONS_ENDED = "invitations_ended"
    WARNED = "warned"
    # A row was found that somebody without the key has written; every row has a seal from here on.
    BAD_SEAL = "bad_seal"
    SEALED_ALL = "sealed_all"
    # The seals of all rows of a chain; a row that was repaired by hand is taken as it stands.
    SEALED = "sealed"
    SEAL_ACCEPTED = "seal_accepted"
    HEAD = "head"


class AuditEvent(Base):
    """One event of one chain."""

    COVERAGE: ClassVar[Coverage] = covered(
        "chain number kind at details key_id mac",
        "the keyed hash of the event and the one after it, and filed heads",
        uncovered={"id": "it must ascend within its chain; heads rest on it"},
    )

    __tablename__ = "audit_event"
    __table_args__ = (
        UniqueConstraint("chain", "number"),
        Index(
            "ix_audit_event_sealed_all",
            "key_id",
            sqlite_where=text("kind = 'sealed_all'"),
            postgresql_where=text("kind = 'sealed_all'"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    chain: Mapped[str] = mapped_column(String(20))
    # 1, 2, 3 … within the chain: a gap is a deletion.
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(30))
    at: Mapped[datetime]
    # Canonical JSON: the hash is over these very letters.
    details: Mapped[str] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(String(8))
    mac: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True)
class Link:
    """One event on its way into its chain."""

    kind: Event
    chain: str
    details: dict[str, Any]


class _End(NamedTuple):
    """The last event of a chain."""

    number: int = 0
    mac: str = ""
    kind: str = ""


def keyring(session: AsyncSession) -> Keyring:
    """The keys that the session's database was opened with. Raises KeyMissing."""
    found = session.info.get("keyring")
    if not isinstance(found, Keyring):
        raise KeyMissing
    return found


def canonical(value: Any) -> str:
    """JSON with one form for one value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def event_mac(key: bytes, previous: str, event: Mapping[str, Any]) -> str:
    """The hash of an event, which binds the one before it, whose hash is `previous`."""
    bound = canonical(
        [
            previous,
            *(str(event[name]) for name in ("chain", "number", "kind", "details", "key_id")),
            event["at"].astimezone(UTC).isoformat(),
        ]
    )
    return hmac.new(key, bound.encode(), hashlib.sha256).hexdigest()


async def newest_key(session: AsyncSession) -> str | None:
    """The id of the key under which this database's newest event was made; None when nothing was recorded.

    The newest is the one that was inserted last into any chain, not the one with the latest time: clocks go wrong.
    """
    key_id: str | None = await session.scalar(select(AuditEvent.key_id).order_by(AuditEvent.id.desc()).limit(1))
    return key_id


async def require_known_since(session: AsyncSession, event_id: int) -> int:
    """Refuse when any event after this one is under an unknown key; the id of the newest event.

    The newest alone does not tell: a program's own events stand above those that another program has made.
    Raises KeyMissing, KeyUnknown.
    """
    keys = keyring(session)
    newest = event_id
    for last, key_id in await session.execute(
        select(func.max(AuditEvent.id), AuditEvent.key_id)
        .where(AuditEvent.id > event_id)
        .group_by(AuditEvent.key_id)
    ):
        if key_id not in keys.admitted:
            raise KeyUnknown(key_id, keys, f"event {last} of this database")
        newest = max(newest, last)
    return newest


async def newest_id(session: AsyncSession) -> int:
    """The id of the event that was inserted last; 0 before the first."""
    return await session.scalar(select(func.max(AuditEvent.id))) or 0


async def count_by_key(session: AsyncSession) -> dict[str, int]:
    """How many events were made under each key, by its id."""
    rows = await session.execute(
        select(AuditEvent.key_id, func.count().label("events")).group_by(AuditEvent.key_id)
    )
    return {row.key_id: row.events for row in rows}


async def require_known_key(session: AsyncSession, where: str = NEWEST) -> None:
    """Refuse a secret key that is neither the one in use nor its announced successor.

    Raises KeyMissing, KeyUnknown.
    """
    keys = keyring(session)
    key_id = await newest_key(session)
    if key_id is not None and key_id not in keys.admitted:
        raise KeyUnknown(key_id, keys, where)


async def record(session: AsyncSession, kind: Event, chain: str, now: datetime, **details: Any) -> None:
    """Append one event in the caller's transaction: it is recorded if and only if what it tells of happened."""
    await record_all(session, [Link(kind, chain, details)], now)


async def record_all(session: AsyncSession, links: list[Link], now: datetime) -> None:
    """Append events of several chains at once, each chain once at most.

    Each carries the seals of the rows of its chain that were sealed anew since the last one, beside those that its
    details name already (models/audit/row_seal.py). Raises KeyMissing.
    """
    if not links:
        return
    # What was changed is sealed when it is written.
    await session.flush()
    links = _with_seals(session, links)
    chains = sorted({link.chain for link in links})
    await hold(session, chains)
    ends = await _ends(session, chains)
    if any(end.kind == Event.ENDED for end in ends.values()):
        links = [_of_ended(link) if _last(ends, link.chain).kind == Event.ENDED else link for link in links]
        # Last, as everybody else takes it.
        await hold(session, [SYSTEM])
        ends |= await _ends(session, [SYSTEM])
    keys = keyring(session)
    key = keys.key(PURPOSE, keys.current_id)
    assert key is not None  # noqa: S101 - the current key is always there
    rows = []
    for link in links:
        number, previous, _kind = _last(ends, link.chain)
        event: dict[str, Any] = {
            "chain": link.chain,
            "number": number + 1,
            "kind": link.kind.value,
            "at": now,
            "details": canonical(link.details),
            "key_id": keys.current_id,
        }
        event["mac"] = event_mac(key, previous, event)
        ends[link.chain] = _End(number + 1, event["mac"], link.kind)
        rows.append(event)
    await session.execute(insert(AuditEvent), rows)


def _with_seals(session: AsyncSession, links: list[Link]) -> list[Link]:
    """The events with the seals of what has changed; a row that does not know its chain goes with the first."""
    resealed: dict[str, SealedRow] = session.info.get(RESEALED) or {}
    if not resealed:
        return links
    at = {link.chain: number for number, link in reversed(list(enumerate(links)))}
    seals: dict[int, dict[str, str | None]] = {}
    for name, row in list(resealed.items()):
        chain = row.recorded_in
        number = 0 if chain is None else at.get(chain)
        if number is not None:
            seals.setdefault(number, {})[name] = row.seal
            del resealed[name]
    return [
        replace(link, details=link.details | {"seals": seals[number] | link.details.get("seals", {})})
        if number in seals
        else link
        for number, link in enumerate(links)
    ]


def _last(ends: dict[str, _End], chain: str) -> _End:
    return ends.get(chain, _End())


def _of_ended(link: Link) -> Link:
    """What concerns an organization that has ended, in the chain that never ends."""
    return replace(link, chain=SYSTEM, details=link.details | {"organization": link.chain})


async def hold(session: AsyncSession, chains: list[str]) -> None:
    """Keep others from appending to the same chains until the transaction ends; SQLite has one writer anyway.

    By the rows of the organizations and provinces, in order of code, as everything else locks them: an import of
    all organizations would want more advisory locks than a server has.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    for column in (Organization.dla_code, Province.code):
        await session.execute(
            select(column).where(column.in_(chains)).order_by(column).with_for_update(key_share=True)
        )
    if SYSTEM in chains:
        await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('laocert audit', 0))"))


async def _ends(session: AsyncSession, chains: list[str] | None = None) -> dict[str, _End]:
    """The last event of each chain, or of some."""
    if chains is not None and len(chains) == 1:
        # One step in the index; the grouping below reads every event of its chains.
        newest = select(AuditEvent.number, AuditEvent.mac, AuditEvent.kind).where(AuditEvent.chain == chains[0])
        row = (await session.execute(newest.order_by(AuditEvent.number.desc()).limit(1))).first()
        return {} if row is None else {chains[0]: _End(row.number, row.mac, row.kind)}
    last = select(AuditEvent.chain, func.max(AuditEvent.number).label("number")).group_by(AuditEvent.chain)
    if chains is not None:
        last = last.where(AuditEvent.chain.in_(chains))
    ends = last.subquery()
    rows = await session.execute(
        select(AuditEvent.chain, AuditEvent.number, AuditEvent.mac, AuditEvent.kind).join(
            ends, (AuditEvent.chain == ends.c.chain) & (AuditEvent.number == ends.c.number)
        )
    )
    return {chain: _End(number, mac, kind) for chain, number, mac, kind in rows}


async def chain_head(session: AsyncSession, chain: str) -> str:
    """The hash of a chain's last event, empty for a new chain: what a certificate builds on."""
    return _last(await _ends(session, [chain]), chain).mac


async def newest_details(
    session: AsyncSession, chain: str, is_meant: ColumnElement[bool], name: str, value: str | int
) -> dict[str, Any] | None:
    """The details of a chain's newest event that is meant and in which `name` has this value; None where there is
    none, or only one under a key that is named as lost. Raises EventBroken for one that is not as it was recorded,
    or whose key is not here.
    """
    named = canonical({name: value})[1:-1]
    about = select(AuditEvent).where(
        AuditEvent.chain == chain,
        is_meant,
        # In canonical JSON a name is followed by its value, and that by one of these.
        or_(*(AuditEvent.details.contains(named + end, autoescape=True) for end in ",}")),
    )
    event = await session.scalar(
        about.order_by(AuditEvent.number.desc()).limit(1).execution_options(populate_existing=True)
    )
    if event is None:
        return None
    if event.key_id in keyring(session).lost:
        return None
    if not await is_as_recorded(session, event):
        raise EventBroken(f"chain {chain}, event {event.number} is not as it was recorded")
    details: dict[str, Any] = json.loads(event.details)
    return details


async def is_as_recorded(session: AsyncSession, event: AuditEvent) -> bool:
    """Whether an event stands as it was appended to the one before it, under a key that is here."""
    before = await session.scalar(
        select(AuditEvent.mac).where(AuditEvent.chain == event.chain, AuditEvent.number == event.number - 1)
    )
    key = keyring(session).key(PURPOSE, event.key_id)
    return key is not None and _fault(event, key, event.number - 1, before or "") is None


def _head(last_id: int, ends: dict[str, str]) -> str:
    digest = hashlib.sha256(canonical(ends).encode()).hexdigest()
    return f"{last_id}-{digest[:HEAD_LETTERS]}"


async def take_head(session: AsyncSession, now: datetime) -> str:
    """The head over all chains at this moment, recorded as an event itself: `<last event>-<digest>`.

    File it where the database's keeper cannot reach; `verify` finds any change of what came before it.
    """
    # In the order in which everybody else takes the two.
    await hold(session, [SYSTEM])
    if session.get_bind().dialect.name == "postgresql":
        # Waits for transactions that are appending: an event that commits later has a higher id.
        await session.execute(text("LOCK TABLE audit_event IN SHARE ROW EXCLUSIVE MODE"))
    last_id = await newest_id(session)
    head = _head(last_id, {chain: end.mac for chain, end in (await _ends(session)).items()})
    await record(session, Event.HEAD, SYSTEM, now, head=head)
    return head


async def has_head(session: AsyncSession, day: date) -> bool:
    """Whether a head was taken on a day (Bangkok's), whatever was recorded before or after it: under a clock that
    was ahead, heads of days to come were.
    """
    begins = datetime.combine(day, time(0), BANGKOK)
    is_head = and_(AuditEvent.chain == SYSTEM, AuditEvent.kind == Event.HEAD)
    of_day = AuditEvent.at >= begins, AuditEvent.at < begins + timedelta(days=1)
    return bool(await session.scalar(select(exists().where(is_head, *of_day))))


@dataclass
class Walk:
    """What a walk along all chains found: a line for the first break of each, how many events could not be
    checked, by the id of the key that is not here, and whether the chains fit the head that was filed.
    """

    breaks: list[str] = field(default_factory=list)
    unknown_keys: dict[str, int] = field(default_factory=dict)
    fits_head: bool = True


async def verify_chains(session: AsyncSession, head: str | None = None) -> Walk:
    """Walk all chains, and compare them with `head`, which take_head returned once; a head needs no key.

    An event under an unknown key is counted and passed over: the next one under a known key still binds it.
    """
    breaks: dict[str, str] = {}
    unknown: Counter[str] = Counter()
    at_head: dict[str, str] = {}
    head_id = _head_id(head)
    keys = keyring(session)
    previous: dict[str, tuple[int, str]] = {}
    rows = await session.stream_scalars(
        select(AuditEvent)
        .order_by(AuditEvent.chain, AuditEvent.number)
        .execution_options(yield_per=1000, populate_existing=True)
    )
    ids: dict[str, int] = {}
    async for event in rows:
        number, mac = previous.get(event.chain, (0, ""))
        key = keys.key(PURPOSE, event.key_id)
        unknown[event.key_id] += key is None
        if event.chain not in breaks and (fault := _fault(event, key, number, mac)):
            breaks[event.chain] = f"chain {event.chain}, event {number + 1}: {fault}"
        if event.chain not in breaks and event.id <= ids.get(event.chain, 0):
            # The id is not in the hash: it is the order in which rows of several chains are compared.
            breaks[event.chain] = f"chain {event.chain}, event {event.number}: has the id of an older one"
        ids[event.chain] = event.id
        previous[event.chain] = (event.number, event.mac)
        if head_id is not None and event.id <= head_id:
            at_head[event.chain] = event.mac
    walk = Walk(list(breaks.values()), dict(+unknown))
    walk.fits_head = head is None or (head_id is not None and _head(head_id, at_head) == head)
    return walk


def _head_id(head: str | None) -> int | None:
    if head is None:
        return None
    number = head.partition("-")[0]
    return int(number) if number.isdecimal() else None


def is_authentic(event: AuditEvent, previous: str, keys: Keyring) -> bool:
    """Whether an event was made with a key that is here, after the one with the hash `previous`."""
    key = keys.key(PURPOSE, event.key_id)
    return key is not None and _fault(event, key, event.number - 1, previous) is None


def _fault(event: AuditEvent, key: bytes | None, number: int, previous: str) -> str | None:
    if event.number != number + 1:
        return "is missing"
    values = {name: getattr(event, name) for name in ("chain", "number", "kind", "at", "details", "key_id")}
    if key is not None and not hmac.compare_digest(event_mac(key, previous, values), event.mac):
        return "was changed, or the one before it was"
    return None
