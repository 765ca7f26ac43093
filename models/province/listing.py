"""A province's list of organizations, with a filter for each officer that is stored between visits.

The filter is สถานภาพรับรองข้อมูล (procedure, province step 3) and its narrowings. Typed words are a search of
their own across the whole province and all statuses; the filter is kept unchanged meanwhile. The row of an ended
link is never read again, and is deleted when the officer is erased (models/operator/erasure.py).
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
from models.base.grants import Grants
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
    """The order of a list: by type and name, or the longest waiting first."""

    NAME = "name"
    WAITING = "waiting"


class Narrowing(enum.StrEnum):
    """The narrowings of a list that an officer can remove."""

    TYPE = "type"
    DISTRICT = "district"
    REMARKS = "remarks"
    WORDS = "words"
    ALL = "all"


class Listing(Base):
    """One officer's list: the filter สถานภาพรับรองข้อมูล, its narrowings (None: not narrowed), and the current page.

    `page` counts from 0.
    """

    COVERAGE: ClassVar[Coverage] = not_covered("what an officer's list is narrowed to")

    __tablename__ = "listing"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE", operator="SELECT, DELETE")

    officer_id: Mapped[int] = mapped_column(ForeignKey("officer.id"), primary_key=True)
    status: Mapped[Status] = mapped_column(text_enum(Status, checked=False))
    type_code: Mapped[str | None] = mapped_column(String(40))
    district: Mapped[str | None] = mapped_column(String(100))
    with_remarks: Mapped[bool]
    sorting: Mapped[Sorting] = mapped_column(text_enum(Sorting, checked=False))
    # The typed search: a part of a name or code (models/organizations/typed_name.py).
    words: Mapped[str | None] = mapped_column(String(100))
    page: Mapped[int]

    @property
    def is_narrowed(self) -> bool:
        """Whether the list omits organizations of the chosen status."""
        return (
            self.words is not None or self.type_code is not None or self.district is not None or self.with_remarks
        )

    def lift(self, what: Narrowing) -> None:
        """Remove one narrowing, or all, and return to the first page."""
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
    """One line of a province's list.

    `looker`: the name of a colleague who is looking at this waiting organization. `is_blocked`: only the operator
    can continue, by reopening it. `end`: the organization has ended; only a search for words finds such ones.
    """

    name: ButtonName
    status: Status
    has_open_question: bool
    looker: str | None
    is_blocked: bool
    end: OrganizationEnd | None = None


@dataclass(frozen=True)
class OrganizationPage:
    """One page of a province's list. `page` counts from 0; `total` is the number of organizations on all pages."""

    rows: list[ListedOrganization]
    page: int
    pages: int
    total: int


@dataclass(frozen=True)
class Choice:
    """A type or district to which the list can be narrowed, and how many organizations that leaves.

    `dla_code` is one of these organizations: the button's callback data refers to the value by it.
    """

    dla_code: str
    value: str
    name: str
    count: int


async def load_listing(session: AsyncSession, officer: Officer) -> Listing:
    """Return the officer's stored list; the first time, a new one of those that wait (docs/contract.md)."""
    listing = await session.get(Listing, officer.id)
    if listing is None:
        listing = whole_list(officer)
        session.add(listing)
    return listing


def whole_list(officer: Officer) -> Listing:
    """Return a list without narrowings: all that wait for the officer's province. It is not added to a session."""
    return Listing(
        officer_id=officer.id, status=Status.LAO_CERTIFIED, with_remarks=False, sorting=Sorting.NAME, page=0
    )


async def type_name(session: AsyncSession, officer: Officer, listing: Listing) -> str | None:
    """Return the Thai name of the type that the list is narrowed to; None if it is not narrowed to a type."""
    if listing.type_code is None:
        return None
    name: str | None = await session.scalar(
        select(func.min(Organization.type_th)).where(
            Organization.province_code == officer.account.province_code,
            Organization.type_code == listing.type_code,
        )
    )
    return name


# --- conditions ---------------------------------------------------------------------------------------------


def _status(organizations: CTE) -> ColumnElement[str]:
    """SQL expression: each organization's status as text."""
    return case(
        (organizations.c.province_at.is_not(None), Status.PROVINCE_CERTIFIED.value),
        (organizations.c.lao_at.is_not(None), Status.LAO_CERTIFIED.value),
        else_=Status.UNCERTIFIED.value,
    )


