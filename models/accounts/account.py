"""Accounts of organizations and provinces, and the officers whose chats are linked to them."""

import enum
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    String,
    and_,
    bindparam,
    exists,
    or_,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship
from sqlalchemy.orm.attributes import set_committed_value

from models.accounts import throttle
from models.accounts.tries import Tries
from models.audit import event_chain
from models.audit.repeated import is_first_refusal
from models.audit.row_seal import has_good_seal, require_good_seal, require_newest
from models.base.clocks import is_ahead, is_past
from models.base.coverage import Coverage, covered
from models.base.errors import DomainError
from models.base.font import undrawn
from models.base.grants import Grants
from models.base.names import becomes_link, is_unseen
from models.base.spelling import spelled
from models.base.tables import Base, BigKey, Lockable, text_enum
from models.base.thai import arabic_digits
from models.organizations.organization import Organization, Province
from models.security.row_seal import LENGTH, Sealed, SealedRow, name_of

# After the password or an invitation, a PIN may be chosen for so long without giving it again.
PIN_CHOICE = timedelta(minutes=15)
# A chat that was left alone for so long asks for the PIN before it shows names or numbers.
IDLE = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)

# Letters that every telephone types alike; no sign that a chat or a shell takes for its own.
_USERNAME = re.compile("[a-z0-9][a-z0-9._@-]{2,63}")

# Room for a title, two names and a long position; both are columns of 200.
MAX_NAME = 120
# The shortest positions have two (ครู). A single letter is a slip of the thumb, and certificates would bear it.
MIN_LETTERS = 2

# Categories that no name has beside those that nobody sees: unassigned characters can disguise one, and pictures
# are none.
_NOT_IN_NAMES = frozenset({"Cn", "So", "Sk"})


# When a chat whose last look was made up was looked at.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Role(enum.StrEnum):
    """Whose account it is: the two levels of the procedure."""

    LAO = "lao"
    PROVINCE = "province"


class LoginRefused(DomainError):
    """Unknown username, wrong password, or a disabled account: one answer for all, so that none can be told."""


class NameRule(enum.Enum):
    """What a typed name or position must be."""

    LETTERS = enum.auto()
    LENGTH = enum.auto()
    # No pictures, and nothing that nobody sees.
    VISIBLE = enum.auto()
    # Only letters that a certificate can show.
    DRAWN = enum.auto()
    NO_LINK = enum.auto()
    # Six digits in a row may be a PIN.
    NO_NUMBER = enum.auto()


class NameRefused(DomainError):
    """A typed name or position breaks a `rule`; `letter` is the one that a certificate cannot show."""

    def __init__(self, rule: NameRule, letter: str = "") -> None:
        super().__init__(rule.name)
        self.rule = rule
        self.letter = letter


class UsernameRefused(DomainError):
    """What was typed cannot be the username of any account."""


class UnknownAccount(DomainError):
    """No account has this username."""

    def __init__(self, username: str) -> None:
        super().__init__(f"there is no account {username}; see: laocert account list")


