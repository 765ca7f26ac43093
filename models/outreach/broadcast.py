"""The operator's word to all officers of a side: what it may be, to whom it goes, and how far it is."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import ColumnElement, String, Text, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.accounts.account import Account, Role, chats
from models.audit import event_chain
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.names import is_unseen
from models.base.tables import Base, BigKey
from models.base.thai import arabic_digits
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.province.progress import require_province

# With the heading it fits into one message (Bot API, sendMessage: 4,096 characters).
MAX_TEXT = 3_500
# Within so long the same words to the same people are a slip of the hand.
DOUBLED = timedelta(hours=1)
# What waits longer than any pause between two tries waits for the end of its officer's quiet hours.
PUT_OFF = timedelta(minutes=2)

# Separators of lines and paragraphs, which nobody sees in a chat.
_SEPARATORS = frozenset({"Zl", "Zp"})
# The end of a line; and what makes a sign a picture (⚠️), though it has no ink of its own.
_ALLOWED = {"\n", "\ufe0f"}


class BroadcastRefused(DomainError):
    """The text or the audience is not as it must be, or it was just said; the message says why."""


@dataclass(frozen=True)
class Audience:
    """All officers of organizations, all of provinces, or those of one province."""

    role: Role
    province_code: str | None = None

    def __str__(self) -> str:
        return self.role if self.province_code is None else f"{self.role}:{self.province_code}"


class Broadcast(Base):
    """One announcement, as it was sent."""

    COVERAGE: ClassVar[Coverage] = covered("id audience body made_at", "its event; of the words a digest")

    __tablename__ = "broadcast"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    audience: Mapped[str] = mapped_column(String(30))
    body: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]


@dataclass(frozen=True)
class Report:
    """How far an announcement is, in chats.

    `waiting` are not settled; `put_off` of them wait for the end of their officers' quiet hours.
    """

    broadcast: Broadcast
    delivered: int
    unreachable: int
    dead: int
    waiting: int
    put_off: int

    @property
    def chats(self) -> int:
        """All of them."""
        return self.settled + self.waiting

    @property
    def settled(self) -> int:
        """Those to which nothing more will be sent."""
        return self.delivered + self.unreachable + self.dead


def parse_audience(words: str) -> Audience:
    """`lao`, `province`, or `province:30`. Raises BroadcastRefused."""
    role, colon, code = words.partition(":")
    if words in (Role.LAO, Role.PROVINCE):
        return Audience(Role(words))
    if role == Role.PROVINCE and colon and code:
        return Audience(Role.PROVINCE, arabic_digits(code))
    raise BroadcastRefused(f"{words} is no audience; give lao, province, or province:30")


def broadcast_text(content: bytes) -> str:
    """The text of a file, without what stands around it. Raises BroadcastRefused."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BroadcastRefused(f"the text is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    tidy = "\n".join(line.rstrip(" ") for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    for number, line in enumerate(tidy.split("\n"), start=1):
        for letter in line:
            if _is_unseen(letter):
                raise BroadcastRefused(f"line {number} holds U+{ord(letter):04X}, which nobody sees; take it out")
    tidy = tidy.strip("\n")
    if not any(letter.isalnum() for letter in tidy):
        raise BroadcastRefused("the text is empty; write what the officers are to read")
    if len(tidy) > MAX_TEXT:
        raise BroadcastRefused(f"the text has {len(tidy):,} characters; make it {MAX_TEXT:,} at most")
    return tidy


def _is_unseen(letter: str) -> bool:
    return letter not in _ALLOWED and is_unseen(letter, _SEPARATORS)


def _concerned(audience: Audience) -> list[ColumnElement[bool]]:
    of = [Account.role == audience.role]
    return of if audience.province_code is None else [*of, Account.province_code == audience.province_code]


async def count_chats(session: AsyncSession, audience: Audience) -> int:
    """How many chats an announcement goes to. Raises UnknownProvince, and BroadcastRefused when there are none."""
    if audience.province_code is not None:
        await require_province(session, audience.province_code)
    found = await session.scalar(select(func.count()).select_from(chats(*_concerned(audience)).subquery()))
    if not found:
        raise BroadcastRefused(f"nobody is linked to {audience}; nothing was queued")
    return found


async def announce(
    session: AsyncSession, audience: Audience, body: str, now: datetime, *, again: bool = False
) -> Broadcast:
    """Queue an announcement for all chats of its audience, and record it.

    `again`: also when it was said within the hour. Raises what count_chats raises, and BroadcastRefused.
    """
    await count_chats(session, audience)
    made = Broadcast(audience=str(audience), body=body, made_at=now)
    session.add(made)
    await session.flush()
    queued = await outbox.enqueue_all(session, NoticeKind.BROADCAST, chats(*_concerned(audience)), made.id, now)
    digest = hashlib.sha256(body.encode()).hexdigest()
    await event_chain.record(
        session,
        event_chain.Event.BROADCAST,
        event_chain.SYSTEM,
        now,
        broadcast=made.id,
        audience=made.audience,
        chats=queued,
        digest=digest,
    )
    # Behind the lock of the record: two at once see each other.
    if not again and await _was_said(session, made):
        raise BroadcastRefused(
            "the same was announced to the same officers within the hour; --again says it again"
        )
    return made


async def _was_said(session: AsyncSession, made: Broadcast) -> bool:
    """Whether another announcement within the hour says the same to the same."""
    twin = exists().where(
        Broadcast.id != made.id,
        Broadcast.audience == made.audience,
        Broadcast.body == made.body,
        Broadcast.made_at > made.made_at - DOUBLED,
        Broadcast.made_at < made.made_at + DOUBLED,
    )
    return bool(await session.scalar(select(twin)))


async def load_broadcast(session: AsyncSession, broadcast_id: int | None) -> Broadcast:
    """One announcement, or the newest. Raises BroadcastRefused."""
    statement = select(Broadcast).order_by(Broadcast.id.desc()).limit(1)
    if broadcast_id is not None:
        statement = statement.where(Broadcast.id == broadcast_id)
    found = await session.scalar(statement)
    if found is None:
        what = "nothing was announced yet" if broadcast_id is None else f"there is no announcement {broadcast_id}"
        raise BroadcastRefused(f"{what}; see: laocert broadcast --help")
    return found


async def report(session: AsyncSession, broadcast: Broadcast, now: datetime) -> Report:
    """How far an announcement is."""
    state = OutboxMessage.state
    is_waiting = state.in_([*outbox.UNSETTLED, State.HELD])
    counts = (
        func.count().filter(state == State.SENT),
        func.count().filter(outbox.is_unreachable()),
        func.count().filter(state.in_([State.DEAD, State.DROPPED]), ~outbox.is_unreachable()),
        func.count().filter(is_waiting),
        func.count().filter(state == State.PENDING, OutboxMessage.due_at > now + PUT_OFF),
    )
    found = await session.execute(
        select(*counts).where(OutboxMessage.kind == NoticeKind.BROADCAST, OutboxMessage.subject_id == broadcast.id)
    )
    return Report(broadcast, *found.one())
