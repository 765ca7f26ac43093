"""Finding rows with a bad seal (`laocert seal check`), and resealing one after a repair (`laocert seal
accept`).
"""

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

# The most characters of a primary key shown, because an attacker can store any text there.
_SHOWN = 40


class Fault(enum.StrEnum):
    """What is wrong with a row's seal."""

    MISSING = "missing"
    WRONG = "wrong"
    OLD_KEY = "old_key"
    PUT_BACK = "put_back"


# The faults in words, for the operator.
FAULTS = {
    Fault.MISSING: "has no seal, and every row has one since: laocert keys seal",
    Fault.WRONG: "was changed without the secret key, or its key is not in LAOCERT_OLD_SECRET_KEYS",
    Fault.OLD_KEY: "is sealed under a key that laocert keys rotate has ended",
    Fault.PUT_BACK: "is an older row: its seal is not the one that its newest event carries",
}
# By table: the effect of a bad seal, and what to do when nobody has repaired the row by hand.
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
    """The row does not exist, or its seal is good."""


@dataclass(frozen=True)
class BadRow:
    """One row with a bad seal. `meaning` says what the effect is, `mend` what to do."""

    table: str
    id: str
    fault: Fault
    meaning: str
    mend: str


@dataclass
class SealFindings:
    """The result of checking all seals.

    `rows` is the number of rows checked, and `since` the time of the last sealing of all rows. `unsealed` rows are
    from before there were seals; `unchecked` rows have a seal under a lost key. Both are accepted until all rows
    are sealed under the current key.
    """

    rows: int = 0
    unsealed: int = 0
    unchecked: int = 0
    since: datetime | None = None
    bad: list[BadRow] = field(default_factory=list)


async def check_seals(session: AsyncSession) -> SealFindings:
    """Check the seal of every row, and compare it with the newest event that contains one."""
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
    """Seal a row with its current values because the operator vouches for them, and record by whom and why.

    Raises OperatorRefused for the name `by`, RemarkRefused for `reason`, and NothingToAccept when the row does not
    exist or its seal is good.
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
    details = {"table": table, "id": row_id, "fault": fault, "by": by, "reason": reason}
    seal_details = {"seals": seals} if model.IS_RECORDED else {}
    await event_chain.record(
        session, Event.SEAL_ACCEPTED, await chain_of(session, model, row._mapping), now, **details, **seal_details
    )


def _bad(model: type[SealedRow], values: Any, fault: Fault) -> BadRow:
    table, identity = row_name(model, values).split(":", 1)
    meaning, mend = MEANINGS[table]
    return BadRow(table, ascii(identity)[1:-1][:_SHOWN], fault, meaning, mend)


async def _held(session: AsyncSession, model: type[SealedRow], row_id: str) -> Any:
    """Lock and return the row with this primary key; None when there is none."""
    table = model.core()  # type: ignore[attr-defined]
    (identity,) = identity_of(model)
    column = table.c[identity]
    if column.type.python_type is int:
        if not row_id.isdecimal():
            return None
        key_value: int | str = int(row_id)
    else:
        key_value = row_id
    return (await session.execute(select(table).where(column == key_value).with_for_update())).first()


async def _rows(session: AsyncSession, model: type[SealedRow]) -> AsyncIterator[Any]:
    table = model.core()  # type: ignore[attr-defined]
    rows = await session.stream(select(table).order_by(*table.primary_key).execution_options(yield_per=1000))
    async for row in rows:
        yield row._mapping


async def _newest_seals(session: AsyncSession) -> dict[str, str | None]:
    """Return the seal of each row in its newest event, by row name."""
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
            # The event was changed; `laocert audit verify` reports it.
            continue
    return seals


@dataclass(frozen=True)
class _Judge:
    """The rules by which seals are accepted now: whether rows must have one, and whether only the current key
    counts.
    """

    keys: Keyring
    is_all_sealed: bool
    only_current: bool

    def fault(self, model: type[SealedRow], values: Any, recorded: str | None) -> Fault | None:
        """Return what is wrong with a row's seals, or None; `recorded` is the first seal in its newest event."""
        faults = [self._of(model, sealed, values) for sealed in model.SEALS]
        if recorded is not None and not self._had(model, values, recorded):
            faults.append(Fault.PUT_BACK)
        # A row whose seal was recorded is not from before there were seals, so PUT_BACK comes before MISSING.
        order = (Fault.WRONG, Fault.MISSING if self.is_all_sealed else Fault.PUT_BACK, *Fault)
        return next((fault for fault in order if fault in faults), None)

    def is_unchecked(self, model: type[SealedRow], values: Any) -> bool:
        """Whether a row has a seal under a lost key, which is accepted unchecked."""
        seals = [values[sealed.into] or "" for sealed in model.SEALS]
        return not self.only_current and any(seal.partition(":")[0] in self.keys.lost for seal in seals)

    def _had(self, model: type[SealedRow], values: Any, recorded: str) -> bool:
        """Whether a recorded seal is that of the row's current values; true under a missing key, which cannot be
        compared.
        """
        if recorded == values[model.SEALS[0].into]:
            # `_of` has checked this seal.
            return True
        expected_seal = seal_under(self.keys, recorded.partition(":")[0], model, model.SEALS[0], values)
        return expected_seal in (None, recorded)

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
