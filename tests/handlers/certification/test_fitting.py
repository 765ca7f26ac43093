"""The certifying screens fit a phone of 360 x 740 pixels: name, numbers and buttons without scrolling."""

from models.certification.certificate import Level
from models.database.engine import Database
from models.rounds.round import close_round, open_round
from tests.handlers.support import SPOT_CHECK, Hand, MakeHand
from tests.handlers.widths import HEIGHT, height
from tests.support import Clock, certify_as, put_roster

BANGPU = "5110201"


def fits(hand: Hand) -> bool:
    """Whether the whole card is on the screen."""
    return height(hand.card.text, len(hand.card.buttons)) <= HEIGHT


async def test_what_certifies_fits_beside_last_years_numbers(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    before = await officer(name="ทดสอบ ศูนย์")
    await certify_as(country, f"lao{BANGPU}", before.phone.id, BANGPU, Level.LAO, clock())
    async with country.write() as session:
        await close_round(session, clock())
        await open_round(session, 2571, None, clock())
        await put_roster(session, BANGPU, (11, 3, 5), clock())
    hand, province = await officer(), await officer("province11", "ทดสอบ สอง")
    for label in ("รับรองข้อมูลระดับ อปท.", "รับรองระดับ อปท.", "ยืนยันการรับรอง", "PIN"):
        await hand.press(label)
        assert fits(hand), hand.text
    await province.say("บางปู")
    await province.press("🔍 ทต.บางปู")
    assert fits(province), province.text
    await province.way(*SPOT_CHECK)
    for label in ("รับรองระดับจังหวัด", "ยืนยันการรับรอง", "PIN"):
        assert fits(province), province.text
        await province.press(label)
    assert fits(province), province.text
