"""The state of a chat: its language, the message that shows its current screen, and the text that the bot
awaits.
"""

import enum
from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, String, Text, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from models.base.coverage import Coverage, not_covered
from models.base.grants import Grants
from models.base.tables import Base, text_enum


class Language(enum.StrEnum):
    """The languages of the chat texts. Thai is the default."""

    THAI = "th"
    ENGLISH = "en"


class Awaiting(enum.StrEnum):
    """Which text the bot expects next: it takes the chat's next text message for this."""

    NOTHING = "nothing"
    USERNAME = "username"
    PASSWORD = "password"  # noqa: S105 - the name of a step, not a secret
    FULL_NAME = "full_name"
    POSITION = "position"
    # The account's password again, from an officer who has forgotten the PIN.
    PASSWORD_FOR_PIN = "password_for_pin"  # noqa: S105 - the name of a step, not a secret
    PETITION = "petition"
    # What is wrong in a spot-checked record; `subject` identifies the record.
    NOTE = "note"
    # A province officer's reason for reopening the organization that `subject` names.
    REOPENING = "reopening"
    EXPLANATION = "explanation"
    RECORD_NO = "record_no"
    QUESTION = "question"
    ANSWER = "answer"


class Conversation(Base):
    """The state of one chat. The id of a private chat is the user's id."""

    COVERAGE: ClassVar[Coverage] = not_covered(
        "what is on the screen and asked for; the button that sends a remark bears a digest of its words, and a"
        " note marks nothing as correct, but who changes what is awaited has the next text taken for that"
    )

    __tablename__ = "conversation"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE", operator="SELECT, UPDATE, DELETE")

    chat_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    language: Mapped[Language] = mapped_column(text_enum(Language), default=Language.THAI)
    awaiting: Mapped[Awaiting] = mapped_column(text_enum(Awaiting, checked=False), default=Awaiting.NOTHING)
    # Typed as the first step of a login; cleared when the password arrives.
    username: Mapped[str | None] = mapped_column(String(64))
    # What the awaited text or the draft is about: an organization and a question's topic, a question, or numbers.
    subject: Mapped[str | None] = mapped_column(String(80))
    # A remark that the officer has typed and not sent yet.
    draft: Mapped[str | None] = mapped_column(Text)
    # The message that shows the current screen and is edited in place.
    card_message_id: Mapped[int | None] = mapped_column(BigInteger)
    # Whether the bot has told this group that it answers in private chats only. It does so once.
    told_private_only: Mapped[bool] = mapped_column(default=False)
    # No new message before this moment: Telegram answered 429 with retry_after.
    paused_until: Mapped[datetime | None]
    # Since when Telegram refuses messages to this chat, and Telegram's description (bot blocked, account deleted).
    # Cleared by the next update from the chat.
    unreachable_since: Mapped[datetime | None]
    unreachable_reason: Mapped[str | None] = mapped_column(String(300))
    # The new chat id of a group that has become a supergroup.
    moved_to: Mapped[int | None] = mapped_column(BigInteger)

    def await_nothing(self) -> None:
        """Expect no text. Assigns only when the value changes: every later query would flush an assignment
        first.
        """
        if self.awaiting is not Awaiting.NOTHING:
            self.awaiting = Awaiting.NOTHING


class Card(Base):
    """A message with buttons that the bot has sent and not deleted. All of a chat are blanked when its link
    ends.
    """

    COVERAGE: ClassVar[Coverage] = not_covered("which messages are blanked when the link ends")

    __tablename__ = "card"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE, DELETE", operator="SELECT, DELETE")

    chat_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    message_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sent_at: Mapped[datetime]


async def load_conversation(session: AsyncSession, chat_id: int) -> Conversation:
    """Return the state of a chat. An unknown chat is added to the session, in Thai and awaiting nothing."""
    return await session.get(Conversation, chat_id) or start_conversation(session, chat_id)


def start_conversation(session: AsyncSession, chat_id: int) -> Conversation:
    """Add a chat that is not in the database yet to the session, and return it."""
    conversation = Conversation(
        chat_id=chat_id, language=Language.THAI, awaiting=Awaiting.NOTHING, told_private_only=False
    )
    session.add(conversation)
    return conversation


async def note_card(session: AsyncSession, chat_id: int, message_id: int, now: datetime) -> None:
    """Record that a new message shows the chat's current screen."""
    conversation = await load_conversation(session, chat_id)
    conversation.card_message_id = message_id
    await session.merge(Card(chat_id=chat_id, message_id=message_id, sent_at=now))


async def forget_card(session: AsyncSession, chat_id: int, message_id: int) -> None:
    """Delete the row of a card whose message was deleted."""
    await session.execute(delete(Card).where(Card.chat_id == chat_id, Card.message_id == message_id))


async def chat_language(session: AsyncSession, chat_id: int) -> Language:
    """Return the language that the chat has chosen; Thai if it has not chosen one."""
    conversation = await session.get(Conversation, chat_id)
    return conversation.language if conversation else Language.THAI
