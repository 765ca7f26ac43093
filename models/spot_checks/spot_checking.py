"""The province officers' operations on a spot-check: draw, mark, hand in, and ask for a reopening if it fails.

Every step is stored at once, so that an officer can continue after a crash or on a colleague's phone. Every
operation first locks the organization's row, like all operations that certify.

The times of the draw, the marks and the handing in appear on the province's certificate. While the clock is known
to be wrong, these operations are refused.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, String, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts.access import NotYours, require_sight
from models.accounts.account import Officer, Role
from models.audit import event_chain
from models.audit.row_seal import require_good_seal, require_newest
from models.base.errors import DomainError
from models.base.thai import shortened
from models.certification.certificate import Certification, Level, events_since_certified
from models.certification.certify import (
    RIGHT,
    AlreadyCertified,
    NotYetCertified,
    SelfApproval,
    require_right_clock,
)
from models.certification.changes import Changes, load_changes
from models.certification.remark import Remark, remark_text
from models.certification.review import certificates_and_check
from models.certification.spot_check import (
    Basis,
    Mark,
    RecordedChecks,
    SpotCheck,
    SpotCheckAltered,
    SpotCheckItem,
    Verdict,
    basis_of,
    draw_numbers,
    drawn_facts,
    marked_facts,
    record_hand_in,
    require_recorded,
    verdict,
)
from models.notices import card_marks
from models.organizations.organization import Organization, has_ended, require_going_on
from models.register.roster import MenuState, PersonnelRecord, Roster, load_records, summarize
from models.remarks.petition import PetitionPending, open_petition, petition_of_province
from models.rounds.round import NoOpenRound, Round, RoundState
from models.spot_checks.draw_basis import load_basis, load_earlier_notes

# Characters of the petition that a failed check creates, so that it fits one message with its heading (Bot API,
# sendMessage: 4,096).
MAX_NOTES = 3000
# Notes in that petition, so that each has room for its record number and a few words. Further ones are only
# counted.
MOST_NOTES = 40


class NothingToDraw(DomainError):
    """The size of the spot-check is 0, or the register has no records."""


class SpotCheckEnded(DomainError):
    """The spot-check is not the current revision's, or has no record at this place."""


class SpotCheckHandedIn(DomainError):
    """The spot-check was handed in, so that it can no longer change."""


class SpotCheckUnfinished(DomainError):
    """A record of the spot-check has no mark yet."""


class MarksChanged(DomainError):
    """A mark has changed since the officer was shown the screen on which to hand the spot-check in."""


class MenusEmpty(DomainError):
    """A menu of the record is empty, so that the officer must confirm that it is ถูกต้อง nevertheless.

    `checking` is the spot-check with the record.
    """

    def __init__(self, checking: "Checking") -> None:
        super().__init__(checking.organization.dla_code)
        self.checking = checking


@dataclass(frozen=True)
class Checkable:
    """An organization that waits for its province, its LAO's certificate, and its spot-check once drawn."""

    organization: Organization
    lao: Certification
    check: SpotCheck | None
    round: Round


@dataclass(frozen=True)
class Checking:
    """A spot-check with the drawn records by number. `menu_names` has the order of the letters in their `menus`.

    After a reopening, `basis` determines the draw, `earlier_notes` has the notes on records that were incorrect
    before, by record number, and `changes` has the changes since the register was certified.
    """

    organization: Organization
    check: SpotCheck
    records: dict[str, PersonnelRecord]
    menu_names: list[str]
    basis: Basis | None = None
    earlier_notes: dict[str, str] = field(default_factory=dict)
    changes: Changes | None = None

    def item(self, place: int) -> SpotCheckItem:
        """Return the item at a place, counted from 1. Raises SpotCheckEnded if there is none."""
        if not 1 <= place <= len(self.check.items):
            raise SpotCheckEnded
        return self.check.items[place - 1]

    def menus(self, place: int, state: MenuState) -> list[str]:
        """Return the names of a record's menus that are in a state. Raises SpotCheckEnded if there is no such
        place.
        """
        menus = self.records[self.item(place).record_no].menus
        return [name for name, letter in zip(self.menu_names, menus, strict=True) if letter == state]

    def unmarked_after(self, place: int) -> int | None:
        """Return the next place without a mark, wrapping around at the end; None if all are marked."""
        unmarked = [item.place for item in self.check.items if item.mark is None]
        return next((later for later in unmarked if later > place), next(iter(unmarked), None))


