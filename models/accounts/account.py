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

# How long after the password or an invitation an officer may choose a PIN without authenticating again.
PIN_CHOICE = timedelta(minutes=15)
# After this idle time a chat asks for the PIN before it shows names or numbers.
IDLE = timedelta(hours=12)
# The shortest time between two updates of `last_seen_at`.
SEEN_EVERY = timedelta(minutes=1)

# ASCII characters that every keyboard can type; none that a chat or a shell interprets.
_USERNAME = re.compile("[a-z0-9][a-z0-9._@-]{2,63}")

# The longest name or position accepted, in characters; both columns hold 200.
MAX_NAME = 120
# The shortest positions have two letters (ครู). A single letter is a typing error, and certificates would print
# it.
MIN_LETTERS = 2

# Unicode categories refused in names in addition to the invisible ones. Unassigned characters (Cn) can disguise a
# name; pictures and modifier symbols (So, Sk) belong to no name.
_NOT_IN_NAMES = frozenset({"Cn", "So", "Sk"})


# The `last_seen_at` assumed for an officer whose stored one has a bad seal, so that the chat counts as idle.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Role(enum.StrEnum):
    """The two levels of the procedure: an account belongs to a local organization (LAO) or to a province."""

    LAO = "lao"
    PROVINCE = "province"


class LoginRefused(DomainError):
    """Unknown username, wrong password, or disabled account: one error for all, so that a caller learns
    nothing.
    """


class NameRule(enum.Enum):
    """The rules for a typed name or position, checked by name_or_position."""

    LETTERS = enum.auto()
    LENGTH = enum.auto()
    # No pictures and no invisible characters.
    VISIBLE = enum.auto()
    # Only characters that the certificate's font can draw.
    DRAWN = enum.auto()
    NO_LINK = enum.auto()
    # No six digits in a row, because they may be a PIN.
    NO_NUMBER = enum.auto()


class NameRefused(DomainError):
    """A typed name or position breaks `rule`.

    For NameRule.DRAWN, `letter` is the character that cannot be drawn.
    """

    def __init__(self, rule: NameRule, letter: str = "") -> None:
        super().__init__(rule.name)
        self.rule = rule
        self.letter = letter


class UsernameRefused(DomainError):
    """The typed text is not a valid username (is_username)."""


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
    # None: chats are linked to the account by invitation only.
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
        """The code of the organization or province that the account acts for."""
        return self.organization_code or self.province_code or ""

    @property
    def recorded_in(self) -> str | None:
        """The audit chain of the account's events: its unit's code."""
        return self.unit


# The second seal of an officer's row, over `last_seen_at` alone.
SEEN = Sealed(("last_seen_at",), into="seen_seal")


class Officer(SealedRow, Base):
    """One Telegram user's link to an account, with the name and position that certificates print.

    An active link has no `unlinked_at`. The row of an ended link is kept, so that history can name the officer.
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
    # Telegram user ids have up to 52 bits (Bot API, User.id). A private chat has the id of its user.
    user_id: Mapped[int] = mapped_column(BigInteger)
    full_name: Mapped[str | None] = mapped_column(String(200))
    position: Mapped[str | None] = mapped_column(String(200))
    linked_at: Mapped[datetime]
    unlinked_at: Mapped[datetime | None]
    # The hash of the PIN (models/accounts/pin.py), asked for before an irreversible press and after an idle time.
    pin_hash: Mapped[str | None] = mapped_column(String(200))
    # Until when the officer may choose a PIN (PIN_CHOICE).
    may_set_pin_until: Mapped[datetime | None]
    # The time of the last tap or message in an unlocked chat, at a resolution of SEEN_EVERY.
    last_seen_at: Mapped[datetime | None]
    # The seal of `last_seen_at`, which changes every minute. The other seal covers only columns whose changes are
    # recorded as events.
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
        """The audit chain of the account's unit; None when the account is not loaded."""
        account: Account | None = self.__dict__.get("account")
        return account.unit if account is not None else None

    @property
    def is_ready(self) -> bool:
        """Whether the officer has given a name, a position and a PIN; until then the bot asks only for these."""
        return self.full_name is not None and self.position is not None and self.pin_hash is not None

    def is_idle(self, now: datetime) -> bool:
        """Whether the officer has not used the chat for IDLE (12 hours), so that the phone may be in other
        hands.
        """
        return is_past(self.last_seen_at or self.linked_at, IDLE, now)

    def may_set_pin(self, now: datetime) -> bool:
        """Whether the officer may choose a PIN now without giving the password again."""
        until = self.may_set_pin_until
        return until is not None and until >= now and not is_ahead(until, PIN_CHOICE, now)