def _order(organizations: CTE, sorting: Sorting) -> list[ColumnElement[Any]]:
    """Return the ORDER BY columns.

    NAME: type and name as the buttons show them, in Thai dictionary order. WAITING: the earliest certification
    first, those without one last.
    """
    places = {type_code: place for place, type_code in enumerate(TYPES_IN_ORDER)}
    place = case(places, value=organizations.c.type_code, else_=len(places))
    by_name: list[ColumnElement[Any]] = [place, organizations.c.sort_key.asc(), organizations.c.dla_code.asc()]
    return by_name if sorting is Sorting.NAME else [organizations.c.lao_at.asc().nulls_last(), *by_name]


def _id(round_: Round | None) -> int | None:
    return round_.id if round_ else None


def _narrowed(officer: Officer, listing: Listing, round_id: int | None, except_: Narrowing | None = None) -> CTE:
    """Select the organizations of all statuses that pass the narrowings, ignoring the narrowing `except_`.

    Raises NotYours for an officer of an organization.
    """
    if officer.account.role is not Role.PROVINCE:
        raise NotYours
    conditions: list[ColumnElement[bool]] = []
    if listing.words is not None:
        conditions.append(is_called(listing.words))
    else:
        if listing.type_code is not None and except_ is not Narrowing.TYPE:
            conditions.append(Organization.type_code == listing.type_code)
        if listing.district is not None and except_ is not Narrowing.DISTRICT:
            conditions.append(Organization.district_th == listing.district)
        if listing.with_remarks:
            conditions.append(_has_remarks(round_id))
    return province_organizations(
        officer.account.province_code, round_id, *conditions, with_ended=listing.words is not None
    )


def _has_remarks(round_id: int | None) -> ColumnElement[bool]:
    """SQL condition: the organization has a remark in the round."""
    return exists().where(Remark.organization_code == Organization.dla_code, Remark.round_id == round_id)


def _has_open_question(dla_code: ColumnElement[str], round_id: int | None) -> ColumnElement[bool]:
    """SQL condition: a question of the current revision is unanswered."""
    question = aliased(Remark)
    return exists().where(question.organization_code == dla_code, question.round_id == round_id, is_open(question))


# --- looking ------------------------------------------------------------------------------------------------


