"""The corrected register of a reopened organization, as its own system would deliver it: two people were added,
one removed and three changed.
"""

import csv
import random
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from demo.sample import FAMILY_END, FAMILY_START, GIVEN
from models.database.engine import Database
from models.imports import import_personnel
from models.register.roster import Category, MenuState, Record, Roster, load_records

_CELLS = {MenuState.RECORDED: "recorded", MenuState.NONE: "none", MenuState.EMPTY: ""}


async def correct_register(database: Database, folder: Path, dla_code: str, now: datetime) -> None:
    """Generate a corrected register and import it. Raises ImportRefused if the register is locked.

    The file is written to `folder`.
    """
    async with database.read() as session:
        menus = (await session.get_one(Roster, dla_code)).menu_names
        records = sorted(await load_records(session, dla_code))
    path = folder / f"corrected-{dla_code}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["organization", "record_no", "full_name", "category", "position", "level", *menus])
        for record in corrected(records, random.Random(len(records))):  # noqa: S311
            cells = [_CELLS[MenuState(letter)] for letter in record.menus]
            writer.writerow([dla_code, *record[:-1], *cells])
    await import_personnel(database, path, now=now)


def corrected(records: Sequence[Record], rng: random.Random) -> list[Record]:
    """Return a corrected copy of a register's records, which are sorted by number.

    The last record is removed, two are added. One record gets another surname, an official another level, and a
    third gets its empty menus filled in.
    """
    *stay, removed = records
    renamed = stay[0]
    promoted = next(record for record in stay[1:] if record.category is Category.OFFICIAL)
    others = [record for record in stay[1:] if record is not promoted]
    completed = next((record for record in others if MenuState.EMPTY in record.menus), others[0])
    letters = completed.menus.replace(MenuState.EMPTY, MenuState.RECORDED)
    if letters == completed.menus:
        last_menu = MenuState.NONE if letters[-1] == MenuState.RECORDED else MenuState.RECORDED
        letters = letters[:-1] + last_menu
    last = int(removed.record_no)
    new = [
        Record(
            f"{last + number:04}",
            f"{rng.choice(GIVEN)} {rng.choice(FAMILY_START)}{rng.choice(FAMILY_END)}",
            Category.CONTRACT_EMPLOYEE,
            "ผู้ดูแลเด็ก",
            "ภารกิจ",
            MenuState.RECORDED * len(letters),
        )
        for number in (1, 2)
    ]
    level = "ชำนาญการพิเศษ" if promoted.level != "ชำนาญการพิเศษ" else "ชำนาญการ"
    changed = {
        renamed.record_no: renamed._replace(
            full_name=f"{renamed.full_name.split()[0]} เกียรติ{rng.choice(FAMILY_END)}"
        ),
        promoted.record_no: promoted._replace(level=level),
        completed.record_no: completed._replace(menus=letters),
    }
    return [*(changed.get(record.record_no, record) for record in stay), *new]
