"""What an officer and the operator see when somebody has changed the database without the secret key."""

import json

from sqlalchemy import select, text

from handlers.chat.taps.certification import LaoReview
from handlers.notices.rendering import notice
from models.accounts.account import Officer as Link
from models.audit.event_chain import AuditEvent, Event
from models.certification.certificate import Certification
from models.database.engine import Database
from models.notices.bad_seals import report_bad_seal
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from tests.chat import Officer
from tests.handlers.support import Hand, MakeHand
from tests.support import TO_PIN, Clock

LINK_CHANGED = "ข้อมูลการเชื่อมต่อของแชตนี้ถูกแก้ไขจากนอกระบบ"
ACCOUNT_CHANGED = "ข้อมูลบัญชีของท่านถูกแก้ไขจากนอกระบบ"
REFUSED = "ข้อมูลที่รายการนี้ต้องอาศัยถูกแก้ไขจากนอกระบบ"


async def write(database: Database, statement: str, **values: object) -> None:
    async with database.write() as session:
        await session.execute(text(statement), values)


async def bad_rows(database: Database) -> list[str]:
    """The rows that were reported, in order."""
    async with database.read() as session:
        events = await session.scalars(
            select(AuditEvent.details).where(AuditEvent.kind == Event.BAD_SEAL).order_by(AuditEvent.id)
        )
        return [json.loads(details)["row"] for details in events]


async def test_a_stranger_in_an_officers_place_is_asked_to_log_in(
    officer: MakeHand, stranger: Hand, country: Database, clock: Clock
) -> None:
    await officer()
    await write(
        country,
        "UPDATE officer SET user_id = :chat, pin_hash = NULL, may_set_pin_until = '2026-11-02 02:44:00+00'",
        chat=stranger.phone.id,
    )
    assert "PIN" not in await stranger.say("/start")
    assert "เข้าสู่ระบบ" in stranger.labels
    assert LINK_CHANGED in await stranger.forge(LaoReview())
    assert LINK_CHANGED in await stranger.forge(LaoReview())
    assert await bad_rows(country) == ["officer:1"]
    clock.move(days=1)
    await stranger.forge(LaoReview())
    assert await bad_rows(country) == ["officer:1", "officer:1"]


async def test_an_officer_whose_link_was_changed_logs_in_again(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer()
    await write(country, "UPDATE officer SET full_name = 'อื่น อื่น'")
    assert LINK_CHANGED in await hand.press("ระบบรับรองข้อมูล")
    await Officer(hand.phone).log_in("lao5110201", "ทดสอบ หนึ่ง", "ปลัด")
    async with country.read() as session:
        names = (await session.scalars(select(Link.full_name).where(Link.unlinked_at.is_(None)))).all()
    assert names == ["ทดสอบ หนึ่ง"]


async def test_an_account_that_was_changed_gives_no_right(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    await write(
        country, "UPDATE account SET organization_code = '6110301' WHERE username = :name", name="lao5110201"
    )
    assert ACCOUNT_CHANGED in await hand.press("ระบบรับรองข้อมูล")
    assert await bad_rows(country) == ["account:1"]


async def test_a_changed_warning_is_not_pressed(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    await hand.way(*TO_PIN)
    await write(country, "UPDATE confirmation SET shown_at = '2026-11-02 02:31:00+00'")
    assert REFUSED in await hand.enter()
    async with country.read() as session:
        assert (await session.scalars(select(Certification))).all() == []
    assert [row.partition(":")[0] for row in await bad_rows(country)] == ["confirmation"]


async def test_a_chat_that_was_made_to_look_used_asks_for_the_pin(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer()
    clock.move(hours=13)
    await write(country, "UPDATE officer SET last_seen_at = '2026-11-02 15:30:00+00'")
    assert "PIN" in await hand.press("ระบบรับรองข้อมูล")
    assert await bad_rows(country) == ["officer:1 seen_seal"]
    await hand.enter()
    # Seen now, by the program's own word.
    await hand.say("/menu")
    assert await bad_rows(country) == ["officer:1 seen_seal"]


async def test_the_operator_is_told_once_a_day(country: Database, clock: Clock) -> None:
    for _ in range(3):
        async with country.write() as session:
            await report_bad_seal(session, "officer:1", clock(), 900)
    async with country.write() as session:
        await report_bad_seal(session, "account:1", clock(), 900)
    clock.move(days=1)
    async with country.write() as session:
        await report_bad_seal(session, "officer:1", clock(), 900)
    assert await bad_rows(country) == ["officer:1", "account:1", "officer:1"]
    async with country.read() as session:
        alarms = (
            await session.scalars(select(OutboxMessage).where(OutboxMessage.kind == NoticeKind.BAD_SEAL))
        ).all()
        assert [alarm.chat_id for alarm in alarms] == [900, 900, 900]
        assert len({alarm.subject_id for alarm in alarms}) == 3
        shown = (await notice(session, NoticeKind.BAD_SEAL, 900, alarms[0].subject_id, clock(), None)).text
        assert shown.startswith("🚨 <b>ฐานข้อมูลถูกแก้ไขจากนอกระบบ</b>\n<code>officer:1</code>\n")
        assert shown.endswith("<code>laocert seal check</code>\n<code>laocert audit verify</code>")


async def test_without_an_operators_chat_it_is_recorded_all_the_same(country: Database, clock: Clock) -> None:
    async with country.write() as session:
        await report_bad_seal(session, "officer:1", clock(), None)
    assert await bad_rows(country) == ["officer:1"]
