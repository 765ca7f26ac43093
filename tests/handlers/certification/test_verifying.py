"""`/verify` without a code, and the code as the next message."""

from models.certification.certificate import Level
from models.database.engine import Database
from tests.handlers.support import Hand, MakeHand
from tests.support import Clock, certify_as

BANGPU = "5110201"


async def certified(hand: Hand, country: Database, clock: Clock) -> str:
    certificate = await certify_as(country, f"lao{BANGPU}", hand.phone.id, BANGPU, Level.LAO, clock())
    return f"{certificate.code[:5]}-{certificate.code[5:]}"


async def test_the_code_may_be_typed_after_the_command(officer: MakeHand, country: Database, clock: Clock) -> None:
    hand = await officer()
    code = await certified(hand, country, clock)
    assert "โปรดพิมพ์รหัสตรวจสอบ เช่น ABCDE-FGHJK" in await hand.say("/verify")
    for typed in (code, code.lower(), code.replace("-", " ")):
        text = await hand.say(typed)
        assert code in text
        assert "เทศบาลตำบลบางปู" in text


async def test_a_province_types_a_code_where_it_searches(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    code = await certified(await officer(), country, clock)
    province = await officer("province11", "ทดสอบ สอง")
    assert "เทศบาลตำบลบางปู" in await province.say(code)
    other = f"{'Y' if code[0] == 'X' else 'X'}{code[1:]}"
    assert "ไม่พบการรับรองของท่านที่ใช้รหัสนี้" in await province.say(other)


async def test_a_number_of_ten_digits_is_no_code(officer: MakeHand) -> None:
    """Other text may be a secret and is deleted, like any text that was not asked for."""
    assert "ลบข้อความของท่านแล้ว" in await (await officer()).say("0812345678")


async def test_a_stranger_learns_nothing_by_a_code(
    stranger: Hand, officer: MakeHand, country: Database, clock: Clock
) -> None:
    code = await certified(await officer(), country, clock)
    assert "บางปู" not in await stranger.say(code)
