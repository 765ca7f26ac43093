"""The officers of an account see each other, hear of every new link, and end one that is nobody's of theirs."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from demo.botapi.state import Message
from handlers.chat.taps.accounts import NotOurs
from handlers.chat.taps.certification import LaoReview
from handlers.chat.taps.remarks import SeeRemark
from handlers.chat.words import masked
from handlers.notices.rendering import notice
from models.accounts.account import Officer as Link
from models.accounts.account import active_officer
from models.audit import event_chain
from models.certification.certificate import Level
from models.chats.conversation import Awaiting, Conversation, Language
from models.database.engine import Database
from models.links.dispute import end_disputed_link
from models.links.link import announce_link
from models.notices.kind import NoticeKind
from models.remarks.petition import decide, petition
from tests.handlers.support import Hand, MakeHand
from tests.support import PASSWORD, PIN, Clock, alter, certify_as, link

PIN_RESET = "🔔 เจ้าหน้าที่ในบัญชีของท่านตั้ง PIN ใหม่"
LINKED = "🔔 มีแชตใหม่เชื่อมต่อกับบัญชีของท่าน"
BLANKED = "แชตนี้ไม่ได้เชื่อมต่อแล้ว ระบบนำข้อความเดิมออกแล้ว"
OFFICERS = "เจ้าหน้าที่ที่เชื่อมต่อ"
NOT_OURS = "ไม่ใช่คนของเรา"
BANGPU = "เทศบาลตำบลบางปู\nอ.เมืองสมุทรปราการ จ.สมุทรปราการ"


async def newcomer(hand: Hand, name: str = "สมชาย ใจดี", position: str = "นักทรัพยากรบุคคล") -> Hand:
    """Somebody with the account's password goes the whole way of a first login."""
    await hand.log_in("lao5110201", name, position)
    return hand


async def told(hand: Hand) -> str:
    """The announcement of a new link."""
    await hand.sees(LINKED)
    return next(one.text for one in hand.phone.messages if LINKED in one.text)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("สมชาย ใจดี", "สมชาย ใ•••"),
        ("สมชาย", "ส•••"),
        ("นาย สมชาย ใจดี", "นาย สมชาย ใ•••"),
        ("นางสาว กนกพร", "นางสาว ก•••"),
        ("สมชาย ใจดี ณ อยุธยา", "สมชาย ใ•••"),
        ("นาง", "น•••"),
        ("John Smith", "John S•••"),
    ],
)
def test_a_masked_name_keeps_the_surname_back(name: str, shown: str) -> None:
    assert masked(name) == shown


async def test_the_list_names_oneself_and_masks_the_others(
    officer: MakeHand, stranger: Hand, country: Database, clock: Clock
) -> None:
    hand = await officer(name="ทดสอบ หนึ่ง")
    clock.move(hours=11)
    async with country.write() as session:
        await link(session, "lao5110201", 777, clock(), "วิภา รักงาน")
        await link(session, "lao6110301", 778, clock(), "คนอื่น หน่วยอื่น")
        await session.execute(update(Link).where(Link.user_id == 777).values(pin_hash=None))
    # Longer ago than a day, only the day is told.
    async with country.write() as session:
        await session.execute(
            update(Link).where(Link.user_id == 777).values(last_seen_at=clock() - timedelta(days=3))
        )
    assert await hand.press(OFFICERS) == "\n".join(
        [
            OFFICERS,
            BANGPU,
            "",
            "ทดสอบ หนึ่ง ปลัด (แชตนี้)",
            "เชื่อมต่อเมื่อ 2 พ.ย. 2569",
            "ใช้งานล่าสุด 2 พ.ย. 2569 20.30 น.",
            "",
            "วิภา ร••• ปลัด",
            "เชื่อมต่อเมื่อ 2 พ.ย. 2569",
            "ใช้งานล่าสุด 30 ต.ค. 2569",
        ]
    )
    assert hand.labels == ["ส่งมอบงาน", "ออกจากระบบ", "หน้าหลัก"]
    assert hand.card.options["has_protected_content"]


