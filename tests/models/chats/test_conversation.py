"""What is remembered of a chat: it begins in Thai, waits for nothing, and forgets messages that are gone."""

from datetime import datetime, timedelta

from sqlalchemy import inspect, select

from models.chats.conversation import (
    Awaiting,
    Card,
    Conversation,
    Language,
    chat_language,
    forget_card,
    load_conversation,
    note_card,
)
from models.database.engine import Database

CHAT, OTHER = 501, 502


async def test_a_new_chat_begins_in_thai_and_waits_for_nothing(database: Database) -> None:
    async with database.write() as session:
        begun = await load_conversation(session, CHAT)
        await session.flush()
        assert (begun.language, begun.awaiting, begun.told_private_only) == (
            Language.THAI,
            Awaiting.NOTHING,
            False,
        )
        begun.language, begun.awaiting = Language.ENGLISH, Awaiting.PASSWORD
    async with database.write() as session:
        again = await load_conversation(session, CHAT)
        assert (again.language, again.awaiting) == (Language.ENGLISH, Awaiting.PASSWORD)
        assert (await load_conversation(session, OTHER)).language is Language.THAI
    async with database.read() as session:
        assert set(await session.scalars(select(Conversation.chat_id))) == {CHAT, OTHER}


async def test_a_chat_without_a_conversation_is_read_in_thai_and_none_is_begun(database: Database) -> None:
    async with database.write() as session:
        assert await chat_language(session, CHAT) is Language.THAI
        await session.flush()
        assert list(await session.scalars(select(Conversation))) == []
        (await load_conversation(session, CHAT)).language = Language.ENGLISH
    async with database.read() as session:
        assert await chat_language(session, CHAT) is Language.ENGLISH


async def test_waiting_ends_once_and_is_no_change_where_nothing_was_waited_for(database: Database) -> None:
    async with database.write() as session:
        conversation = await load_conversation(session, CHAT)
        conversation.awaiting = Awaiting.PETITION
        await session.flush()
        conversation.await_nothing()
        assert conversation.awaiting is Awaiting.NOTHING
        await session.flush()
        conversation.await_nothing()
        assert not inspect(conversation).modified


async def test_the_newest_card_is_the_screen_and_all_of_them_are_known(database: Database, now: datetime) -> None:
    async with database.write() as session:
        for chat, message in ((CHAT, 10), (CHAT, 12), (OTHER, 10)):
            await note_card(session, chat, message, now)
        # Drawn anew: the same message, and one row of it.
        await note_card(session, CHAT, 12, now + timedelta(hours=1))
    async with database.write() as session:
        assert (await load_conversation(session, CHAT)).card_message_id == 12
        cards = select(Card.chat_id, Card.message_id, Card.sent_at).order_by(Card.chat_id, Card.message_id)
        later = now + timedelta(hours=1)
        assert [tuple(row) for row in await session.execute(cards)] == [
            (CHAT, 10, now),
            (CHAT, 12, later),
            (OTHER, 10, now),
        ]
        await forget_card(session, CHAT, 10)
        await forget_card(session, CHAT, 999)
        assert [tuple(row) for row in await session.execute(cards)] == [(CHAT, 12, later), (OTHER, 10, now)]
