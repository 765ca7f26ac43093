"""Rows whose seal does not fit: `laocert seal check`; and the way after a manual repair: `laocert seal accept`."""

import enum
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.audit import event_chain
from models.audit.event_chain import AuditEvent, Event
from models.audit.row_seal import load_seal_state, seal_rows
from models.audit.sealings import newest_sealing
from models.base.errors import DomainError
from models.certification.remark import operator_name, remark_text
from models.operator.sealing import MODELS, chain_of
from models.security.keys import Keyring
from models.security.row_seal import Sealed, SealedRow, fits, identity_of, row_name, seal_under

# What of an identity is shown: whoever can write to the database can put any letters there.
_SHOWN = 40


class Fault(enum.StrEnum):
    """What is wrong with a row's seal."""

    MISSING = "missing"
    WRONG = "wrong"
    OLD_KEY = "old_key"
    PUT_BACK = "put_back"


# In words, for the operator.
FAULTS = {
    Fault.MISSING: "has no seal, and every row has one since: laocert keys seal",
    Fault.WRONG: "was changed without the secret key, or its key is not in LAOCERT_OLD_SECRET_KEYS",
    Fault.OLD_KEY: "is sealed under a key that laocert keys rotate has ended",
    Fault.PUT_BACK: "is an older row: its seal is not the one that its newest event carries",
}
# What a bad seal of a row means, and what to do when nobody has repaired the row by hand.
MEANINGS = {
    "officer": (
        "the chat has no rights",
        "end the link, and let the officer log in again: laocert account unlink",
    ),
    "account": (
        "nobody can log in, and its officers have no rights",
        "import the account again, or restore a copy",
    ),
    "invitation": ("the link cannot be used", "make another one: laocert invite"),
    "confirmation": ("the press is refused", "nothing: the officer is shown the warning again"),
    "organization": ("its province has no rights to it", "import the organizations again, or restore a copy"),
    "round": ("nothing can be certified", "find out who changed it, and restore a copy"),
    "throttle": ("the key is closed for a while", "nothing: it is written anew at the next try"),
}


class NothingToAccept(DomainError):
    """A row that is not there, or whose seal is good."""


@dataclass(frozen=True)
class BadRow:
    """One row whose seal does not fit. `meaning` says what it does to the program, `mend` how to go on."""

    table: str
    id: str
    fault: Fault
    meaning: str
    mend: str


@dataclass
class SealFindings:
    """What a look at all seals found. `unsealed` rows were there before there were seals, and `unchecked` ones
    have a seal under a key that is named as lost: both are accepted until all are sealed under the key in use.
    """

    rows: int = 0
    unsealed: int = 0
    unchecked: int = 0
    since: datetime | None = None
    bad: list[BadRow] = field(default_factory=list)


async def check_seals(session: AsyncSession) -> SealFindings:
    """Look at the seal of every row, and compare it with the newest event that carries one."""
    newest = await newest_sealing(session)
    findings = SealFindings(since=None if newest is None else newest.at)
    judge = await _judge(session)
    recorded = await _newest_seals(session)
    for model in MODELS:
        async for values in _rows(session, model):
            findings.rows += 1
            findings.unchecked += judge.is_unchecked(model, values)
            fault = judge.fault(model, values, recorded.get(row_name(model, values)))
            if fault is Fault.MISSING and not judge.is_all_sealed:
                findings.unsealed += 1
            elif fault is not None:
                findings.bad.append(_bad(model, values, fault))
    return findings


async def accept(session: AsyncSession, table: str, row_id: str, by: str, reason: str, now: datetime) -> None:
    """Seal a row as it stands, on the operator's word, and record whose word it is and why.

    Raises OperatorRefused, RemarkRefused, and NothingToAccept for a row that is not there or whose seal is good.
    """
    by, reason = operator_name(by), remark_text(reason)
    model = next((model for model in MODELS if model.__tablename__ == table), None)  # type: ignore[attr-defined]
    if model is None:
        raise NothingToAccept(f"{table} is no table whose rows are sealed; see: laocert seal check")
    row = await _held(session, model, row_id)
    if row is None:
        raise NothingToAccept(f"there is no {table} {ascii(row_id)[1:-1]:.{_SHOWN}}; see: laocert seal check")
    name = row_name(model, row._mapping)
    recorded = (await _newest_seals(session)).get(name)
    fault = (await _judge(session)).fault(model, row._mapping, recorded)
    if fault is None:
        raise NothingToAccept(f"the seal of {name} is good; nothing was done")
    seals = await seal_rows(session, model, [row])
    told = {"table": table, "id": row_id, "fault": fault, "by": by, "reason": reason}
    carried = {"seals": seals} if model.IS_RECORDED else {}
    await event_chain.record(
        session, Event.SEAL_ACCEPTED, await chain_of(session, model, row._mapping), now, **told, **carried
    )


