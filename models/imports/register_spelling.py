"""What a file spells otherwise than a register, and means alike, stays as the register has it.

Texts of a file come in one spelling (models/base/spelling.py). An older version has stored texts as they were
typed, and digests, certificates and spot-checks rest on these letters: a file that differs from a register only in
its spelling changes nothing in it.
"""

from collections.abc import Sequence

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    LargeBinary,
    and_,
    bindparam,
    cast,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.spelling import ODD, spelled
from models.imports.common import chunks
from models.imports.staging import STAGED
from models.register.roster import PersonnelRecord

_TEXTS = ("full_name", "position", "level")
_SAME_RECORD = and_(
    PersonnelRecord.organization_code == STAGED.c.organization_code,
    PersonnelRecord.record_no == STAGED.c.record_no,
)


def may_look_alike() -> ColumnElement[bool]:
    """A condition on records beside their staged rows: a text differs, and one is not stored in the one spelling.

    Only where a text differs is the pattern looked for, and once for all of them: on SQLite that calls Python.
    """
    stored = [getattr(PersonnelRecord, name) for name in _TEXTS]
    differs = or_(*(text != STAGED.c[name] for text, name in zip(stored, _TEXTS, strict=True)))
    # Between two texts something that is odd with nothing.
    together = stored[0] + "|" + stored[1] + "|" + stored[2]
    return and_(differs, together.regexp_match(ODD))


async def keep_texts(session: AsyncSession) -> None:
    """Give staged rows the texts of their records that look like theirs."""
    stored = [getattr(PersonnelRecord, name) for name in _TEXTS]
    staged = [STAGED.c[name] for name in _TEXTS]
    keys = STAGED.c.organization_code, STAGED.c.record_no
    statement = select(*keys, *stored, *staged).select_from(STAGED.join(PersonnelRecord, _SAME_RECORD))
    rows = []
    for code, number, *texts in await session.execute(statement.where(may_look_alike())):
        before, after = texts[: len(_TEXTS)], texts[len(_TEXTS) :]
        alike = [old if spelled(old) == new else new for old, new in zip(before, after, strict=True)]
        if alike != after:
            rows.append({"of": code, "number": number, **dict(zip(_TEXTS, alike, strict=True))})
    if not rows:
        return
    await index_staged(session)
    same = STAGED.c.organization_code == bindparam("of"), STAGED.c.record_no == bindparam("number")
    await session.execute(update(STAGED).where(*same).values({name: bindparam(name) for name in _TEXTS}), rows)


async def keep_numbers(session: AsyncSession, codes: Sequence[str]) -> None:
    """Give staged rows the numbers of records of these organizations that look like theirs, unless another record
    has the very same number.
    """
    record = PersonnelRecord
    odd: list[tuple[str, str]] = []
    for some in chunks(codes):
        found = await session.execute(
            select(record.organization_code, record.record_no).where(
                record.organization_code.in_(some), _is_not_ascii(session), record.record_no.regexp_match(ODD)
            )
        )
        odd += [(code, number) for code, number in found]
    if not odd:
        return
    await index_staged(session)
    of: BindParameter[str] = bindparam("of")
    alike: BindParameter[str] = bindparam("alike")
    has_same = exists().where(record.organization_code == of, record.record_no == alike)
    await session.execute(
        update(STAGED)
        .where(STAGED.c.organization_code == of, STAGED.c.record_no == alike, ~has_same)
        .values(record_no=bindparam("number")),
        [{"of": code, "alike": spelled(number), "number": number} for code, number in odd],
    )


def _is_not_ascii(session: AsyncSession) -> ColumnElement[bool]:
    """Numbers hardly ever have other letters; this spares the pattern."""
    number = PersonnelRecord.record_no
    if session.get_bind().dialect.name == "sqlite":
        return func.length(cast(number, LargeBinary)) > func.length(number)
    return func.octet_length(number) > func.length(number)


async def index_staged(session: AsyncSession) -> None:
    """Find staged rows by organization and number, where single ones are looked up."""
    await session.execute(
        text("CREATE INDEX IF NOT EXISTS staged_number ON staged (organization_code, record_no)")
    )