@dataclass(frozen=True)
class LoginCandidate:
    """The account and hash that a password is checked against, read before the slow hash and compared after it.

    `chain` is the audit chain for failed logins. All fields are None for an unknown or disabled account.
    """

    account_id: int | None
    password_hash: str | None
    chain: str | None = None


def normalize_username(username: str) -> str:
    """Return the canonical spelling of a typed username, by which accounts are stored and looked up.

    Folds case, strips blanks and invisible characters at both ends, and maps Thai digits and full-width letters to
    ASCII.
    """
    username = arabic_digits(spelled(username))
    blanks = {letter for letter in username if letter.isspace() or unicodedata.category(letter) == "Cf"}
    return username.strip("".join(blanks)).casefold()


def is_username(username: str) -> bool:
    """Whether a normalized username is valid: 3 to 64 characters of a-z, 0-9 and `._@-`, the first a letter or
    digit.
    """
    return _USERNAME.fullmatch(username) is not None


def name_or_position(typed: str) -> str:
    """Return a typed name or position in canonical spelling with single blanks.

    Raises NameRefused with the first rule that the text breaks.
    """
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
    """Return the account with this username. Raises UnknownAccount."""
    account = await session.scalar(select(Account).where(Account.username == normalize_username(username)))
    if account is None:
        raise UnknownAccount(username)
    return account


async def login_candidate(session: AsyncSession, username: str) -> LoginCandidate:
    """Return what to check a typed password against; all fields are None for an unknown or disabled account.

    Raises BadSeal when the account's row was changed without the secret key.
    """
    account = await session.scalar(
        select(Account).where(Account.username == normalize_username(username), Account.disabled_at.is_(None))
    )
    if account is None:
        return LoginCandidate(None, None)
    await require_good_seal(session, account)
    return LoginCandidate(account.id, account.password_hash, account.unit)


async def username_to_keep(session: AsyncSession, typed: str) -> str:
    """Return what to store of a typed username until the password arrives.

    That is the username of an existing account, or else a keyed digest, because an unknown username may be a
    mistyped password. `login_candidate` and the throttle accept either. Raises UsernameRefused when the text is
    not a valid username.
    """
    username = normalize_username(typed)
    if not is_username(username):
        raise UsernameRefused
    # Phone keyboards replace two blanks at the end with a full stop and a blank.
    candidates = (username, username.removesuffix("."))
    known = set(await session.scalars(select(Account.username).where(Account.username.in_(candidates))))
    return next((name for name in candidates if name in known), None) or throttle.name_key(session, username)


async def names_account(session: AsyncSession, typed: str) -> bool:
    """Whether any word of a typed text is the username of an account."""
    words = {normalize_username(word) for word in typed.split()}
    return bool(await session.scalar(select(exists().where(Account.username.in_(words)))))


async def active_officer(session: AsyncSession, user_id: int) -> Officer | None:
    """Return the officer linked to a Telegram user, with account, organization and province loaded in one query.

    Returns None when there is no active link, the account is disabled, or the seal of either row is bad.
    """
    officer = await session.scalar(_active(), {"user": user_id})
    return None if officer is None or await bad_seal(session, officer) is not None else officer


async def bad_seal(session: AsyncSession, officer: Officer) -> str | None:
    """Return the name of the first row, account or officer, that was changed without the secret key; or None."""
    for row in (officer.account, officer):
        if not await has_good_seal(session, row):
            return name_of(row)
    return None


async def trust_last_seen(session: AsyncSession, officer: Officer) -> bool:
    """Whether the seal of `last_seen_at` is good.

    If not, sets the officer to idle in memory, so the PIN is asked.
    """
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
    """Whether a Telegram user is or was linked to an account and was not erased (models/operator/erasure.py)."""
    return bool(await session.scalar(select(exists().where(Officer.user_id == user_id))))


