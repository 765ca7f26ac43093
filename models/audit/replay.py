"""Detects rows that were rolled back: such a row has a good seal, but not the newest one.

Every event of a change to a sealed row contains the row's new seal. The newest event of a chain that names the row
thus has the seal that the row must have. The chain is read backwards from its end until that event, and only the
events that are read are verified (docs/adr/0086).
"""

import hmac
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select

from models.audit.event_chain import PURPOSE, SYSTEM, AuditEvent, Event, event_mac
from models.base.errors import DomainError
from models.security.keys import Keyring
from models.security.row_seal import SealedRow, name_of, seal_under

# The sizes of the first and later batches. Usually one of the newest events names the rows: that of the warning
# before the press.
_FIRST, _LATER = 10, 200


class RecordBroken(DomainError):
    """A chain on which a decision depends has an invalid or missing event. `row` is `chain:<name>`, as in
    BadSeal.
    """

    def __init__(self, chain: str) -> None:
        super().__init__(
            f"the record of {chain} was changed without the secret key; see: laocert audit verify"
            " (docs/operations.md, The record)"
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


def first_stale(connection: Connection, keys: Keyring, chain: str, rows: Mapping[str, RowNow]) -> str | None:
    """Return the name of a row whose seal differs from that in its newest event; None when there is none.

    Rows that no event names are accepted, except when all rows of the chain were sealed (Event.SEALED): then such
    a row was not made by the program. Raises RecordBroken when an event that was read is invalid.
    """
    return _compare(connection, keys, chain, dict(rows))


def _compare(connection: Connection, keys: Keyring, chain: str, remaining: dict[str, RowNow]) -> str | None:
    """Do the work of first_stale; remove from `remaining` the rows that were compared."""
    for event in _newest_first(connection, keys, chain):
        if event.kind == Event.ENDED and chain != SYSTEM:
            # Events after the end of an organization are in `system`.
            stale = _compare(connection, keys, SYSTEM, remaining)
            if stale is not None or not remaining:
                return stale
        if '"seals"' in event.details:
            seals: dict[str, str | None] = json.loads(event.details).get("seals", {})
            for name in remaining.keys() & seals.keys():
                if not _had(keys, remaining.pop(name), seals[name]):
                    return name
        if not remaining:
            break
        if event.kind == Event.SEALED:
            # This event names every row that existed, and each later row has an event of its own.
            return min(remaining)
    return None


def holds_together(connection: Connection, keys: Keyring, chain: str) -> bool:
    """Whether a chain is valid from its end back to the first event whose key is missing."""
    try:
        for _ in _newest_first(connection, keys, chain):
            pass
    except RecordBroken:
        return False
    return True


def _newest_first(connection: Connection, keys: Keyring, chain: str) -> Iterator[Row[Any]]:
    """Yield the verified events of a chain, the newest first. Raises RecordBroken for an invalid event.

    Stops at an event whose key is missing, because older seals cannot be compared. The newest event must have an
    available key, or one that the operator has configured as lost: no later event authenticates it, so anybody
    could have written it.
    """
    newer: Any = None
    is_bound, limit = False, _FIRST
    while True:
        batch = _batch(connection, chain, newer, limit)
        is_last = len(batch) < limit
        for older in [*batch, _Nothing()] if is_last else batch:
            if newer is not None:
                if not _is_verified(keys, newer, older):
                    if not is_bound and newer.key_id not in keys.lost:
                        raise RecordBroken(chain)
                    return
                is_bound = True
                yield newer
            newer = older
        if is_last:
            return
        limit = _LATER


def _batch(connection: Connection, chain: str, newer: Any, limit: int) -> Sequence[Row[Any]]:
    table = AuditEvent.core()
    events = select(table).where(table.c.chain == chain).order_by(table.c.number.desc()).limit(limit)
    if newer is not None:
        events = events.where(table.c.number < newer.number)
    return connection.execute(events).all()


def _is_verified(keys: Keyring, event: Row[Any], older: Any) -> bool:
    """Whether an event is valid after `older`; False when its key is missing.

    Raises RecordBroken when it is invalid.
    """
    if event.number != older.number + 1:
        raise RecordBroken(event.chain)
    key = keys.key(PURPOSE, event.key_id)
    if key is None:
        return False
    mac = event_mac(key, older.mac, event._asdict())
    if not hmac.compare_digest(mac.encode(), event.mac.encode()):
        raise RecordBroken(event.chain)
    return True


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
