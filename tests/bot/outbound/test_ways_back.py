"""Chats that are reachable again: what their officers missed, and the operator's group under a new id."""

import pytest
from sqlalchemy import select

from demo.botapi import Phone
from demo.botapi.groups import Group
from models.certification.certificate import Level
from models.chats.conversation import Conversation
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import State
from tests.bot.outbound.office import Office, hears_all, sending
from tests.bot.running import certificate, outbox_rows, until
from tests.support import certify_as, link

# --- an officer who unblocks the bot ------------------------------------------------------------------------


async def all_settled(office: Office) -> bool:
    return not [row for row in await outbox_rows(office.database) if row.state in outbox.UNSETTLED]


async def deliver_all(office: Office, operator_chat: int | None = None) -> None:
    """Run a new courier until nothing is left to send."""
    async with sending(office.emulator, office.database, office.clock, operator_chat=operator_chat):
        await until(lambda: all_settled(office))


async def miss(office: Office, phone: Phone, count: int) -> None:
    for _ in range(count):
        await office.queue(phone, NoticeKind.COLLEAGUE_CERTIFIED)
    await deliver_all(office)


def lines_of(phone: Phone) -> list[str]:
    """The notices about missed messages."""
    return [message.text for message in phone.messages if message.text.startswith("🔕")]


async def come_back(office: Office, phone: Phone) -> None:
    phone.unblock()
    await hears_all(office)
    await deliver_all(office)


async def test_who_unblocks_the_bot_is_told_in_one_line_how_much_was_missed(office: Office) -> None:
    phone, colleague = await office.linked("ก"), await office.linked("ข")
    phone.block()
    await miss(office, phone, 3)
    await miss(office, colleague, 1)
    await come_back(office, phone)
    assert lines_of(phone) == [
        "🔕 ระบบส่งข้อความถึงท่านไม่ได้ช่วงหนึ่ง มีการแจ้งเตือน 3 รายการที่ท่านไม่ได้รับ โปรดดูสถานะล่าสุดที่หน้าหลัก"
    ]
    assert phone.last.labels == ["หน้าหลัก"]
    assert not lines_of(colleague)
    # No notice a second time, and none without missed messages.
    phone.block()
    await come_back(office, phone)
    assert len(lines_of(phone)) == 1
    office.clock.move(minutes=1)
    phone.block()
    await miss(office, phone, 1)
    await come_back(office, phone)
    assert "1 รายการ" in lines_of(phone)[-1]
    # Why they did not arrive is still known to the operator.
    reasons = {row.error or "" for row in await outbox_rows(office.database) if row.state is State.DEAD}
    assert len(reasons) == 1
    assert "bot was blocked by the user" in reasons.pop()


async def test_a_line_that_is_lost_itself_stands_for_what_it_told_of(office: Office) -> None:
    phone = await office.linked("ก")
    phone.block()
    await miss(office, phone, 2)
    # Messages sent before the block can be read after it.
    phone.chat.bot_status = "member"
    await phone.send("/menu")
    phone.chat.bot_status = "kicked"
    await hears_all(office)
    await deliver_all(office)
    assert not lines_of(phone)
    await miss(office, phone, 1)
    await come_back(office, phone)
    assert ["3 รายการ" in line for line in lines_of(phone)] == [True]


async def test_what_another_account_missed_is_not_told(office: Office) -> None:
    phone = await office.linked("ก")
    phone.block()
    await miss(office, phone, 2)
    await office.unlink(phone)
    await come_back(office, phone)
    assert not lines_of(phone)
    office.clock.move(hours=1)
    async with office.database.write() as session:
        await link(session, "lao5110201", phone.id, office.clock())
    phone.block()
    await miss(office, phone, 1)
    await come_back(office, phone)
    assert ["1 รายการ" in line for line in lines_of(phone)] == [True]


async def test_a_province_that_comes_back_hears_what_waits_for_it(office: Office) -> None:
    phone = await office.linked("ก")
    phone.block()
    await certify_as(office.database, "lao5110201", 501, "5110201", Level.LAO, office.clock())
    await deliver_all(office)
    await come_back(office, phone)
    assert [message.text for message in phone.messages if message.text.startswith("🔔 รอท่าน 1")]
    # Nothing else was for it.
    assert not lines_of(phone)


# --- the operator's group ------------------------------------------------------------------------------------


