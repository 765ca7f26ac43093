"""Detects rows that were rolled back: such a row has a good seal, but not the newest one.

Every event of a change to a sealed row contains the row's new seal. The newest event of a chain that names the row
thus has the seal that the row must have. The chain is read backwards from its end until that event, and only the
events that are read are verified (docs/adr/0086).
"""

import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit.event_chain import (
    PURPOSE,
    SYSTEM,
    AuditEvent,
    Event,
    EventBroken,
    event_mac,
    is_as_recorded,
    keyring,
)
from models.base.errors import DomainError
from models.security.keys import Keyring
from models.security.row_seal import Checkpoint, SealedRow, SealState, name_of, seal_under

# The sizes of the first and later batches. Usually one of the newest events names the rows: that of the warning
# before the press.
_FIRST, _LATER = 10, 200
# How many events a search for one reads at most: each PIN needs one, and a province's chain has thousands.
MOST_VERIFIED = 1000


class RecordBroken(DomainError):
    """A chain on which a decision depends has an event that is invalid, missing, or under a key that is not here.

    `row` is `chain:<name>`, as in BadSeal.
    """

    def __init__(self, chain: str) -> None:
        super().__init__(
            f"the record of {chain} was changed without the secret key, or its key is not here; see: laocert audit"
            " verify (docs/operations.md, The record)"
        )
        self.row = f"chain:{chain}"


class RowNow(NamedTuple):
    """A row's current state: its model, and the values that its seal covers."""

    model: type[SealedRow]
    values: Mapping[str, Any]


class _Nothing(NamedTuple):
    """Stands for the event before the first one of a chain."""

    number: int = 0
    mac: str = ""


def first_stale(
    connection: Connection,
    keys: Keyring,
    chain: str,
    rows: Mapping[str, RowNow],
    state: SealState | None = None,
) -> str | None:
    """Return the name of a row whose seal differs from that in its newest event; None when there is none.

    Rows that no event names are accepted, except when all rows of the chain were sealed (Event.SEALED): then such
    a row was not made by the program. With `state` the chain is read only back to its checkpoint, where that
    names the rows, and the checkpoint is set. Raises RecordBroken when an event that was read is invalid.
    """
    return _compare(connection, keys, chain, dict(rows), state)


def _compare(
    connection: Connection, keys: Keyring, chain: str, remaining: dict[str, RowNow], state: SealState | None = None
) -> str | None:
    """Do the work of first_stale; remove from `remaining` the rows that were compared."""
    checkpoint = None if state is None else state.checkpoint
    newest: Row[Any] | None = None
    newest_seals: dict[str, str | None] = dict.fromkeys(remaining)
    for event in newest_first(connection, keys, chain):
        newest = newest or event
        if event.kind == Event.ENDED and chain != SYSTEM:
            # Events after the end of an organization are in `system`.
            stale = _compare(connection, keys, SYSTEM, remaining)
            if stale is not None or not remaining:
                return stale
        if '"seals"' in event.details:
            seals: Mapping[str, str | None] = json.loads(event.details).get("seals", {})
            for name in remaining.keys() & seals.keys():
                newest_seals[name] = seals[name]
                if not _had(keys, remaining.pop(name), seals[name]):
                    return name
        # The hash of an event is over all events before it.
        if checkpoint is not None and (event.number, event.mac) == (checkpoint.number, checkpoint.mac):
            for name in remaining.keys() & checkpoint.seals.keys():
                newest_seals[name] = checkpoint.seals[name]
                if not _had(keys, remaining.pop(name), checkpoint.seals[name]):
                    return name
        if not remaining:
            break
        if event.kind == Event.SEALED:
            # This event names every row that existed, and each later row has an event of its own.
            return min(remaining)
    if state is not None and newest is not None:
        state.checkpoint = Checkpoint(newest.number, newest.mac, newest_seals)
    return None


def holds_together(connection: Connection, keys: Keyring, chain: str) -> bool:
    """Whether a chain is valid from its end back to its beginning, or to the events under a lost key."""
    try:
        for _ in newest_first(connection, keys, chain):
            pass
    except RecordBroken:
        return False
    return True