async def record_change(session: AsyncSession, account: Account, change: str, now: datetime) -> None:
    """Record a change that the operator made to an account: `disabled`, `enabled` or `password`."""
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
    """Store the name or the position that an officer typed. The event says which one changed, not the text.

    Raises BadSeal or RecordBroken when the officer's row was changed without the secret key.
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
    """Allow an officer to choose a new PIN until PIN_CHOICE from now, and record it.

    `by` says how the officer authenticated: `password` or `invitation`. Raises BadSeal or RecordBroken when the
    officer's row was changed without the secret key.
    """
    await require_newest(session, officer.account.unit, [officer])
    officer.may_set_pin_until = now + PIN_CHOICE
    await event_chain.record(
        session, event_chain.Event.PIN_RESET, officer.account.unit, now, officer=officer.id, by=by
    )


async def record_wrong_pin(
    session: AsyncSession, officer: Officer, now: datetime, tries: Tries | None, *, blocks: bool
) -> None:
    """Record a wrong PIN with the state of its throttle. `blocks` says that it started a block of the key."""
    kind = event_chain.Event.PIN_BLOCKED if blocks else event_chain.Event.PIN_FAILED
    details = {} if tries is None else {"tries": tries.as_details()}
    await event_chain.record(session, kind, officer.account.unit, now, officer=officer.id, **details)


async def record_refusal(
    session: AsyncSession, officer: Officer | None, user_id: int, what: str, now: datetime
) -> None:
    """Record that a user attempted something without the right to it; only count repetitions on the same day.

    The event goes to the chain of the user's own account, or to the system chain when the user is not linked.
    """
    chain = officer.account.unit if officer else event_chain.SYSTEM
    number, counted_as = (officer.id, what) if officer else (None, "")
    refused = event_chain.Event.REFUSED
    if await is_first_refusal(session, refused, chain, now, user_id, officer_id=number, what=counted_as):
        await event_chain.record(session, refused, chain, now, user=user_id, officer=number, what=what)


async def record_failed_login(
    session: AsyncSession, username: str, user_id: int, now: datetime, tries: Tries | None = None
) -> None:
    """Record a refused login in the account's chain, with the state of its throttle.

    For an unknown account the event goes to the system chain without the typed username, which may be a password.
    Only the first such event of a chat on one day is recorded; repetitions are counted. Failures for known
    accounts are limited by the account's throttle and are always recorded.
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
    """Update the officer's `last_seen_at`, at most once per SEEN_EVERY (a minute)."""
    if officer.last_seen_at is None or is_past(officer.last_seen_at, SEEN_EVERY, now):
        officer.last_seen_at = now
        await session.flush()


async def officers_concerned(session: AsyncSession, organization: Organization, *roles: Role) -> list[Officer]:
    """Return the linked officers who have a position, of the organization, its province, or both.

    `roles` selects the level: Role.LAO the organization's officers, Role.PROVINCE its province's.
    """
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


def chats(*conditions: ColumnElement[bool]) -> Select[int]:
    """A query for the chats of all reachable officers of enabled accounts that meet all `conditions`."""
    return (
        select(Officer.user_id)
        .join(Account, Account.id == Officer.account_id)
        .where(is_reachable(), Account.disabled_at.is_(None), *conditions)
    )


def organizations_with_officers() -> Select[str | None]:
    """A query for the codes of organizations that have a reachable officer of an enabled account."""
    return (
        select(Account.organization_code)
        .join(Officer, Officer.account_id == Account.id)
        .where(is_reachable(), Account.disabled_at.is_(None), Account.organization_code.is_not(None))
    )


def is_reachable() -> ColumnElement[bool]:
    """An SQL condition on Officer: the link is active and name, position and PIN are set."""
    return and_(
        Officer.unlinked_at.is_(None),
        Officer.full_name.is_not(None),
        Officer.position.is_not(None),
        Officer.pin_hash.is_not(None),
    )


async def linked_officers(session: AsyncSession, account_ids: list[int], *, hold: bool = False) -> list[Officer]:
    """Return the officers with an active link to these accounts, ready or not, in order of linking.

    `hold` locks their rows. Callers lock them before the account's chain, in the same order as every tap does, so
    that no deadlock arises.
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
