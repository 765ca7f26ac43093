"""A province's list of organizations: the filter that each officer has set, kept between its visits.

The filter is สถานภาพรับรองข้อมูล (procedure, province step 3) and what narrows it. Words that were typed are a search
of their own, in the whole province and all statuses; the filter waits unchanged behind them. The row of a link
that has ended is never read again, and goes when the officer is forgotten (models/operator/erasure.py).
"""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CTE, ColumnElement, ForeignKey, String, case, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from models.accounts.access import NotYours
from models.accounts.account import Officer, Role
from models.base.coverage import Coverage, not_covered
from models.base.tables import Base, text_enum
from models.base.thai import sort_key
from models.certification.certificate import Certification, Level, Status, is_live, is_open
from models.certification.remark import Remark
from models.organizations.organization import (
    TYPES_IN_ORDER,
    Organization,
    OrganizationEnd,
    ends_among,
    has_namesake,
)
from models.organizations.typed_name import is_called, tidy_words
from models.province.progress import ButtonName, is_waiting, province_organizations
from models.province.visit import Visit, looker, looking
from models.rounds.round import NoOpenRound, Round, RoundState, current_round

# A page fits a phone's screen with its navigation buttons.
ORGANIZATIONS_PER_PAGE = 8


class Sorting(enum.StrEnum):
    """By type and name, or those first that wait longest."""

    NAME = "name"
    WAITING = "waiting"


class Narrowing(enum.StrEnum):
    """What can be lifted from a list."""

    TYPE = "type"
    DISTRICT = "district"
    REMARKS = "remarks"
    WORDS = "words"
    ALL = "all"


class Listing(Base):
    """What one officer's list shows: the filter สถานภาพรับรองข้อมูล and what narrows it, and the page it is at.

    None: not narrowed by that. `page` counts from 0.
    """

    COVERAGE: ClassVar[Coverage] = not_covered("what an officer's list is narrowed to")

    __tablename__ = "listing"

    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), primary_key=True)
    status: Mapped[Status] = mapped_column(text_enum(Status, checked=False))
    type_code: Mapped[str | None] = mapped_column(String(40))
    district: Mapped[str | None] = mapped_column(String(100))
    with_remarks: Mapped[bool]
    sorting: Mapped[Sorting] = mapped_column(text_enum(Sorting, checked=False))
    # A part of a name or code, as it was typed (models/organizations/typed_name.py).
    words: Mapped[str | None] = mapped_column(String(100))
    page: Mapped[int]

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves out organizations of the chosen status."""
        return (
            self.words is not None or self.type_code is not None or self.district is not None or self.with_remarks
        )

    def lift(self, what: Narrowing) -> None:
        """Lift a narrowing, or all of them; back to the first page."""
        self.page = 0
        if what in (Narrowing.TYPE, Narrowing.ALL):
            self.type_code = None
        if what in (Narrowing.DISTRICT, Narrowing.ALL):
            self.district = None
        if what in (Narrowing.REMARKS, Narrowing.ALL):
            self.with_remarks = False
        if what in (Narrowing.WORDS, Narrowing.ALL):
            self.words = None


@dataclass(frozen=True)
class ListedOrganization:
    """One line of a province's list. `looker` is the name of a colleague who looks at it, where it waits;
    `is_blocked`: only the operator can go on with it. `end`: it has ended, which only a search for words finds.
    """

    name: ButtonName
    status: Status
    has_open_question: bool
    looker: str | None
    is_blocked: bool
    end: OrganizationEnd | None = None


@dataclass(frozen=True)
class OrganizationPage:
    """One page of a province's list; `page` counts from 0, `total` counts all pages' organizations."""

    rows: list[ListedOrganization]
    page: int
    pages: int
    total: int


@dataclass(frozen=True)
class Choice:
    """A type or district that the list can be narrowed to, with how many organizations that leaves.

    `dla_code` is one of them: a button names the value by it.
    """

    dla_code: str
    value: str
    name: str
    count: int


async def load_listing(session: AsyncSession, officer: Officer) -> Listing:
    """The officer's list where it left it; at first those that wait for its province (docs/contract.md)."""
    found = await session.get(Listing, officer.id)
    if found is None:
        found = whole_list(officer)
        session.add(found)
    return found


def whole_list(officer: Officer) -> Listing:
    """A list that nothing narrows: all that wait for the officer's province. It is not kept."""
    return Listing(
        officer_id=officer.id, status=Status.LAO_CERTIFIED, with_remarks=False, sorting=Sorting.NAME, page=0
    )


