"""The simulated officer is not confused by notices below the card."""

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from demo.botapi import Emulator
from models.chats.conversation import load_conversation
from models.database.engine import Database
from models.notices.kind import CHANGES, NoticeKind
from models.notices.reachability import lose
from tests.chat import Officer
from tests.handlers.support import NOTICES, Hand, MakeHand, is_card
from tests.support import TO_PIN, Clock, link


async def lose_a_colleague(session: AsyncSession, clock: Clock) -> None:
    """Another officer of the account has blocked the bot, which the others are told."""
    await link(session, "lao5110201", 501, clock(), "ทดสอบ สาม")
    await load_conversation(session, 501)
    await lose(session, 501, "Forbidden: bot was blocked by the user", clock(), None)


async def test_a_notice_below_the_home_is_not_taken_for_it(
    officer: MakeHand, country: Database, clock: Clock, bot: Emulator
) -> None:
    hand = await officer()
    async with country.write() as session:
        await lose_a_colleague(session, clock)
    notice = await hand.sees("ส่งข้อความถึงเจ้าหน้าที่ไม่ได้")
    assert hand.phone.last is notice
    # On a phone that was not used yet, Home is above the notice.
    assert "โปรดใส่ PIN" in await Hand(bot, hand.phone).way(*TO_PIN)


async def test_a_notice_below_an_answer_is_not_waited_out(bot: Emulator, country: Database, clock: Clock) -> None:
    """Both come before the officer looks: the answer is the upper one."""
    phone = bot.phone("ก")
    async with country.write() as session:
        await link(session, "lao5110201", phone.id, clock())
    officer = Officer(phone)
    until = phone.until

    async def until_the_notice_is_there(*arguments, **options):  # type: ignore[no-untyped-def]
        async with country.write() as session:
            await lose_a_colleague(session, clock)
        await until(lambda at: any("ส่งข้อความถึงเจ้าหน้าที่ไม่ได้" in message.text for message in at.messages))
        return await until(*arguments, **options)

    phone.until = until_the_notice_is_there  # type: ignore[method-assign]
    assert is_card(await officer.says("/start", "ปีงบประมาณ"))


@pytest.mark.parametrize("kind", sorted(set(NoticeKind) - CHANGES))
def test_the_notices_of_every_kind_are_known(kind: NoticeKind) -> None:
    assert NOTICES[kind]
