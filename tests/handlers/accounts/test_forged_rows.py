"""What one gains in the chat who has written into organizations, rounds, keypads and throttles without the secret
key.
"""

from sqlalchemy import delete, select

from handlers.chat.taps.certification import ProvinceReview
from models.accounts.pin import Keypad
from models.accounts.throttle import TRIES, Throttle
from models.certification.certificate import Certification
from models.database.engine import Database
from models.rounds.round import close_round
from tests.handlers.accounts.test_bad_seals import REFUSED, bad_rows, write
from tests.handlers.support import MakeHand
from tests.support import PIN, TO_PIN, Clock

WRONG = "135790"
BLOCKED, EXPIRED = "ใส่ PIN ผิด", "แป้นใส่ PIN นี้ใช้ไม่ได้แล้ว"


async def certificates(country: Database) -> list[Certification]:
    async with country.read() as session:
        return list(await session.scalars(select(Certification)))


async def test_a_province_gains_no_organization_of_another(officer: MakeHand, country: Database) -> None:
    hand = await officer("province12", "ทดสอบ จังหวัด")
    await write(country, "UPDATE organization SET province_code = '12' WHERE dla_code = '5110201'")
    assert REFUSED in await hand.forge(ProvinceReview("5110201"))
    assert await bad_rows(country) == ["organization:5110201"]


async def test_an_organization_that_was_moved_is_not_certified(officer: MakeHand, country: Database) -> None:
    """Its certificate would name the other province."""
    hand = await officer()
    await hand.way(*TO_PIN)
    await write(country, "UPDATE organization SET province_code = '12' WHERE dla_code = '5110201'")
    assert REFUSED in await hand.enter()
    assert await certificates(country) == []


async def test_a_round_that_was_closed_is_not_opened_by_sql(
    officer: MakeHand, country: Database, clock: Clock
) -> None:
    hand = await officer()
    await hand.way(*TO_PIN)
    async with country.write() as session:
        await close_round(session, clock())
    await write(country, "UPDATE round SET state = 'open', closed_at = NULL")
    assert REFUSED in await hand.enter()
    assert await certificates(country) == []
    assert await bad_rows(country) == ["round:1"]


async def test_a_closing_date_is_not_put_off_by_sql(officer: MakeHand, country: Database) -> None:
    """What is certified late is marked so."""
    hand = await officer()
    await write(country, "UPDATE round SET closes_on = '2030-01-01'")
    await hand.way(*TO_PIN[:3])
    assert REFUSED in await hand.press("รับรองระดับ อปท.")
    assert await certificates(country) == []


async def test_a_pin_is_good_for_what_it_was_asked_for_only(officer: MakeHand, country: Database) -> None:
    """Warned about one thing, an officer does not agree to another."""
    hand = await officer()
    await hand.way(*TO_PIN)
    async with country.write() as session:
        (await session.scalars(select(Keypad))).one().subject = "another"
    assert EXPIRED in await hand.press(PIN[0])
    assert await certificates(country) == []


async def test_deleted_throttles_give_no_fresh_pins(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    await hand.way(*TO_PIN)
    for _ in range(TRIES):
        text = await hand.enter(WRONG)
        async with country.write() as session:
            await session.execute(delete(Throttle))
    assert BLOCKED in text
    await hand.way("หน้าหลัก", *TO_PIN)
    assert BLOCKED in await hand.enter()
    assert await certificates(country) == []
    reported = [row for row in await bad_rows(country) if row.startswith("throttle:pin:")]
    assert len(reported) == 1, "once a day"


async def test_a_throttle_that_was_changed_closes(officer: MakeHand, country: Database) -> None:
    hand = await officer()
    await hand.way(*TO_PIN)
    await hand.enter(WRONG)
    await write(country, "UPDATE throttle SET failures = 0, blocks = 0")
    await hand.enter(WRONG)
    async with country.read() as session:
        row = (await session.scalars(select(Throttle).where(Throttle.key.startswith("pin:")))).one()
    assert row.failures == 2
