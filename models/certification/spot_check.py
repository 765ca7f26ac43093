"""สุ่มตรวจสอบ: a seeded draw of an organization's records, each marked (procedure, province step 5).

One draw for each revision, shared by all officers of the province: whoever could draw again could choose. The seed
is made when the register is locked already, so that nobody can know or choose what it will bring; with the seed
anybody can draw the sample again. What officers do with it is in models/spot_checks/spot_checking.py.
"""

import enum
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from fractions import Fraction

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base.errors import DomainError
from models.base.tables import Base, BigKey, text_enum
from models.register.roster import Category


class SpotCheckMissing(DomainError):
    """The spot-check of this revision is not drawn, or a record in it is not marked as correct."""


class SpotCheckFailed(DomainError):
    """Something in the spot-check is not correct: only the next revision can be certified."""


class Mark(enum.StrEnum):
    """What an officer found: ถูกต้อง or ไม่ถูกต้อง."""

    CORRECT = "correct"
    INCORRECT = "incorrect"


class Verdict(enum.StrEnum):
    """What the spot-check says of a revision."""

    # None is asked for: its size is 0, or the register has no records.
    NOT_NEEDED = "not_needed"
    OPEN = "open"
    # Every record is marked as correct: certifying hands the check in.
    READY = "ready"
    PASSED = "passed"
    FAILED = "failed"


class SpotCheck(Base):
    """The draw of one revision. `seed` (hexadecimal) and the locked register give the sample."""

    __tablename__ = "spot_check"
    __table_args__ = (UniqueConstraint("organization_code", "round_id", "revision"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    organization_code: Mapped[str] = mapped_column(ForeignKey("organization.dla_code"))
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    revision: Mapped[int]
    # Who drew.
    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"))
    seed: Mapped[str] = mapped_column(String(64))
    drawn_at: Mapped[datetime]
    handed_in_at: Mapped[datetime | None]

    items: Mapped[list["SpotCheckItem"]] = relationship(lazy="raise", order_by="SpotCheckItem.place")

    @property
    def marked(self) -> int:
        """How many of its records have a mark."""
        return sum(item.mark is not None for item in self.items)

    @property
    def incorrect(self) -> list["SpotCheckItem"]:
        """The records that were found not correct."""
        return [item for item in self.items if item.mark is Mark.INCORRECT]

    @property
    def is_all_correct(self) -> bool:
        """Whether every record of it was found correct."""
        return all(item.mark is Mark.CORRECT for item in self.items)

    @property
    def marks(self) -> str:
        """Which check it is and what was marked in it, by whom and when: what a confirmation is bound to."""
        return "/".join(
            [str(self.id), *(f"{item.mark} {item.officer_id} {_moment(item.marked_at)}" for item in self.items)]
        )


class SpotCheckItem(Base):
    """One drawn record; `place` counts from 1. A mark can be changed until the check is handed in."""

    __tablename__ = "spot_check_item"
    __table_args__ = (UniqueConstraint("spot_check_id", "record_no"),)

    spot_check_id: Mapped[int] = mapped_column(ForeignKey("spot_check.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    record_no: Mapped[str] = mapped_column(String(40))
    mark: Mapped[Mark | None] = mapped_column(text_enum(Mark, checked=False))
    # What is not correct.
    note: Mapped[str | None] = mapped_column(Text)
    marked_at: Mapped[datetime | None]
    # Who marked it last.
    officer_id: Mapped[int | None] = mapped_column(ForeignKey("officer.id"))


# --- the sample ---------------------------------------------------------------------------------------------


def sample(seed: str, records: Iterable[tuple[str, Category]], size: int) -> list[str]:
    """The numbers of the records that a seed draws from a register (record_no, category): `size`, or all.

    The rule, so that anybody can draw again: within a category the records are ordered by SHA-256 of
    `<seed>/<record_no>`, and its first ones are drawn. The places go to the categories one by one: first one to
    each category that has records (in order of SHA-256 of `<seed>/<category>`), then each to the category with the
    most records for each of its places and one more (so that places follow the numbers), ties in that same order.
    The sample is listed category by category, in the order drawn. Nothing depends on the order of `records`.
    """
    by_category: dict[Category, list[str]] = {category: [] for category in Category}
    for record_no, category in records:
        by_category[category].append(record_no)
    counts = {category: len(found) for category, found in by_category.items() if found}
    places = _places(seed, counts, size)
    drawn = (
        sorted(by_category[category], key=lambda number: _rank(seed, number))[: places[category]]
        for category in Category
    )
    return [record_no for some in drawn for record_no in some]


def _places(seed: str, counts: dict[Category, int], size: int) -> Counter[Category]:
    """How many records of each category are drawn."""
    places: Counter[Category] = Counter()

    def urgency(category: Category) -> tuple[bool, Fraction, str]:
        has = places[category]
        share = Fraction(counts[category], has + 1) if has else Fraction(0)
        return has > 0, -share, _rank(seed, category)

    for _ in range(min(size, sum(counts.values()))):
        places[min((one for one in counts if places[one] < counts[one]), key=urgency)] += 1
    return places


def _rank(seed: str, what: str) -> str:
    return hashlib.sha256(f"{seed}/{what}".encode()).hexdigest()


# --- what it proves -----------------------------------------------------------------------------------------


def verdict(check: SpotCheck | None, *, size: int, records: int) -> Verdict:
    """What the check of a revision with so many records says, when checks of `size` are asked for."""
    if check is not None and check.handed_in_at is not None:
        return Verdict.FAILED if check.incorrect else Verdict.PASSED
    if check is not None and check.is_all_correct:
        return Verdict.READY
    return Verdict.OPEN if size and records else Verdict.NOT_NEEDED


def require_passed(check: SpotCheck | None, *, size: int, records: int) -> None:
    """Without it a province cannot certify. Raises SpotCheckMissing, SpotCheckFailed."""
    decided = verdict(check, size=size, records=records)
    if decided is Verdict.FAILED:
        raise SpotCheckFailed
    if decided is Verdict.OPEN:
        raise SpotCheckMissing


def hand_in_correct(check: SpotCheck | None, now: datetime) -> None:
    """Hand in a check in which every record is correct: part of the province's certification, so that whoever
    cancels has handed in nothing. Nothing happens to one that was handed in before.
    """
    if check is not None and check.handed_in_at is None and check.is_all_correct:
        check.handed_in_at = now


def kept(check: SpotCheck | None) -> str | None:
    """What the certificate keeps of a check that was handed in, as JSON of one form: no names and no notes."""
    if check is None or check.handed_in_at is None:
        return None
    facts = {
        "seed": check.seed,
        "size": len(check.items),
        "drawn_at": _moment(check.drawn_at),
        "handed_in_at": _moment(check.handed_in_at),
        "records": [
            {"record_no": item.record_no, "mark": item.mark, "marked_at": _moment(item.marked_at)}
            for item in check.items
        ],
    }
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _moment(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None


def is_drawn_from(certified: str, records: Iterable[tuple[str, Category]]) -> bool:
    """Whether the sample that a certificate keeps is the one that its seed draws from these records."""
    try:
        told = json.loads(certified)
        numbers = [one["record_no"] for one in told["records"]]
        return bool(numbers) and numbers == sample(told["seed"], records, told["size"])
    except (ValueError, KeyError, TypeError):
        return False
