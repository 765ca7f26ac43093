"""Seals on rows that decide: a keyed hash over a row's identity and every column that gives a right.

Whoever can write to the database, but has not the secret key, cannot make a row that the program believes. A row
that is put back as it was once still has a good seal: what an irreversible press compares with the record
(models/audit/row_seal.py) is newer.

A model declares its seals beside its columns, as `SEALS`; the session seals what is inserted or changed.
"""

import hmac
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, ClassVar, cast

import orjson
from sqlalchemy import String, inspect
from sqlalchemy.orm import Mapped, mapped_column

from models.base.errors import DomainError
from models.security.keys import Keyring

PURPOSE = "row seal"
# "<key id>:<64 hexadecimal letters>" has 73.
LENGTH = 80


class BadSeal(DomainError):
    """Somebody without the secret key has written the row: it gives no right, and nothing is built on it.

    `row` names it as the record does: its table, a colon, and its identity.
    """

    def __init__(self, row: str) -> None:
        super().__init__(
            f"the seal of {row} does not fit, or the row is older than what was recorded last: it was changed"
            " without the secret key; see: laocert seal check, and docs/security.md, Seals"
        )
        self.row = row


@dataclass(frozen=True)
class Sealed:
    """The columns beside the identity that a seal covers, and the column in which it stands."""

    columns: tuple[str, ...]
    into: str = "seal"


@dataclass
class SealState:
    """The ids of the keys under which all rows were sealed (Event.SEALED_ALL), as far as a program has seen.

    One for each opened database. Nothing is ever taken out: whoever deletes the event does not get rows without a
    seal accepted by a program that is running. `reported`: the day on which a bad seal was last found reported, by
    the row's name. `found`: how often a bad seal was met, by table.
    """

    all_under: set[str] = field(default_factory=set)
    reported: dict[str, date] = field(default_factory=dict)
    found: Counter[str] = field(default_factory=Counter)


class SealedRow:
    """A row of a table whose columns decide. `SEALS` says which; the first one is in the column `seal`."""

    SEALS: ClassVar[tuple[Sealed, ...]]
    # Whether the event that tells of a change carries the row's seal.
    IS_RECORDED: ClassVar[bool] = True

    # None: from before there were seals.
    seal: Mapped[str | None] = mapped_column(String(LENGTH), sort_order=100)

    @property
    def recorded_in(self) -> str | None:
        """The chain in which changes of the row are recorded; None: that of the event that comes next."""
        return None


def identity_of(model: type[SealedRow]) -> tuple[str, ...]:
    """The names of the primary key's columns."""
    return _identity(cast(Hashable, model))


@cache
def _identity(model: Any) -> tuple[str, ...]:
    return tuple(column.key for column in inspect(model).primary_key)


def row_name(model: type[SealedRow], values: Mapping[str, Any]) -> str:
    """What a row is called in the record: `officer:12`."""
    table: str = model.__tablename__  # type: ignore[attr-defined]
    return ":".join([table, *(str(values[name]) for name in identity_of(model))])


def name_of(row: SealedRow) -> str:
    """As row_name, of an object."""
    return row_name(type(row), values_of(row, identity_of(type(row))))


def values_of(row: SealedRow, names: Iterable[str]) -> dict[str, Any]:
    """Some of an object's columns."""
    return {name: getattr(row, name) for name in names}


def seal_under(
    keys: Keyring, key_id: str, model: type[SealedRow], sealed: Sealed, values: Mapping[str, Any]
) -> str | None:
    """The seal of a row with these values under the secret key with this id; None when that key is not here.

    HMAC-SHA256 over JSON of one form: table, seal, identity, columns by name.
    """
    key = keys.key(PURPOSE, key_id)
    if key is None:
        return None
    covered = [
        model.__tablename__,  # type: ignore[attr-defined]
        sealed.into,
        [values[name] for name in identity_of(model)],
        {name: values[name] for name in sealed.columns},
    ]
    plain = orjson.dumps(covered, _plain, orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)
    return f"{key_id}:{hmac.digest(key, plain, 'sha256').hex()}"


def seal_for(keys: Keyring, model: type[SealedRow], sealed: Sealed, values: Mapping[str, Any]) -> str:
    """The seal of a row with these values under the key in use."""
    seal = seal_under(keys, keys.current_id, model, sealed, values)
    assert seal is not None  # noqa: S101 - the current key is always there
    return seal


def fits(keys: Keyring, model: type[SealedRow], sealed: Sealed, values: Mapping[str, Any], seal: str) -> bool:
    """Whether `seal` is that of a row with these values, under a key that is here."""
    right = seal_under(keys, seal.partition(":")[0], model, sealed, values)
    return right is not None and hmac.compare_digest(right.encode(), seal.encode())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    # Days; and whatever else somebody has put into a column of SQLite, which takes any type.
    return {type(value).__name__: str(value)}
