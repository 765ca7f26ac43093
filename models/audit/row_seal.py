"""Row seals in a session: set on every inserted or changed row, and checked where a row gives a right.

Changing a row with a bad seal raises BadSeal instead of resealing it. Rows from before there were seals have none;
they are accepted until the event SEALED_ALL records that every row has one. After it, a row without a seal was
written without the key. The same event under a new key, after a rotation, ends the acceptance of seals under old
keys, and of seals under lost keys, which cannot be checked.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, event, insert, inspect, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper, Session, object_session
from sqlalchemy.orm.attributes import set_committed_value

from models.audit.event_chain import RESEALED, SYSTEM, KeyMissing, keyring
from models.audit.replay import RowNow, first_stale, holds_together
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

# A literal, so that the partial index of these events is used.
_SEALED_ALL = text("SELECT DISTINCT key_id FROM audit_event WHERE kind = 'sealed_all'")


# The key in `session.info` that says that the session has run this query.
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
    """Load the ids of the keys under which all rows were sealed into the session's SealState, and return it.

    The program calls it at its start, so that deleting the event later does not make rows without a seal accepted.
    When there is no such event, the `system` chain is verified, so that deleting it earlier does not either.
    """
    return await session.run_sync(_load)


def _load(session: Session) -> SealState:
    state, connection = _state(session), session.connection()
    _look(state, connection)
    if not state.all_under:
        state.distrusts = not holds_together(connection, _keys(session), SYSTEM)
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
    if not isinstance(seal, str):
        # SQLite stores any type in any column.
        return False
    if seal.partition(":")[0] in keys.lost:
        # The operator has configured the key as lost, so the seal cannot be checked.
        return not accepts.refuses_old_keys(keys)
    if not fits(keys, model, sealed, values, seal):
        return False
    return bool(seal.startswith(f"{keys.current_id}:")) or not accepts.refuses_old_keys(keys)


class _Accepts:
    """Which seals are accepted besides those under the current key.

    The database is queried only when needed, and at most once in a session.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def refuses_unsealed(self) -> bool:
        state = _state(self._session)
        return bool(state.all_under or state.distrusts or self._looked().all_under)

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
    """Whether a row has a good seal under the current key, which is true of almost every row and needs no
    query.
    """
    sealed = sealed or row.SEALS[0]
    seal: Any = getattr(row, sealed.into)
    return (
        isinstance(seal, str)
        and seal.startswith(f"{keys.current_id}:")
        and fits(keys, type(row), sealed, _covered(row, sealed), seal)
    )


async def has_good_seal(session: AsyncSession, row: SealedRow, sealed: Sealed | None = None) -> bool:
    """Whether a row, as it was loaded, has a good seal under an accepted key, or an accepted lack of a seal.

    `sealed` is one of the row's SEALS, by default the first.
    """
    keys = keyring(session)
    if is_sealed_now(keys, row, sealed):
        return True
    chosen = sealed or row.SEALS[0]
    values = _covered(row, chosen) | {chosen.into: getattr(row, chosen.into)}
    return await session.run_sync(lambda sync: _good(keys, type(row), chosen, values, _Accepts(sync)))


async def require_good_seal(session: AsyncSession, row: SealedRow) -> None:
    """Raise BadSeal when has_good_seal is false for the row's first seal."""
    if not await has_good_seal(session, row):
        raise BadSeal(name_of(row))


async def hold_sealed(session: AsyncSession, row: SealedRow, *, read: bool = False) -> None:
    """Lock a row until the transaction ends, and reload the columns that its seals cover.

    With `read` the lock is shared with other readers.
    """
    names = [name for sealed in row.SEALS for name in (*sealed.columns, sealed.into)]
    await session.flush()
    await session.refresh(row, names, with_for_update={"read": True} if read else {"key_share": True})


async def require_newest(session: AsyncSession, chain: str, rows: Sequence[SealedRow]) -> None:
    """Check that each row has a good seal, and the seal in the chain's newest event that names it.

    A row that no event of the chain names can have had only one seal. If a row fails, all are reloaded and checked
    once more, because another transaction may have committed a change. Raises BadSeal, RecordBroken.
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
    # Rows that this transaction has changed and not recorded yet were compared before the change.
    changed = session.info.get(RESEALED, {})
    current_rows = {
        name_of(row): RowNow(type(row), _covered(row, row.SEALS[0])) for row in rows if name_of(row) not in changed
    }

    def compare(sync: Session) -> str | None:
        return first_stale(sync.connection(), keys, chain, current_rows, _state(sync) if chain == SYSTEM else None)

    return await session.run_sync(compare)


def _covered(row: SealedRow, sealed: Sealed) -> dict[str, Any]:
    return values_of(row, (*identity_of(type(row)), *sealed.columns))


# --- sealing ------------------------------------------------------------------------------------------------


def seal_of(session: AsyncSession, row: SealedRow, sealed: Sealed | None = None) -> str:
    """Return the seal of a row's current values under the current key."""
    chosen = sealed or row.SEALS[0]
    return seal_for(keyring(session), type(row), chosen, _covered(row, chosen))


