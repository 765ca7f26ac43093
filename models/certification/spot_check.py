"""สุ่มตรวจสอบ: a seeded draw of an organization's records, each marked (procedure, province step 5).

After a reopening more is drawn beside it: what was found not correct before, and some of what has changed.

One draw for each revision, shared by all officers of the province: whoever could draw again could choose. The seed
is made when the register is locked already, so that nobody can know or choose what it will bring; with the seed
anybody can draw the sample again. What officers do with it is in models/spot_checks/spot_checking.py.
"""

import enum
import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.audit import event_chain
from models.audit.event_chain import Event
from models.audit.reading import authentic_events
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.grants import Grants
from models.base.tables import Base, BigKey, text_enum
from models.register.roster import Category
from models.register.sampling import rank, sample

# The version of the rule by which is drawn now; a draw without a basis is by rule 1.
RULE = 2


class SpotCheckMissing(DomainError):
    """The spot-check of this revision is not drawn, or a record in it is not marked as correct."""


class SpotCheckFailed(DomainError):
    """Something in the spot-check is not correct: only the next revision can be certified."""


class SpotCheckAltered(DomainError):
    """The spot-check is not what was recorded of it: somebody has written to the database. Nothing rests on it."""


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

    COVERAGE: ClassVar[Coverage] = covered(
        "id organization_code round_id revision officer_id seed drawn_at handed_in_at basis",
        "the events of its draw and its handing in; refused at the press as well",
    )

    __tablename__ = "spot_check"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE", operator="SELECT")
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
    # What was drawn from besides the seed and the register, as JSON (Basis); None of a draw by rule 1.
    basis: Mapped[str | None] = mapped_column(Text)

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
    def fingerprint(self) -> str:
        """16 letters that change with any mark: what a press to hand it in is bound to."""
        return hashlib.sha256(self.marks.encode()).hexdigest()[:16]

    @property
    def marks(self) -> str:
        """Which check it is and what was marked in it, by whom and when: what a confirmation is bound to."""
        return "/".join(
            [str(self.id), *(f"{item.mark} {item.officer_id} {_moment(item.marked_at)}" for item in self.items)]
        )


class SpotCheckItem(Base):
    """One drawn record; `place` counts from 1. A mark can be changed until the check is handed in."""

    COVERAGE: ClassVar[Coverage] = covered(
        "spot_check_id place record_no mark note marked_at officer_id",
        "the event of the draw and the last one of each mark; refused at the press as well",
    )

    __tablename__ = "spot_check_item"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE", operator="SELECT")
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


@dataclass(frozen=True)
class Basis:
    """What rule 2 draws from besides the seed and the register.

    `size`: as many records of the whole register, and at most as many of the changed ones. `since`: the ended
    revisions that count, the newest first (models/certification/changes.py); none in a first revision.
    `incorrect`: records that were marked ไม่ถูกต้อง in one of them, and that the register has, if under another
    number; `gone`: the numbers that it has no more. `changed`: records that are not as they were certified;
    `may_all_differ`: every other record may have changed too. All numbers in order.
    """

    size: int
    since: tuple[int, ...] = ()
    incorrect: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    may_all_differ: bool = False

    def written(self) -> str:
        """As a draw keeps it."""
        return _canonical(asdict(self))

    @classmethod
    def read(cls, facts: dict[str, Any]) -> "Basis":
        """From what a draw or a certificate keeps. Raises KeyError, TypeError."""
        return cls(
            size=facts["size"],
            since=tuple(facts["since"]),
            incorrect=tuple(facts["incorrect"]),
            gone=tuple(facts["gone"]),
            changed=tuple(facts["changed"]),
            may_all_differ=facts["may_all_differ"],
        )


def basis_of(check: SpotCheck) -> Basis | None:
    """What a draw was made from; None of one by rule 1."""
    return None if check.basis is None else Basis.read(json.loads(check.basis))


def draw_numbers(seed: str, records: Iterable[tuple[str, Category]], basis: Basis) -> list[str]:
    """The numbers of the records that rule 2 draws from a register (record_no, category), each once.

    First the sample of the whole register (`sample`); then what was found not correct before, in order of number;
    then, of the changed records that are not drawn yet, the first `size` in order of SHA-256 of
    `<seed>/changed/<record_no>`; and where any other record may have changed too, as many of those in that order.
    """
    register = list(records)
    drawn = sample(seed, register, basis.size)
    drawn += [number for number in basis.incorrect if number not in drawn]
    pools = [basis.changed, [number for number, _ in register] if basis.may_all_differ else []]
    for pool in pools:
        left = sorted(set(pool) - set(drawn), key=lambda number: rank(seed, f"changed/{number}"))
        drawn += left[: basis.size]
    return drawn


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


def hand_in_correct(check: SpotCheck | None, now: datetime) -> SpotCheck | None:
    """Hand in a check in which every record is correct: part of the province's certification, so that whoever
    cancels has handed in nothing. The check, if it was handed in by that; nothing happens to one that was before.
    """
    if check is None or check.handed_in_at is not None or not check.is_all_correct:
        return None
    check.handed_in_at = now
    return check


def kept(check: SpotCheck | None) -> str | None:
    """What the certificate keeps of a check that was handed in, as JSON of one form: no names and no notes."""
    if check is None or check.handed_in_at is None:
        return None
    basis = basis_of(check)
    drawn_from = {"rule": 1, "size": len(check.items)} if basis is None else {"rule": RULE, **asdict(basis)}
    facts = {
        **drawn_from,
        "seed": check.seed,
        "drawn_at": _moment(check.drawn_at),
        "handed_in_at": _moment(check.handed_in_at),
        "records": [
            {"record_no": item.record_no, "mark": item.mark, "marked_at": _moment(item.marked_at)}
            for item in check.items
        ],
    }
    return _canonical(facts)