async def draw(
    session: AsyncSession,
    officer: Officer,
    dla_code: str,
    now: datetime,
    rng: random.Random,
    *,
    size: int,
    clock_offset: timedelta = RIGHT,
) -> Checking:
    """Return the current revision's spot-check, drawn now if no officer of the province has drawn it. Idempotent.

    `rng` must be unpredictable. Raises NotYours, NoOpenRound, OrganizationEnded, NotYetCertified,
    AlreadyCertified, SelfApproval, NothingToDraw, ClockWrong, RecordBroken; SpotCheckAltered
    when a draw of the revision was recorded and is gone, or the register is not the one that the LAO certified.
    """
    checkable = await _load_checkable(session, officer, dla_code)
    check = checkable.check
    if check is None:
        require_right_clock(clock_offset, dla_code)
        lao, recorded_checks = checkable.lao, RecordedChecks(await _events(session, checkable))
        if recorded_checks.is_drawn(lao.round_id, lao.revision):
            raise SpotCheckAltered
        check = await _draw(session, officer, lao, now, rng, size)
    return await _with_records(session, checkable.organization, check)


async def _draw(
    session: AsyncSession, officer: Officer, lao: Certification, now: datetime, rng: random.Random, size: int
) -> SpotCheck:
    roster = await session.get(Roster, lao.organization_code, populate_existing=True)
    records = await load_records(session, lao.organization_code)
    if roster is None or not (size and records):
        raise NothingToDraw
    # The triggers lock a certified register, so somebody must have removed them to change it.
    if summarize(roster, records).digest != lao.roster_digest:
        raise SpotCheckAltered
    seed = f"{rng.getrandbits(256):064x}"
    register = {record.record_no: record.category for record in records}
    basis = await load_basis(session, lao.organization_code, lao.round_id, lao.revision, size, register)
    drawn = draw_numbers(seed, register.items(), basis)
    check = SpotCheck(
        organization_code=lao.organization_code,
        round_id=lao.round_id,
        revision=lao.revision,
        officer_id=officer.id,
        seed=seed,
        drawn_at=now,
        basis=basis.written(),
        items=[SpotCheckItem(place=place, record_no=record_no) for place, record_no in enumerate(drawn, 1)],
    )
    session.add(check)
    await session.flush()
    await event_chain.record(session, event_chain.Event.DRAWN, check.organization_code, now, **drawn_facts(check))
    return check


async def load_checking(session: AsyncSession, officer: Officer, dla_code: str, check_id: int) -> Checking:
    """Return the spot-check `check_id` with its records.

    Raises SpotCheckEnded if it is not the current revision's; NotYours, NoOpenRound, OrganizationEnded,
    NotYetCertified, AlreadyCertified, SelfApproval.
    """
    checkable, check = await _find(session, officer, dla_code, check_id)
    return await _with_records(session, checkable.organization, check)


async def mark(
    session: AsyncSession,
    officer: Officer,
    dla_code: str,
    check_id: int,
    place: int,
    new_mark: Mark,
    note: str | None,
    now: datetime,
    *,
    despite_empty_menus: bool = False,
    clock_offset: timedelta = RIGHT,
) -> Checking:
    """Mark a record ถูกต้อง, or ไม่ถูกต้อง with a note. A later mark replaces an earlier one.

    The procedure asks whether the menus were recorded (province step 5). A record with an empty menu can be marked
    ถูกต้อง only with `despite_empty_menus`. Raises what `load_checking` raises; RemarkRefused for the note,
    SpotCheckHandedIn, MenusEmpty, ClockWrong, RecordBroken.
    """
    words = remark_text(note or "") if new_mark is Mark.INCORRECT else None
    checkable, check = await _find(session, officer, dla_code, check_id)
    if check.handed_in_at is not None:
        raise SpotCheckHandedIn
    checking = await _with_records(session, checkable.organization, check)
    item = checking.item(place)
    if new_mark is Mark.CORRECT and not despite_empty_menus and checking.menus(place, MenuState.EMPTY):
        raise MenusEmpty(checking)
    require_right_clock(clock_offset, dla_code)
    await _events(session, checkable)
    item.mark, item.note, item.marked_at, item.officer_id = new_mark, words, now, officer.id
    await session.flush()
    await event_chain.record(session, event_chain.Event.MARKED, dla_code, now, **marked_facts(item))
    return checking


