"""Seals in a session: set on every row that is inserted or changed, and looked at where a row decides.

A row whose seal does not fit is not sealed anew by what the program changes in it: BadSeal. Rows from before there
were seals have none; they are accepted until the event SEALED_ALL says that every row has one. From then on a row
without a seal was written by somebody without the key. The same event under a new key (after a rotation) ends the
seals of the old ones, and of keys that are lost, which are accepted unseen until then.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, event, insert, inspect, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper, Session, object_session
from sqlalchemy.orm.attributes import set_committed_value

from models.audit.event_chain import RESEALED, KeyMissing, keyring
from models.audit.replay import RowNow, first_stale
from models.security.keys import Keyring
from models.security.row_seal import (
    BadSeal,
    Sealed,
    SealedRow,
    SealState,
    fits,
    identity_of,
    name_of,
    row_name,
    seal_for,
    values_of,
)

# Literal, so that the index of these events alone is used.
_SEALED_ALL = text("SELECT DISTINCT key_id FROM audit_event WHERE kind = 'sealed_all'")


# That a session has looked whether all rows are sealed.
_LOOKED = "looked whether all rows are sealed"


# --- whether a seal is good ---------------------------------------------------------------------------------


def _keys(session: Session) -> Keyring:
    keys = session.info.get("keyring")
    if not isinstance(keys, Keyring):
        raise KeyMissing
    return keys


def _state(session: Session) -> SealState:
    state: SealState = session.info.setdefault("seal_state", SealState())
    return state


def _look(state: SealState, connection: Connection) -> None:
    state.all_under.update(connection.scalars(_SEALED_ALL))


async def load_seal_state(session: AsyncSession) -> SealState:
    """Which keys all rows were sealed under, known to the session's program from now on. At its start: whoever
    deletes the event later does not get rows without a seal accepted.
    """
    state: SealState = session.info.setdefault("seal_state", SealState())
    await session.run_sync(lambda sync: _look(state, sync.connection()))
    return state


def _good(
    keys: Keyring,
    model: type[SealedRow],
    sealed: Sealed,
    values: Mapping[str, Any],
    accepts: "_Accepts",
) -> bool:
    seal = values[sealed.into]
    if seal is None:
        return not accepts.refuses_unsealed()
    if seal.partition(":")[0] in keys.lost:
        # Nobody can look at it any more, and the operator has said so.
        return not accepts.refuses_old_keys(keys)
    if not fits(keys, model, sealed, values, seal):
        return False
    return bool(seal.startswith(f"{keys.current_id}:")) or not accepts.refuses_old_keys(keys)


class _Accepts:
    """What is accepted beside a seal under the key in use; asked of the database only when it matters, and once a
    transaction.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def refuses_unsealed(self) -> bool:
        state = _state(self._session)
        return bool(state.all_under or self._looked().all_under)

    def refuses_old_keys(self, keys: Keyring) -> bool:
        state = _state(self._session)
        return keys.current_id in state.all_under or keys.current_id in self._looked().all_under

    def _looked(self) -> SealState:
        state = _state(self._session)
        if _LOOKED not in self._session.info:
            _look(state, self._session.connection())
            self._session.info[_LOOKED] = True
        return state


def is_sealed_now(keys: Keyring, row: SealedRow, sealed: Sealed | None = None) -> bool:
    """Whether a row has a good seal under the key in use: what is true of almost every row, and needs no query."""
    sealed = sealed or row.SEALS[0]
    seal: str | None = getattr(row, sealed.into)
    return (
        seal is not None
        and seal.startswith(f"{keys.current_id}:")
        and fits(keys, type(row), sealed, _covered(row, sealed), seal)
    )


async def has_good_seal(session: AsyncSession, row: SealedRow, sealed: Sealed | None = None) -> bool:
    """Whether a row, as it was loaded, may decide: sealed under a key that is accepted, or without a seal while
    such rows are. `sealed` is one of the row's SEALS; the first unless given.
    """
    keys = keyring(session)
    if is_sealed_now(keys, row, sealed):
        return True
    chosen = sealed or row.SEALS[0]
    values = _covered(row, chosen) | {chosen.into: getattr(row, chosen.into)}
    return await session.run_sync(lambda sync: _good(keys, type(row), chosen, values, _Accepts(sync)))


async def require_good_seal(session: AsyncSession, row: SealedRow) -> None:
    """Raises BadSeal for a row that may not decide."""
    if not await has_good_seal(session, row):
        raise BadSeal(name_of(row))


async def hold_sealed(session: AsyncSession, row: SealedRow, *, read: bool = False) -> None:
    """Load what the seals of a row cover anew, and keep others from changing it until the transaction ends.

    `read`: others may hold it so too.
    """
    names = [name for sealed in row.SEALS for name in (*sealed.columns, sealed.into)]
    await session.flush()
    await session.refresh(row, names, with_for_update={"read": True} if read else {"key_share": True})


