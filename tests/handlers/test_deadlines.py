"""The closing date on the screens, and what the bot says on its own because of it."""

from datetime import date, datetime

import pytest

from handlers.texts import texts
from handlers.words import round_line
from models.conversation import Language
from models.round import Round, RoundState

CLOSES = date(2027, 9, 15)


@pytest.mark.parametrize(
    ("moment", "thai", "english"),
    [
        ("2027-09-03 12:00+07:00", "เหลือ 12 วัน", "12 days left"),
        ("2027-09-14 23:59+07:00", "เหลือ 1 วัน", "1 day left"),
        # Midnight in Bangkok is 17:00 of the day before in UTC.
        ("2027-09-14 16:59+00:00", "เหลือ 1 วัน", "1 day left"),
        ("2027-09-14 17:00+00:00", "วันสุดท้าย", "the last day"),
        ("2027-09-15 23:59+07:00", "วันสุดท้าย", "the last day"),
        ("2027-09-16 00:00+07:00", "พ้นกำหนดแล้ว 1 วัน", "1 day overdue"),
        ("2027-09-18 08:00+07:00", "พ้นกำหนดแล้ว 3 วัน", "3 days overdue"),
        ("2024-09-15 08:00+07:00", "เหลือ 1,095 วัน", "1,095 days left"),
    ],
)
def test_the_closing_date_says_how_far_it_is(moment: str, thai: str, english: str) -> None:
    now = datetime.fromisoformat(moment)
    round_ = Round(fiscal_year=2570, state=RoundState.OPEN, closes_on=CLOSES)
    assert round_line(texts(Language.THAI), round_, now) == f"ปีงบประมาณ 2570 · ภายใน 15 ก.ย. 2570 ({thai})"
    assert round_line(texts(Language.ENGLISH), round_, now) == f"Fiscal year 2570 · by 15 Sep 2570 ({english})"
    round_.state = RoundState.CLOSED
    assert english not in round_line(texts(Language.ENGLISH), round_, now)
    round_.state, round_.closes_on = RoundState.OPEN, None
    assert round_line(texts(Language.ENGLISH), round_, now) == "Fiscal year 2570"
