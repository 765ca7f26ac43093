"""The courier and chats that are no longer linked, idle, unreachable, or moved."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from bot.telegram import api
from demo.botapi import Phone
from models.accounts.account import IDLE, Officer, active_officer
from models.chats.conversation import Conversation
from models.notices import outbox
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State
from tests.bot.outbound.office import HASTY, Office, count_of, hears_from, sending, shown
from tests.bot.running import certificate, outbox_rows, until

# --- links that end, and chats that were left alone ---------------------------------------------------------

BLANKED = "แชตนี้ไม่ได้เชื่อมต่อแล้ว ระบบนำข้อความเดิมออกแล้ว"


async def none_left(office: Office) -> bool:
    return not [row for row in await outbox_rows(office.database) if row.kind is NoticeKind.BLANK]


async def test_what_was_sent_is_taken_away_when_the_link_ends_and_receipts_stay(office: Office) -> None:
    phone = await office.linked("ก")
    notice, receipt = await office.queue(phone, NoticeKind.COLLEAGUE_CERTIFIED), await office.queue(phone)
    async with sending(office.emulator, office.database, office.clock) as courier:
        for number in range(2):
            await office.state(number, State.SENT)
        (sent,) = shown(phone, notice)
        assert sent.buttons
        await office.unlink(phone)
        courier.wake()
        await until(lambda: none_left(office))
    assert (sent.text, sent.buttons) == (BLANKED, [])
    (receipt_message,) = shown(phone, receipt)
    assert "รวม 20" in receipt_message.text


async def test_what_cannot_show_anything_any_more_counts_as_blanked(office: Office) -> None:
    phone = await office.linked("ก")
    codes = [await office.queue(phone, NoticeKind.COLLEAGUE_CERTIFIED) for _ in range(3)]
    async with sending(office.emulator, office.database, office.clock) as courier:
        for number in range(3):
            await office.state(number, State.SENT)
        deleted, fixed, blank = [shown(phone, code)[0] for code in codes]
        deleted.deleted = True
        # As for a message of a business account.
        fixed.service = True
        blank.content, blank.markup = {"text": BLANKED}, None
        await office.unlink(phone)
        courier.wake()
        await until(lambda: none_left(office))
    assert [call.params["message_id"] for call in office.emulator.calls_of("editMessageText")] == [
        str(message.id) for message in (blank, fixed, deleted)
    ]


async def test_a_blank_is_tried_until_it_is_done(office: Office) -> None:
    phone = await office.linked("ก")
    code = await office.queue(phone, NoticeKind.COLLEAGUE_CERTIFIED)
    async with sending(office.emulator, office.database, office.clock) as courier:
        await office.state(0, State.SENT)
        (sent,) = shown(phone, code)
        times = outbox.MAX_ATTEMPTS + 2
        fault = office.emulator.faults.reset_after(method="editMessageText", times=times)
        await office.unlink(phone)

        async def done() -> bool:
            office.clock.move(seconds=70)
            courier.wake()
            return await none_left(office)

        await until(done)
    # Each edit may have taken effect; the last one is answered "not modified".
    assert fault.hits == times
    assert sent.text == BLANKED


async def test_blanks_come_after_receipts_and_before_notices(office: Office) -> None:
    one_by_one = replace(HASTY, courier=replace(HASTY.courier, parallel=1))
    stolen = await office.linked("ก")
    await office.queue(stolen, NoticeKind.COLLEAGUE_CERTIFIED)
    async with sending(office.emulator, office.database, office.clock):
        await office.state(0, State.SENT)
    phones = [await office.linked(str(number)) for number in range(3)]
    await office.queue(phones[0], NoticeKind.COLLEAGUE_CERTIFIED)
    await office.unlink(stolen)
    await office.queue(phones[1])
    before = office.emulator.call_count
    async with sending(office.emulator, office.database, office.clock, tuning=one_by_one):
        await until(lambda: none_left(office))
        for number in (1, 2):
            await office.state(number, State.SENT)
    calls = list(office.emulator.calls)[before - office.emulator.call_count :]
    order = [int(call.params["chat_id"]) for call in calls if call.method in ("sendMessage", "editMessageText")]
    assert order == [phones[1].id, stolen.id, phones[0].id]


async def test_an_accounts_business_reaches_no_chat_that_is_not_linked(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    stranger, operator = office.phone("ก"), office.phone("ผู้ดูแล")
    code = await office.queue(stranger, NoticeKind.COLLEAGUE_CERTIFIED)
    await office.enqueue(NoticeKind.LINKED, stranger, office.officer_id)
    receipt = await office.queue(stranger)
    await office.enqueue(NoticeKind.HANDED_OVER, stranger, office.officer_id)
    await office.enqueue(NoticeKind.PIN_BLOCKED, stranger, int(office.clock().timestamp()))
    to_operator = await office.queue(operator, NoticeKind.COLLEAGUE_CERTIFIED)
    async with sending(office.emulator, office.database, office.clock, operator_chat=operator.id):
        for number in range(6):
            await office.state(number, State.SENT, State.DEAD)
    rows = await outbox_rows(office.database)
    assert [row.state for row in rows] == [State.DEAD] * 2 + [State.SENT] * 4
    assert {row.error for row in rows[:2]} == {"the chat's link has ended"}
    assert not shown(stranger, code)
    assert len(shown(stranger, receipt)) == len(shown(operator, to_operator)) == 1
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_what_was_on_its_way_when_the_link_ended_is_taken_away(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await office.linked("ก")
    await office.queue(phone, NoticeKind.COLLEAGUE_CERTIFIED)
    real = api.send

    async def overtaken(*args: Any) -> int:
        sent = await real(*args)
        await office.unlink(phone)
        return sent

    monkeypatch.setattr(api, "send", overtaken)
    async with sending(office.emulator, office.database, office.clock):
        await office.state(0, State.SENT)
        await until(lambda: none_left(office))
    assert [message.text for message in phone.messages] == [BLANKED]


async def test_why_a_blank_is_dead_is_kept_unless_its_person_was_forgotten(office: Office) -> None:
    known, forgotten = await office.linked("ก"), await office.linked("ข")
    for phone in (known, forgotten):
        await office.queue(phone, NoticeKind.COLLEAGUE_CERTIFIED)
    async with sending(office.emulator, office.database, office.clock):
        for number in range(2):
            await office.state(number, State.SENT)
    for phone in (known, forgotten):
        phone.block()
        await office.unlink(phone)
    async with office.database.write() as session:
        await session.execute(update(Officer).where(Officer.user_id == forgotten.id).values(user_id=-1))
    async with sending(office.emulator, office.database, office.clock):

        async def ended() -> list[OutboxMessage]:
            blanks = [row for row in await outbox_rows(office.database) if row.kind is NoticeKind.BLANK]
            return blanks if [row.state for row in blanks] == [State.DEAD] else []

        (row,) = await until(ended)
    assert (row.chat_id, row.subject_id) == (known.id, known.messages[0].id)
    assert "blocked by the user" in (row.error or "")


async def test_an_idle_chat_is_told_without_numbers_and_names(office: Office) -> None:
    awake, idle = await office.linked("ก"), await office.linked("ข")
    async with office.database.write() as session:
        officer = await active_officer(session, idle.id)
        assert officer is not None
        officer.last_seen_at = office.clock() - IDLE - timedelta(seconds=1)
    codes = [await office.queue(phone, NoticeKind.COLLEAGUE_CERTIFIED) for phone in (awake, idle)]
    receipt = await office.queue(idle)
    async with sending(office.emulator, office.database, office.clock):
        for number in range(3):
            await office.state(number, State.SENT)
    (whole,) = shown(awake, codes[0])
    assert not shown(idle, codes[1])
    receipt_message, brief = idle.messages
    assert brief.buttons[0][0].label == whole.buttons[0][0].label
    assert brief.text == (
        "🔔 หน่วยงานของท่านได้รับรองข้อมูลแล้ว\nเทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ\n\n"
        "โปรดเปิดด้วย PIN เพื่อดูรายละเอียด"
    )
    assert "ทดสอบ ลงชื่อ" in whole.text
    # An officer's own receipt is always shown in full, and can be forwarded.
    assert shown(idle, receipt) == [receipt_message]
    protected = [bool(message.options.get("has_protected_content")) for message in (whole, brief, receipt_message)]
    assert protected == [True, True, False]


# --- chats that cannot be written to, or are somewhere else -------------------------------------------------


async def unreachable_kinds(office: Office) -> list[tuple[int, int]]:
    rows = await outbox_rows(office.database)
    return [(row.chat_id, row.subject_id) for row in rows if row.kind is NoticeKind.UNREACHABLE]


async def officer_of(office: Office, phone: Phone) -> Officer:
    async with office.database.read() as session:
        officer = await active_officer(session, phone.id)
    assert officer is not None
    return officer


async def test_colleagues_are_told_once_that_a_chat_is_unreachable_until_it_is_heard_of_again(
    office: Office,
) -> None:
    unreachable, colleague, operator = await office.linked("ก"), await office.linked("ข"), office.phone("ผู้ดูแล")
    officer = await officer_of(office, unreachable)
    notices = [await office.queue(unreachable, NoticeKind.COLLEAGUE_CERTIFIED)]
    async with sending(office.emulator, office.database, office.clock, operator_chat=operator.id) as courier:
        await office.state(0, State.SENT)
        unreachable.block()
        await office.enqueue(NoticeKind.BLANK, unreachable, unreachable.messages[0].id)
        notices += [await office.queue(unreachable, NoticeKind.COLLEAGUE_CERTIFIED) for _ in range(2)]
        courier.wake()
        for number in (1, 2, 3):
            row = await office.state(number, State.DEAD)
            assert "blocked by the user" in (row.error or "")
        await office.state(4, State.SENT)
        # Later messages are not even tried.
        before = office.emulator.call_count
        await office.queue(unreachable, NoticeKind.COLLEAGUE_CERTIFIED)
        courier.wake()
        assert "blocked by the user" in ((await office.state(5, State.DEAD)).error or "")
        assert office.emulator.call_count == before
        assert await unreachable_kinds(office) == [(colleague.id, officer.id)]
        (notice,) = colleague.messages
        assert notice.text.startswith("⚠️ ส่งข้อความถึงเจ้าหน้าที่ไม่ได้")
        assert "ทดสอบ ก" in notice.text
        # Unblocked: messages that were to be blanked are blanked, and notices arrive again.
        unreachable.chat.bot_status = "member"
        member = {"status": "member"}
        chat = {"id": unreachable.id, "type": "private"}
        await hears_from(
            office, {"my_chat_member": {"chat": chat, "from": {"id": unreachable.id}, "new_chat_member": member}}
        )
        await office.queue(unreachable, NoticeKind.COLLEAGUE_CERTIFIED)
        courier.wake()
        await until(lambda: none_left(office))
        # How much was missed, and what was queued after that.
        await office.state(5, State.SENT)
        await office.state(6, State.SENT)
        assert unreachable.messages[0].text == BLANKED
        # A second time, with the colleague unreachable too: the operator is told of the last one.
        office.clock.move(minutes=1)
        colleague.block()
        await office.queue(colleague, NoticeKind.COLLEAGUE_CERTIFIED)
        courier.wake()
        await office.state(7, State.DEAD)
        unreachable.block()
        await office.queue(unreachable, NoticeKind.COLLEAGUE_CERTIFIED)
        courier.wake()

        async def operator_told() -> bool:
            return (operator.id, officer.id) in await unreachable_kinds(office)

        await until(operator_told)
        await until(lambda: count_of(lambda: len(operator.messages), 1))
    assert "province11" in operator.messages[0].text


async def test_that_a_chat_was_unreachable_is_dropped_when_it_is_there_again(office: Office) -> None:
    back, colleague = await office.linked("ก"), await office.linked("ข")
    await office.enqueue(NoticeKind.UNREACHABLE, colleague, (await officer_of(office, back)).id)
    async with sending(office.emulator, office.database, office.clock):
        await office.state(0, State.DROPPED)
    assert not colleague.messages


async def test_of_somebody_forgotten_nothing_is_remembered_for_being_unreachable(office: Office) -> None:
    phone = await office.linked("ก")
    async with office.database.write() as session:
        await session.execute(update(Officer).where(Officer.user_id == phone.id).values(user_id=-1))
        for message in (1, 2):
            outbox.enqueue(session, NoticeKind.BLANK, phone.id, message, office.clock())
    phone.block()
    async with sending(office.emulator, office.database, office.clock):
        await until(lambda: none_left(office))
    async with office.database.read() as session:
        assert await session.get(Conversation, phone.id) is None


async def test_a_receipt_goes_to_the_chat_that_certified_only(office: Office) -> None:
    """Whoever queues it for another chat in the database does not have the certificate sent there."""
    certifier, stranger = office.phone("ก"), office.phone("ข")
    code = await office.queue(certifier)
    row = (await outbox_rows(office.database))[0]
    await office.enqueue(NoticeKind.RECEIPT, stranger, row.subject_id)
    async with sending(office.emulator, office.database, office.clock):
        await office.state(0, State.SENT)
        await office.state(1, State.DROPPED)
    assert shown(certifier, code)
    assert not shown(stranger, code)


async def test_a_group_that_has_moved_is_followed_at_once_and_after_a_restart(office: Office) -> None:
    owner = office.phone("ผู้ดูแล")
    group = office.emulator.group("ผู้ดูแลระบบ", [owner])
    group.add_bot(owner)
    old, new = group.id, group.upgrade(owner).id
    codes = []
    for _ in range(2):
        office.made += 1
        async with office.database.write() as session:
            certification_id = await certificate(session, office.officer_id, office.clock(), office.made)
            outbox.enqueue(session, NoticeKind.PROVINCE_CERTIFIED, old, certification_id, office.clock())
        async with sending(office.emulator, office.database, office.clock, operator_chat=old):
            await office.state(len(codes), State.SENT)
        codes.append(f"C{office.made:09}")
    texts = [
        message.history[0].replace("-", "")
        for message in office.emulator.chat(new).messages.values()
        if message.history
    ]
    assert [sum(code in text for text in texts) for code in codes] == [1, 1]
    calls = [int(call.params["chat_id"]) for call in office.emulator.calls_of("sendMessage")]
    assert calls == [old, new, new]