async def require_ready_to_hand_in(
    session: AsyncSession,
    officer: Officer,
    dla_code: str,
    check_id: int,
    marks: str | None = None,
    *,
    clock_offset: timedelta = RIGHT,
) -> Checking:
    """Check that the spot-check can be handed in now, and return it with its records. Called before the question
    whether to hand in, and before the PIN.

    `marks`: see `hand_in`. Raises what `hand_in` raises.
    """
    checkable, check = await _find(session, officer, dla_code, check_id)
    _require_ready(check, marks, clock_offset)
    return await _with_records(session, checkable.organization, check)


async def hand_in(
    session: AsyncSession,
    officer: Officer,
    dla_code: str,
    check_id: int,
    now: datetime,
    operator_chat: int | None,
    *,
    marks: str | None = None,
    clock_offset: timedelta = RIGHT,
) -> Remark | None:
    """Hand the spot-check in (ส่งผลสุ่มตรวจสอบ). It cannot change afterwards.

    `marks` is the fingerprint of the marks that the officer was shown; None skips the comparison.

    With an incorrect record the revision cannot be certified: the province's petition for a reopening, with the
    notes as its text, is created in the same transaction and returned; otherwise None. Raises what `load_checking`
    raises, SpotCheckHandedIn, SpotCheckUnfinished, MarksChanged, SpotCheckAltered, ClockWrong, BadSeal,
    RecordBroken.
    """
    checkable, check = await _find(session, officer, dla_code, check_id)
    _require_ready(check, marks, clock_offset)
    require_recorded(check, await _events(session, checkable))
    await require_newest(session, officer.account.unit, [officer.account, officer])
    await require_newest(session, event_chain.SYSTEM, [await _open_round(session, dla_code)])
    await require_newest(session, dla_code, [checkable.organization])
    check.handed_in_at = now
    await session.flush()
    await record_hand_in(session, check, now)
    if not check.incorrect:
        return None
    petition = await petition_of_province(
        session, officer, checkable.organization, checkable.lao, _notes(check), now, operator_chat
    )
    # The organization waits for the operator now, and no longer for the province.
    await card_marks.touch(session, checkable.organization.province_code, now)
    return petition


def _require_ready(check: SpotCheck, marks: str | None, clock_offset: timedelta) -> None:
    if check.handed_in_at is not None:
        raise SpotCheckHandedIn
    if check.marked < len(check.items):
        raise SpotCheckUnfinished
    if marks is not None and marks != check.fingerprint:
        raise MarksChanged
    require_right_clock(clock_offset, check.organization_code)


def _notes(check: SpotCheck) -> str:
    """Return the notes with their record numbers, one a line, each truncated to an equal share of MAX_NOTES."""
    listed = check.incorrect[:MOST_NOTES]
    room = MAX_NOTES // len(listed) - len(" : \n")
    lines = []
    for item in listed:
        line = f"{item.record_no}: {' '.join((item.note or '').split())}"
        lines.append(shortened(line, room))
    unlisted = len(check.incorrect) - len(listed)
    return "\n".join([*lines, f"… (+{unlisted:,})"] if unlisted else lines)


async def require_reopenable(session: AsyncSession, officer: Officer, dla_code: str) -> Checkable:
    """Check that the province may ask again for a reopening: the spot-check failed, and no petition is undecided.

    Raises SpotCheckEnded if the spot-check has not failed, PetitionPending; NotYours, NoOpenRound,
    OrganizationEnded, NotYetCertified, AlreadyCertified, SelfApproval.
    """
    checkable = await _load_checkable(session, officer, dla_code)
    if checkable.check is None or verdict(checkable.check, size=0, records=0) is not Verdict.FAILED:
        raise SpotCheckEnded
    if await open_petition(session, dla_code, Role.PROVINCE):
        raise PetitionPending
    return checkable


