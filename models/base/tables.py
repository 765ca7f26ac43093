"""Shared by all tables: constraint names, column types, and INSERT … ON CONFLICT for both databases."""

import enum
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

from sqlalchemy import BigInteger, DateTime, Dialect, Enum, Integer, MetaData, String, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """Column type for aware datetimes, stored and returned in UTC on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC. Raises ValueError for a naive datetime, which would be off by seven hours in
        Thailand.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Attach UTC to what SQLite returns, which stores no time zone."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


def text_enum(kind: type[enum.StrEnum], *, checked: bool = True) -> Enum:
    """Column type that stores the values of the enum `kind` as text.

    With `checked`, a CHECK constraint refuses other values. Pass False where `kind` is expected to grow: SQLite
    cannot alter a constraint without rebuilding the table.
    """
    return Enum(
        kind,
        native_enum=False,
        create_constraint=checked,
        length=30,
        name=kind.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )


# SQLite increments only an INTEGER primary key automatically.
BigKey = BigInteger().with_variant(Integer, "sqlite")

# For sort keys and codes: both databases compare them byte by byte, independent of the server's locale.
BinaryText = String().with_variant(String(collation="C"), "postgresql")


class Base(DeclarativeBase):
    """Declarative base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime()}

    @classmethod
    def core(cls) -> Table:
        """Return the Core table, for statements that every tap runs: there the ORM costs more than the
        statement.
        """
        table = cls.__table__
        assert isinstance(table, Table)  # noqa: S101 - mapped to no join
        return table


def insert_of(database: str, into: Any) -> sqlite.Insert:
    """Return an INSERT that has ON CONFLICT methods, for the SQLAlchemy dialect named `database`.

    SQLAlchemy has one class for each dialect. Both have the methods of the declared return type.
    """
    return sqlite.insert(into) if database == "sqlite" else cast(sqlite.Insert, postgresql.insert(into))


def conflict_insert(session: AsyncSession, into: Any) -> sqlite.Insert:
    """Return an INSERT that has ON CONFLICT methods, for the session's database."""
    return insert_of(session.get_bind().dialect.name, into)