def _bad(model: type[SealedRow], values: Any, fault: Fault) -> BadRow:
    table, identity = row_name(model, values).split(":", 1)
    meaning, mend = MEANINGS[table]
    return BadRow(table, ascii(identity)[1:-1][:_SHOWN], fault, meaning, mend)


async def _held(session: AsyncSession, model: type[SealedRow], row_id: str) -> Any:
    """The row with this identity, held until the transaction ends; None when there is none."""
    table = model.core()  # type: ignore[attr-defined]
    (identity,) = identity_of(model)
    column = table.c[identity]
    if column.type.python_type is int:
        if not row_id.isdecimal():
            return None
        wanted: int | str = int(row_id)
    else:
        wanted = row_id
    return (await session.execute(select(table).where(column == wanted).with_for_update())).first()


async def _rows(session: AsyncSession, model: type[SealedRow]) -> AsyncIterator[Any]:
    table = model.core()  # type: ignore[attr-defined]
    rows = await session.stream(select(table).order_by(*table.primary_key).execution_options(yield_per=1000))
    async for row in rows:
        yield row._mapping


async def _newest_seals(session: AsyncSession) -> dict[str, str | None]:
    """The newest seal of each row that any event carries, by the row's name."""
    seals: dict[str, str | None] = {}
    rows = await session.stream_scalars(
        select(AuditEvent.details)
        .where(AuditEvent.details.contains('"seals":'))
        .order_by(AuditEvent.id)
        .execution_options(yield_per=1000)
    )
    async for details in rows:
        try:
            seals |= json.loads(details)["seals"]
        except (ValueError, KeyError, TypeError):
            # The chain's own check says so: `laocert audit verify`.
            continue
    return seals


@dataclass(frozen=True)
class _Judge:
    """What is accepted now: no row without a seal once all were sealed, and under which keys."""

    keys: Keyring
    is_all_sealed: bool
    only_current: bool

    def fault(self, model: type[SealedRow], values: Any, recorded: str | None) -> Fault | None:
        """What is wrong with a row's seals; `recorded` is what its newest event carries of the first one."""
        faults = [self._of(model, sealed, values) for sealed in model.SEALS]
        if recorded is not None and not self._had(model, values, recorded):
            faults.append(Fault.PUT_BACK)
        # What was recorded with a seal is none of the rows from before there were seals.
        order = (Fault.WRONG, Fault.MISSING if self.is_all_sealed else Fault.PUT_BACK, *Fault)
        return next((fault for fault in order if fault in faults), None)

    def is_unchecked(self, model: type[SealedRow], values: Any) -> bool:
        """Whether a row has a seal under a lost key, and is accepted."""
        seals = [values[sealed.into] or "" for sealed in model.SEALS]
        return not self.only_current and any(seal.partition(":")[0] in self.keys.lost for seal in seals)

    def _had(self, model: type[SealedRow], values: Any, recorded: str) -> bool:
        """Whether the row as it is now would have had this seal; under a key that is lost nothing is compared."""
        if recorded == values[model.SEALS[0].into]:
            # Looked at already.
            return True
        right = seal_under(self.keys, recorded.partition(":")[0], model, model.SEALS[0], values)
        return right in (None, recorded)

    def _of(self, model: type[SealedRow], sealed: Sealed, values: Any) -> Fault | None:
        seal = values[sealed.into]
        if seal is None:
            return Fault.MISSING
        if seal.partition(":")[0] not in self.keys.lost and not fits(self.keys, model, sealed, values, seal):
            return Fault.WRONG
        return Fault.OLD_KEY if self.only_current and not seal.startswith(f"{self.keys.current_id}:") else None


async def _judge(session: AsyncSession) -> _Judge:
    keys, state = event_chain.keyring(session), await load_seal_state(session)
    return _Judge(keys, bool(state.all_under or state.distrusts), keys.current_id in state.all_under)
