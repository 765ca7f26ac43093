"""The audit record: append-only hash chains of events, each with a keyed hash over itself and the event before it.

There is one chain for each organization (named by its dla_code) and province (its two digits), and one named
`system` for everything else. The chain of an ended organization closes with the event of its end; later events
about it are in `system`, with its code. A head is a digest over the last events of all chains at one moment. If
the operator files it elsewhere, it reveals any later change of earlier events. Triggers refuse updates and deletes
(models/schema/triggers.py). An attacker who removes the triggers still cannot compute valid hashes without the
key.
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
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    exists,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.base.calendar import BANGKOK
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.grants import Grants
from models.base.tables import Base, BigKey
from models.organizations.organization import Organization, Province
from models.security.keys import Keyring
from models.security.row_seal import SealedRow

SYSTEM = "system"
# The `audit_head` that migration 0002 wrote into certificates from before the audit chain.
UNRECORDED = "unrecorded"
PURPOSE = "audit chain"
# The key in `session.info` of the resealed rows, by name, whose new seals no event has recorded yet.
RESEALED = "resealed"
# How an error message names the place at which an unknown key was found.
NEWEST = "the newest event of this database"
# The number of hexadecimal digits of a head's digest: 128 bits, short enough to be copied by hand.
HEAD_LETTERS = 32


class KeyMissing(DomainError):
    """The database was opened without the secret key, so that no event can be recorded."""

    def __init__(self) -> None:
        super().__init__(
            "LAOCERT_SECRET_KEY is not set, and every change is recorded under it; set the key that this"
            " database is used with (docs/operations.md, The secret key)"
        )


class KeyUnknown(DomainError):
    """The newest events were recorded under a key that is neither the current one nor a configured old one.

    The secret key is mistyped, or was changed without naming the old one. To continue would mix keys in the record
    and make every officer's PIN unusable.
    """

    def __init__(self, key_id: str, keys: Keyring, where: str) -> None:
        super().__init__(
            f"{where} was made with key {ascii(key_id)[1:-1]:.16}, and LAOCERT_SECRET_KEY is another one"
            f" (its id is {keys.current_id}); set LAOCERT_SECRET_KEY to the key in use, or, to change the key,"
            " name the one before it in LAOCERT_OLD_SECRET_KEYS (docs/operations.md, The secret key)"
        )


class EventBroken(DomainError):
    """An event on which a decision depends was changed since it was recorded."""


class Event(enum.StrEnum):
    """The kinds of events."""

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
    # Of a spot-check: the draw, each mark, and the handing in.
    DRAWN = "drawn"
    MARKED = "marked"
    HANDED_IN = "handed_in"
    REOPENED = "reopened"
    PETITIONED = "petitioned"
    DECIDED = "decided"
    QUESTIONED = "questioned"
    ANSWERED = "answered"
    EXPLAINED = "explained"
    # An attempt without the right to it, and the number of its repetitions in one chat on one day
    # (models/audit/repeated.py).
    REFUSED = "refused"
    REPEATED = "repeated"
    WORDS_KEPT = "words_kept"
    BROADCAST = "broadcast"
    # The new description of an organization or a province.
    DESCRIBED = "described"
    # An organization was renamed; has ended, the last event of its chain; or succeeds others.
    RENAMED = "renamed"
    ENDED = "ended"
    SUCCEEDED = "succeeded"
    # An officer typed a name or position; may choose a new PIN; invitations were used or ended; a warning was
    # shown.
    NAMED = "named"
    PIN_RESET = "pin_reset"
    INVITATION_USED = "invitation_used"
    INVITATIONS_ENDED = "invitations_ended"
    WARNED = "warned"
    # A row with a bad seal was found; all rows are sealed from this event on.
    BAD_SEAL = "bad_seal"
    SEALED_ALL = "sealed_all"
    # The seals of all rows of a chain; the operator accepted a row after a manual repair.
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
    __grants__ = Grants(application="SELECT, INSERT", operator="SELECT, INSERT")
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
    # 1, 2, 3 … within the chain; a gap shows a deletion.
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(30))
    at: Mapped[datetime]
    # Canonical JSON; the hash covers exactly this text.
    details: Mapped[str] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(String(8))
    mac: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True)
class Link:
    """An event to be appended to its chain."""

    kind: Event
    chain: str
    details: dict[str, Any]


class _End(NamedTuple):
    """The last event of a chain; the defaults are those of an empty chain."""

    number: int = 0
    mac: str = ""
    kind: str = ""


def keyring(session: AsyncSession) -> Keyring:
    """Return the keys with which the session's database was opened.

    Raises KeyMissing when it was opened without.
    """
    keys = session.info.get("keyring")
    if not isinstance(keys, Keyring):
        raise KeyMissing
    return keys


def canonical(value: Any) -> str:
    """Return canonical JSON: equal values have equal text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def event_mac(key: bytes, previous: str, event: Mapping[str, Any]) -> str:
    """Return the keyed hash of an event and of `previous`, the hash of the event before it."""
    signed_text = canonical(
        [
            previous,
            *(str(event[name]) for name in ("chain", "number", "kind", "details", "key_id")),
            event["at"].astimezone(UTC).isoformat(),
        ]
    )
    return hmac.new(key, signed_text.encode(), hashlib.sha256).hexdigest()