async def require_newest(session: AsyncSession, chain: str, rows: Sequence[SealedRow]) -> None:
    """Refuse what rests on these rows unless each has a good seal, and the one that the chain's newest event about
    it names. What no event of the chain names has had one seal only.

    A change that another transaction commits meanwhile is seen: the rows are loaded anew, once. Raises BadSeal,
    RecordBroken.
    """
    await session.flush()
    if await _stale(session, chain, rows) is None:
        return
    for row in rows:
        await session.refresh(row, [name for sealed in row.SEALS for name in (*sealed.columns, sealed.into)])
    if (stale := await _stale(session, chain, rows)) is not None:
        raise BadSeal(stale)


async def _stale(session: AsyncSession, chain: str, rows: Sequence[SealedRow]) -> str | None:
    keys = keyring(session)
    for row in rows:
        await require_good_seal(session, row)
    # What this transaction has changed, and not recorded yet, was compared before it was changed.
    changed = session.info.get(RESEALED, {})
    now = {
        name_of(row): RowNow(type(row), _covered(row, row.SEALS[0])) for row in rows if name_of(row) not in changed
    }
    return await session.run_sync(lambda sync: first_stale(sync.connection(), keys, chain, now))


def _covered(row: SealedRow, sealed: Sealed) -> dict[str, Any]:
    return values_of(row, (*identity_of(type(row)), *sealed.columns))


# --- sealing ------------------------------------------------------------------------------------------------


def seal_of(session: AsyncSession, row: SealedRow, sealed: Sealed | None = None) -> str:
    """The seal that a row would have now, under the key in use."""
    chosen = sealed or row.SEALS[0]
    return seal_for(keyring(session), type(row), chosen, _covered(row, chosen))


def sealed_values(session: AsyncSession, model: type[SealedRow], values: Mapping[str, Any]) -> dict[str, Any]:
    """All columns of a row, its identity among them, with its seals: for an INSERT of many rows at once. Columns
    that `values` does not name are empty.
    """
    keys = keyring(session)
    names = {name for sealed in model.SEALS for name in sealed.columns}
    whole = dict.fromkeys(names) | dict(values)
    return whole | {sealed.into: seal_for(keys, model, sealed, whole) for sealed in model.SEALS}


async def seal_rows(session: AsyncSession, model: type[SealedRow], rows: Collection[Any]) -> dict[str, str]:
    """Seal rows as they stand in the database, whatever their seals were; the new seals by the rows' names.

    `rows` have all columns of the table and are held; they are trusted: whoever calls this has checked them, has
    just inserted them, or has the operator's word.
    """
    if not rows:
        return {}
    keys = keyring(session)
    table = model.core()  # type: ignore[attr-defined]
    identity = identity_of(model)
    sealed_rows, seals = [], {}
    for row in rows:
        values = row._asdict() if isinstance(row, Row) else values_of(row, table.c.keys())
        new = {sealed.into: seal_for(keys, model, sealed, values) for sealed in model.SEALS}
        seals[row_name(model, values)] = new[model.SEALS[0].into]
        if not isinstance(row, Row):
            for column, seal in new.items():
                set_committed_value(row, column, seal)
        sealed_rows.append({f"of_{name}": values[name] for name in identity} | new)
    is_it = [table.c[name] == bindparam(f"of_{name}") for name in identity]
    into = {sealed.into: bindparam(sealed.into) for sealed in model.SEALS}
    await session.execute(update(table).where(*is_it).values(into), sealed_rows)
    return seals


