"""Files to import, and what is told of them."""

import csv
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import func, select

from models.database.engine import Database
from models.imports import ImportRefused


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