async def search(session: AsyncSession, officer: Officer, listing: Listing, now: datetime) -> OrganizationPage:
    """Return the current page of the officer's list (procedure, province steps 3 and 4).

    Sets `listing.page` to the last page if it is beyond it. Raises NotYours for an officer of an organization.
    """
    round_id = _id(await current_round(session))
    organizations = _narrowed(officer, listing, round_id)
    # Page and total in one statement: window functions give each row its place and the total.
    numbered = select(
        organizations,
        _status(organizations).label("status"),
        func.row_number().over(order_by=_order(organizations, listing.sorting)).label("place"),
        func.count().over().label("total"),
    )
    if listing.words is None:
        numbered = numbered.where(_status(organizations) == listing.status.value)
    placed = numbered.subquery()
    row = placed.c
    last = (row.total - 1) // ORGANIZATIONS_PER_PAGE
    page = case((last < listing.page, last), else_=listing.page)
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
            .where((row.place - 1) // ORGANIZATIONS_PER_PAGE == page)
            .order_by(row.place),
            looking(officer, round_id, now),
        )
    ).all()
    total = rows[0].total if rows else 0
    ends = await ends_among(session, [each.dla_code for each in rows]) if listing.words is not None else {}
    listing.page = (rows[0].place - 1) // ORGANIZATIONS_PER_PAGE if rows else 0
    return OrganizationPage(
        [
            ListedOrganization(
                ButtonName.of(each, officer.account.province),
                Status(each.status),
                each.has_open_question,
                each.looker,
                each.is_blocked,
                ends.get(each.dla_code),
            )
            for each in rows
        ],
        listing.page,
        max(1, -(-total // ORGANIZATIONS_PER_PAGE)),
        total,
    )


async def type_words(
    session: AsyncSession, officer: Officer, listing: Listing, typed: str, now: datetime
) -> OrganizationPage:
    """Search for a typed part of a name or code, and return the first page.

    The list keeps the words only if they match something. Raises NoSearch for a text that cannot be searched,
    NotYours for an officer of an organization.
    """
    previous = (listing.words, listing.page)
    listing.words, listing.page = tidy_words(typed), 0
    matches = await search(session, officer, listing, now)
    if not matches.total:
        listing.words, listing.page = previous
    return matches


async def count_by_status(
    session: AsyncSession, officer: Officer, listing: Listing
) -> tuple[Round | None, dict[Status, int]]:
    """Return the newest round, and how many organizations of each status pass the narrowings.

    Raises NotYours for an officer of an organization.
    """
    round_ = await current_round(session)
    organizations = _narrowed(officer, listing, _id(round_))
    status_text = _status(organizations).label("status")
    grouped = select(status_text, func.count()).select_from(organizations).group_by(status_text)
    counts = {Status(value): count for value, count in await session.execute(grouped)}
    return round_, {status: counts.get(status, 0) for status in Status}


async def choose_types(session: AsyncSession, officer: Officer, listing: Listing) -> list[Choice]:
    """Return the types to which the list can be narrowed within its status, in Thai dictionary order."""
    return await _choices(session, officer, listing, Narrowing.TYPE, "type_code", "type_th")


async def choose_districts(session: AsyncSession, officer: Officer, listing: Listing) -> list[Choice]:
    """Return the districts to which the list can be narrowed within its status, in Thai dictionary order."""
    return await _choices(session, officer, listing, Narrowing.DISTRICT, "district_th", "district_th")


async def _choices(
    session: AsyncSession, officer: Officer, listing: Listing, narrowing: Narrowing, value: str, name: str
) -> list[Choice]:
    organizations = _narrowed(officer, listing, _id(await current_round(session)), except_=narrowing)
    columns = organizations.c
    grouped = (
        select(func.min(columns.dla_code), columns[value], func.min(columns[name]), func.count())
        .where(_status(organizations) == listing.status.value)
        .group_by(columns[value])
    )
    choices = [Choice(*row) for row in await session.execute(grouped)]
    return sorted(choices, key=lambda choice: sort_key(choice.name))


@dataclass(frozen=True)
class Following:
    """The organization that an officer should review next. `was_skipped`: the officer has skipped it before."""

    name: ButtonName
    was_skipped: bool


async def next_waiting(
    session: AsyncSession, officer: Officer, listing: Listing, now: datetime
) -> Following | None:
    """Return the organization that the officer should review next, by the list's narrowings and order; None if
    none.

    Organizations that a colleague is looking at come after the others. Skipped ones come last, the earliest
    skipped first. Never returned: organizations whose register the officer has certified as its LAO
    (SelfApproval), and organizations that failed their spot-check. Raises NoOpenRound; NotYours for an officer of
    an organization.
    """
    round_ = await current_round(session)
    if round_ is None or round_.state is not RoundState.OPEN:
        raise NoOpenRound
    organizations = _narrowed(officer, listing, round_.id)
    code = organizations.c.dla_code
    own = (
        (Visit.organization_code == code)
        & (Visit.officer_id == officer.id)
        & (Visit.round_id == round_.id)
        # A skip counts no longer once the organization has been corrected and certified again.
        & (Visit.skipped_at > organizations.c.lao_at)
    )
    row = (
        await session.execute(
            select(
                organizations,
                has_namesake(organizations.c).label("has_namesake"),
                Visit.skipped_at.is_not(None).label("was_skipped"),
            )
            .select_from(organizations)
            .outerjoin(Visit, own)
            .where(is_waiting(organizations), ~_certified_itself(code, officer, round_.id))
            .order_by(
                case((Visit.skipped_at.is_not(None), 1), else_=0),
                Visit.skipped_at,
                case((looker(code).is_not(None), 1), else_=0),
                *_order(organizations, listing.sorting),
            )
            .limit(1),
            looking(officer, round_.id, now),
        )
    ).first()
    return Following(ButtonName.of(row, officer.account.province), row.was_skipped) if row is not None else None


def _certified_itself(dla_code: ColumnElement[str], officer: Officer, round_id: int) -> ColumnElement[bool]:
    """SQL condition: the same person has certified the organization's register as its LAO."""
    return exists().where(
        Certification.organization_code == dla_code,
        Certification.round_id == round_id,
        Certification.level == Level.LAO,
        Certification.user_id == officer.user_id,
        is_live(Certification),
    )
