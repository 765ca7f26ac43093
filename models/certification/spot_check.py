"""สุ่มตรวจสอบ: a seeded draw of an organization's records, each marked (procedure, province step 5).

After a reopening, records that were incorrect before and some of the changed records are drawn as well.

Each revision has one draw, shared by all officers of the province: an officer who could draw again could choose
the sample. The seed is generated after the register is locked, so that nobody can predict or influence the sample.
With the seed anybody can reproduce it. The officers' operations are in models/spot_checks/spot_checking.py.
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
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.grants import Grants
from models.base.tables import Base, BigKey, text_enum
from models.register.roster import Category
from models.register.sampling import rank, sample

# The version of the current drawing rule. A draw without a basis was made by rule 1.
RULE = 2


class SpotCheckMissing(DomainError):
    """The spot-check of this revision is not drawn, or a record in it is not marked correct."""


class SpotCheckFailed(DomainError):
    """The spot-check was handed in with an incorrect record, so that only the next revision can be certified."""


class SpotCheckAltered(DomainError):
    """The spot-check differs from its events, because somebody changed the database; it cannot be used."""


class Mark(enum.StrEnum):
    """An officer's result for a record: ถูกต้อง (correct) or ไม่ถูกต้อง (incorrect)."""

    CORRECT = "correct"
    INCORRECT = "incorrect"


class Verdict(enum.StrEnum):
    """The result of a revision's spot-check."""

    # No spot-check is required: its size is 0, or the register has no records.
    NOT_NEEDED = "not_needed"
    OPEN = "open"
    # Every record is marked correct. Certifying hands the spot-check in.
    READY = "ready"
    PASSED = "passed"
    FAILED = "failed"


class SpotCheck(Base):
    """The spot-check of one revision. `seed` (hexadecimal), `basis` and the locked register determine the
    sample.
    """

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
    # The officer who drew it.
    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"))
    seed: Mapped[str] = mapped_column(String(64))
    drawn_at: Mapped[datetime]
    handed_in_at: Mapped[datetime | None]
    # What determines the draw besides the seed and the register, as JSON (Basis); None for a draw by rule 1.
    basis: Mapped[str | None] = mapped_column(Text)

    items: Mapped[list["SpotCheckItem"]] = relationship(lazy="raise", order_by="SpotCheckItem.place")

    @property
    def marked(self) -> int:
        """The number of records that have a mark."""
        return sum(item.mark is not None for item in self.items)

    @property
    def incorrect(self) -> list["SpotCheckItem"]:
        """The items marked incorrect."""
        return [item for item in self.items if item.mark is Mark.INCORRECT]

    @property
    def is_all_correct(self) -> bool:
        """Whether every record is marked correct."""
        return all(item.mark is Mark.CORRECT for item in self.items)

    @property
    def fingerprint(self) -> str:
        """A digest of 16 hexadecimal digits of `marks`, to which the button that hands it in is bound."""
        return hashlib.sha256(self.marks.encode()).hexdigest()[:16]

    @property
    def marks(self) -> str:
        """The check's id and each item's mark, officer and time, as text; a confirmation is bound to it."""
        return "/".join(
            [str(self.id), *(f"{item.mark} {item.officer_id} {_moment(item.marked_at)}" for item in self.items)]
        )


class SpotCheckItem(Base):
    """One drawn record; `place` counts from 1. Its mark can be changed until the spot-check is handed in."""

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
    # The officer's note on what is incorrect.
    note: Mapped[str | None] = mapped_column(Text)
    marked_at: Mapped[datetime | None]
    # The officer who marked it last.
    officer_id: Mapped[int | None] = mapped_column(ForeignKey("officer.id"))


# --- the sample ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Basis:
    """What determines a draw by rule 2 besides the seed and the register. All record numbers are sorted.

    `size` is the number of records drawn from the whole register, and the most drawn from the changed ones.
    `since` has the ended revisions that are compared with, the newest first (models/certification/changes.py); it
    is empty in the first revision. `incorrect` has the records marked ไม่ถูกต้อง in one of those revisions, by
    their current number; `gone` has the numbers of those that the register no longer has. `changed` has the
    records that differ from what was certified; with `may_all_differ`, every other record may have changed too.
    """

    size: int
    since: tuple[int, ...] = ()
    incorrect: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    may_all_differ: bool = False

    def written(self) -> str:
        """Return the basis as canonical JSON, as a draw stores it."""
        return _canonical(asdict(self))

    @classmethod
    def read(cls, facts: dict[str, Any]) -> "Basis":
        """Build a basis from the JSON object of a draw or a certificate.

        Raises KeyError, TypeError for other objects.
        """
        return cls(
            size=facts["size"],
            since=tuple(facts["since"]),
            incorrect=tuple(facts["incorrect"]),
            gone=tuple(facts["gone"]),
            changed=tuple(facts["changed"]),
            may_all_differ=facts["may_all_differ"],
        )