async def newest_key(session: AsyncSession) -> str | None:
    """Return the id of the key of the database's newest event; None when there are no events.

    The newest event is the one inserted last into any chain, not the one with the latest time, because clocks can
    be wrong.
    """
    key_id: str | None = await session.scalar(select(AuditEvent.key_id).order_by(AuditEvent.id.desc()).limit(1))
    return key_id


async def require_known_since(session: AsyncSession, event_id: int) -> int:
    """Check the keys of all events after `event_id`, and return the id of the newest event.

    Checking only the newest event is not enough: this program's own events may follow another program's. Raises
    KeyMissing, and KeyUnknown for an event under an unknown key.
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
    """Return the id of the newest event; 0 when there are none."""
    return await session.scalar(select(func.max(AuditEvent.id))) or 0


async def count_by_key(session: AsyncSession) -> dict[str, int]:
    """Return the number of events under each key, by key id."""
    rows = await session.execute(
        select(AuditEvent.key_id, func.count().label("events")).group_by(AuditEvent.key_id)
    )
    return {row.key_id: row.events for row in rows}


async def require_known_key(session: AsyncSession, where: str = NEWEST) -> None:
    """Check that the key of the newest event is among the configured keys; `where` names the place in the error.

    Raises KeyMissing, KeyUnknown.
    """
    keys = keyring(session)
    key_id = await newest_key(session)
    if key_id is not None and key_id not in keys.admitted:
        raise KeyUnknown(key_id, keys, where)


async def record(session: AsyncSession, kind: Event, chain: str, now: datetime, **details: Any) -> None:
    """Append one event in the caller's transaction, so that it is recorded if and only if the operation commits.

    Raises KeyMissing.
    """
    await record_all(session, [Link(kind, chain, details)], now)


async def record_all(session: AsyncSession, links: list[Link], now: datetime) -> None:
    """Append events to several chains, at most one to each chain.

    To each event's details are added the seals of the rows of its chain that were resealed since the last event
    (models/audit/row_seal.py). Events of ended organizations go to `system`. Raises KeyMissing.
    """
    if not links:
        return
    # Flushing seals the changed rows.
    await session.flush()
    links = _with_seals(session, links)
    chains = sorted({link.chain for link in links})
    await hold(session, chains)
    ends = await _ends(session, chains)
    if any(end.kind == Event.ENDED for end in ends.values()):
        links = [_of_ended(link) if _last(ends, link.chain).kind == Event.ENDED else link for link in links]
        # `system` is locked last, in the same order as everywhere.
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
    """Return the events with the seals of resealed rows added; a row without a chain goes with the first event."""
    resealed: dict[str, SealedRow] = session.info.get(RESEALED) or {}
    if not resealed:
        return links
    index_by_chain = {link.chain: index for index, link in reversed(list(enumerate(links)))}
    seals: dict[int, dict[str, str | None]] = {}
    for name, row in list(resealed.items()):
        chain = row.recorded_in
        index = 0 if chain is None else index_by_chain.get(chain)
        if index is not None:
            seals.setdefault(index, {})[name] = row.seal
            del resealed[name]
    return [
        replace(link, details=link.details | {"seals": seals[index] | link.details.get("seals", {})})
        if index in seals
        else link
        for index, link in enumerate(links)
    ]


def _last(ends: dict[str, _End], chain: str) -> _End:
    return ends.get(chain, _End())


def _of_ended(link: Link) -> Link:
    """Return the event of an ended organization redirected to the `system` chain, with the organization's code."""
    return replace(link, chain=SYSTEM, details=link.details | {"organization": link.chain})


async def hold(session: AsyncSession, chains: list[str]) -> None:
    """Lock chains against concurrent appends until the transaction ends. Does nothing on SQLite, which has one
    writer.

    The locks are on the rows of the organizations and provinces, in order of code as everywhere: an import of
    all organizations would need more advisory locks than a server has. `system` has no row; an advisory lock
    stands for it, taken last. A transaction holds no other chain after it.
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
    """Return the last event of each chain, or of each of `chains`; chains without events are omitted."""
    if chains is not None and len(chains) == 1:
        # One index lookup; the grouped query below would read every event of the chain.
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
    """Return the hash of a chain's last event, empty for a new chain; a certificate stores it."""
    return _last(await _ends(session, [chain]), chain).mac


