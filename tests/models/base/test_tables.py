"""What all tables share: moments in one zone, words of a kind, and an INSERT that knows what is there already."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import StatementError

from models.base.tables import conflict_insert
from models.chats.conversation import Card
from models.database.engine import Database
from models.notices.tables import NoticePreference
from models.organizations.organization import Province

BANGKOK = timezone(timedelta(hours=7))


async def test_a_moment_comes_back_as_the_same_in_utc(database: Database, now: datetime) -> None:
    async with database.write() as session:
        session.add(Card(chat_id=1, message_id=1, sent_at=now.astimezone(BANGKOK)))
    async with database.read() as session:
        kept = (await session.scalars(select(Card.sent_at))).one()
        assert (kept, kept.tzinfo) == (now, UTC)
        # Compared as moments, in whatever zone.
        assert await session.scalar(select(Card.chat_id).where(Card.sent_at <= now.astimezone(BANGKOK))) == 1


async def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    """It would be off by seven hours in Thailand."""
    with pytest.raises(StatementError, match="a naive datetime"):
        async with database.write() as session:
            session.add(Card(chat_id=1, message_id=1, sent_at=datetime(2026, 11, 2, 9, 30)))


async def test_the_second_of_two_finds_the_row_of_the_first(database: Database) -> None:
    async with database.write() as session:
        for name in ("ก", "ข"):
            statement = conflict_insert(session, Province).values(code="11", name_th=name, name_en="x")
            kept = statement.on_conflict_do_update(index_elements=["code"], set_={"name_th": name})
            await session.execute(kept)
        ignored = conflict_insert(session, Province).values(code="11", name_th="ค", name_en="x")
        await session.execute(ignored.on_conflict_do_nothing())
        assert list(await session.scalars(select(Province.name_th))) == ["ข"]


async def test_a_word_that_is_no_member_is_not_read(country: Database) -> None:
    """A kind that may grow is not checked by the database, but by whoever reads it."""
    async with country.write() as session:
        await session.execute(
            text(
                "INSERT INTO officer (id, account_id, user_id, linked_at) SELECT 1, min(id), 501, :at FROM account"
            ),
            {"at": "2026-11-02 02:30:00" if country.is_sqlite else datetime(2026, 11, 2, 2, 30, tzinfo=UTC)},
        )
        await session.execute(
            text("INSERT INTO notice_preference VALUES (1, 'whenever', 'none', :skips)"), {"skips": False}
        )
        with pytest.raises(LookupError, match="whenever"):
            (await session.scalars(select(NoticePreference))).all()