async def test_the_list_of_a_province_and_of_an_officer_without_a_name(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer("province11", "ทดสอบ สอง")
    async with country.write() as session:
        await link(session, "province11", 777, clock())
        await session.execute(
            update(Link).where(Link.user_id == 777).values(full_name=None, position=None, last_seen_at=None)
        )
    text = await hand.press(OFFICERS)
    assert "จังหวัดสมุทรปราการ" in text
    assert text.endswith("(ไม่มีชื่อ)\nเชื่อมต่อเมื่อ 2 พ.ย. 2569")


async def test_a_long_list_fits_into_one_message(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand = await officer()
    async with country.write() as session:
        for number in range(40):
            linked = await link(session, "lao5110201", 1000 + number, clock(), f"{'&' * 58} {'<' * 60}{number}")
            await alter(session, [linked], clock(), position="“" * 120)
    text = await hand.press(OFFICERS)
    assert text.endswith("และอีก 25 คน")
    assert len(text) < 4096


async def test_a_new_link_is_announced_and_its_officer_listed(officer: MakeHand, stranger: Hand) -> None:
    hand, other = await officer(), await officer("lao6110301", "ทดสอบ อื่น")
    await newcomer(stranger)
    assert await told(hand) == "\n".join(
        [
            LINKED,
            BANGPU,
            "",
            "สมชาย ใจดี นักทรัพยากรบุคคล",
            "เชื่อมต่อเมื่อ 2 พ.ย. 2569 09.30 น.",
            "",
            "หากไม่ใช่เจ้าหน้าที่ของหน่วยงานท่าน โปรดยุติการเชื่อมต่อนี้ทันที",
        ]
    )
    await hand.press(OFFICERS)
    assert hand.labels == ["ไม่ใช่คนของเรา: สมชาย ใ•••", "ส่งมอบงาน", "ออกจากระบบ", "หน้าหลัก"]
    # Neither to itself nor to another organization; and the new one can end nobody's link.
    assert not any(LINKED in one.text for chat in (stranger, other) for one in chat.phone.messages)
    await stranger.press(OFFICERS)
    assert NOT_OURS not in " ".join(stranger.labels)


async def new_pin(hand: Hand) -> None:
    """The account's password in place of the PIN, as for ส่งมอบงาน, and another PIN."""
    await hand.way(OFFICERS, "ส่งมอบงาน", "ออกลิงก์ให้ผู้รับมอบงาน", "ลืม PIN")
    await hand.say(PASSWORD)
    await hand.enter("271828" * 2, "✅ ตั้ง PIN แล้ว")


def resets(hand: Hand) -> list[Message]:
    """The announcements of new PINs."""
    return [one for one in hand.phone.messages if one.text.startswith(PIN_RESET)]


async def test_a_new_pin_is_announced_to_the_others_each_time(
    officer: MakeHand, stranger: Hand, country: Database, clock: Clock
) -> None:
    hand, other = await officer(), await officer("lao6110301", "ทดสอบ สอง")
    await newcomer(stranger)
    # A first PIN is part of the new link.
    await told(hand)
    assert resets(hand) == []
    for count in (1, 2):
        clock.move(minutes=1)
        await new_pin(stranger)
        await hand.phone.until(lambda _phone, count=count: len(resets(hand)) == count)
    assert resets(hand)[-1].text == "\n".join(
        [
            PIN_RESET,
            BANGPU,
            "",
            "สมชาย ใจดี นักทรัพยากรบุคคล",
            "",
            "หากเจ้าหน้าที่ผู้นี้ไม่ได้ตั้งเอง โปรดแจ้งผู้ดูแลระบบทันที เพราะอาจมีผู้อื่นใช้โทรศัพท์ของเจ้าหน้าที่และรู้รหัสผ่านของบัญชี",
            "หากไม่ใช่เจ้าหน้าที่ของหน่วยงานท่าน โปรดยุติการเชื่อมต่อนี้ทันที",
        ]
    )
    # The newer one cannot end the older one's link, and is told of its new PIN all the same.
    await new_pin(hand)
    await stranger.phone.until(lambda _phone: resets(stranger))
    assert [one.labels for one in resets(stranger)] == [[OFFICERS]]
    assert "โปรดยุติการเชื่อมต่อ" not in resets(stranger)[0].text
    assert "✅ ยุติการเชื่อมต่อแล้ว" in await hand.press(NOT_OURS, resets(hand)[-1])
    assert resets(other) == []


async def test_an_idle_chat_is_told_of_a_new_pin_without_a_name(
    officer: MakeHand, stranger: Hand, clock: Clock
) -> None:
    hand = await officer()
    await newcomer(stranger)
    await told(hand)
    clock.move(hours=13)
    await stranger.say("/menu")
    await stranger.press("ลืม PIN")
    await stranger.say(PASSWORD)
    await stranger.enter("271828" * 2, "✅ ตั้ง PIN แล้ว")
    await hand.phone.until(lambda _phone: resets(hand))
    assert [(one.text, one.labels) for one in resets(hand)] == [
        (f"{PIN_RESET}\n{BANGPU}\n\nโปรดเปิดด้วย PIN เพื่อดูรายละเอียด", [OFFICERS])
    ]


@pytest.mark.parametrize("where", ["notice", "list"])
async def test_a_link_that_is_nobodys_ends_at_once_and_its_chat_is_blanked(
    officer: MakeHand, stranger: Hand, country: Database, where: str
) -> None:
    hand = await officer()
    await newcomer(stranger)
    await told(hand)
    await stranger.forge(LaoReview())
    shown = stranger.card
    assert "ข้าราชการ" in shown.text
    if where == "list":
        await hand.press(OFFICERS)
        text = await hand.press(f"{NOT_OURS}: สมชาย ใ•••")
    else:
        message = next(one for one in hand.phone.messages if LINKED in one.text)
        text = await hand.press(NOT_OURS, message)
    assert text == "\n".join(
        [
            "✅ ยุติการเชื่อมต่อแล้ว",
            "สมชาย ใจดี นักทรัพยากรบุคคล",
            "",
            "โปรดแจ้งผู้ดูแลระบบทันที เพราะอาจมีผู้อื่นรู้รหัสผ่านของบัญชี",
        ]
    )
    await stranger.phone.until(lambda _phone: shown.text == BLANKED)
    assert not shown.buttons
    assert "เข้าสู่ระบบ" in await stranger.say("/menu")
    async with country.read() as session:
        event = await session.scalar(
            select(event_chain.AuditEvent.details).where(event_chain.AuditEvent.kind == event_chain.Event.UNLINKED)
        )
    assert '"by":"colleague 1"' in (event or "")
    # Once more, from an old card.
    assert "การเชื่อมต่อนี้สิ้นสุดไปแล้ว" in await hand.forge(NotOurs(2))


async def test_a_link_that_was_not_announced_to_one_cannot_be_ended(officer: MakeHand, country: Database) -> None:
    older, newer = await officer(), await officer(name="ทดสอบ ใหม่")
    stranger = await officer("province11", "ทดสอบ สอง")
    for hand, tried in ((newer, 1), (older, 2), (stranger, 1), (older, 999_999_999), (older, 1)):
        assert "บัญชีของท่านไม่มีสิทธิ์" in await hand.forge(NotOurs(tried))
    async with country.read() as session:
        assert [one.unlinked_at for one in await session.scalars(select(Link))] == [None] * 3


async def test_an_idle_chat_is_not_told_who_and_sees_it_with_its_pin(
    officer: MakeHand, stranger: Hand, clock: Clock
) -> None:
    hand = await officer()
    clock.move(hours=13)
    await newcomer(stranger)
    assert await told(hand) == f"{LINKED}\n{BANGPU}\n\nโปรดเปิดด้วย PIN เพื่อดูรายละเอียด"
    message = next(one for one in hand.phone.messages if LINKED in one.text)
    assert message.labels == [OFFICERS]
    await hand.press(OFFICERS, message)
    assert "สมชาย" not in hand.text
    assert "สมชาย ใ••• นักทรัพยากรบุคคล" in await hand.enter(PIN)
    assert f"{NOT_OURS}: สมชาย ใ•••" in hand.labels


async def test_an_idle_chat_reads_petitions_and_decisions_with_its_pin(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    outsider = await officer("province12", "ทดสอบ สาม")
    await certify_as(country, "lao5110201", hand.phone.id, "5110201", Level.LAO, clock())
    clock.move(hours=13)
    async with country.write() as session:
        linked = await active_officer(session, hand.phone.id)
        assert linked is not None
        asked = await petition(session, linked, "นับซ้ำหนึ่งราย", clock(), None)
        await decide(session, asked.id, granted=False, by="ผู้ดูแล", reason="จำนวนถูกต้องแล้ว", now=clock())
    for told, title, words in (
        (province, "✉️ อปท. ขอแก้ไขข้อมูลที่รับรองแล้ว", "เหตุผล: นับซ้ำหนึ่งราย"),
        (hand, "✉️ ไม่อนุญาตให้แก้ไขข้อมูล", "เหตุผล: จำนวนถูกต้องแล้ว"),
    ):
        await told.sees(title)
        message = next(one for one in told.phone.messages if title in one.text)
        assert "เหตุผล" not in message.text
        await told.press("อ่าน", message)
        assert "เหตุผล" not in told.text
        assert words in await told.enter()
    await outsider.say("/menu")
    await outsider.enter()
    for unseen in (SeeRemark(asked.id), SeeRemark(999)):
        assert "บัญชีของท่านไม่มีสิทธิ์" in await outsider.forge(unseen)


async def test_notices_to_and_about_chats_whose_link_has_ended(country: Database, clock: Clock) -> None:
    async with country.write() as session:
        old = await link(session, "lao5110201", 701, clock(), "ทดสอบ <เก่า>")
        new = await link(session, "lao5110201", 702, clock(), "ทดสอบ ใหม่")
        session.add_all(
            Conversation(chat_id=chat, language=language, awaiting=Awaiting.NOTHING, told_private_only=False)
            for chat, language in ((701, Language.THAI), (900, Language.ENGLISH))
        )

        async def text(kind: NoticeKind, chat: int, subject: int) -> str:
            await session.flush()
            return (await notice(session, kind, chat, subject, clock(), await active_officer(session, chat))).text

        assert "การเชื่อมต่อนี้สิ้นสุดไปแล้ว" not in await text(NoticeKind.LINKED, 701, new.id)
        await announce_link(session, new, clock())
        await end_disputed_link(session, old, new.id, clock(), operator_chat=900)
        assert "การเชื่อมต่อนี้สิ้นสุดไปแล้ว" in await text(NoticeKind.LINKED, 701, new.id)
        assert await text(NoticeKind.LINK_DISPUTED, 900, new.id) == "\n".join(
            [
                "⚠️ <b>A link was ended as nobody's</b>",
                "<b>เทศบาลตำบลบางปู</b>",
                "เมืองสมุทรปราการ district, Samut Prakan",
                "",
                "Account <code>lao5110201</code>",
                f"Ended: <b>ทดสอบ ใหม่</b>, ปลัด, officer {new.id}",
                f"Ended by: <b>ทดสอบ &lt;เก่า&gt;</b>, ปลัด, officer {old.id}",
                "",
                "Somebody may know the account's password. A new one makes it worthless:",
                "<code>laocert account reset-password lao5110201</code>",
            ]
        )
        # Of officers who were forgotten, or have not said their names.
        new.full_name = new.position = None
        assert "(ไม่มีชื่อ)" in await text(NoticeKind.LINKED, 701, new.id)
        assert f"Ended: (without a name), officer {new.id}" in await text(NoticeKind.LINK_DISPUTED, 900, new.id)
        assert "ผู้รับมอบ" not in await text(NoticeKind.HANDED_OVER, 701, new.id)
        new.full_name = "ทดสอบ ใหม่"
        assert "ผู้รับมอบ: <b>ทดสอบ ใหม่</b>" in await text(NoticeKind.HANDED_OVER, 701, new.id)
        blocked = await text(NoticeKind.PIN_BLOCKED, 701, int(clock().timestamp()))
        assert "ใช้ PIN ได้อีกหลัง 2 พ.ย. 2569 09.30 น." in blocked
        with pytest.raises(LookupError):
            await text(NoticeKind.LINKED, 701, 10**6)
        with pytest.raises(LookupError):
            await text(NoticeKind.LINK_DISPUTED, 900, 10**6)
