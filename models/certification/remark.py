"""The thread of remarks of an organization in a round: what was asked, explained, petitioned and decided.

Here are the rows and what every remark obeys; beside it models/remarks/question.py, models/remarks/explanation.py
and models/remarks/petition.py (petitions) say what may happen, models/remarks/thread.py reads them. Kept with the
certificates; insert only.
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
    """What a remark is."""

    QUESTION = "question"
    ANSWER = "answer"
    EXPLANATION = "explanation"
    PETITION = "petition"
    DECISION = "decision"


class Rule(enum.StrEnum):
    """What a remark must be."""

    NOT_SHORT = "not_short"
    NOT_LONG = "not_long"
    IN_LETTERS = "in_letters"
    # Of those that are typed into the chat: six digits with no words may be a PIN.
    NO_NUMBER = "no_number"
    # Of the operator's reasons: certificates bear them.
    DRAWN = "drawn"


class RemarkRefused(DomainError):
    """The text is too short or too long, or not in letters; there is no `rule` where there is no text. `letter`:
    the one that certificates cannot show.
    """

    def __init__(self, rule: Rule | None = None, letter: str = "") -> None:
        self.rule = rule
        what = f"a reason is written in words, {MIN_REMARK} to {MAX_REMARK:,} letters"
        super().__init__(_not_drawn("a reason", letter) if rule is Rule.DRAWN else what)


class OperatorRefused(DomainError):
    """The name under which the operator decides is not one that can be read; `letter`: the one that certificates
    cannot show.
    """

    def __init__(self, letter: str = "") -> None:
        what = (
            f"--by names the person or office that decides, in 1 to {MAX_OPERATOR} letters, none of them invisible"
        )
        super().__init__(_not_drawn("--by", letter) if letter else what)


def _not_drawn(text: str, letter: str) -> str:
    return f"{text} holds {visible(letter)}, which certificates cannot show; write it in Thai or Latin letters"


class Remark(Base):
    """One remark. `answers_id` is what it answers or decides; `granted` belongs to decisions."""

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
    # What a question is about (a category, or a record's number), or the headcounts that are explained.
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
        """Whose officer wrote it; None of the operator's. Its officer must be loaded."""
        return self.officer.account.role if self.officer else None


async def add_remark(session: AsyncSession, officer: Officer, now: datetime, **facts: Any) -> Remark:
    """Insert a remark of an officer, under the name and position that it has now; it has its number."""
    author = f"{officer.full_name} {officer.position}"
    remark = Remark(author=author, officer_id=officer.id, made_at=now, **facts)
    session.add(remark)
    await session.flush()
    return remark


def recorded_of(session: AsyncSession, remark: Remark) -> dict[str, Any]:
    """What every remark's event says: to which round (by number) and revision it belongs, and, as a keyed digest,
    under which name. The name itself is in no event.
    """
    author = keyed_digest(event_chain.keyring(session), remark.author)
    return {"round_id": remark.round_id, "revision": remark.revision, "author": author}


def remark_text(typed: str) -> str:
    """What somebody typed as a remark, in one spelling, blanks tidied, lines kept, what cannot be seen left out.

    Raises RemarkRefused.
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
    """Why the operator decides: a remark that certificates bear. Raises RemarkRefused."""
    reason = remark_text(typed)
    letter = undrawn(reason)
    if letter is not None:
        raise RemarkRefused(Rule.DRAWN, letter)
    return reason


def operator_name(typed: str) -> str:
    """The name under which the operator decides something, in one spelling, blanks tidied. Raises OperatorRefused.

    Nothing else is left out of a name, as it is of a remark: whoever reads it must know it for the name that was
    given.
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
    """What nobody sees can make a sentence read otherwise than it is kept. It is left out and not refused, because
    pasted text often bears it.
    """
    return "".join(letter for letter in line.replace("\t", " ") if not is_unseen(letter))