async def is_as_recorded(session: AsyncSession, event: AuditEvent) -> bool:
    """Whether an event's hash is valid after the event before it, under an available key."""
    previous_mac = await session.scalar(
        select(AuditEvent.mac).where(AuditEvent.chain == event.chain, AuditEvent.number == event.number - 1)
    )
    key = keyring(session).key(PURPOSE, event.key_id)
    return key is not None and _fault(event, key, event.number - 1, previous_mac or "") is None


def _head(last_id: int, ends: dict[str, str]) -> str:
    digest = hashlib.sha256(canonical(ends).encode()).hexdigest()
    return f"{last_id}-{digest[:HEAD_LETTERS]}"


async def take_head(session: AsyncSession, now: datetime) -> str:
    """Return the current head over all chains, `<last event id>-<digest>`, and record it as an event.

    Filed where the database's administrator has no access, it lets `laocert audit verify` find any change of
    earlier events.
    """
    # The `system` chain is locked before the advisory lock, in the same order as everywhere.
    await hold(session, [SYSTEM])
    if session.get_bind().dialect.name == "postgresql":
        # Waits for transactions that are appending events, so that an event that commits later has a higher id. A
        # trigger takes this lock in shared mode for each append (models/schema/postgresql_triggers.py). Locking
        # the table instead would require the right to change its rows.
        await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('laocert events', 0))"))
    last_id = await newest_id(session)
    head = _head(last_id, {chain: end.mac for chain, end in (await _ends(session)).items()})
    await record(session, Event.HEAD, SYSTEM, now, head=head)
    return head


async def has_head(session: AsyncSession, day: date) -> bool:
    """Whether a head dated on a day in Bangkok was recorded, at any place in the chain.

    A clock that was ahead may have recorded heads of later days before it.
    """
    midnight = datetime.combine(day, time(0), BANGKOK)
    is_head = and_(AuditEvent.chain == SYSTEM, AuditEvent.kind == Event.HEAD)
    of_day = AuditEvent.at >= midnight, AuditEvent.at < midnight + timedelta(days=1)
    return bool(await session.scalar(select(exists().where(is_head, *of_day))))


@dataclass
class Walk:
    """The result of verify_chains.

    `breaks` has one line for the first break of each chain, `unknown_keys` the number of events that could not be
    checked by the id of the missing key, and `fits_head` whether the chains match the filed head.
    """

    breaks: list[str] = field(default_factory=list)
    unknown_keys: dict[str, int] = field(default_factory=dict)
    fits_head: bool = True


async def verify_chains(session: AsyncSession, head: str | None = None) -> Walk:
    """Verify all events of all chains, and compare the chains with a `head` that take_head returned earlier.

    An event under an unknown key is counted but not checked; the next event under a known key still authenticates
    it. After an event of its chain under the current key it is a break. Comparing with a head needs no key.
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
    under_current: set[str] = set()
    async for event in rows:
        number, mac = previous.get(event.chain, (0, ""))
        key = keys.key(PURPOSE, event.key_id)
        unknown[event.key_id] += key is None
        if event.chain not in breaks and (fault := _fault(event, key, number, mac)):
            breaks[event.chain] = f"chain {event.chain}, event {number + 1}: {fault}"
        if event.key_id == keys.current_id:
            under_current.add(event.chain)
        elif key is None and event.chain in under_current:
            # The current key is newer than any other, so somebody has written another key's id into the event.
            breaks.setdefault(
                event.chain,
                f"chain {event.chain}, event {event.number}: is under a key that is not here, after events under"
                " the key in use",
            )
        if event.chain not in breaks and event.id <= ids.get(event.chain, 0):
            # The hash does not cover the id, which orders events across chains.
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
    """Whether an event has a valid hash under an available key; `previous` is the hash of the event before it."""
    key = keys.key(PURPOSE, event.key_id)
    return key is not None and _fault(event, key, event.number - 1, previous) is None


def _fault(event: AuditEvent, key: bytes | None, number: int, previous: str) -> str | None:
    if event.number != number + 1:
        return "is missing"
    values = {name: getattr(event, name) for name in ("chain", "number", "kind", "at", "details", "key_id")}
    if key is not None and not hmac.compare_digest(event_mac(key, previous, values), event.mac):
        return "was changed, or the one before it was"
    return None