def newest_first(connection: Connection, keys: Keyring, chain: str) -> Iterator[Row[Any]]:
    """Yield the verified events of a chain, the newest first. Raises RecordBroken for an invalid event.

    Stops at an event under a key that the operator has configured as lost, if no older event is under the current
    key. Any other event whose key is missing is invalid: its key id is as easily changed as its content.
    """
    newer: Any = None
    limit = _FIRST
    while True:
        batch = _batch(connection, chain, newer, limit)
        is_last = len(batch) < limit
        for older in [*batch, _Nothing()] if is_last else batch:
            if newer is not None:
                if newer.key_id in keys.lost:
                    _require_older_than_current(connection, keys, newer)
                    return
                _verify(keys, newer, older)
                yield newer
            newer = older
        if is_last:
            return
        limit = _LATER


def _require_older_than_current(connection: Connection, keys: Keyring, event: Row[Any]) -> None:
    """Raise RecordBroken when an event under a lost key follows one under the current key.

    The current key is newer than any lost one, so somebody has written the lost key's id into a newer event.
    """
    table = AuditEvent.core()
    earlier = select(table.c.number).where(
        table.c.chain == event.chain, table.c.number < event.number, table.c.key_id == keys.current_id
    )
    if connection.scalar(earlier.limit(1)) is not None:
        raise RecordBroken(event.chain)


def _batch(connection: Connection, chain: str, newer: Any, limit: int) -> Sequence[Row[Any]]:
    table = AuditEvent.core()
    events = select(table).where(table.c.chain == chain).order_by(table.c.number.desc()).limit(limit)
    if newer is not None:
        events = events.where(table.c.number < newer.number)
    return connection.execute(events).all()


def _verify(keys: Keyring, event: Row[Any], older: Any) -> None:
    """Raise RecordBroken when an event is invalid after `older`, or its key is missing."""
    key = keys.key(PURPOSE, event.key_id)
    if key is None or event.number != older.number + 1:
        raise RecordBroken(event.chain)
    mac = event_mac(key, older.mac, event._asdict())
    if not hmac.compare_digest(mac.encode(), event.mac.encode()):
        raise RecordBroken(event.chain)


def _had(keys: Keyring, row: RowNow, seal: str | None) -> bool:
    """Whether a seal from an event, perhaps under an older key, is that of the row's current values."""
    if seal is None:
        return True
    expected_seal = seal_under(keys, seal.partition(":")[0], row.model, row.model.SEALS[0], row.values)
    # A seal under a lost key cannot be compared.
    return expected_seal is None or hmac.compare_digest(expected_seal.encode(), seal.encode())


def seals_of(rows: Iterable[SealedRow]) -> dict[str, str | None]:
    """Return the seals of rows by name, for an event that names them whether or not they have changed."""
    return {name_of(row): row.seal for row in rows}


async def newest_details(
    session: AsyncSession,
    chain: str,
    is_sought: Callable[[str, dict[str, Any]], bool],
    condition: ColumnElement[bool],
) -> dict[str, Any] | None:
    """Return the details of a chain's newest event that is sought.

    `is_sought` says so of an event's kind and details, and `condition` says the same to the database. All newer
    events are verified too, so that nobody hides it under another kind. Beyond the newest MOST_VERIFIED events and
    before a sealing of all rows (Event.SEALED), only the event itself is verified. Returns None when there is no
    such event, or its key is configured as lost. Raises EventBroken when an event that was read is invalid or its
    key is missing.
    """
    await session.flush()
    keys = keyring(session)
    try:
        details, before = await session.run_sync(lambda sync: _search(sync.connection(), keys, chain, is_sought))
    except RecordBroken as error:
        raise EventBroken(str(error)) from error
    if details is not None or before == 1:
        return details
    is_before = () if before is None else (AuditEvent.number < before,)
    event = await session.scalar(
        select(AuditEvent)
        .where(AuditEvent.chain == chain, condition, *is_before)
        .order_by(AuditEvent.number.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    if event is None or event.key_id in keys.lost:
        return None
    if not await is_as_recorded(session, event):
        raise EventBroken(f"chain {chain}, event {event.number} is not as it was recorded")
    older_details: dict[str, Any] = json.loads(event.details)
    return older_details


def _search(
    connection: Connection, keys: Keyring, chain: str, is_sought: Callable[[str, dict[str, Any]], bool]
) -> tuple[dict[str, Any] | None, int | None]:
    """Return the details of the event sought, if it is among the newest, and the number of the last event read."""
    number: int | None = None
    for count, event in enumerate(newest_first(connection, keys, chain), 1):
        number = event.number
        details: dict[str, Any] = json.loads(event.details)
        if is_sought(event.kind, details):
            return details, number
        if event.kind == Event.SEALED or count == MOST_VERIFIED:
            break
    return None, number
