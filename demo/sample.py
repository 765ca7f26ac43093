"""Sample data: the real organizations with generated accounts and rosters. No person in it is real."""

import csv
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from models.organizations.organization import full_name

ORGANIZATIONS = Path(__file__).parent / "data" / "organizations.csv"

# The minimum and maximum staff of an organization by type, after the sector's figures for fiscal year 2559.
SIZES = {
    "provincial_admin_org": (300, 900),
    "city_municipality": (600, 1200),
    "town_municipality": (150, 400),
    "subdistrict_municipality": (40, 120),
    "subdistrict_admin_org": (20, 60),
    "special_admin_area": (600, 1200),
}

MENUS = ("ประวัติส่วนตัว", "การศึกษา", "ตำแหน่งและเงินเดือน", "การฝึกอบรม", "เครื่องราชอิสริยาภรณ์", "วันลา", "วินัย")

# Lists of words read better as words.
GIVEN = (  # noqa: SIM905
    "กานดา กิตติ ขวัญใจ จรัญ จินตนา ชูชาติ ดวงใจ ทองดี นภา นิพนธ์ บุญมี ประนอม ปรีชา พรทิพย์ พิชัย มานพ มาลี ยุพิน "
    "รัตนา เรณู ลำดวน วันดี วิชัย ศรีสุดา สมใจ สมพร สายฝน สุนทร สุพจน์ อนงค์ อรุณ อุทัย"
).split()
FAMILY_START = "แก้ว ทอง บุญ ศรี สุข ใจ ชัย วงศ์ พงษ์ รัตน มณี จันทร์ แสง เจริญ มั่น ธรรม".split()  # noqa: SIM905
FAMILY_END = "กุล งาม ดี ทรัพย์ ไพร มาก ยิ่ง รักษ์ เลิศ วัฒน์ สกุล เสถียร สว่าง อุดม คง พันธ์".split()  # noqa: SIM905

POSITIONS = {
    "ข้าราชการ": (
        ("นักบริหารงานท้องถิ่น", "กลาง"),
        ("นักบริหารงานการคลัง", "ต้น"),
        ("นักวิเคราะห์นโยบายและแผน", "ชำนาญการ"),
        ("นักทรัพยากรบุคคล", "ปฏิบัติการ"),
        ("นักวิชาการเงินและบัญชี", "ชำนาญการ"),
        ("นักพัฒนาชุมชน", "ปฏิบัติการ"),
        ("นายช่างโยธา", "ชำนาญงาน"),
        ("เจ้าพนักงานธุรการ", "ปฏิบัติงาน"),
        ("เจ้าพนักงานพัสดุ", "ชำนาญงาน"),
        ("ครู", "คศ.2"),
    ),
    "ลูกจ้างประจำ": (("พนักงานขับรถยนต์", "ส 2"), ("พนักงานสูบน้ำ", "ส 2"), ("เจ้าหน้าที่ธุรการ", "ส 3")),
    "พนักงานจ้าง": (
        ("ผู้ช่วยเจ้าพนักงานธุรการ", "ภารกิจ"),
        ("ผู้ช่วยนายช่างโยธา", "ภารกิจ"),
        ("ผู้ดูแลเด็ก", "ภารกิจ"),
        ("พนักงานขับรถยนต์", "ภารกิจ"),
        ("คนงาน", "ทั่วไป"),
        ("พนักงานดับเพลิง", "ทั่วไป"),
    ),
}


@dataclass(frozen=True)
class Unit:
    """An organization (role `lao`) or a province (role `province`) of the sample, with its account's login."""

    role: str
    code: str
    name: str
    district: str
    province: str
    type_code: str
    username: str
    password: str


def read_units(provinces: Iterable[str] | None = None) -> list[Unit]:
    """Read the provinces and organizations of the shipped data, optionally of some provinces (codes) only."""
    chosen = None if provinces is None else set(provinces)
    units: dict[str, Unit] = {}
    with ORGANIZATIONS.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            code, province = row["dla_code"], row["province_code"]
            if chosen is not None and province not in chosen:
                continue
            name = f"จังหวัด{row['province_th']}"
            units[province] = _unit("province", province, name, "", province, "")
            name = full_name(row["type_code"], row["type_th"], row["name_th"])
            units[code] = _unit("lao", code, name, row["district_th"], province, row["type_code"])
    return list(units.values())


def _unit(role: str, code: str, name: str, district: str, province: str, type_code: str) -> Unit:
    return Unit(role, code, name, district, province, type_code, f"{role}{code}", f"laocert-{code}")


def write_organizations(path: Path, provinces: Iterable[str]) -> None:
    """Write an import file with the organizations of some provinces (codes)."""
    chosen = set(provinces)
    with (
        ORGANIZATIONS.open(encoding="utf-8-sig", newline="") as source,
        path.open("w", encoding="utf-8", newline="") as file,
    ):
        rows = csv.DictReader(source)
        writer = csv.DictWriter(file, rows.fieldnames or [])
        writer.writeheader()
        writer.writerows(row for row in rows if row["province_code"] in chosen)


def write_accounts(path: Path, units: Iterable[Unit]) -> None:
    """Write an import file with an account for each unit."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["username", "password", "role", "organization", "display_name"])
        for unit in units:
            writer.writerow([unit.username, unit.password, unit.role, unit.code, unit.name])


def write_personnel(path: Path, units: Iterable[Unit], rng: random.Random, share: float = 1.0) -> int:
    """Write an import file with a generated roster for each organization among the units.

    Returns the number of records. `share` is a factor on their sizes.
    """
    records = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["organization", "record_no", "full_name", "category", "position", "level", *MENUS])
        for unit in units:
            if unit.role != "lao":
                continue
            for number in range(1, round(rng.randint(*SIZES[unit.type_code]) * share) + 1):
                writer.writerow([unit.code, f"{number:04}", *_person(rng)])
                records += 1
    return records


def person_name(rng: random.Random) -> str:
    """A made-up first and family name."""
    return f"{rng.choice(GIVEN)} {rng.choice(FAMILY_START)}{rng.choice(FAMILY_END)}"


def _person(rng: random.Random) -> list[str]:
    name = person_name(rng)
    (category,) = rng.choices(list(POSITIONS), (44, 11, 45))
    # Most registers are complete; a few records still have a menu that nobody has filled in.
    menus = rng.choices(["มี", "ไม่มี"], (85, 15), k=len(MENUS))
    if rng.random() < 0.03:
        menus[rng.randrange(len(MENUS))] = ""
    return [name, category, *rng.choice(POSITIONS[category]), *menus]
