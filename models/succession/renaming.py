"""Another name for an organization that goes on under its code. Certificates keep the words of their press."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Account
from models.audit import event_chain
from models.base.font import undrawn
from models.base.names import becomes_link, is_unseen
from models.base.spelling import spelled
from models.notices import card_marks
from models.organizations.organization import (
    Organization,
    UnknownOrganization,
    described,
    lock_organization,
    require_going_on,
    sort_key,
)
from models.succession.decision import ChangeRefused, Decision
from models.succession.word_keeping import require_words_kept

MAX_NAME = 200
# What an organization is called and where it is.
WORDS = ("type_th", "type_code", "name_th", "district_th", "province_code")


@dataclass(frozen=True)
class Renaming:
    """An organization's full names before and after."""

    dla_code: str
    before: str
    after: str


def changed_words(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What an event says of an organization that is described otherwise: the words that differ, before and after;
    nothing when none does.
    """
    differing = [name for name in WORDS if before[name] != after[name]]
    if not differing:
        return {}
    return {
        "before": {name: before[name] for name in differing},
        "after": {name: after[name] for name in differing},
    }


async def look_at_renaming(session: AsyncSession, dla_code: str, typed: str) -> Renaming:
    """What renaming would do. Raises what `rename` raises."""
    organization = await session.get(Organization, dla_code, populate_existing=True)
    if organization is None:
        raise UnknownOrganization(dla_code)
    await require_going_on(session, dla_code)
    renaming = _renaming(organization, typed)
    await require_words_kept(session, [dla_code])
    return renaming


async def rename(session: AsyncSession, dla_code: str, typed: str, decision: Decision, now: datetime) -> Renaming:
    """Give an organization another name. Raises UnknownOrganization, OrganizationEnded, ChangeRefused, and
    WordsNotKept where older certificates do not keep the present one yet.
    """
    organization = await lock_organization(session, dla_code)
    renaming = _renaming(organization, typed)
    await require_words_kept(session, [dla_code])
    before = {name: getattr(organization, name) for name in WORDS}
    organization.name_th = _name(typed)
    organization.sort_key = sort_key(
        organization.type_th, organization.name_th, organization.district_th, organization.dla_code
    )
    await session.flush()
    await rename_accounts(session, renaming.before, organization)
    after = {name: getattr(organization, name) for name in WORDS}
    words = changed_words(before, after)
    await event_chain.record(
        session,
        event_chain.Event.RENAMED,
        dla_code,
        now,
        before=words["before"],
        after=words["after"],
        description=described(organization),
        by=decision.by,
        reason=decision.reason,
        gazette=decision.gazette,
        effective_on=decision.effective_on.isoformat(),
    )
    await card_marks.touch(session, organization.province_code, now)
    return renaming


def _renaming(organization: Organization, typed: str) -> Renaming:
    name = _name(typed)
    if name == organization.name_th:
        raise ChangeRefused(
            f"{organization.dla_code} is called {organization.full_name} already; nothing was done"
        )
    before = organization.full_name
    # The type stands before the name, and for the special area nothing does.
    after = before.removesuffix(organization.name_th) + name
    return Renaming(organization.dla_code, before, after)


def _name(typed: str) -> str:
    """The name as it is kept: without the type, in one spelling, blanks tidied. Raises ChangeRefused."""
    tidy = " ".join(spelled(typed).split())
    if not any(letter.isalpha() for letter in tidy) or any(is_unseen(letter) for letter in tidy):
        raise ChangeRefused("NAME is the organization's name in letters that can be seen, without its type")
    letter = undrawn(tidy)
    if letter is not None:
        raise ChangeRefused(
            f"NAME has {letter}, which certificates cannot show; write it in Thai or Latin letters"
        )
    if len(tidy) > MAX_NAME:
        raise ChangeRefused(f"NAME has {len(tidy)} letters; shorten it to {MAX_NAME}")
    if becomes_link(tidy):
        raise ChangeRefused("NAME holds what Telegram shows as a link; write the plain name")
    return tidy


async def rename_accounts(session: AsyncSession, before: str, organization: Organization) -> None:
    """An account that is called like its organization goes on being called like it."""
    same_name = Account.organization_code == organization.dla_code, Account.display_name == before
    for account in await session.scalars(select(Account).where(*same_name).order_by(Account.id)):
        account.display_name = organization.full_name
    await session.flush()
