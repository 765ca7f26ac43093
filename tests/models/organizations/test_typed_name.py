"""What may be typed to find an organization, and what it finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from models.base import thai
from models.database.engine import Database
from models.organizations.organization import Organization, Province
from models.organizations.typed_name import MAX_WORDS, NoSearch, is_called, tidy_words

KINDS = {"อบต.": "2", "อบจ.": "3", "เทศบาลตำบล": "4", "เทศบาลเมือง": "5", "เทศบาลนคร": "6"}
PLACES = [
    ("เทศบาลนคร", "นครราชสีมา"),
    ("อบจ.", "นครราชสีมา"),
    ("เทศบาลเมือง", "เมืองปัก"),
    ("เทศบาลตำบล", "เมืองคง"),
    ("อบต.", "เมืองคง"),
    ("อบต.", "โคกกรวด"),
    ("เทศบาลตำบล", "ด่านขุนทด"),
    ("อบต.", "ท่าช้าง"),
    ("เทศบาลตำบล", "ท่าช้าง"),
    ("อบต.", "น้ำแดง"),
    ("เทศบาลตำบล", "โก-ลก"),
    ("เทศบาลตำบล", "กม.5"),
    ("อบต.", "ร้อยละ_100%"),
    # As an older version has stored them.
    ("อบต.", "ลําทอง"),
    ("อบต.", "บุฤๅษี"),
    ("อบต.", "เเม่นํ้า"),
]


@pytest.fixture
async def places(database: Database) -> Database:
    async with database.write() as session:
        session.add(Province(code="30", name_th="นครราชสีมา", name_en="Nakhon Ratchasima"))
        await session.flush()
        for number, (kind, name) in enumerate(PLACES):
            session.add(
                Organization(
                    dla_code=f"{KINDS[kind]}3001{number:02}",
                    type_th=kind,
                    type_code="kind",
                    name_th=name,
                    district_th="เมือง",
                    province_code="30",
                    sort_key=f"{number:02}",
                )
            )
    return database


def every(part: str) -> list[str]:
    return [kind + name for kind, name in PLACES if part in name]


FINDS: dict[str, list[str]] = {
    "ท่าช้าง": every("ท่าช้าง"),
    "ช้าง": every("ท่าช้าง"),
    # A tone mark left out or wrong, a sara ae of two sara e, a sara am of two signs.
    "ทาชาง": every("ท่าช้าง"),
    "ท้าช่าง": every("ท่าช้าง"),
    "นํ้าเเดง": ["อบต.น้ำแดง"],
    "น้ําแ": ["อบต.น้ำแดง"],
    "  ท่า ช้าง\n": every("ท่าช้าง"),
    "อบต.ท่าช้าง": ["อบต.ท่าช้าง"],
    "อบต ท่าช้าง": ["อบต.ท่าช้าง"],
    "องค์การบริหารส่วนตำบลท่าช้าง": ["อบต.ท่าช้าง"],
    "ทต. ท่าช้าง": ["เทศบาลตำบลท่าช้าง"],
    "เทศบาลท่าช้าง": ["เทศบาลตำบลท่าช้าง"],
    "เทศบาลตำบลท่า": ["เทศบาลตำบลท่าช้าง"],
    "เทศบาลเมืองท่าช้าง": [],
    # May be read in two ways.
    "เทศบาลเมืองคง": ["เทศบาลตำบลเมืองคง"],
    "เทศบาลเมืองปัก": ["เทศบาลเมืองเมืองปัก"],
    "เทศบาลนครราชสีมา": ["เทศบาลนครนครราชสีมา"],
    "ทน.นครราชสีมา": ["เทศบาลนครนครราชสีมา"],
    "อบจ": ["อบจ.นครราชสีมา"],
    "โกลก": ["เทศบาลตำบลโก-ลก"],
    "กม. ๕": ["เทศบาลตำบลกม.5"],
    "2300105": ["อบต.โคกกรวด"],
    "๓๐๐๑๐๕": ["อบต.โคกกรวด"],
    # No wildcards.
    "%": ["อบต.ร้อยละ_100%"],
    "_": ["อบต.ร้อยละ_100%"],
    "ท_า": [],
    "'; DROP TABLE organization; --": [],
    "กทม": [],
    # In any spelling, the stored one too.
    "ลำทอง": ["อบต.ลําทอง"],
    "อบต.ลํา\u200bทอง": ["อบต.ลําทอง"],
    "บุฤาษี": ["อบต.บุฤๅษี"],
    "แม่น้ำ": ["อบต.เเม่นํ้า"],
    "เเม่นํา้": ["อบต.เเม่นํ้า"],
    "กม．５": ["เทศบาลตำบลกม.5"],
}


async def test_what_is_typed_finds_by_part_of_name_or_code(places: Database) -> None:
    async with places.read() as session:
        for typed, expected in FINDS.items():
            found = await session.scalars(
                select(Organization).where(is_called(typed)).order_by(Organization.sort_key)
            )
            assert [one.full_name for one in found] == expected, typed


def test_what_is_kept_is_one_line_with_arabic_digits() -> None:
    assert tidy_words(" บางปู\n ๑๒ ") == "บางปู 12"
    assert tidy_words("บาง\u200bปู\u202e\x00") == "บางปู"
    assert tidy_words("ลํา\u034fทอง\ufe0f\u3164 ๑\u2011２") == "ลำทอง 1-2"
    assert len(tidy_words("ก" * MAX_WORDS)) == MAX_WORDS


@pytest.mark.parametrize("typed", ["", " \n", "่", "...", "😀", "\u200b", "ก" * (MAX_WORDS + 1), "\x00"])
def test_what_is_no_search(typed: str) -> None:
    with pytest.raises(NoSearch):
        tidy_words(typed)


@given(st.text(st.characters(min_codepoint=0x0E01, max_codepoint=0x0E4E), max_size=20))
def test_a_text_is_folded_once(text: str) -> None:
    assert thai.folded(thai.folded(text)) == thai.folded(text)
    assert not set(thai.folded(text)) & set(thai.LOOKED_OVER)
