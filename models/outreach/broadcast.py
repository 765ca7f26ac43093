"""Broadcasts: the operator's announcements to the officers of organizations or provinces, and their delivery."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import ColumnElement, String, Text, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.accounts.account import Account, Role, chats
from models.audit import event_chain
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.grants import Grants
from models.base.names import is_unseen
from models.base.tables import Base, BigKey
from models.base.thai import arabic_digits
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from models.province.progress import require_province

# Characters of a text: with the heading it fits into one message (Bot API, sendMessage: 4,096 characters).
MAX_TEXT = 3_500
# The same text to the same audience within this time counts as a mistake.
DOUBLED = timedelta(hours=1)
# Longer than any delay between two attempts: a message due later waits for the end of an officer's quiet hours.
PUT_OFF = timedelta(minutes=2)

# Unicode's line and paragraph separators, which are invisible in a chat.
_SEPARATORS = frozenset({"Zl", "Zp"})
# Line feed, and the variation selector that turns a symbol into an emoji (⚠️).
_ALLOWED = {"\n", "\ufe0f"}


class BroadcastRefused(DomainError):
    """The text or the audience is invalid, or the same was announced within the hour. The message says which."""


@dataclass(frozen=True)
class Audience:
    """All officers of organizations, all officers of provinces, or the officers of one province."""

    role: Role
    province_code: str | None = None

    def __str__(self) -> str:
        return self.role if self.province_code is None else f"{self.role}:{self.province_code}"


class Broadcast(Base):
    """One announcement as it was queued."""

    COVERAGE: ClassVar[Coverage] = covered("id audience body made_at", "its event; of the words a digest")

    __tablename__ = "broadcast"
    __grants__ = Grants(application="SELECT", operator="SELECT, INSERT")
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's own form

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    audience: Mapped[str] = mapped_column(String(30))
    body: Mapped[str] = mapped_column(Text)
    made_at: Mapped[datetime]


@dataclass(frozen=True)
class Report:
    """The delivery of an announcement, in numbers of chats.

    `waiting` chats may still get the message; `put_off` is the part of them that waits for the end of quiet hours.
    """

    broadcast: Broadcast
    delivered: int
    unreachable: int
    dead: int
    waiting: int
    put_off: int

    @property
    def chats(self) -> int:
        """The number of chats that the announcement goes to."""
        return self.settled + self.waiting

    @property
    def settled(self) -> int:
        """The number of chats whose delivery has ended, with or without success."""
        return self.delivered + self.unreachable + self.dead


def parse_audience(words: str) -> Audience:
    """Parse `lao`, `province` or `province:30`. Raises BroadcastRefused for anything else."""
    role, colon, code = words.partition(":")
    if words in (Role.LAO, Role.PROVINCE):
        return Audience(Role(words))
    if role == Role.PROVINCE and colon and code:
        return Audience(Role.PROVINCE, arabic_digits(code))
    raise BroadcastRefused(f"{words} is no audience; give lao, province, or province:30")


def broadcast_text(content: bytes) -> str:
    """Decode a text file and trim trailing spaces and blank lines at both ends.

    Raises BroadcastRefused if the content is not UTF-8, contains invisible characters, is empty, or is longer than
    MAX_TEXT characters.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BroadcastRefused(f"the text is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    tidy = "\n".join(line.rstrip(" ") for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    for number, line in enumerate(tidy.split("\n"), start=1):
        for letter in line:
            if _is_unseen(letter):
                raise BroadcastRefused(
                    f"line {number} contains the invisible character U+{ord(letter):04X}; remove it"
                )
    tidy = tidy.strip("\n")
    if not any(letter.isalnum() for letter in tidy):
        raise BroadcastRefused("the text is empty; write what the officers are to read")
    if len(tidy) > MAX_TEXT:
        raise BroadcastRefused(f"the text has {len(tidy):,} characters; make it {MAX_TEXT:,} at most")
    return tidy


def _is_unseen(letter: str) -> bool:
    return letter not in _ALLOWED and is_unseen(letter, _SEPARATORS)


def _concerned(audience: Audience) -> list[ColumnElement[bool]]:
    conditions = [Account.role == audience.role]
    if audience.province_code is not None:
        conditions.append(Account.province_code == audience.province_code)
    return conditions


async def count_chats(session: AsyncSession, audience: Audience) -> int:
    """Count the chats that an announcement goes to. Raises UnknownProvince; BroadcastRefused if there are none."""
    if audience.province_code is not None:
        await require_province(session, audience.province_code)
    number = await session.scalar(select(func.count()).select_from(chats(*_concerned(audience)).subquery()))
    if not number:
        raise BroadcastRefused(f"nobody is linked to {audience}; nothing was queued")
    return number


async def announce(
    session: AsyncSession, audience: Audience, body: str, now: datetime, *, again: bool = False
) -> Broadcast:
    """Enqueue an announcement for all chats of its audience, and record it in the audit chain.

    Raises UnknownProvince; BroadcastRefused if nobody is linked, or if the same was announced to the same audience
    within DOUBLED, unless `again`.
    """
    await count_chats(session, audience)
    broadcast = Broadcast(audience=str(audience), body=body, made_at=now)
    session.add(broadcast)
    await session.flush()
    queued = await outbox.enqueue_all(
        session, NoticeKind.BROADCAST, chats(*_concerned(audience)), broadcast.id, now
    )
    await event_chain.record(
        session,
        event_chain.Event.BROADCAST,
        event_chain.SYSTEM,
        now,
        broadcast=broadcast.id,
        audience=broadcast.audience,
        chats=queued,
        digest=_digest(broadcast),
    )
    # After the audit record, whose lock serializes two simultaneous announcements.
    if not again and await _was_said(session, broadcast):
        raise BroadcastRefused(
            "the same text was announced to the same officers within the hour; add --again to send it again"
        )
    return broadcast


def _digest(broadcast: Broadcast) -> str:
    return hashlib.sha256(broadcast.body.encode()).hexdigest()


async def is_recorded(session: AsyncSession, broadcast: Broadcast) -> bool:
    """Return whether an event tells of the announcement, and of these words for this audience.

    Reads the chain `system` back from its end to that event, which is near it while the announcement is sent.
    """
    event = event_chain.AuditEvent
    number = event_chain.canonical({"broadcast": broadcast.id})[1:-1]
    newest = (
        select(event)
        .where(
            event.chain == event_chain.SYSTEM,
            event.kind == event_chain.Event.BROADCAST,
            # In canonical JSON a value is followed by a comma or a closing brace.
            or_(*(event.details.contains(number + end, autoescape=True) for end in ",}")),
        )
        .order_by(event.number.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    recorded = await session.scalar(newest)
    if recorded is None or not await event_chain.is_as_recorded(session, recorded):
        return False
    details = json.loads(recorded.details)
    return (details.get("audience"), details.get("digest")) == (broadcast.audience, _digest(broadcast))


async def _was_said(session: AsyncSession, broadcast: Broadcast) -> bool:
    """Return whether another announcement within DOUBLED has the same text and audience."""
    twin = exists().where(
        Broadcast.id != broadcast.id,
        Broadcast.audience == broadcast.audience,
        Broadcast.body == broadcast.body,
        Broadcast.made_at > broadcast.made_at - DOUBLED,
        Broadcast.made_at < broadcast.made_at + DOUBLED,
    )
    return bool(await session.scalar(select(twin)))


async def load_broadcast(session: AsyncSession, broadcast_id: int | None) -> Broadcast:
    """Return the announcement with an id, or the newest for None. Raises BroadcastRefused if there is none."""
    statement = select(Broadcast).order_by(Broadcast.id.desc()).limit(1)
    if broadcast_id is not None:
        statement = statement.where(Broadcast.id == broadcast_id)
    broadcast = await session.scalar(statement)
    if broadcast is None:
        what = "nothing was announced yet" if broadcast_id is None else f"there is no announcement {broadcast_id}"
        raise BroadcastRefused(f"{what}; see: laocert broadcast --help")
    return broadcast


async def report(session: AsyncSession, broadcast: Broadcast, now: datetime) -> Report:
    """Count an announcement's chats by the state of their delivery."""
    state = OutboxMessage.state
    is_waiting = state.in_([*outbox.UNSETTLED, State.HELD])
    counts = (
        func.count().filter(state == State.SENT),
        func.count().filter(outbox.is_unreachable()),
        func.count().filter(state.in_([State.DEAD, State.DROPPED]), ~outbox.is_unreachable()),
        func.count().filter(is_waiting),
        func.count().filter(state == State.PENDING, OutboxMessage.due_at > now + PUT_OFF),
    )
    counted = await session.execute(
        select(*counts).where(OutboxMessage.kind == NoticeKind.BROADCAST, OutboxMessage.subject_id == broadcast.id)
    )
    return Report(broadcast, *counted.one())
