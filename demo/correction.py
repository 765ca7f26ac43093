"""The corrected register of an organization that was reopened, as its own system would deliver it: two people have
come, one has left, and of three something is different.
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
    """Import it in the place of the organization's register. Raises ImportRefused while that is locked."""
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
    """Of a register of some records, in order of their numbers: `+2 −1 ~3`. The last one leaves; one has another
    surname, an official another level, and a third all menus filled in.
    """
    *stay, gone = records
    renamed = stay[0]
    promoted = next(one for one in stay[1:] if one.category is Category.OFFICIAL)
    left = [one for one in stay[1:] if one is not promoted]
    completed = next((one for one in left if MenuState.EMPTY in one.menus), left[0])
    letters = completed.menus.replace(MenuState.EMPTY, MenuState.RECORDED)
    if letters == completed.menus:
        last_menu = MenuState.NONE if letters[-1] == MenuState.RECORDED else MenuState.RECORDED
        letters = letters[:-1] + last_menu
    last = int(gone.record_no)
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
    return [*(changed.get(one.record_no, one) for one in stay), *new]