def _canonical(facts: dict[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _moment(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None


# --- what is recorded of it ----------------------------------------------------------------------------------


@dataclass
class CheckEvents:
    """What the events say of one check: its draw, the last mark of each place, and the handing in.

    `is_required`: its organization certified when draws and marks were recorded already, so that a check without
    them is none that the program has made.
    """

    is_required: bool = False
    drawn: dict[str, Any] | None = None
    marks: dict[int, dict[str, Any]] = field(default_factory=dict)
    handed_in: dict[str, Any] | None = None


class RecordedChecks:
    """What the events of an organization's chain say of its checks: each event's kind and details, with its time
    under `at`, in order.
    """

    def __init__(self, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
        self._required: set[tuple[str, str]] = set()
        self._checks: dict[str, CheckEvents] = {}
        for kind, details in events:
            if kind == Event.CERTIFIED:
                self._note_certificate(details)
                continue
            events_ = self._checks.setdefault(str(details.get("check")), CheckEvents())
            if kind == Event.DRAWN:
                events_.drawn = details
            elif kind == Event.MARKED:
                events_.marks[details.get("place", 0)] = details
            elif kind == Event.HANDED_IN:
                events_.handed_in = details

    def _note_certificate(self, details: dict[str, Any]) -> None:
        certificate = details.get("certificate")
        # Since the texts of statements are recorded, draws are too; a draw follows its organization's certificate.
        if "statement_sha256" in details and isinstance(certificate, dict) and certificate.get("level") == "lao":
            self._required.add((str(certificate.get("round_id")), str(certificate.get("revision"))))

    def of(self, check: SpotCheck) -> CheckEvents:
        """What they say of one check."""
        events = self._checks.get(str(check.id), CheckEvents())
        return replace(events, is_required=(str(check.round_id), str(check.revision)) in self._required)


async def require_recorded(session: AsyncSession, check: SpotCheck | None) -> None:
    """Before anything rests on a check: it must be what its events tell, made with the secret key.

    Raises SpotCheckAltered.
    """
    if check is None:
        return
    kinds = Event.CERTIFIED, Event.DRAWN, Event.MARKED, Event.HANDED_IN
    events = await authentic_events(session, check.organization_code, kinds)
    if differences(check, RecordedChecks(events).of(check)):
        raise SpotCheckAltered


async def record_hand_in(session: AsyncSession, check: SpotCheck, now: datetime) -> None:
    """Record that a check was handed in."""
    await event_chain.record(session, Event.HANDED_IN, check.organization_code, now, **handed_in_facts(check))


def drawn_facts(check: SpotCheck) -> dict[str, Any]:
    """What the event of the draw says, beside its time."""
    return {
        "check": check.id,
        "round_id": check.round_id,
        "revision": check.revision,
        "officer": check.officer_id,
        "seed": check.seed,
        "basis": _digest(check.basis),
        "records": [item.record_no for item in check.items],
    }


def marked_facts(item: SpotCheckItem) -> dict[str, Any]:
    """What the event of a mark says, beside its time. Of the note a digest: it may name a person."""
    return {
        "check": item.spot_check_id,
        "place": item.place,
        "record_no": item.record_no,
        "mark": item.mark,
        "note": _digest(item.note),
        "officer": item.officer_id,
    }


def handed_in_facts(check: SpotCheck) -> dict[str, Any]:
    """What the event of the handing in says, beside its time: how many are not correct, and a digest of all marks
    with who made them and when.
    """
    return {"check": check.id, "incorrect": len(check.incorrect), "marks": _digest(check.marks)}


def differences(check: SpotCheck, events: CheckEvents) -> list[str]:
    """In what a check is not what its events tell; in nothing for one from before there were such events."""
    if events.drawn is None:
        return ["no event records its draw"] if events.is_required else []
    found = []
    if not _says(events.drawn, drawn_facts(check)) or events.drawn["at"] != check.drawn_at:
        found.append("is not as it was drawn")
    for item in check.items:
        told = events.marks.get(item.place)
        if told is None:
            if (item.mark, item.note, item.marked_at, item.officer_id) != (None, None, None, None):
                found.append(f"no event records the mark at place {item.place}")
        elif not _says(told, marked_facts(item)) or told["at"] != item.marked_at:
            found.append(f"the mark at place {item.place} is another one")
    told = events.handed_in
    if (None if told is None else told["at"]) != check.handed_in_at:
        found.append("was not handed in so")
    elif told is not None and not _says(told, handed_in_facts(check)):
        found.append("is not as it was handed in")
    return found


def _says(event: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Whether an event tells these facts, whatever else it tells."""
    return {name: event.get(name) for name in facts} == facts


def _digest(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


# --- what stands on the certificate --------------------------------------------------------------------------


def is_drawn_from(certified: str, records: Iterable[tuple[str, Category]]) -> bool:
    """Whether the records that a certificate names are the ones that its seed draws from this register, by the
    rule that it names; one that names none is from before there was another than rule 1.
    """
    try:
        told, register = json.loads(certified), list(records)
        numbers = [one["record_no"] for one in told["records"]]
        if told.get("rule", 1) == 1:
            return bool(numbers) and numbers == sample(told["seed"], register, told["size"])
        if told["rule"] != RULE:
            return False
        basis, has = Basis.read(told), {number for number, _ in register}
        return bool(numbers) and _fits(basis, has) and numbers == draw_numbers(told["seed"], register, basis)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _fits(basis: Basis, register: set[str]) -> bool:
    """Whether what a draw was made from can be true of a register with these numbers."""
    named = (*basis.incorrect, *basis.changed)
    return register.issuperset(named) and register.isdisjoint(basis.gone)
