"""Organizations that go on as others: an upgrade or a move, one to one; a merger into a new or an existing one.

What is asked for was checked before (models/imports/successions.py), with the rows of all organizations held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Account, Officer
from models.audit import event_chain
from models.audit.replay import seals_of
from models.certification.certify import reopen
from models.links.link import announce_link
from models.notices import card_marks, outbox
from models.notices.kind import NoticeKind
from models.organizations.organization import EndKind, Organization, Province, described, sort_key
from models.register.roster import PersonnelRecord, Roster
from models.succession.decision import Decision
from models.succession.ending import People, disable_accounts, end_organization, stop_waiting
from models.succession.renaming import rename_accounts

ONE_TO_ONE = (EndKind.UPGRADE, EndKind.MOVE)


@dataclass(frozen=True)
class Founding:
    """What a new organization is called and where it is; `province` is one that is new itself."""

    type_th: str
    type_code: str
    name_th: str
    district_th: str
    province_code: str
    province: tuple[str, str] | None = None


@dataclass(frozen=True)
class Predecessor:
    """One that ends. `account` is where its officers go over to in a merger, or None."""

    dla_code: str
    account: str | None = None


@dataclass(frozen=True)
class Succession:
    """One successor with all of its predecessors. `founding`: it is new. `reopens`: it is certified in the open
    round, which ends with it.
    """

    dla_code: str
    kind: EndKind
    predecessors: tuple[Predecessor, ...]
    founding: Founding | None
    reopens: bool

    @property
    def codes(self) -> list[str]:
        """The codes of those that end."""
        return [predecessor.dla_code for predecessor in self.predecessors]


@dataclass(frozen=True)
class Outcome:
    """What a succession does, or would do: the names, how many records are copied (None: no register is), and how
    many chats go over and how many links end.
    """

    succession: Succession
    name: str
    names: tuple[str, ...]
    records: int | None
    goes_over: int
    links_end: int


async def look_at_succession(session: AsyncSession, succession: Succession) -> Outcome:
    """What it does, from how things are before it."""
    names = {
        organization.dla_code: organization.full_name
        for organization in await session.scalars(
            select(Organization).where(Organization.dla_code.in_([*succession.codes, succession.dla_code]))
        )
    }
    linked = select(func.count(Officer.id)).join(Officer.account).where(Officer.unlinked_at.is_(None))
    chats = {
        code: await session.scalar(linked.where(Account.organization_code == code)) or 0
        for code in succession.codes
    }
    is_one_to_one = succession.kind in ONE_TO_ONE
    goes_over = sum(chats[one.dla_code] for one in succession.predecessors if is_one_to_one or one.account)
    founding = succession.founding
    return Outcome(
        succession,
        _founded(succession.dla_code, founding).full_name if founding else names[succession.dla_code],
        tuple(names[code] for code in succession.codes),
        await _count_records(session, succession) if is_one_to_one else None,
        goes_over,
        sum(chats.values()) - goes_over,
    )


async def _count_records(session: AsyncSession, succession: Succession) -> int | None:
    """How many records go over, None where there is no register, or the successor has its own."""
    (code,) = succession.codes
    if await session.get(Roster, code) is None or await session.get(Roster, succession.dla_code) is not None:
        return None
    of_it = select(func.count()).select_from(PersonnelRecord).where(PersonnelRecord.organization_code == code)
    return await session.scalar(of_it) or 0


async def succeed(
    session: AsyncSession, successions: Sequence[Succession], people: People, decision: Decision, now: datetime
) -> list[Outcome]:
    """End all predecessors and let their successors go on, all of them or none.

    The rows of all organizations that are there already, and of `people`, are held: the accounts and officers of
    all predecessors, and the accounts that were named.
    """
    outcomes = [await look_at_succession(session, succession) for succession in successions]
    provinces: set[str] = set()
    for succession in successions:
        provinces |= await _succeed(session, succession, people, decision, now)
    for code in sorted(provinces):
        await card_marks.touch(session, code, now)
    return outcomes


async def _succeed(
    session: AsyncSession, succession: Succession, people: People, decision: Decision, now: datetime
) -> set[str]:
    """One successor; the provinces whose cards show something else."""
    successor = await _successor(session, succession, now)
    if succession.reopens:
        await reopen(session, successor.dla_code, decision.by, decision.reason, now)
    heads: dict[str, str] = {}
    gone_over: list[Officer] = []
    provinces = {successor.province_code}
    for predecessor in succession.predecessors:
        organization = await session.get_one(Organization, predecessor.dla_code, populate_existing=True)
        provinces.add(organization.province_code)
        own = people.of(predecessor.dla_code)
        await stop_waiting(session, organization, own, now)
        gone_over += await _move_people(session, succession, predecessor, own, people, now)
        end = await end_organization(
            session,
            organization,
            succession.kind,
            decision,
            now,
            successor=successor,
            founds_successor=succession.founding is not None,
        )
        heads[organization.dla_code] = await event_chain.chain_head(session, organization.dla_code)
        chats = sorted(officer.user_id for officer in own.officers)
        await outbox.enqueue_each(session, NoticeKind.ORGANIZATION_ENDED, chats, end.id, now)
    accounts = await _hand_over_accounts(session, succession, people, successor)
    records = await _copy_register(session, succession)
    await event_chain.record(
        session,
        event_chain.Event.SUCCEEDED,
        successor.dla_code,
        now,
        how=succession.kind.value,
        heads=heads,
        accounts=accounts,
        officers=sorted(officer.id for officer in gone_over),
        records=records,
        **({"description": described(successor)} if succession.founding is not None else {}),
        seals=seals_of([*(account for account in people.accounts if account.username in accounts), *gone_over]),
        by=decision.by,
        reason=decision.reason,
        gazette=decision.gazette,
        effective_on=decision.effective_on.isoformat(),
    )
    return provinces


def _founded(dla_code: str, founding: Founding) -> Organization:
    return Organization(
        dla_code=dla_code,
        type_th=founding.type_th,
        type_code=founding.type_code,
        name_th=founding.name_th,
        district_th=founding.district_th,
        province_code=founding.province_code,
        sort_key=sort_key(founding.type_th, founding.name_th, founding.district_th, dla_code),
    )


async def _successor(session: AsyncSession, succession: Succession, now: datetime) -> Organization:
    """The organization that goes on, made now if it is new, and its province before it."""
    founding = succession.founding
    if founding is None:
        return await session.get_one(Organization, succession.dla_code, populate_existing=True)
    if founding.province is not None and await session.get(Province, founding.province_code) is None:
        name_th, name_en = founding.province
        session.add(Province(code=founding.province_code, name_th=name_th, name_en=name_en))
        await session.flush()
        names = {"name_th": name_th, "name_en": name_en}
        await event_chain.record(
            session, event_chain.Event.DESCRIBED, founding.province_code, now, description=names
        )
    founded = _founded(succession.dla_code, founding)
    session.add(founded)
    await session.flush()
    return founded


async def _move_people(
    session: AsyncSession,
    succession: Succession,
    predecessor: Predecessor,
    own: People,
    people: People,
    now: datetime,
) -> list[Officer]:
    """The officers of a predecessor who go over, with name, position, PIN and preferences. The accounts that stay
    behind end.
    """
    if succession.kind in ONE_TO_ONE:
        return own.officers
    named = {one.account for one in succession.predecessors}
    gone_over: list[Officer] = []
    if predecessor.account is not None:
        (account,) = [account for account in people.accounts if account.username == predecessor.account]
        gone_over = own.officers
        moved = [officer for officer in gone_over if officer.account_id != account.id]
        for officer in moved:
            officer.account = account
        await session.flush()
        for officer in moved:
            if officer.is_ready:
                # The officers who are there already must know whom they work with from now on.
                await announce_link(session, officer, now)
    left = [account for account in own.accounts if account.username not in named]
    await disable_accounts(session, People(left, []), now)
    return gone_over


async def _hand_over_accounts(
    session: AsyncSession, succession: Succession, people: People, successor: Organization
) -> list[str]:
    """The accounts of predecessors that go over: all of them one to one, in a merger those that were named."""
    named = {one.account for one in succession.predecessors}
    accounts = [
        account
        for account in people.accounts
        if account.organization_code in succession.codes
        and (succession.kind in ONE_TO_ONE or account.username in named)
    ]
    names: set[str] = set()
    for account in accounts:
        assert account.organization_code is not None  # noqa: S101 - of a predecessor
        names.add((await session.get_one(Organization, account.organization_code)).full_name)
        account.organization_code = successor.dla_code
    await session.flush()
    for name in sorted(names):
        await rename_accounts(session, name, successor)
    return sorted(account.username for account in accounts)


async def _copy_register(session: AsyncSession, succession: Succession) -> int | None:
    """One to one the register goes on as a copy; the predecessor's stays. How many records that are, None where
    there is none, or the successor has its own.
    """
    if succession.kind not in ONE_TO_ONE:
        return None
    records = await _count_records(session, succession)
    if records is None:
        return None
    (code,) = succession.codes
    roster = await session.get_one(Roster, code)
    session.add(
        Roster(
            organization_code=succession.dla_code,
            file_name=roster.file_name,
            imported_at=roster.imported_at,
            menu_names=list(roster.menu_names),
        )
    )
    await session.flush()
    columns = ("record_no", "full_name", "category", "position", "level", "menus")
    copied = select(literal(succession.dla_code), *(getattr(PersonnelRecord, column) for column in columns)).where(
        PersonnelRecord.organization_code == code
    )
    await session.execute(insert(PersonnelRecord).from_select(["organization_code", *columns], copied))
    return records
