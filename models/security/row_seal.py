"""Row seals: a keyed hash over a row's primary key and every column that gives a right.

An attacker who can write to the database but lacks the secret key cannot forge a row that the program accepts. A
row that is rolled back to an earlier state still has a good seal; models/audit/row_seal.py therefore also compares
it with the newest seal in the audit record.

A model declares its seals as `SEALS`; the session seals every inserted or changed row
(docs/adr/0085).
"""

import hmac
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, ClassVar, NamedTuple, cast

import orjson
from sqlalchemy import String, inspect
from sqlalchemy.orm import Mapped, mapped_column

from models.base.errors import DomainError
from models.security.keys import Keyring

PURPOSE = "row seal"
# "<key id>:<64 hexadecimal letters>" has 73.
LENGTH = 80


class BadSeal(DomainError):
    """The row was changed without the secret key, or rolled back, and gives no right.

    `row` is its name in the record: `<table>:<primary key>`.
    """

    def __init__(self, row: str) -> None:
        # An attacker can put any characters there.
        name = ascii(row)[1:-1][:80]
        super().__init__(
            f"the seal of {name} does not fit, or the row is older than what was recorded last: it was changed"
            " without the secret key; see: laocert seal check, and docs/security.md, Seals"
        )
        self.row = row


@dataclass(frozen=True)
class Sealed:
    """The columns that a seal covers in addition to the primary key, and the column that stores the seal."""

    columns: tuple[str, ...]
    into: str = "seal"


class Checkpoint(NamedTuple):
    """How far a program has verified a chain: to the event with this number and hash.

    `seals` has the seals of rows as of that event, by row name; None for a row that no event names.
    """

    number: int
    mac: str
    seals: Mapping[str, str | None]


@dataclass
class SealState:
    """What a running program knows about seals, one object for each opened database.

    `all_under` has the ids of the keys under which all rows were sealed (Event.SEALED_ALL). Ids are never removed,
    so that deleting the event does not make a running program accept rows without a seal. `distrusts` says that
    there is no such event but the chain in which it would be was changed. `reported` has the day on which a bad
    seal was last reported, by row name; `found` the number of bad seals encountered, by table. `checkpoint` is of
    the chain `system`, which is long, so that each warning and press reads only its newest events.
    """

    all_under: set[str] = field(default_factory=set)
    distrusts: bool = False
    reported: dict[str, date] = field(default_factory=dict)
    found: Counter[str] = field(default_factory=Counter)
    checkpoint: Checkpoint | None = None


class SealedRow:
    """Base class of sealed tables. `SEALS` lists the seals; the first one is stored in the column `seal`."""

    SEALS: ClassVar[tuple[Sealed, ...]]
    # Whether the event of a change contains the row's new seal.
    IS_RECORDED: ClassVar[bool] = True

    # None for rows from before there were seals.
    seal: Mapped[str | None] = mapped_column(String(LENGTH), sort_order=100)

    @property
    def recorded_in(self) -> str | None:
        """The chain in which changes of the row are recorded; None for the chain of the next event, whichever it
        is.
        """
        return None


def identity_of(model: type[SealedRow]) -> tuple[str, ...]:
    """Return the names of the primary key's columns."""
    return _identity(cast(Hashable, model))


@cache
def _identity(model: Any) -> tuple[str, ...]:
    return tuple(column.key for column in inspect(model).primary_key)


def row_name(model: type[SealedRow], values: Mapping[str, Any]) -> str:
    """Return a row's name in the record, such as `officer:12`."""
    table: str = model.__tablename__  # type: ignore[attr-defined]
    return ":".join([table, *(str(values[name]) for name in identity_of(model))])


def name_of(row: SealedRow) -> str:
    """Return the name in the record of a model object."""
    return row_name(type(row), values_of(row, identity_of(type(row))))


def values_of(row: SealedRow, names: Iterable[str]) -> dict[str, Any]:
    """Return the named attributes of an object."""
    return {name: getattr(row, name) for name in names}


def seal_under(
    keys: Keyring, key_id: str, model: type[SealedRow], sealed: Sealed, values: Mapping[str, Any]
) -> str | None:
    """Return the seal of these values under the secret key with this id; None when that key is missing.

    It is an HMAC-SHA256 over canonical JSON of the table, the seal's column, the primary key, and the columns by
    name.
    """
    key = keys.key(PURPOSE, key_id)
    if key is None:
        return None
    signed_values = [
        model.__tablename__,  # type: ignore[attr-defined]
        sealed.into,
        [values[name] for name in identity_of(model)],
        {name: values[name] for name in sealed.columns},
    ]
    signed_bytes = orjson.dumps(signed_values, _plain, orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)
    return f"{key_id}:{hmac.digest(key, signed_bytes, 'sha256').hex()}"


def seal_for(keys: Keyring, model: type[SealedRow], sealed: Sealed, values: Mapping[str, Any]) -> str:
    """Return the seal of these values under the current key."""
    seal = seal_under(keys, keys.current_id, model, sealed, values)
    assert seal is not None  # noqa: S101 - the current key is always there
    return seal


def fits(keys: Keyring, model: type[SealedRow], sealed: Sealed, values: Mapping[str, Any], seal: str) -> bool:
    """Whether `seal` is the seal of these values under an available key."""
    expected_seal = seal_under(keys, seal.partition(":")[0], model, sealed, values)
    return expected_seal is not None and hmac.compare_digest(expected_seal.encode(), seal.encode())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    # Dates, and any type that an attacker stored in a column of SQLite.
    return {type(value).__name__: str(value)}
