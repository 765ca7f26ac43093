"""The names of the nation's organizations on buttons (demo/data/organizations.csv)."""

import csv
from collections import Counter
from pathlib import Path

from handlers.chat.words import find_label
from handlers.province.listing import BLOCKED, LOOKED_AT, OPEN_QUESTION, SIGNS
from models.organizations.organization import full_name, short_name
from models.province.progress import CAPITAL, ButtonName
from tests.handlers.widths import ROOM, width

ORGANIZATIONS = Path(__file__).parents[3] / "demo" / "data" / "organizations.csv"


def test_every_organization_of_the_nation_fits_on_a_button() -> None:
    with ORGANIZATIONS.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7849
    alike = Counter((row["province_code"], row["type_code"], row["name_th"]) for row in rows)
    marks = max(
        (sign + mark for sign in SIGNS.values() for mark in (BLOCKED, LOOKED_AT, OPEN_QUESTION)), key=width
    )
    labels: Counter[tuple[str, str]] = Counter()
    for row in rows:
        facts = row["type_code"], row["type_th"], row["name_th"]
        is_capital = row["district_th"] == CAPITAL + row["province_th"]
        district = CAPITAL if is_capital else row["district_th"]
        has_namesake = alike[row["province_code"], row["type_code"], row["name_th"]] > 1
        name = ButtonName(
            row["dla_code"], short_name(*facts), full_name(*facts), district if has_namesake else None
        )
        label = find_label(name, marks)
        assert width(label) <= ROOM[1], label
        labels[row["province_code"], label] += 1
    # Within a province all labels differ.
    assert [label for label, count in labels.items() if count > 1] == []
