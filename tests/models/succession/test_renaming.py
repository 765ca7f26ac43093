"""Another name for an organization that goes on: an event, and nothing of what was certified."""

import json
from datetime import datetime

import pytest
from sqlalchemy import select

from models.accounts.account import Account
from models.certification.certificate import Level
from models.certification.certify import reopen
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.organizations.organization import Organization, OrganizationEnded, UnknownOrganization
from models.province.listing import type_words, whole_list
from models.succession.closing import close
from models.succession.decision import ChangeRefused
from models.succession.renaming import look_at_renaming, rename
from tests.models.succession.decisions import BY, REASON, breaks, chain, decided
from tests.support import ORGANIZATIONS, certify_as, link

FIRST, SECOND = (code for code, *_ in ORGANIZATIONS[:2])


async def test_the_new_name_is_found_and_the_record_has_both(country: Database, now: datetime) -> None:
    async with country.write() as session:
        province = await link(session, "province11", 601, now)
        renamed = await rename(session, FIRST, " บางใหม่ ", decided(now), now)
        assert (renamed.before, renamed.after) == ("เทศบาลตำบลบางปู", "เทศบาลตำบลบางใหม่")
        found = await type_words(session, province, whole_list(province), "ทต.บางใหม่", now)
        assert [row.name.dla_code for row in found.rows] == [FIRST]
        event = (await chain(session, FIRST))[-1]
        assert event.kind == "renamed"
        told = json.loads(event.details)
        assert (told["before"], told["after"]) == ({"name_th": "บางปู"}, {"name_th": "บางใหม่"})
        assert (told["by"], told["reason"], told["effective_on"]) == (BY, REASON, "2026-11-02")
        account = await session.scalar(select(Account.display_name).where(Account.organization_code == FIRST))
        assert account == "เทศบาลตำบลบางใหม่"
        cards = await session.scalars(select(OutboxMessage).where(OutboxMessage.kind == NoticeKind.REFRESH))
        assert [card.chat_id for card in cards] == [601]
    assert await breaks(country) == []


async def test_a_certified_organization_is_renamed_too(country: Database, now: datetime) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    async with country.write() as session:
        await rename(session, FIRST, "บางใหม่", decided(now), now)
    assert await breaks(country) == []
    async with country.write() as session:
        await reopen(session, FIRST, BY, REASON, now)


@pytest.mark.parametrize("name", ["", " ", "123", "บาง\u202eปู", "ก" * 201, "t.me/บางปู", "@bangpu"])
async def test_what_is_no_name_is_refused(country: Database, now: datetime, name: str) -> None:
    async with country.write() as session:
        with pytest.raises(ChangeRefused, match="NAME"):
            await rename(session, FIRST, name, decided(now), now)
        assert (await session.get_one(Organization, FIRST)).name_th == "บางปู"


async def test_once_more_has_no_second_effect(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await rename(session, FIRST, "บางใหม่", decided(now), now)
        events = len(await chain(session, FIRST))
        for again in (
            rename(session, FIRST, "บางใหม่", decided(now), now),
            look_at_renaming(session, FIRST, "บางใหม่"),
        ):
            with pytest.raises(ChangeRefused, match="is called เทศบาลตำบลบางใหม่ already; nothing was done"):
                await again
        assert len(await chain(session, FIRST)) == events


async def test_only_an_organization_that_goes_on_is_renamed(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await close(session, FIRST, decided(now), now)
        with pytest.raises(OrganizationEnded):
            await rename(session, FIRST, "บางใหม่", decided(now), now)
        with pytest.raises(OrganizationEnded):
            await look_at_renaming(session, FIRST, "บางใหม่")
        for look in (look_at_renaming(session, "9", "บาง"), rename(session, "9", "บาง", decided(now), now)):
            with pytest.raises(UnknownOrganization):
                await look
        assert (await look_at_renaming(session, SECOND, "บางใหม่")).after == "อบต.บางใหม่"