def basis_of(check: SpotCheck) -> Basis | None:
    """Return the basis of a spot-check's draw; None for a draw by rule 1."""
    return None if check.basis is None else Basis.read(json.loads(check.basis))


def draw_numbers(seed: str, records: Iterable[tuple[str, Category]], basis: Basis) -> list[str]:
    """Return the numbers of the records that rule 2 draws from a register of (record_no, category), each once.

    First come the sample of the whole register (`sample`), and the records that were incorrect before, sorted by
    number. Then come the first `size` of the changed records not drawn yet, in order of SHA-256 of
    `<seed>/changed/<record_no>`. If any other record may have changed too, `size` of those follow in that order.
    """
    register = list(records)
    drawn = sample(seed, register, basis.size)
    drawn += [number for number in basis.incorrect if number not in drawn]
    pools = [basis.changed, [number for number, _ in register] if basis.may_all_differ else []]
    for pool in pools:
        undrawn = sorted(set(pool) - set(drawn), key=lambda number: rank(seed, f"changed/{number}"))
        drawn += undrawn[: basis.size]
    return drawn


# --- the verdict --------------------------------------------------------------------------------------------


def verdict(check: SpotCheck | None, *, size: int, records: int) -> Verdict:
    """Return the result of a revision's spot-check; `size` is the required sample size, `records` that of the
    register.
    """
    if check is not None and check.handed_in_at is not None:
        return Verdict.FAILED if check.incorrect else Verdict.PASSED
    if check is not None and check.is_all_correct:
        return Verdict.READY
    return Verdict.OPEN if size and records else Verdict.NOT_NEEDED


def require_passed(check: SpotCheck | None, *, size: int, records: int) -> None:
    """Check that the spot-check allows the province to certify.

    Raises SpotCheckFailed when it failed, and SpotCheckMissing when one is required and not every record is marked
    correct.
    """
    current_verdict = verdict(check, size=size, records=records)
    if current_verdict is Verdict.FAILED:
        raise SpotCheckFailed
    if current_verdict is Verdict.OPEN:
        raise SpotCheckMissing


def hand_in_correct(check: SpotCheck | None, now: datetime) -> SpotCheck | None:
    """Hand in a spot-check in which every record is correct, and return it; otherwise do nothing and return None.

    It is handed in when the province certifies, so that an officer who cancels has handed in nothing. A spot-check
    that was handed in before is left as it is.
    """
    if check is None or check.handed_in_at is not None or not check.is_all_correct:
        return None
    check.handed_in_at = now
    return check


def kept(check: SpotCheck | None) -> str | None:
    """Return a handed-in spot-check as canonical JSON for the certificate, without names and notes; otherwise
    None.
    """
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


# --- the events of a spot-check -----------------------------------------------------------------------------


@dataclass
class CheckEvents:
    """The details of one spot-check's events: its draw, the last mark of each place, and the handing in.

    `deviations` has what no program of this project records: another draw, and what follows the handing in.
    `is_required` says that draws and marks were already recorded when the organization certified. A spot-check
    without these events was then not made by the program.
    """

    is_required: bool = False
    drawn: dict[str, Any] | None = None
    marks: dict[int, dict[str, Any]] = field(default_factory=dict)
    handed_in: dict[str, Any] | None = None
    deviations: list[str] = field(default_factory=list)