async def write_to(office: Office, chat_id: int) -> str:
    """Queue a message for the operator's chat; the code in it."""
    office.made += 1
    async with office.database.write() as session:
        certification_id = await certificate(session, office.officer_id, office.clock(), office.made)
        outbox.enqueue(session, NoticeKind.PROVINCE_CERTIFIED, chat_id, certification_id, office.clock())
    await deliver_all(office, chat_id)
    return f"C{office.made:09}"


def has_arrived(group: Group, code: str) -> bool:
    return any(code in message.text.replace("-", "") for message in group.messages if message.outgoing)


@pytest.fixture
def owner(office: Office) -> Phone:
    return office.phone("ผู้ดูแล")


@pytest.fixture
def group(office: Office, owner: Phone) -> Group:
    """The operator's group; the setting keeps its first id."""
    operators_group = office.emulator.group("ผู้ดูแลระบบ", [owner])
    operators_group.add_bot(owner)
    return operators_group


async def test_a_group_is_followed_by_the_word_of_its_move(office: Office, owner: Phone, group: Group) -> None:
    await hears_all(office, group.id)
    moved = group.upgrade(owner)
    await hears_all(office, group.id)
    assert has_arrived(moved, await write_to(office, group.id))
    # With the first attempt.
    assert [int(call.params["chat_id"]) for call in office.emulator.calls_of("sendMessage")] == [moved.id]
    async with office.database.read() as session:
        flags = await session.scalars(select(Conversation.told_private_only).order_by(Conversation.chat_id))
        assert list(flags) == [True, True]


@pytest.mark.parametrize("lost", ["migrate_to_chat_id", "migrate_from_chat_id"])
async def test_one_word_of_the_move_is_enough(office: Office, owner: Phone, group: Group, lost: str) -> None:
    moved = group.upgrade(owner)
    pending = office.emulator.updates.pending
    [word] = [update for update in pending if lost.encode() in update.body]
    pending.remove(word)
    await hears_all(office, group.id)
    assert has_arrived(moved, await write_to(office, group.id))
    assert [int(call.params["chat_id"]) for call in office.emulator.calls_of("sendMessage")] == [moved.id]


@pytest.mark.parametrize("word", ["my_chat_member", "message"])
async def test_a_group_that_has_moved_is_followed_through_a_removal_and_an_invitation(
    office: Office, owner: Phone, group: Group, word: str
) -> None:
    moved = group.upgrade(owner)
    assert has_arrived(moved, await write_to(office, group.id))
    moved.kick_bot(owner)
    assert not has_arrived(moved, await write_to(office, group.id))
    assert not has_arrived(moved, await write_to(office, group.id))
    pending = office.emulator.updates.pending
    pending.clear()
    moved.add_bot(owner)
    # One of the two updates that an invitation brings.
    [update] = [update for update in pending if update.kind == word]
    pending.clear()
    pending.append(update)
    await hears_all(office, group.id)
    await deliver_all(office, group.id)
    [line] = [message.text for message in moved.messages if message.text.startswith("🔕")]
    assert "2 รายการที่ไม่ได้ส่ง" in line
    assert "laocert outbox list --state dead" in line
    assert has_arrived(moved, await write_to(office, group.id))


async def test_a_group_that_moved_while_the_bot_was_away_is_found(
    office: Office, owner: Phone, group: Group
) -> None:
    group.kick_bot(owner)
    await write_to(office, group.id)
    moved = group.upgrade(owner)
    office.emulator.updates.pending.clear()
    moved.add_bot(owner)
    await hears_all(office, group.id)
    await deliver_all(office, group.id)
    assert [message.text for message in moved.messages if message.text.startswith("🔕")]
    assert has_arrived(moved, await write_to(office, group.id))


async def test_another_group_hears_nothing_of_the_operators(office: Office, owner: Phone, group: Group) -> None:
    group.kick_bot(owner)
    await write_to(office, group.id)
    other = office.emulator.group("กลุ่มอื่น", [owner])
    other.add_bot(owner)
    await hears_all(office, group.id)
    await deliver_all(office, group.id)
    assert not [message for message in other.messages if message.outgoing]
    # What was to be told is told when the operator's group is there again.
    group.add_bot(owner)
    await hears_all(office, group.id)
    await deliver_all(office, group.id)
    [line] = [message.text for message in group.messages if message.text.startswith("🔕")]
    assert "1 รายการ" in line
