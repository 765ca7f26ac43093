"""What every remark obeys: its words, its author, its side."""

from datetime import datetime

import pytest

from models.accounts.account import Role
from models.certification.certificate import Level
from models.certification.remark import (
    MAX_OPERATOR,
    MAX_REMARK,
    MIN_REMARK,
    OperatorRefused,
    Remark,
    RemarkKind,
    RemarkRefused,
    Rule,
    add_remark,
    operator_name,
    operator_reason,
    remark_text,
)
from models.database.engine import Database
from models.remarks.petition import decide, load_remark, petition
from tests.support import ORGANIZATIONS, certify_as, link


def test_what_cannot_be_seen_is_left_out() -> None:
    assert remark_text("ก\u202eขคง\u200b  <b>จ</b>\t{x}\u0000\n\n  ฉช ") == "กขคง <b>จ</b> {x}\nฉช"


FIRST = ORGANIZATIONS[0][0]


def test_blanks_are_tidied_and_lines_kept() -> None:
    assert remark_text("  นับ   ซ้ำ \r\n\r\n\t สองราย\u2028เกษียณ ") == "นับ ซ้ำ\nสองราย\nเกษียณ"
    # Letters to Unicode, and nothing on a screen.
    for unseen in "\u3164\u115f\uffa0\u2800\u034f":
        assert remark_text(f"นับ{unseen}ซ้ำ") == "นับซ้ำ"
        with pytest.raises(RemarkRefused):
            remark_text(unseen * MIN_REMARK)
    assert remark_text("นํ้าเเดง\u00a0\u200bคะ่") == "น้ำแดง ค่ะ"
    assert remark_text("ก" * MIN_REMARK) == "ก" * MIN_REMARK
    assert remark_text("ก" * MAX_REMARK) == "ก" * MAX_REMARK


@pytest.mark.parametrize(
    ("typed", "rule"),
    [
        ("", Rule.IN_LETTERS),
        ("12345 67890", Rule.IN_LETTERS),
        ("😀😀😀😀😀😀", Rule.IN_LETTERS),
        ("\u200b" * 50, Rule.IN_LETTERS),
        ("ก" * (MIN_REMARK - 1), Rule.NOT_SHORT),
        # What nobody sees makes it no longer.
        ("กก\u200b\u200b\u200b", Rule.NOT_SHORT),
        ("  ก ก  ", Rule.NOT_SHORT),
        ("ก" * (MAX_REMARK + 1), Rule.NOT_LONG),
    ],
)
def test_which_rule_a_text_breaks(typed: str, rule: Rule) -> None:
    with pytest.raises(RemarkRefused, match="written in words, 5 to 1,000 letters") as refused:
        remark_text(typed)
    assert refused.value.rule is rule


def test_an_operators_name_is_read_as_it_was_given() -> None:
    assert operator_name("  กองคลัง  กรมส่งเสริม ") == "กองคลัง กรมส่งเสริม"
    assert operator_name("ก" * MAX_OPERATOR) == "ก" * MAX_OPERATOR
    assert operator_name("สํานักงาน\u00a0ก\u200bข") == "สำนักงาน กข"


@pytest.mark.parametrize(
    "typed", ["", "  ", "12", "...", "\u200b", "ก\u202eข", "\u3164", "ก" * (MAX_OPERATOR + 1)]
)
def test_a_name_that_cannot_be_read_is_refused_and_nothing_left_out_of_it(typed: str) -> None:
    with pytest.raises(OperatorRefused, match="--by names the person or office that decides"):
        operator_name(typed)


def test_what_certificates_bear_is_in_letters_that_they_can_show() -> None:
    assert operator_reason(" นับซํ้า\n1 → 2 ") == "นับซ้ำ\n1 → 2"
    with pytest.raises(RemarkRefused, match="a reason holds ✓, which certificates cannot show; write it in Thai"):
        operator_reason("นับถูกต้องแล้ว ✓")
    with pytest.raises(OperatorRefused, match="--by holds ក, which certificates cannot show; write it in Thai"):
        operator_name("ក ข")
    # An officer's own remarks stay in the chat.
    assert remark_text("นับถูกต้องแล้ว ✓") == "นับถูกต้องแล้ว ✓"


async def test_a_remark_bears_the_name_that_its_author_had_and_its_side(country: Database, now: datetime) -> None:
    async with country.write() as session:
        sides = {}
        for username, user in ((f"lao{FIRST}", 501), ("province11", 601)):
            officer = await link(session, username, user, now)
            made = await add_remark(
                session,
                officer,
                now,
                organization_code=FIRST,
                round_id=1,
                revision=1,
                kind=RemarkKind.QUESTION,
                body="เหตุใดจึงลดลง",
            )
            officer.full_name, officer.position = "ชื่อ ใหม่", "นายก"
            await session.flush()
            found = await load_remark(session, made.id)
            assert (found.author, found.made_at) == ("ทดสอบ ลงนาม ปลัด", now)
            sides[username] = found.side
        assert sides == {f"lao{FIRST}": Role.LAO, "province11": Role.PROVINCE}


async def test_what_the_operator_decides_is_of_no_side(country: Database, now: datetime) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    async with country.write() as session:
        asked = await petition(session, await link(session, f"lao{FIRST}", 501, now), "ขอแก้ไขจำนวน", now, None)
        made = await decide(session, asked.id, granted=False, by="ผู้ดูแล", reason="ไม่มีเหตุผล", now=now)
        found: Remark = await load_remark(session, made.id)
        assert (found.side, found.officer, found.author, found.granted) == (None, None, "ผู้ดูแล", False)