async def type_name(session: AsyncSession, officer: Officer, listing: Listing) -> str | None:
    """The name of the type that the list is narrowed to."""
    if listing.type_code is None:
        return None
    named: str | None = await session.scalar(
        select(func.min(Organization.type_th)).where(
            Organization.province_code == officer.account.province_code,
            Organization.type_code == listing.type_code,
        )
    )
    return named


# --- conditions ---------------------------------------------------------------------------------------------


def _status(found: CTE) -> ColumnElement[str]:
    """Each organization's status as text."""
    return case(
        (found.c.province_at.is_not(None), Status.PROVINCE_CERTIFIED.value),
        (found.c.lao_at.is_not(None), Status.LAO_CERTIFIED.value),
        else_=Status.UNCERTIFIED.value,
    )


def _order(found: CTE, sorting: Sorting) -> list[ColumnElement[Any]]:
    """By type and name as the buttons show them, in Thai dictionary order; or first those that certified first,
    and those that have not certified last.
    """
    places = {type_code: place for place, type_code in enumerate(TYPES_IN_ORDER)}
    place = case(places, value=found.c.type_code, else_=len(places))
    by_name: list[ColumnElement[Any]] = [place, found.c.sort_key.asc(), found.c.dla_code.asc()]
    return by_name if sorting is Sorting.NAME else [found.c.lao_at.asc().nulls_last(), *by_name]


def _id(round_: Round | None) -> int | None:
    return round_.id if round_ else None


def _narrowed(officer: Officer, listing: Listing, round_id: int | None, but: Narrowing | None = None) -> CTE:
    """What the narrowings let through, of all statuses; without regard to the narrowing `but`.

    Raises NotYours for an officer of an organization.
    """
    if officer.account.role is not Role.PROVINCE:
        raise NotYours
    conditions: list[ColumnElement[bool]] = []
    if listing.words is not None:
        conditions.append(is_called(listing.words))
    else:
        if listing.type_code is not None and but is not Narrowing.TYPE:
            conditions.append(Organization.type_code == listing.type_code)
        if listing.district is not None and but is not Narrowing.DISTRICT:
            conditions.append(Organization.district_th == listing.district)
        if listing.with_remarks:
            conditions.append(_has_remarks(round_id))
    return province_organizations(
        officer.account.province_code, round_id, *conditions, with_ended=listing.words is not None
    )


def _has_remarks(round_id: int | None) -> ColumnElement[bool]:
    """Anything was asked, answered, explained or petitioned in the round."""
    return exists().where(Remark.organization_code == Organization.dla_code, Remark.round_id == round_id)


def _has_open_question(dla_code: ColumnElement[str], round_id: int | None) -> ColumnElement[bool]:
    """A question of the current revision waits for its answer."""
    asked = aliased(Remark)
    return exists().where(asked.organization_code == dla_code, asked.round_id == round_id, is_open(asked))


# --- looking ------------------------------------------------------------------------------------------------


