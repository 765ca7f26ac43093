"""What the bot remembers of a chat: its language, its live card, and which text it waits for."""

import enum
from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, String, Text, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.base.coverage import Coverage, not_covered
from models.base.tables import Base, text_enum


class Language(enum.StrEnum):
    """Thai first, English second."""

    THAI = "th"
    ENGLISH = "en"


class Awaiting(enum.StrEnum):
    """The text that the next message is taken for."""

    NOTHING = "nothing"
    USERNAME = "username"
    PASSWORD = "password"  # noqa: S105 - the name of a step, not a secret
    FULL_NAME = "full_name"
    POSITION = "position"
    # The account's password once more, of an officer who has forgotten its PIN.
    PASSWORD_FOR_PIN = "password_for_pin"  # noqa: S105 - the name of a step, not a secret
    PETITION = "petition"
    # What is not correct in a record of a spot-check; `subject` says which.
    NOTE = "note"
    # A province's own words for a reopening of the organization that `subject` names.
    REOPENING = "reopening"
    EXPLANATION = "explanation"
    RECORD_NO = "record_no"
    QUESTION = "question"
    ANSWER = "answer"


class Conversation(Base):
    """One chat. In a private chat its id is its user's."""

    COVERAGE: ClassVar[Coverage] = not_covered(
        "what is on the screen and asked for; what a tap or a text does is decided by other rows"
    )

    __tablename__ = "conversation"

    chat_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    language: Mapped[Language] = mapped_column(text_enum(Language), default=Language.THAI)
    awaiting: Mapped[Awaiting] = mapped_column(text_enum(Awaiting, checked=False), default=Awaiting.NOTHING)
    # Typed as the first half of a login; dropped with its second half.
    username: Mapped[str | None] = mapped_column(String(64))
    # What the awaited text or the draft is about: an organization and a question's subject, a question, numbers.
    subject: Mapped[str | None] = mapped_column(String(80))
    # A remark that was typed and not sent yet.
    draft: Mapped[str | None] = mapped_column(Text)
    # The message that shows the current screen and is edited in place.
    card_message_id: Mapped[int | None] = mapped_column(BigInteger)
    # A group was told once that the bot talks in private only.
    told_private_only: Mapped[bool] = mapped_column(default=False)
    # No new message before: Telegram has said so (429, retry_after).
    paused_until: Mapped[datetime | None]
    # Telegram refuses messages to it since then, and what it says: the bot was blocked, the account is gone. Until
    # something comes from the chat.
    unreachable_since: Mapped[datetime | None]
    unreachable_reason: Mapped[str | None] = mapped_column(String(300))
    # A group that has become a supergroup has another id.
    moved_to: Mapped[int | None] = mapped_column(BigInteger)

    def await_nothing(self) -> None:
        """No text is waited for. Set only where that is a change: every query looks at what was set first."""
        if self.awaiting is not Awaiting.NOTHING:
            self.awaiting = Awaiting.NOTHING


class Card(Base):
    """A message with buttons that the bot has sent and not deleted: what is blanked when the chat's link ends."""

    COVERAGE: ClassVar[Coverage] = not_covered("which messages are blanked when the link ends")

    __tablename__ = "card"

    chat_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    message_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sent_at: Mapped[datetime]


async def load_conversation(session: AsyncSession, chat_id: int) -> Conversation:
    """What is remembered of a chat; a new chat starts in Thai, waiting for nothing."""
    return await session.get(Conversation, chat_id) or start_conversation(session, chat_id)


def start_conversation(session: AsyncSession, chat_id: int) -> Conversation:
    """A new chat."""
    started = Conversation(
        chat_id=chat_id, language=Language.THAI, awaiting=Awaiting.NOTHING, told_private_only=False
    )
    session.add(started)
    return started


async def note_card(session: AsyncSession, chat_id: int, message_id: int, now: datetime) -> None:
    """A new message shows the current screen."""
    conversation = await load_conversation(session, chat_id)
    conversation.card_message_id = message_id
    await session.merge(Card(chat_id=chat_id, message_id=message_id, sent_at=now))


async def forget_card(session: AsyncSession, chat_id: int, message_id: int) -> None:
    """The message was deleted."""
    await session.execute(delete(Card).where(Card.chat_id == chat_id, Card.message_id == message_id))


async def chat_language(session: AsyncSession, chat_id: int) -> Language:
    """The language that a chat has chosen, Thai before it has."""
    found = await session.get(Conversation, chat_id)
    return found.language if found else Language.THAI
