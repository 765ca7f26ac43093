"""Remarks of an organization in a round: questions, answers, explanations, petitions and decisions.

This module has the table and the rules for every remark's text. The operations are in models/remarks: question.py,
explanation.py, petition.py, and thread.py, which reads them. Remarks are insert only, like certificates.
"""

import enum
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.accounts.account import Officer, Role
from models.audit import event_chain
from models.audit.digests import keyed_digest
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.font import undrawn, visible
from models.base.grants import Grants
from models.base.names import is_unseen
from models.base.spelling import spelled
from models.base.tables import Base, BigKey, text_enum
from models.organizations.organization import Organization
from models.rounds.round import Round

MAX_REMARK = 1000
MIN_REMARK = 5
# The length of Reopening.by_name.
MAX_OPERATOR = 200


class RemarkKind(enum.StrEnum):
    """The kind of a remark."""

    QUESTION = "question"
    ANSWER = "answer"
    EXPLANATION = "explanation"
    PETITION = "petition"
    DECISION = "decision"


class Rule(enum.StrEnum):
    """The rules for a remark's text."""

    NOT_SHORT = "not_short"
    NOT_LONG = "not_long"
    IN_LETTERS = "in_letters"
    # For texts typed into the chat: six digits without words may be a PIN.
    NO_NUMBER = "no_number"
    # For the operator's reasons: certificates print them.
    DRAWN = "drawn"


class RemarkRefused(DomainError):
    """A remark's text breaks `rule`, which is None when there is no text.

    For Rule.DRAWN, `letter` is the character that certificates cannot show.
    """

    def __init__(self, rule: Rule | None = None, letter: str = "") -> None:
        self.rule = rule
        what = f"a reason is written in words, {MIN_REMARK} to {MAX_REMARK:,} letters"
        super().__init__(_not_drawn("a reason", letter) if rule is Rule.DRAWN else what)


class OperatorRefused(DomainError):
    """The operator's name is empty, too long, or has an invisible character, or one that certificates cannot show.

    In the last case, `letter` is that character.
    """

    def __init__(self, letter: str = "") -> None:
        what = (
            f"--by names the person or office that decides, in 1 to {MAX_OPERATOR} letters, none of them invisible"
        )
        super().__init__(_not_drawn("--by", letter) if letter else what)


def _not_drawn(text: str, letter: str) -> str:
    return f"{text} holds {visible(letter)}, which certificates cannot show; write it in Thai or Latin letters"


class Remark(Base):
    """One remark. `answers_id` is the question or petition that it answers or decides; `granted` is a decision's
    result.
    """

    COVERAGE: ClassVar[Coverage] = covered(
        "id organization_code round_id revision kind body about author officer_id answers_id granted made_at",
        "its event; of the author's name a keyed digest",
    )

    __tablename__ = "remark"
    __grants__ = Grants(application="SELECT, INSERT", operator="SELECT, INSERT")
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"), index=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    revision: Mapped[int]
    kind: Mapped[RemarkKind] = mapped_column(text_enum(RemarkKind, checked=False))
    body: Mapped[str] = mapped_column(Text)
    # A question's subject (a category or a record number), or the headcounts that an explanation explains.
    about: Mapped[str | None] = mapped_column(String(80))
    author: Mapped[str] = mapped_column(String(400))
    officer_id: Mapped[int | None] = mapped_column(ForeignKey("officer.id"))
    answers_id: Mapped[int | None] = mapped_column(ForeignKey("remark.id"), unique=True)
    granted: Mapped[bool | None]
    made_at: Mapped[datetime]

    organization: Mapped[Organization] = relationship(lazy="raise")
    round: Mapped[Round] = relationship(lazy="raise")
    officer: Mapped[Officer | None] = relationship(lazy="raise")

    @property
    def side(self) -> Role | None:
        """The role of the officer who wrote it, who must be loaded; None for the operator's remarks."""
        return self.officer.account.role if self.officer else None


async def add_remark(session: AsyncSession, officer: Officer, now: datetime, **facts: Any) -> Remark:
    """Insert an officer's remark, signed with the current name and position, and return it with its id.

    `facts` are the remaining columns of Remark; the body must come from `remark_text`. Checks no right. The caller
    records the remark's event in the same transaction, with `recorded_of`: `laocert audit verify` compares them.
    """
    author = f"{officer.full_name} {officer.position}"
    remark = Remark(author=author, officer_id=officer.id, made_at=now, **facts)
    session.add(remark)
    await session.flush()
    return remark


def recorded_of(session: AsyncSession, remark: Remark) -> dict[str, Any]:
    """Return the details that every remark's event has: round id, revision, and a keyed digest of the author.

    No event contains the author's name itself.
    """
    author = keyed_digest(event_chain.keyring(session), remark.author)
    return {"round_id": remark.round_id, "revision": remark.revision, "author": author}


def remark_text(typed: str) -> str:
    """Return a typed remark in canonical spelling, with single blanks, its lines, and no invisible characters.

    Raises RemarkRefused when it has no letters, or fewer than MIN_REMARK or more than MAX_REMARK characters.
    """
    lines = [" ".join(_seen(line).split()) for line in spelled(typed).splitlines()]
    tidy = "\n".join(line for line in lines if line)
    if not any(letter.isalpha() for letter in tidy):
        raise RemarkRefused(Rule.IN_LETTERS)
    if len(tidy) < MIN_REMARK:
        raise RemarkRefused(Rule.NOT_SHORT)
    if len(tidy) > MAX_REMARK:
        raise RemarkRefused(Rule.NOT_LONG)
    return tidy


def operator_reason(typed: str) -> str:
    """Return the operator's typed reason, normalized as by remark_text.

    Raises RemarkRefused, also for a character that certificates cannot show.
    """
    reason = remark_text(typed)
    letter = undrawn(reason)
    if letter is not None:
        raise RemarkRefused(Rule.DRAWN, letter)
    return reason


def operator_name(typed: str) -> str:
    """Return the operator's typed name in canonical spelling with single blanks. Raises OperatorRefused.

    Invisible characters are refused and not removed as in a remark, so that readers see exactly the name given.
    """
    tidy = " ".join(spelled(typed).split())
    if (
        any(is_unseen(letter) for letter in tidy)
        or not any(letter.isalpha() for letter in tidy)
        or len(tidy) > MAX_OPERATOR
    ):
        raise OperatorRefused
    letter = undrawn(tidy)
    if letter is not None:
        raise OperatorRefused(letter)
    return tidy


def _seen(line: str) -> str:
    """Remove invisible characters, which can make a sentence read differently from what is stored.

    They are not refused, because pasted text often contains them.
    """
    return "".join(letter for letter in line.replace("\t", " ") if not is_unseen(letter))