class Account(SealedRow, Lockable, Base):
    """A login of one organization (role `lao`) or one province (role `province`)."""

    COVERAGE: ClassVar[Coverage] = covered(
        sealed="id username password_hash role organization_code province_code display_name disabled_at"
    )

    __tablename__ = "account"
    __grants__ = Grants(application="SELECT, UPDATE (row_lock)", operator="SELECT, INSERT, UPDATE")
    __table_args__ = (
        CheckConstraint(
            "(role = 'lao') = (organization_code IS NOT NULL)"
            " AND (role = 'province') = (province_code IS NOT NULL)",
            name="belongs_to_one",
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    # None: by invitation only.
    password_hash: Mapped[str | None] = mapped_column(String(200))
    role: Mapped[Role] = mapped_column(text_enum(Role))
    organization_code: Mapped[str | None] = mapped_column(ForeignKey("organization.dla_code"), index=True)
    province_code: Mapped[str | None] = mapped_column(ForeignKey("province.code"), index=True)
    display_name: Mapped[str] = mapped_column(String(200))
    disabled_at: Mapped[datetime | None]

    SEALS: ClassVar[tuple[Sealed, ...]] = (
        Sealed(
            (
                "username",
                "password_hash",
                "role",
                "organization_code",
                "province_code",
                "display_name",
                "disabled_at",
            )
        ),
    )

    organization: Mapped[Organization | None] = relationship(lazy="raise")
    province: Mapped[Province | None] = relationship(lazy="raise")

    @property
    def unit(self) -> str:
        """The code of the organization or province that it acts for."""
        return self.organization_code or self.province_code or ""

    @property
    def recorded_in(self) -> str | None:
        """The chain of its unit."""
        return self.unit


SEEN = Sealed(("last_seen_at",), into="seen_seal")


class Officer(SealedRow, Base):
    """One Telegram user's link to an account, with the name and position that certificates will bear.

    A link that ended stays as a row, so that history can name it; an active one has no `unlinked_at`.
    """

    COVERAGE: ClassVar[Coverage] = covered(
        "id account_id user_id linked_at unlinked_at pin_hash",
        "the events of the link; of the PIN's hash a keyed digest",
        sealed="id account_id user_id full_name position linked_at unlinked_at pin_hash may_set_pin_until"
        " last_seen_at",
    )

    __tablename__ = "officer"
    __grants__ = Grants(application="SELECT, INSERT, UPDATE", operator="SELECT, UPDATE")
    __table_args__ = (
        Index(
            "uq_officer_active_user",
            "user_id",
            unique=True,
            sqlite_where=text("unlinked_at IS NULL"),
            postgresql_where=text("unlinked_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    # Telegram's ids need 52 bits (Bot API, User.id); in a private chat the chat has its user's id.
    user_id: Mapped[int] = mapped_column(BigInteger)
    full_name: Mapped[str | None] = mapped_column(String(200))
    position: Mapped[str | None] = mapped_column(String(200))
    linked_at: Mapped[datetime]
    unlinked_at: Mapped[datetime | None]
    # models/accounts/pin.py: what an irreversible press and the return after an idle time ask for.
    pin_hash: Mapped[str | None] = mapped_column(String(200))
    # After the password or an invitation a PIN may be chosen for a while, and only then.
    may_set_pin_until: Mapped[datetime | None]
    # The last tap or message of an open session.
    last_seen_at: Mapped[datetime | None]
    # Of `last_seen_at`, which changes once a minute: the other seal changes only with what the record tells of.
    seen_seal: Mapped[str | None] = mapped_column(String(LENGTH), sort_order=101)

    SEALS: ClassVar[tuple[Sealed, ...]] = (
        Sealed(
            (
                "account_id",
                "user_id",
                "full_name",
                "position",
                "linked_at",
                "unlinked_at",
                "pin_hash",
                "may_set_pin_until",
            )
        ),
        SEEN,
    )

    account: Mapped[Account] = relationship(lazy="raise")

    @property
    def recorded_in(self) -> str | None:
        """The chain of its account's unit, where the account is loaded."""
        account: Account | None = self.__dict__.get("account")
        return account.unit if account is not None else None

    @property
    def is_ready(self) -> bool:
        """Whether it has said its name and position and chosen a PIN; until then it can only do that."""
        return self.full_name is not None and self.position is not None and self.pin_hash is not None

    def is_idle(self, now: datetime) -> bool:
        """Whether the chat was left alone for 12 hours: the phone may be in other hands."""
        return is_past(self.last_seen_at or self.linked_at, IDLE, now)

    def may_set_pin(self, now: datetime) -> bool:
        """Whether it may choose a PIN without giving the password again."""
        until = self.may_set_pin_until
        return until is not None and until >= now and not is_ahead(until, PIN_CHOICE, now)


@dataclass(frozen=True)
class LoginCandidate:
    """What a password is checked against, read before the slow check and looked at again after it; and the chain
    in which wrong ones are recorded.
    """

    account_id: int | None
    password_hash: str | None
    chain: str | None = None


def normalize_username(username: str) -> str:
    """Usernames differ neither by case nor by blanks around them, nor by characters there that nobody sees, nor by
    the keyboard on which they are typed: Thai digits and full-width letters are those of ASCII.
    """
    username = arabic_digits(spelled(username))
    blanks = {letter for letter in username if letter.isspace() or unicodedata.category(letter) == "Cf"}
    return username.strip("".join(blanks)).casefold()


def is_username(username: str) -> bool:
    """Whether an account can have this username, normalized: 3 to 64 characters, without blanks."""
    return _USERNAME.fullmatch(username) is not None


def name_or_position(typed: str) -> str:
    """What an officer typed as its name or position, in one spelling, blanks tidied. Raises NameRefused."""
    tidy = " ".join(spelled(typed).split())
    if any(is_unseen(letter, _NOT_IN_NAMES) for letter in tidy):
        raise NameRefused(NameRule.VISIBLE)
    if becomes_link(tidy):
        raise NameRefused(NameRule.NO_LINK)
    if sum(letter.isalpha() for letter in tidy) < MIN_LETTERS:
        raise NameRefused(NameRule.LETTERS)
    letter = undrawn(tidy)
    if letter is not None:
        raise NameRefused(NameRule.DRAWN, letter)
    if len(tidy) > MAX_NAME:
        raise NameRefused(NameRule.LENGTH)
    return tidy


async def find_account(session: AsyncSession, username: str) -> Account:
    """The account with this username. Raises UnknownAccount."""
    account = await session.scalar(select(Account).where(Account.username == normalize_username(username)))
    if account is None:
        raise UnknownAccount(username)
    return account


async def login_candidate(session: AsyncSession, username: str) -> LoginCandidate:
    """What to check a typed password against; without ids for an unknown or disabled account.

    Raises BadSeal for one that somebody without the secret key has changed.
    """
    account = await session.scalar(
        select(Account).where(Account.username == normalize_username(username), Account.disabled_at.is_(None))
    )
    if account is None:
        return LoginCandidate(None, None)
    await require_good_seal(session, account)
    return LoginCandidate(account.id, account.password_hash, account.unit)


async def username_to_keep(session: AsyncSession, typed: str) -> str:
    """What to keep of a typed username until the password comes: the username when an account has it, else a keyed
    digest, because what no account has may be a password.

    `login_candidate` and the throttle take either. Raises UsernameRefused for what cannot be a username.
    """
    username = normalize_username(typed)
    if not is_username(username):
        raise UsernameRefused
    # Of two blanks at the end a phone makes a full stop and a blank.
    meant = (username, username.removesuffix("."))
    known = set(await session.scalars(select(Account.username).where(Account.username.in_(meant))))
    return next((name for name in meant if name in known), None) or throttle.name_key(session, username)


async def names_account(session: AsyncSession, typed: str) -> bool:
    """Whether a word of a text is the username of an account."""
    words = {normalize_username(word) for word in typed.split()}
    return bool(await session.scalar(select(exists().where(Account.username.in_(words)))))


async def active_officer(session: AsyncSession, user_id: int) -> Officer | None:
    """The officer behind a Telegram user, with account, organization and province, in one query.

    A disabled account has no officers while it is disabled, nor has one whose seal does not fit, or its link's.
    """
    officer = await session.scalar(_active(), {"user": user_id})
    return None if officer is None or await bad_seal(session, officer) is not None else officer


async def bad_seal(session: AsyncSession, officer: Officer) -> str | None:
    """The name of the officer's row or its account's, when somebody without the secret key has changed it."""
    for row in (officer.account, officer):
        if not await has_good_seal(session, row):
            return name_of(row)
    return None


async def trust_last_seen(session: AsyncSession, officer: Officer) -> bool:
    """Whether nobody has made a chat look as if it were in use; one that was is taken for idle, in memory."""
    if await has_good_seal(session, officer, SEEN):
        return True
    set_committed_value(officer, "last_seen_at", _NEVER)
    return False


@cache
def _active() -> Select[Officer]:
    return (
        select(Officer)
        .join(Officer.account)
        .where(
            Officer.user_id == bindparam("user"),
            Officer.unlinked_at.is_(None),
            Account.disabled_at.is_(None),
        )
        .options(
            joinedload(Officer.account).joinedload(Account.organization).joinedload(Organization.province),
            joinedload(Officer.account).joinedload(Account.province),
        )
    )


async def is_somebodys(session: AsyncSession, user_id: int) -> bool:
    """Whether a Telegram user is or was linked to an account, and has not been forgotten
    (models/operator/erasure.py).
    """
    return bool(await session.scalar(select(exists().where(Officer.user_id == user_id))))


async def record_change(session: AsyncSession, account: Account, change: str, now: datetime) -> None:
    """Record that the operator changed an account: disabled, enabled, password."""
    await event_chain.record(
        session, event_chain.Event.ACCOUNT_CHANGED, account.unit, now, username=account.username, change=change
    )


async def name_officer(
    session: AsyncSession,
    officer: Officer,
    now: datetime,
    *,
    full_name: str | None = None,
    position: str | None = None,
) -> None:
    """Keep the name or the position that an officer has typed. The record tells that, and not what it typed.

    Raises BadSeal, RecordBroken.
    """
    await require_newest(session, officer.account.unit, [officer])
    if full_name is not None:
        officer.full_name = full_name
    if position is not None:
        officer.position = position
    what = "full_name" if full_name is not None else "position"
    await event_chain.record(
        session, event_chain.Event.NAMED, officer.account.unit, now, officer=officer.id, what=what
    )


async def allow_new_pin(session: AsyncSession, officer: Officer, now: datetime, by: str) -> None:
    """An officer may choose a new PIN for a while: it has given the account's `password`, or an `invitation`.

    Raises BadSeal, RecordBroken.
    """
    await require_newest(session, officer.account.unit, [officer])
    officer.may_set_pin_until = now + PIN_CHOICE
    await event_chain.record(
        session, event_chain.Event.PIN_RESET, officer.account.unit, now, officer=officer.id, by=by
    )


async def record_wrong_pin(
    session: AsyncSession, officer: Officer, now: datetime, tries: Tries | None, *, blocks: bool
) -> None:
    """Record a wrong PIN, with the state of its throttle; `blocks`: it has closed the keypad for a while."""
    kind = event_chain.Event.PIN_BLOCKED if blocks else event_chain.Event.PIN_FAILED
    told = {} if tries is None else {"tries": tries.as_details()}
    await event_chain.record(session, kind, officer.account.unit, now, officer=officer.id, **told)


async def record_refusal(
    session: AsyncSession, officer: Officer | None, user_id: int, what: str, now: datetime
) -> None:
    """Record that somebody tried what it has no right to, or count it where that was recorded on the same day; the
    chain is that of its own account.
    """
    chain = officer.account.unit if officer else event_chain.SYSTEM
    number, counted_as = (officer.id, what) if officer else (None, "")
    refused = event_chain.Event.REFUSED
    if await is_first_refusal(session, refused, chain, now, user_id, officer_id=number, what=counted_as):
        await event_chain.record(session, refused, chain, now, user=user_id, officer=number, what=what)


async def record_failed_login(
    session: AsyncSession, username: str, user_id: int, now: datetime, tries: Tries | None = None
) -> None:
    """Record a refused login in the account's chain, with the state of its throttle; what was typed for an unknown
    account is not kept, for it may be a password. Those for unknown accounts are counted after the first of a chat
    and day: what bounds the others is the account's own throttle.
    """
    account = await session.scalar(select(Account).where(Account.username == normalize_username(username)))
    failed = event_chain.Event.LOGIN_FAILED
    if account is not None:
        spent = {"tries": tries.as_details()} if tries is not None else {}
        await event_chain.record(
            session, failed, account.unit, now, user=user_id, username=account.username, **spent
        )
    elif await is_first_refusal(session, failed, event_chain.SYSTEM, now, user_id):
        await event_chain.record(session, failed, event_chain.SYSTEM, now, user=user_id)


async def saw_officer(session: AsyncSession, officer: Officer, now: datetime) -> None:
    """The chat is in use: its session stays open. Written down once a minute at most."""
    if officer.last_seen_at is None or is_past(officer.last_seen_at, SEEN_EVERY, now):
        officer.last_seen_at = now
        await session.flush()


async def officers_concerned(session: AsyncSession, organization: Organization, *roles: Role) -> list[Officer]:
    """The officers with a name and a position of an organization, of its province, or of both."""
    parameters = {"code": organization.dla_code, "province": organization.province_code}
    return list(await session.scalars(_concerned(*roles), parameters))


@cache
def _concerned(*roles: Role) -> Select[Officer]:
    units = {
        Role.LAO: Account.organization_code == bindparam("code"),
        Role.PROVINCE: Account.province_code == bindparam("province"),
    }
    return (
        select(Officer)
        .join(Officer.account)
        .where(or_(*(units[role] for role in roles)), Officer.unlinked_at.is_(None), Officer.position.is_not(None))
        .options(joinedload(Officer.account))
        .order_by(Officer.id)
    )


def chats(*of: ColumnElement[bool]) -> Select[int]:
    """The chats of all officers who are linked and ready, of the accounts that a condition holds for."""
    return (
        select(Officer.user_id)
        .join(Account, Account.id == Officer.account_id)
        .where(is_reachable(), Account.disabled_at.is_(None), *of)
    )


def organizations_with_officers() -> Select[str | None]:
    """The codes of organizations for which somebody is linked and ready."""
    return (
        select(Account.organization_code)
        .join(Officer, Officer.account_id == Account.id)
        .where(is_reachable(), Account.disabled_at.is_(None), Account.organization_code.is_not(None))
    )


def is_reachable() -> ColumnElement[bool]:
    """A condition on officers: linked, with a name, a position and a PIN."""
    return and_(
        Officer.unlinked_at.is_(None),
        Officer.full_name.is_not(None),
        Officer.position.is_not(None),
        Officer.pin_hash.is_not(None),
    )


async def linked_officers(session: AsyncSession, account_ids: list[int], *, hold: bool = False) -> list[Officer]:
    """The officers with an active link to these accounts, ready or not, in order of linking.

    `hold` locks their rows, all before the chain of the account: in the order of everybody's tap.
    """
    statement = (
        select(Officer)
        .where(Officer.account_id.in_(account_ids), Officer.unlinked_at.is_(None))
        .options(joinedload(Officer.account))
        .order_by(Officer.id)
    )
    if hold:
        statement = statement.with_for_update(of=Officer)
    return list(await session.scalars(statement))
