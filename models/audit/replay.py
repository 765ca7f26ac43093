"""What the record says of a row's seal. A row that was put back as it once was has a good seal, and an older one.

Every event that changes a sealed row carries the row's seal. So the newest event of a chain that names the row has
the seal that it must have; the chain is walked back from its end until it is there, and only what is walked is
verified.
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

# Mostly one of the newest events names the rows: that of the warning which was shown before the press.
_FIRST, _LATER = 10, 200


class RecordBroken(DomainError):
    """A chain of the record does not hold together where something rests on it.

    `row` names it as BadSeal names a row.
    """

    def __init__(self, chain: str) -> None:
        super().__init__(
            f"the record of {chain} was changed without the secret key; see: laocert audit verify"
            " (docs/operations.md, The record)"
        )
        self.row = f"chain:{chain}"


class RowNow(NamedTuple):
    """A row as it stands: its model, and all that its seal covers."""

    model: type[SealedRow]
    values: Mapping[str, Any]


class _Nothing(NamedTuple):
    """What the first event of a chain follows on."""

    number: int = 0
    mac: str = ""


def first_stale(connection: Connection, keys: Keyring, chain: str, rows: Mapping[str, RowNow]) -> str | None:
    """The name of a row that is not as the newest event about it says; None when all are, or are named by none.

    Raises RecordBroken.
    """
    return _compare(connection, keys, chain, dict(rows))


def _compare(connection: Connection, keys: Keyring, chain: str, wanted: dict[str, RowNow]) -> str | None:
    """As first_stale; takes those that were found out of `wanted`."""
    for event in _newest_first(connection, keys, chain):
        if event.kind == Event.ENDED and chain != SYSTEM:
            # What came after the end of an organization is recorded there.
            stale = _compare(connection, keys, SYSTEM, wanted)
            if stale is not None or not wanted:
                return stale
        if '"seals"' in event.details:
            seals: dict[str, str | None] = json.loads(event.details).get("seals", {})
            for name in wanted.keys() & seals.keys():
                if not _had(keys, wanted.pop(name), seals[name]):
                    return name
        if not wanted:
            break
    return None


def _newest_first(connection: Connection, keys: Keyring, chain: str) -> Iterator[Row[Any]]:
    """The events of a chain from its end, each verified before it is given. Raises RecordBroken.

    They end before an event whose key is not here, for nothing older can be compared. The newest of all must have
    one that is, for it is bound by none and anybody can have written it; or one that the operator has called lost.
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
    """Whether an event follows on the one before it; False when its key is not here. Raises RecordBroken."""
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
    """Whether a row as it is now would have had this seal: after a rotation, under the key of then."""
    if seal is None:
        return True
    right = seal_under(keys, seal.partition(":")[0], row.model, row.model.SEALS[0], row.values)
    # Under a key that is lost nothing can be compared.
    return right is None or hmac.compare_digest(right.encode(), seal.encode())


def seals_of(rows: Iterable[SealedRow]) -> dict[str, str | None]:
    """What an event says of rows that it names, whether they have changed or not."""
    return {name_of(row): row.seal for row in rows}
