"""What a province's officers do with a spot-check: draw, mark, hand in, and ask for a reopening when it fails.

Everything is in the database at once, so that whoever goes on, after a crash or on a colleague's phone, goes on
from there. All of it waits for the organization's row first, like all that certifies.

The times of the draw, of each mark and of the handing in stand on the province's certificate: while the clock is
known to be wrong, nothing is drawn, marked or handed in.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Select, String, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts.access import NotYours, require_sight
from models.accounts.account import Officer, Role
from models.audit import event_chain
from models.audit.row_seal import require_good_seal, require_newest
from models.base.errors import DomainError
from models.base.thai import shortened
from models.certification.certificate import Certification, Level
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
    SpotCheck,
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
from models.register.roster import MenuState, PersonnelRecord, Roster
from models.remarks.petition import PetitionPending, open_petition, petition_of_province
from models.rounds.round import NoOpenRound, Round, RoundState
from models.spot_checks.draw_basis import load_basis, load_earlier_notes

# Letters of a petition that a failed check makes: it stands in one message with what is around it (Bot API,
# sendMessage: 4,096).
MAX_NOTES = 3000
# As many of them: each has room for its number and a few words. The others are counted.
MOST_NOTES = 40


class NothingToDraw(DomainError):
    """No spot-check is asked for, or the register has no records."""


class SpotCheckEnded(DomainError):
    """The spot-check is not that of the current revision, or there is no such record in it."""


class SpotCheckHandedIn(DomainError):
    """The spot-check was handed in; nothing in it changes any more."""


class SpotCheckUnfinished(DomainError):
    """A record of the spot-check has no mark yet."""


class MenusEmpty(DomainError):
    """A menu of the record is not filled in: whether it is ถูกต้อง all the same must be asked. `checking` has it."""

    def __init__(self, checking: "Checking") -> None:
        super().__init__(checking.organization.dla_code)
        self.checking = checking


@dataclass(frozen=True)
class Checkable:
    """An organization that waits for its province: its certificate, and its spot-check once it is drawn."""

    organization: Organization
    lao: Certification
    check: SpotCheck | None


@dataclass(frozen=True)
class Checking:
    """A spot-check with the drawn records themselves, by number; `menu_names` in the order of their letters.

    After a reopening: `basis` is what was drawn from, `earlier_notes` what was not correct before, by record
    number, and `changes` what has changed since the register was certified.
    """

    organization: Organization
    check: SpotCheck
    records: dict[str, PersonnelRecord]
    menu_names: list[str]
    basis: Basis | None = None
    earlier_notes: dict[str, str] = field(default_factory=dict)
    changes: Changes | None = None

    def item(self, place: int) -> SpotCheckItem:
        """The record at a place, which counts from 1. Raises SpotCheckEnded."""
        if not 1 <= place <= len(self.check.items):
            raise SpotCheckEnded
        return self.check.items[place - 1]

    def menus(self, place: int, state: MenuState) -> list[str]:
        """The names of the menus of the record at a place that are in a state. Raises SpotCheckEnded."""
        menus = self.records[self.item(place).record_no].menus
        return [name for name, letter in zip(self.menu_names, menus, strict=True) if letter == state]

    def unmarked_after(self, place: int) -> int | None:
        """The next place without a mark, from the first one again after the last; None when all are marked."""
        places = [item.place for item in self.check.items if item.mark is None]
        return next((one for one in places if one > place), next(iter(places), None))


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
    """The draw of the current revision, made now if nobody of the province has made it.

    `rng` must be one that nobody can foresee. Raises NotYours, NoOpenRound, NotYetCertified, AlreadyCertified,
    SelfApproval, NothingToDraw, ClockWrong.
    """
    checkable = await _load_checkable(session, officer, dla_code)
    check = checkable.check
    if check is None:
        require_right_clock(clock_offset, dla_code)
        check = await _draw(session, officer, checkable.lao, now, rng, size)
    return await _with_records(session, checkable.organization, check)


async def _draw(
    session: AsyncSession, officer: Officer, lao: Certification, now: datetime, rng: random.Random, size: int
) -> SpotCheck:
    rows = await session.execute(
        select(PersonnelRecord.record_no, PersonnelRecord.category).where(
            PersonnelRecord.organization_code == lao.organization_code
        )
    )
    seed = f"{rng.getrandbits(256):064x}"
    register = {record_no: category for record_no, category in rows}  # noqa: C416 - dict() has no type for a Row
    if not (size and register):
        raise NothingToDraw
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
    """A draw that was made, with its records: it must be that of the current revision.

    Raises NotYours, NoOpenRound, NotYetCertified, AlreadyCertified, SelfApproval, SpotCheckEnded.
    """
    checkable, check = await _find(session, officer, dla_code, check_id)
    return await _with_records(session, checkable.organization, check)


async def mark(
    session: AsyncSession,
    officer: Officer,
    dla_code: str,
    check_id: int,
    place: int,
    found: Mark,
    note: str | None,
    now: datetime,
    *,
    despite_empty_menus: bool = False,
    clock_offset: timedelta = RIGHT,
) -> Checking:
    """ถูกต้อง, or ไม่ถูกต้อง with a note: of two officers who mark one record the later one counts.

    The procedure asks whether the menus were recorded (province step 5), so a record with an empty one is ถูกต้อง
    only where the officer says so `despite_empty_menus`.

    Raises what load_checking raises, RemarkRefused, SpotCheckHandedIn, MenusEmpty, ClockWrong.
    """
    words = remark_text(note or "") if found is Mark.INCORRECT else None
    checkable, check = await _find(session, officer, dla_code, check_id)
    if check.handed_in_at is not None:
        raise SpotCheckHandedIn
    shown = await _with_records(session, checkable.organization, check)
    item = shown.item(place)
    if found is Mark.CORRECT and not despite_empty_menus and shown.menus(place, MenuState.EMPTY):
        raise MenusEmpty(shown)
    require_right_clock(clock_offset, dla_code)
    item.mark, item.note, item.marked_at, item.officer_id = found, words, now, officer.id
    await session.flush()
    await event_chain.record(session, event_chain.Event.MARKED, dla_code, now, **marked_facts(item))
    return shown


async def hand_in(
    session: AsyncSession,
    officer: Officer,
    dla_code: str,
    check_id: int,
    now: datetime,
    operator_chat: int | None,
    *,
    clock_offset: timedelta = RIGHT,
) -> Remark | None:
    """ส่งผลสุ่มตรวจสอบ: from now on nothing in it changes.

    With anything incorrect the revision cannot be certified; the province's petition for a reopening, which the
    notes are the reason of, is made in the same transaction and returned. Raises what load_checking raises,
    SpotCheckHandedIn, SpotCheckUnfinished, SpotCheckAltered, ClockWrong, BadSeal,
    RecordBroken.
    """
    checkable, check = await _find(session, officer, dla_code, check_id)
    if check.handed_in_at is not None:
        raise SpotCheckHandedIn
    if check.marked < len(check.items):
        raise SpotCheckUnfinished
    require_right_clock(clock_offset, dla_code)
    await require_newest(session, officer.account.unit, [officer.account, officer])
    await require_recorded(session, check)
    check.handed_in_at = now
    await session.flush()
    await record_hand_in(session, check, now)
    if not check.incorrect:
        return None
    petition = await petition_of_province(
        session, officer, checkable.organization, checkable.lao, _notes(check), now, operator_chat
    )
    # It waits for the operator now, and for the province no more.
    await card_marks.touch(session, checkable.organization.province_code, now)
    return petition


def _notes(check: SpotCheck) -> str:
    """The notes with their record numbers, all of them whole where they fit, and each cut alike where not."""
    told = check.incorrect[:MOST_NOTES]
    room = MAX_NOTES // len(told) - len(" : \n")
    lines = []
    for item in told:
        line = f"{item.record_no}: {' '.join((item.note or '').split())}"
        lines.append(shortened(line, room))
    left = len(check.incorrect) - len(told)
    return "\n".join([*lines, f"… (+{left:,})"] if left else lines)


async def require_reopenable(session: AsyncSession, officer: Officer, dla_code: str) -> Checkable:
    """An organization whose spot-check was handed in with something incorrect, and no petition of the province
    waits: it may ask for a reopening again.

    Raises NotYours, NoOpenRound, NotYetCertified, AlreadyCertified, SelfApproval, SpotCheckEnded, PetitionPending.
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
    """ขอเปิดให้แก้ไข: ask once more, in words of one's own, after the operator has refused.

    Raises what require_reopenable raises, RemarkRefused.
    """
    body = remark_text(typed)
    checkable = await require_reopenable(session, officer, dla_code)
    return await petition_of_province(
        session, officer, checkable.organization, checkable.lao, body, now, operator_chat
    )


