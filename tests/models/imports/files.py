"""Files to import, and what is told of them. `people` are rows of personnel, as the registers of the country."""

import csv
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import func, select

from models.database.engine import Database
from models.imports import ImportRefused
from tests.support import ORGANIZATIONS

FIRST, SECOND, THIRD, WITHOUT_ROSTER, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)
COLUMNS = ["organization", "record_no", "full_name", "category", "position", "level"]
MENUS = ["ประวัติ", "การศึกษา", "เครื่องราชฯ"]
CATEGORIES = 12 * ["official"] + 3 * ["permanent_employee"] + 5 * ["contract_employee"]


def write(path: Path, rows: list[list[str]]) -> Path:
    if path.suffix == ".xlsx":
        workbook = Workbook()
        sheet: Any = workbook.active
        for row in rows:
            sheet.append(row)
        workbook.save(path)
    else:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows(rows)
    return path


def lines(refused: pytest.ExceptionInfo[ImportRefused]) -> list[str]:
    return [str(problem) for problem in refused.value.problems]


async def count(database: Database, table: type) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


def person(number: int, organization: str = FIRST, category: str = "official") -> list[str]:
    """A row that is just like the record that put_roster makes (tests/support.py)."""
    return [
        organization,
        f"{number:04}",
        f"บุคคล ทดสอบ{number}",
        category,
        f"ตำแหน่ง {number % 11}",
        "ปฏิบัติการ",
        "มี",
        "มี",
        "ไม่มี",
    ]


def people(count: int, organization: str = FIRST) -> list[list[str]]:
    """The first rows of a register of the country; there the last record has an empty menu."""
    return [person(number, organization, CATEGORIES[number - 1]) for number in range(1, count + 1)]
