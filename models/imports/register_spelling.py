"""Keeps a register's own spelling of texts that look like the file's.

Texts of a file are normalized (models/base/spelling.py). An older version stored texts as typed, and digests,
certificates and spot-checks depend on these characters. A file that differs from a register only in spelling must
therefore change nothing.
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
    """SQL condition on a record joined with its staged row: a text differs, and a stored text may not be
    normalized.

    The pattern is matched only where a text differs, and once for all texts, because on SQLite it calls Python.
    """
    stored = [getattr(PersonnelRecord, name) for name in _TEXTS]
    differs = or_(*(text != STAGED.c[name] for text, name in zip(stored, _TEXTS, strict=True)))
    # Joined by a character that the pattern matches together with no other.
    together = stored[0] + "|" + stored[1] + "|" + stored[2]
    return and_(differs, together.regexp_match(ODD))


async def keep_texts(session: AsyncSession) -> None:
    """Update staged texts to the stored record's spelling where both look alike."""
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
    """Update staged record numbers of these organizations to the stored spelling where both look alike.

    A staged number stays as it is if a stored record has exactly that number.
    """
    record = PersonnelRecord
    odd: list[tuple[str, str]] = []
    for chunk in chunks(codes):
        rows = await session.execute(
            select(record.organization_code, record.record_no).where(
                record.organization_code.in_(chunk), _is_not_ascii(session), record.record_no.regexp_match(ODD)
            )
        )
        odd += [(code, number) for code, number in rows]
    if not odd:
        return
    await index_staged(session)
    code: BindParameter[str] = bindparam("of")
    alike: BindParameter[str] = bindparam("alike")
    has_same = exists().where(record.organization_code == code, record.record_no == alike)
    await session.execute(
        update(STAGED)
        .where(STAGED.c.organization_code == code, STAGED.c.record_no == alike, ~has_same)
        .values(record_no=bindparam("number")),
        [{"of": code, "alike": spelled(number), "number": number} for code, number in odd],
    )


def _is_not_ascii(session: AsyncSession) -> ColumnElement[bool]:
    """SQL condition: the record number has non-ASCII characters. A cheap test, because hardly any number has."""
    number = PersonnelRecord.record_no
    if session.get_bind().dialect.name == "sqlite":
        return func.length(cast(number, LargeBinary)) > func.length(number)
    return func.octet_length(number) > func.length(number)


async def index_staged(session: AsyncSession) -> None:
    """Create the index on the staged rows' organization and number, unless it exists."""
    await session.execute(
        text("CREATE INDEX IF NOT EXISTS staged_number ON staged (organization_code, record_no)")
    )
