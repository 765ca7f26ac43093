"""Names that would be shown as something else than a name, or as nothing."""

import csv
from datetime import datetime
from pathlib import Path

import pytest

from models.accounts.account import NameRefused, name_or_position
from models.base.names import becomes_link
from models.database.engine import Database
from models.imports.organizations import import_organizations
from models.imports.tabular import ImportRefused

LINKS = [
    *("@laocert_bot", "คุณ @a", "#บางปู", "$USD", "/start", "ปลัด /logout", "https://x", "tg://user?id=1"),
    *("example.com", "EXAMPLE.COM", "ดูที่ www.example.org ก่อน", "t.me/x", "a@example.com", "xn--o3cw4h.xn--o3cw4h"),
    *("อบต.ไทย", "เทศบาล.คอม", "1.1.1.1"),
]
NAMES = [
    *(
        "สมชาย ใจดี",
        "พ.ต.ท. สมชาย",
        "ม.ร.ว.กนก",
        "จ.ป.ร.",
        "กม.5",
        "Mr.Kim",
        "Dr.Somchai Jaidee",
        "Ph.D.",
        "J.K.Lee",
    ),
    *("ปลัด/รองปลัด", "นักวิชาการ 7-8", "50/50", "อบต.ไทยสามัคคี", "ผู้อำนวยการกอง (รักษาการ)", "A & B", "# 5", "5 $"),
]


@pytest.mark.parametrize("name", LINKS)
def test_what_telegram_makes_a_link_of(name: str) -> None:
    assert becomes_link(name)
    with pytest.raises(NameRefused):
        name_or_position(f"กก {name}")


@pytest.mark.parametrize("name", NAMES)
def test_names_as_they_are(name: str) -> None:
    assert not becomes_link(name)
    assert name_or_position(f"กก {name}") == f"กก {name}"


@pytest.mark.parametrize("letter", "\u3164\u115f\u1160\uffa0\u17b4\u034f\ufe0f\u2800\u202e\u061c\u033f")
def test_a_name_without_ink_is_none(letter: str) -> None:
    for name in (letter, f"สมชาย{letter}"):
        with pytest.raises(NameRefused):
            name_or_position(name)


def test_what_looks_alike_is_one_name() -> None:
    typed = "\ufeffนาง\u00a0สําลี\u200b เเก้วคํา\u00ad"
    assert name_or_position(typed) == "นาง สำลี แก้วคำ"
    with pytest.raises(NameRefused):
        name_or_position("\u200b\u00ad\ufeff")
    # Wide signs make no link either.
    with pytest.raises(NameRefused):
        name_or_position("ปลัด ＠laocert_bot")


async def test_no_imported_organization_becomes_a_link(database: Database, now: datetime, tmp_path: Path) -> None:
    path = tmp_path / "organizations.csv"
    header = "dla_code,type_th,type_code,name_th,province_code,province_th,province_en,district_th"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(header.split(","))
        rows.writerow(["1", "อบต.", "tao", "example.com", "11", "ก", "a", "@laocert_bot"])
    with pytest.raises(ImportRefused) as refused:
        await import_organizations(database, path, now)
    assert [str(problem) for problem in refused.value.problems] == [
        "line 2, name_th: holds what Telegram shows as a link; write the plain name",
        "line 2, district_th: starts with @ like a formula; write the plain text, without a sign in front of it",
    ]