async def ask_reopening(
    session: AsyncSession, officer: Officer, dla_code: str, typed: str, now: datetime, operator_chat: int | None
) -> Remark:
    """Store another petition for a reopening (ขอเปิดให้แก้ไข), with the officer's own text, after a refusal.

    Raises what `require_reopenable` raises; RemarkRefused for the text.
    """
    body = remark_text(typed)
    checkable = await require_reopenable(session, officer, dla_code)
    return await petition_of_province(
        session, officer, checkable.organization, checkable.lao, body, now, operator_chat
    )


async def _events(session: AsyncSession, checkable: Checkable) -> list[tuple[str, dict[str, Any]]]:
    """Return the organization's events since its certificate, which equals its event. Raises RecordBroken."""
    return await events_since_certified(session, checkable.lao, checkable.round.opened_at)


async def _find(
    session: AsyncSession, officer: Officer, dla_code: str, check_id: int
) -> tuple[Checkable, SpotCheck]:
    """Return the spot-check `check_id`. Raises SpotCheckEnded if it is not the current revision's."""
    checkable = await _load_checkable(session, officer, dla_code)
    if checkable.check is None or checkable.check.id != check_id:
        raise SpotCheckEnded
    return checkable, checkable.check


async def _load_checkable(session: AsyncSession, officer: Officer, dla_code: str) -> Checkable:
    """Lock the organization's row, and check that it waits for this officer's province."""
    organization = await session.scalar(_organization(), {"code": dla_code})
    if organization is None or officer.account.role is not Role.PROVINCE:
        raise NotYours
    await require_sight(session, officer.account, organization)
    open_round = await _open_round(session, dla_code)
    certificates, check = await certificates_and_check(session, dla_code, open_round)
    lao, province = certificates.get(Level.LAO), certificates.get(Level.PROVINCE)
    if province is not None:
        raise AlreadyCertified(organization, province)
    if lao is None:
        raise NotYetCertified
    if lao.user_id == officer.user_id:
        raise SelfApproval
    return Checkable(organization, lao, check, open_round)


async def _open_round(session: AsyncSession, dla_code: str) -> Round:
    """Return the open round, locked against being closed. The caller holds the organization's row.

    Raises NoOpenRound, OrganizationEnded, BadSeal.
    """
    row = (await session.execute(_open_round_and_end(), {"code": dla_code})).first()
    if row is None:
        raise NoOpenRound
    open_round, is_over = row
    await require_good_seal(session, open_round)
    if is_over:
        await require_going_on(session, dla_code)
    return open_round


@cache
def _open_round_and_end() -> Select[*tuple[Round, bool]]:
    return (
        select(Round, has_ended(bindparam("code", type_=String)))
        .where(Round.state == RoundState.OPEN)
        .with_for_update(read=True, of=Round)
    )


@cache
def _organization() -> Select[Organization]:
    return (
        select(Organization)
        .where(Organization.dla_code == bindparam("code"))
        .options(joinedload(Organization.province, innerjoin=True))
        .with_for_update(of=Organization)
    )


async def _with_records(session: AsyncSession, organization: Organization, check: SpotCheck) -> Checking:
    """Load the drawn records, and after a reopening the basis, the earlier notes and the changes."""
    drawn = [item.record_no for item in check.items]
    rows = (await session.execute(_records(), {"code": check.organization_code, "drawn": drawn})).all()
    checking = Checking(
        organization, check, {record.record_no: record for record, _ in rows}, rows[0][1] if rows else []
    )
    basis = basis_of(check)
    if basis is None or not basis.since:
        return checking
    return replace(
        checking,
        basis=basis,
        earlier_notes=await load_earlier_notes(session, check, basis.since),
        changes=await load_changes(session, check.organization_code, check.round_id),
    )


@cache
def _records() -> Select[*tuple[PersonnelRecord, list[str]]]:
    """Select the records of the organization `:code` with the numbers `:drawn`, each with the menu names."""
    return (
        select(PersonnelRecord, Roster.menu_names)
        .join(Roster, Roster.organization_code == PersonnelRecord.organization_code)
        .where(
            PersonnelRecord.organization_code == bindparam("code"),
            PersonnelRecord.record_no.in_(bindparam("drawn", expanding=True)),
        )
    )