def sealed_values(session: AsyncSession, model: type[SealedRow], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row's values with its seals, for a bulk INSERT. `values` includes the primary key.

    Sealed columns that `values` does not name are null.
    """
    keys = keyring(session)
    names = {name for sealed in model.SEALS for name in sealed.columns}
    all_values = dict.fromkeys(names) | dict(values)
    return all_values | {sealed.into: seal_for(keys, model, sealed, all_values) for sealed in model.SEALS}


async def seal_rows(session: AsyncSession, model: type[SealedRow], rows: Collection[Any]) -> dict[str, str]:
    """Seal rows with their stored values, whatever their seals were; return the new first seals by row name.

    `rows` have all columns of the table and are locked. The caller must trust them: it has checked or just
    inserted them, or the operator has vouched for them.
    """
    if not rows:
        return {}
    keys = keyring(session)
    table = model.core()  # type: ignore[attr-defined]
    identity = identity_of(model)
    sealed_rows, seals = [], {}
    for row in rows:
        values = row._asdict() if isinstance(row, Row) else values_of(row, table.c.keys())
        new_seals = {sealed.into: seal_for(keys, model, sealed, values) for sealed in model.SEALS}
        seals[row_name(model, values)] = new_seals[model.SEALS[0].into]
        if not isinstance(row, Row):
            for column, seal in new_seals.items():
                set_committed_value(row, column, seal)
        sealed_rows.append({f"of_{name}": values[name] for name in identity} | new_seals)
    is_row = [table.c[name] == bindparam(f"of_{name}") for name in identity]
    into: dict[str, Any] = {sealed.into: bindparam(sealed.into) for sealed in model.SEALS}
    await session.execute(update(table).where(*is_row).values(into), sealed_rows)
    return seals


async def insert_sealed(
    session: AsyncSession, model: type[SealedRow], rows: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Insert many rows whose ids the database generates, seal them, and return their seals by row name.

    For rows with a known primary key, use `sealed_values` and a plain INSERT.
    """
    if not rows:
        return {}
    table = model.core()  # type: ignore[attr-defined]
    inserted = await session.execute(insert(table).returning(*table.c), list(rows))
    return await seal_rows(session, model, inserted.all())


async def update_sealed(
    session: AsyncSession, model: type[SealedRow], rows: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Update and reseal many rows at once; return their new seals by row name, which the caller records.

    Each row has its primary key, of one column, and the same columns as the others. Raises BadSeal or RecordBroken
    before anything is changed when a stored row was changed without the secret key.
    """
    if not rows:
        return {}
    keys = keyring(session)
    table = model.core()  # type: ignore[attr-defined]
    (identity,) = identity_of(model)
    key = table.c[identity]
    locked_rows = await session.execute(
        select(table).where(key.in_([row[identity] for row in rows])).order_by(key).with_for_update(key_share=True)
    )
    stored = {row._mapping[identity]: dict(row._mapping) for row in locked_rows}
    await session.run_sync(lambda sync: _require_good(sync, keys, model, stored.values()))
    seals: dict[str, str] = {}
    changed_rows = []
    for row in rows:
        after = stored[row[identity]] | dict(row)
        new_seals = {sealed.into: seal_for(keys, model, sealed, after) for sealed in model.SEALS}
        seals[row_name(model, after)] = new_seals[model.SEALS[0].into]
        values = {f"to_{name}": value for name, value in row.items() if name != identity}
        changed_rows.append(
            {"of": row[identity], **values, **{f"to_{into}": seal for into, seal in new_seals.items()}}
        )
    names = [name.removeprefix("to_") for name in changed_rows[0] if name != "of"]
    await session.execute(
        update(table).where(key == bindparam("of")).values({name: bindparam(f"to_{name}") for name in names}),
        changed_rows,
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
    """Note that the next event of the row's chain must contain the row's seal."""
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
    """Seal a row whose id the database has just generated."""
    if row.seal is not None:
        return
    session = object_session(row)
    assert session is not None  # noqa: S101 - it is being flushed
    model = type(row)
    seals = {sealed.into: seal_for(_keys(session), model, sealed, _covered(row, sealed)) for sealed in model.SEALS}
    table = inspect(model).local_table
    is_row = [table.c[name] == value for name, value in values_of(row, identity_of(model)).items()]
    connection.execute(update(table).where(*is_row).values(seals))
    for into, seal in seals.items():
        set_committed_value(row, into, seal)
    note_resealed(session, row)


@event.listens_for(SealedRow, "before_update", propagate=True)
def _before_update(_mapper: Mapper[Any], connection: Connection, row: SealedRow) -> None:
    """Reseal a changed row, over its stored values, now locked and with a good seal, plus the changes.

    The stored values are read again because another transaction may have changed the row since it was loaded.
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
        # Every sealed column is overwritten, so the stored values need no check.
        _set(session, row, sealed)
        return
    identity = identity_of(model)
    table = inspect(model).local_table
    columns = [table.c[name] for name in (*identity, *sealed.columns, sealed.into)]
    is_row = [table.c[name] == getattr(row, name) for name in identity]
    stored = connection.execute(select(*columns).where(*is_row).with_for_update(key_share=True)).first()
    if stored is None:
        # The row was deleted; SQLAlchemy will raise an error for it.
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
    """Check, before a row is changed, that it was not rolled back: the change would make it the newest.

    Rows that this transaction has already changed were checked then. Raises BadSeal, RecordBroken.
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
    """Drop the noted seals when the transaction was rolled back."""
    session.info.pop(RESEALED, None)