async def search(session: AsyncSession, officer: Officer, listing: Listing, now: datetime) -> OrganizationPage:
    """The page that the officer's list of its province is at (procedure, province steps 3 and 4).

    A page beyond the last is the last. Raises NotYours for an officer of an organization.
    """
    round_id = _id(await current_round(session))
    found = _narrowed(officer, listing, round_id)
    # Page and total in one statement: each row knows its place, and how many there are.
    numbered = select(
        found,
        _status(found).label("status"),
        func.row_number().over(order_by=_order(found, listing.sorting)).label("place"),
        func.count().over().label("total"),
    )
    if listing.words is None:
        numbered = numbered.where(_status(found) == listing.status.value)
    placed = numbered.subquery()
    row = placed.c
    last = (row.total - 1) // ORGANIZATIONS_PER_PAGE
    shown = case((last < listing.page, last), else_=listing.page)
    rows = (
        await session.execute(
            select(
                placed,
                has_namesake(row).label("has_namesake"),
                _has_open_question(row.dla_code, round_id).label("has_open_question"),
                case(
                    (
                        row.status == Status.LAO_CERTIFIED.value,
                        looker(row.dla_code),
                    )
                ).label("looker"),
            )
            .where((row.place - 1) // ORGANIZATIONS_PER_PAGE == shown)
            .order_by(row.place),
            looking(officer, round_id, now),
        )
    ).all()
    total = rows[0].total if rows else 0
    ends = await ends_among(session, [one.dla_code for one in rows]) if listing.words is not None else {}
    listing.page = (rows[0].place - 1) // ORGANIZATIONS_PER_PAGE if rows else 0
    return OrganizationPage(
        [
            ListedOrganization(
                ButtonName.of(one, officer.account.province),
                Status(one.status),
                one.has_open_question,
                one.looker,
                one.is_blocked,
                ends.get(one.dla_code),
            )
            for one in rows
        ],
        listing.page,
        max(1, -(-total // ORGANIZATIONS_PER_PAGE)),
        total,
    )


async def type_words(
    session: AsyncSession, officer: Officer, listing: Listing, typed: str, now: datetime
) -> OrganizationPage:
    """Search for a part of a name or a code that was typed. The list keeps the words when they find something.

    Raises NoSearch, and NotYours for an officer of an organization.
    """
    before = (listing.words, listing.page)
    listing.words, listing.page = tidy_words(typed), 0
    found = await search(session, officer, listing, now)
    if not found.total:
        listing.words, listing.page = before
    return found


async def count_by_status(
    session: AsyncSession, officer: Officer, listing: Listing
) -> tuple[Round | None, dict[Status, int]]:
    """The newest round, and how many organizations of each status the narrowings leave."""
    round_ = await current_round(session)
    found = _narrowed(officer, listing, _id(round_))
    status = _status(found).label("status")
    grouped = select(status, func.count()).select_from(found).group_by(status)
    counts = {Status(one): count for one, count in await session.execute(grouped)}
    return round_, {one: counts.get(one, 0) for one in Status}


async def choose_types(session: AsyncSession, officer: Officer, listing: Listing) -> list[Choice]:
    """The types that the list of the chosen status can be narrowed to, in Thai dictionary order."""
    return await _choices(session, officer, listing, Narrowing.TYPE, "type_code", "type_th")


async def choose_districts(session: AsyncSession, officer: Officer, listing: Listing) -> list[Choice]:
    """The districts that the list of the chosen status can be narrowed to, in Thai dictionary order."""
    return await _choices(session, officer, listing, Narrowing.DISTRICT, "district_th", "district_th")


async def _choices(
    session: AsyncSession, officer: Officer, listing: Listing, narrowing: Narrowing, value: str, name: str
) -> list[Choice]:
    found = _narrowed(officer, listing, _id(await current_round(session)), but=narrowing)
    chosen = found.c[value]
    grouped = (
        select(func.min(found.c.dla_code), chosen, func.min(found.c[name]), func.count())
        .where(_status(found) == listing.status.value)
        .group_by(chosen)
    )
    choices = [Choice(*row) for row in await session.execute(grouped)]
    return sorted(choices, key=lambda choice: sort_key(choice.name))


@dataclass(frozen=True)
class Following:
    """The organization that an officer should review next; `was_skipped`: it has left it for later before."""

    name: ButtonName
    was_skipped: bool


async def next_waiting(
    session: AsyncSession, officer: Officer, listing: Listing, now: datetime
) -> Following | None:
    """The organization that the officer should review next, in the list's order and narrowings.

    Those that it left for later come last, the one that it left first before the others; before them those that
    a colleague looks at. What it has certified for the organization it may not certify (SelfApproval), and what
    has failed its spot-check nobody may: these are never next. Raises NoOpenRound, and NotYours for an officer of
    an organization.
    """
    round_ = await current_round(session)
    if round_ is None or round_.state is not RoundState.OPEN:
        raise NoOpenRound
    found = _narrowed(officer, listing, round_.id)
    code = found.c.dla_code
    own = (
        (Visit.organization_code == code)
        & (Visit.officer_id == officer.id)
        & (Visit.round_id == round_.id)
        # What was left for later and then corrected and certified anew is new.
        & (Visit.skipped_at > found.c.lao_at)
    )
    row = (
        await session.execute(
            select(
                found,
                has_namesake(found.c).label("has_namesake"),
                Visit.skipped_at.is_not(None).label("was_skipped"),
            )
            .select_from(found)
            .outerjoin(Visit, own)
            .where(is_waiting(found), ~_certified_itself(code, officer, round_.id))
            .order_by(
                case((Visit.skipped_at.is_not(None), 1), else_=0),
                Visit.skipped_at,
                case((looker(code).is_not(None), 1), else_=0),
                *_order(found, listing.sorting),
            )
            .limit(1),
            looking(officer, round_.id, now),
        )
    ).first()
    return Following(ButtonName.of(row, officer.account.province), row.was_skipped) if row is not None else None


def _certified_itself(dla_code: ColumnElement[str], officer: Officer, round_id: int) -> ColumnElement[bool]:
    """The same person has certified for the organization."""
    return exists().where(
        Certification.organization_code == dla_code,
        Certification.round_id == round_id,
        Certification.level == Level.LAO,
        Certification.user_id == officer.user_id,
        is_live(Certification),
    )