class RecordedChecks:
    """The events of an organization's spot-checks, grouped by spot-check.

    Built from each event's kind and details, with its time under `at`, in the order of the chain.
    """

    def __init__(self, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
        self._required: set[tuple[str, str]] = set()
        self._checks: dict[str, CheckEvents] = {}
        self._drawn: set[tuple[str, str]] = set()
        for kind, details in events:
            if kind == Event.CERTIFIED:
                self._note_certificate(details)
                continue
            if kind not in (Event.DRAWN, Event.MARKED, Event.HANDED_IN):
                continue
            check_events = self._checks.setdefault(str(details.get("check")), CheckEvents())
            if kind == Event.DRAWN:
                self._note_draw(check_events, details)
            elif check_events.handed_in is not None:
                check_events.deviations.append("was marked or handed in again after it was handed in")
            elif kind == Event.MARKED:
                check_events.marks[details.get("place", 0)] = details
            elif kind == Event.HANDED_IN:
                check_events.handed_in = details

    def _note_certificate(self, details: dict[str, Any]) -> None:
        certificate = details.get("certificate")
        # The version that first recorded the statement's digest also first recorded draws, which follow this
        # event.
        if "statement_sha256" in details and isinstance(certificate, dict) and certificate.get("level") == "lao":
            self._required.add((str(certificate.get("round_id")), str(certificate.get("revision"))))

    def _note_draw(self, check_events: CheckEvents, details: dict[str, Any]) -> None:
        revision = str(details.get("round_id")), str(details.get("revision"))
        if revision in self._drawn:
            check_events.deviations.append("its revision was drawn before")
        self._drawn.add(revision)
        check_events.drawn = details

    def is_drawn(self, round_id: int, revision: int) -> bool:
        """Whether an event records a draw for this revision."""
        return (str(round_id), str(revision)) in self._drawn

    def of(self, check: SpotCheck) -> CheckEvents:
        """Return the events of one spot-check."""
        events = self._checks.get(str(check.id), CheckEvents())
        return replace(events, is_required=(str(check.round_id), str(check.revision)) in self._required)


def require_recorded(check: SpotCheck | None, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Raise SpotCheckAltered when a spot-check differs from `events`, the verified events of its organization
    since its certificate. Does nothing for None.
    """
    if check is not None and differences(check, RecordedChecks(events).of(check)):
        raise SpotCheckAltered


async def record_hand_in(session: AsyncSession, check: SpotCheck, now: datetime) -> None:
    """Record that a spot-check was handed in."""
    await event_chain.record(session, Event.HANDED_IN, check.organization_code, now, **handed_in_facts(check))


def drawn_facts(check: SpotCheck) -> dict[str, Any]:
    """Return the details of the event of a draw."""
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
    """Return the details of the event of a mark, with a digest of the note, because a note may name a person."""
    return {
        "check": item.spot_check_id,
        "place": item.place,
        "record_no": item.record_no,
        "mark": item.mark,
        "note": _digest(item.note),
        "officer": item.officer_id,
    }


def handed_in_facts(check: SpotCheck) -> dict[str, Any]:
    """Return the details of the event of a handing in: the number of incorrect records and a digest of `marks`."""
    return {"check": check.id, "incorrect": len(check.incorrect), "marks": _digest(check.marks)}


def differences(check: SpotCheck, events: CheckEvents) -> list[str]:
    """Return how a spot-check differs from its events, one phrase each.

    A spot-check from before such events were recorded has none and does not differ.
    """
    if events.drawn is None:
        return ["no event records its draw"] if events.is_required else []
    deviations = sorted(set(events.deviations))
    if not _says(events.drawn, drawn_facts(check)) or events.drawn["at"] != check.drawn_at:
        deviations.append("is not as it was drawn")
    for item in check.items:
        mark_event = events.marks.get(item.place)
        if mark_event is None:
            if (item.mark, item.note, item.marked_at, item.officer_id) != (None, None, None, None):
                deviations.append(f"no event records the mark at place {item.place}")
        elif not _says(mark_event, marked_facts(item)) or mark_event["at"] != item.marked_at:
            deviations.append(f"the mark at place {item.place} is another one")
    hand_in = events.handed_in
    if (None if hand_in is None else hand_in["at"]) != check.handed_in_at:
        deviations.append("was not handed in so")
    elif hand_in is not None and not _says(hand_in, handed_in_facts(check)):
        deviations.append("is not as it was handed in")
    return deviations


def _says(event: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Whether an event's details contain these facts; other details are ignored."""
    return {name: event.get(name) for name in facts} == facts


def _digest(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


# --- the spot-check on a certificate ------------------------------------------------------------------------


def is_drawn_from(certified: str, records: Iterable[tuple[str, Category]]) -> bool:
    """Whether the records in a certificate's JSON are those that its seed draws from this register by its rule.

    A certificate that names no rule was made by rule 1. False also for text that cannot be read.
    """
    try:
        facts, register = json.loads(certified), list(records)
        numbers = [record["record_no"] for record in facts["records"]]
        if facts.get("rule", 1) == 1:
            return bool(numbers) and numbers == sample(facts["seed"], register, facts["size"])
        if facts["rule"] != RULE:
            return False
        basis, register_numbers = Basis.read(facts), {number for number, _ in register}
        return (
            bool(numbers)
            and _fits(basis, register_numbers)
            and numbers == draw_numbers(facts["seed"], register, basis)
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _fits(basis: Basis, register: set[str]) -> bool:
    """Whether a basis is consistent with a register of these record numbers."""
    basis_numbers = (*basis.incorrect, *basis.changed)
    return register.issuperset(basis_numbers) and register.isdisjoint(basis.gone)