async def _find(
    session: AsyncSession, officer: Officer, dla_code: str, check_id: int
) -> tuple[Checkable, SpotCheck]:
    """The draw that a card is about, as far as it is still the one that counts."""
    checkable = await _load_checkable(session, officer, dla_code)
    if checkable.check is None or checkable.check.id != check_id:
        raise SpotCheckEnded
    return checkable, checkable.check


async def _load_checkable(session: AsyncSession, officer: Officer, dla_code: str) -> Checkable:
    """Take the organization's row and see whether it waits for this officer's province."""
    organization = await session.scalar(_organization(), {"code": dla_code})
    if organization is None or officer.account.role is not Role.PROVINCE:
        raise NotYours
    await require_sight(session, officer.account, organization)
    certificates, check = await certificates_and_check(session, dla_code, await _open_round(session, dla_code))
    lao, province = certificates.get(Level.LAO), certificates.get(Level.PROVINCE)
    if province is not None:
        raise AlreadyCertified(organization, province)
    if lao is None:
        raise NotYetCertified
    if lao.user_id == officer.user_id:
        raise SelfApproval
    return Checkable(organization, lao, check)


async def _open_round(session: AsyncSession, dla_code: str) -> Round:
    """The open round, kept from being closed, for an organization that has not ended; its row is held.

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
    """The drawn records, found by their organization and numbers."""
    drawn = [item.record_no for item in check.items]
    found = (await session.execute(_records(), {"code": check.organization_code, "drawn": drawn})).all()
    checking = Checking(
        organization, check, {record.record_no: record for record, _ in found}, found[0][1] if found else []
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
    """The records of the organization `code` with the numbers `drawn`, and the names of its menus beside each."""
    return (
        select(PersonnelRecord, Roster.menu_names)
        .join(Roster, Roster.organization_code == PersonnelRecord.organization_code)
        .where(
            PersonnelRecord.organization_code == bindparam("code"),
            PersonnelRecord.record_no.in_(bindparam("drawn", expanding=True)),
        )
    )
