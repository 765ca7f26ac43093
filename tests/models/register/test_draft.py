"""A file that waits for its officer: sealed, for a day, and gone with the link."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from models.database.engine import Database
from models.links.link import unlink_officer
from models.register.draft import DraftGone, RosterDraft, forget_old_drafts, load_draft
from models.security.keys import Keyring
from tests.models.register.rosters import BANGPU, drafts, person, proposed, sent
from tests.support import link

# --- what is kept -------------------------------------------------------------------------------------------


async def test_a_file_that_waits_is_sealed(country: Database, now: datetime) -> None:
    await proposed(country, now, sent(person(1)))
    async with country.read() as session:
        draft = (await session.scalars(select(RosterDraft))).one()
    assert (draft.organization_code, draft.file_name, draft.made_at) == (BANGPU, "register.csv", now)
    assert "ลับเฉพาะ".encode() not in draft.sealed
    assert draft.base_digest


async def test_a_file_under_another_key_waits_no_more(country: Database, now: datetime) -> None:
    number, key = await proposed(country, now, sent(person(1)))
    url = country.url.render_as_string(hide_password=False)
    other = Database(url, Keyring("another key of more than 32 letters"))
    async with other.read() as session:
        with pytest.raises(DraftGone):
            await load_draft(session, number, key, now)
    await other.close()


async def test_a_day_later_it_is_forgotten(country: Database, now: datetime) -> None:
    number, key = await proposed(country, now, sent(person(1)))
    later = now + timedelta(hours=24)
    async with country.write() as session:
        await forget_old_drafts(session, later)
        await load_draft(session, number, key, later)
        later += timedelta(seconds=1)
        with pytest.raises(DraftGone):
            await load_draft(session, number, key, later)
        await forget_old_drafts(session, later)
    assert await drafts(country) == 0


async def test_a_link_that_ends_takes_its_file_with_it(country: Database, now: datetime) -> None:
    await proposed(country, now, sent(person(1)))
    async with country.write() as session:
        officer = await link(session, f"lao{BANGPU}", 7, now)
        assert await unlink_officer(session, officer, now)
    assert await drafts(country) == 0