async def insert_sealed(
    session: AsyncSession, model: type[SealedRow], rows: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Insert many rows at once, which get their numbers from the database; their seals by the rows' names.

    A table whose identity is given takes `sealed_values` and a plain INSERT.
    """
    if not rows:
        return {}
    table = model.core()  # type: ignore[attr-defined]
    inserted = await session.execute(insert(table).returning(*table.c), list(rows))
    return await seal_rows(session, model, inserted.all())


async def update_sealed(
    session: AsyncSession, model: type[SealedRow], rows: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Change many rows at once, as the session does it for its objects: each has its identity, of one column, and
    the same columns as the others; their seals by the rows' names, which the caller records.

    Raises BadSeal, RecordBroken, and nothing was changed.
    """
    if not rows:
        return {}
    keys = keyring(session)
    table = model.core()  # type: ignore[attr-defined]
    (identity,) = identity_of(model)
    key = table.c[identity]
    held = await session.execute(
        select(table).where(key.in_([row[identity] for row in rows])).order_by(key).with_for_update(key_share=True)
    )
    stored = {row._mapping[identity]: dict(row._mapping) for row in held}
    await session.run_sync(lambda sync: _require_good(sync, keys, model, stored.values()))
    seals: dict[str, str] = {}
    changed = []
    for row in rows:
        after = stored[row[identity]] | dict(row)
        new = {sealed.into: seal_for(keys, model, sealed, after) for sealed in model.SEALS}
        seals[row_name(model, after)] = new[model.SEALS[0].into]
        values = {f"to_{name}": value for name, value in row.items() if name != identity}
        changed.append({"of": row[identity], **values, **{f"to_{into}": seal for into, seal in new.items()}})
    names = [name.removeprefix("to_") for name in changed[0] if name != "of"]
    await session.execute(
        update(table).where(key == bindparam("of")).values({name: bindparam(f"to_{name}") for name in names}),
        changed,
    )
    return seals


def _require_good(
    session: Session, keys: Keyring, model: type[SealedRow], rows: Iterable[Mapping[str, Any]]
) -> None:
    accepts = _Accepts(session)
    for values in rows:
        if not all(_good(keys, model, sealed, values, accepts) for sealed in model.SEALS):
            raise BadSeal(row_name(model, values))
        _require_recorded(session, session.connection(), model(**values), values)


def note_resealed(session: Session, row: SealedRow) -> None:
    """The next event of the row's chain carries its seal."""
    if row.IS_RECORDED:
        session.info.setdefault(RESEALED, {})[name_of(row)] = row


@event.listens_for(SealedRow, "before_insert", propagate=True)
def _before_insert(_mapper: Mapper[Any], _connection: Connection, row: SealedRow) -> None:
    if None not in values_of(row, identity_of(type(row))).values():
        session = object_session(row)
        assert session is not None  # noqa: S101 - it is being flushed
        for sealed in row.SEALS:
            setattr(row, sealed.into, seal_for(_keys(session), type(row), sealed, _covered(row, sealed)))
        note_resealed(session, row)


@event.listens_for(SealedRow, "after_insert", propagate=True)
def _after_insert(_mapper: Mapper[Any], connection: Connection, row: SealedRow) -> None:
    """A row that got its number from the database is sealed when it has it."""
    if row.seal is not None:
        return
    session = object_session(row)
    assert session is not None  # noqa: S101 - it is being flushed
    model = type(row)
    seals = {sealed.into: seal_for(_keys(session), model, sealed, _covered(row, sealed)) for sealed in model.SEALS}
    table = inspect(model).local_table
    is_it = [table.c[name] == value for name, value in values_of(row, identity_of(model)).items()]
    connection.execute(update(table).where(*is_it).values(seals))
    for into, seal in seals.items():
        set_committed_value(row, into, seal)
    note_resealed(session, row)


@event.listens_for(SealedRow, "before_update", propagate=True)
def _before_update(_mapper: Mapper[Any], connection: Connection, row: SealedRow) -> None:
    """Seal a changed row anew: over what stands in the database now, held, and had a good seal, with the change.

    What another transaction has changed since the row was loaded must be in the seal too.
    """
    session = object_session(row)
    assert session is not None  # noqa: S101 - it is being flushed
    state = inspect(row)
    changed = {name for name in state.committed_state if state.attrs[name].history.has_changes()}
    for sealed in row.SEALS:
        if changed.intersection(sealed.columns):
            _seal_anew(session, connection, row, sealed, changed)


def _seal_anew(
    session: Session, connection: Connection, row: SealedRow, sealed: Sealed, changed: set[str]
) -> None:
    model, keys = type(row), _keys(session)
    if changed.issuperset(sealed.columns):
        # Nothing is left of what stood there, and so nothing that had to be right.
        _set(session, row, sealed)
        return
    identity = identity_of(model)
    table = inspect(model).local_table
    columns = [table.c[name] for name in (*identity, *sealed.columns, sealed.into)]
    is_it = [table.c[name] == getattr(row, name) for name in identity]
    stored = connection.execute(select(*columns).where(*is_it).with_for_update(key_share=True)).first()
    if stored is None:
        # Nothing to seal: SQLAlchemy says that the row is gone.
        return
    values = stored._asdict()
    if not _good(keys, model, sealed, values, _Accepts(session)):
        raise BadSeal(name_of(row))
    if sealed is model.SEALS[0]:
        _require_recorded(session, connection, row, values)
    for name in sealed.columns:
        if name not in changed:
            set_committed_value(row, name, values[name])
    _set(session, row, sealed)


def _require_recorded(session: Session, connection: Connection, row: SealedRow, stored: Mapping[str, Any]) -> None:
    """Before a row is changed and the record says so: an older one that was put back must not become the newest.

    What this transaction has changed before was looked at then. Raises BadSeal, RecordBroken.
    """
    name, chain = name_of(row), row.recorded_in
    if not row.IS_RECORDED or chain is None or name in session.info.get(RESEALED, {}):
        return
    if first_stale(connection, _keys(session), chain, {name: RowNow(type(row), stored)}) is not None:
        raise BadSeal(name)


def _set(session: Session, row: SealedRow, sealed: Sealed) -> None:
    setattr(row, sealed.into, seal_for(_keys(session), type(row), sealed, _covered(row, sealed)))
    if sealed is row.SEALS[0]:
        note_resealed(session, row)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, _transaction: object) -> None:
    """What was sealed and taken back is told by no event."""
    session.info.pop(RESEALED, None)
