"""Rows that are compared with their events beside certificates and rounds: each column that a table covers."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from models.accounts.account import PIN_CHOICE, Account, Officer, Role
from models.accounts.pin import set_pin
from models.audit import event_chain
from models.certification.certificate import Level
from models.certification.statement import _TEXTS
from models.chats.conversation import Language
from models.database.engine import Database
from models.links.invitation import invite
from models.operator.erasure import forget_officer
from models.outreach.broadcast import Audience, announce
from models.verification.findings import Subject, meaning_of
from tests.models.audit.record import FIRST, SECOND, checked, without_triggers
from tests.support import certify_as, link, pin_hash
from tests.torture.test_tampering import describe

WORDS = "ประกาศให้ทราบทั่วกัน"


@pytest.fixture
async def known(lived: Database, now: datetime) -> Database:
    """Described, announced to, invited, beside all that has happened."""
    async with lived.write() as session:
        await describe(session, now)
        await announce(session, Audience(Role.LAO), WORDS, now)
        account = (await link(session, f"lao{SECOND}", 502, now)).account
        await invite(session, account, timedelta(minutes=10), now)
    return lived


CHANGES = {
    "UPDATE organization SET province_code = '12' WHERE dla_code = '5110201'": "organization 5110201: is not",
    "UPDATE organization SET name_th = 'x' WHERE dla_code = '6120401'": "organization 6120401: is not described",
    "UPDATE organization SET sort_key = 'x' WHERE dla_code = '6120401'": "organization 6120401: is not described",
    "UPDATE province SET name_en = 'x' WHERE code = '12'": "province 12: is not described",
    "INSERT INTO province (code, name_th, name_en) VALUES ('99', 'x', 'x')": "1 are described by no event",
    "UPDATE officer SET user_id = 999 WHERE id = 1": "officer 1: is not the chat that was linked",
    "UPDATE officer SET account_id = account_id + 1 WHERE id = 1": "officer 1: is linked to another account",
    "UPDATE officer SET linked_at = '2026-01-01 00:00:00' WHERE id = 1": "officer 1: the link did not begin",
    "UPDATE officer SET unlinked_at = '2026-11-03 00:00:00' WHERE id = 1": "officer 1: the link did not begin",
    "UPDATE officer SET pin_hash = 'x' WHERE id = 1": "officer 1: has another PIN than was recorded",
    "UPDATE officer SET pin_hash = NULL WHERE id = 1": "officer 1: has another PIN than was recorded",
    "INSERT INTO officer (account_id, user_id, linked_at) VALUES (1, 999, '2026-11-02 00:00:00')": "no event",
    "UPDATE invitation SET account_id = 1": "invitation 1: is not as it was made",
    "UPDATE invitation SET code_hash = 'x'": "invitation 1: is not as it was made",
    "UPDATE invitation SET from_officer_id = 1": "invitation 1: is not as it was made",
    "UPDATE invitation SET made_at = '2026-01-01 00:00:00'": "invitation 1: is not as it was made",
    "UPDATE invitation SET expires_at = '2099-01-01 00:00:00'": "invitation 1: is not as it was made",
    "DELETE FROM invitation": "invitation 1: was recorded and is gone",
    "INSERT INTO invitation (account_id, code_hash, made_at, expires_at) VALUES (1, 'x', '2026-11-02 00:00:00',"
    " '2099-01-01 00:00:00')": "invitation 2: no event records it",
    "UPDATE broadcast SET body = 'x'": "broadcast 1: the row and its event do not agree",
    "UPDATE broadcast SET audience = 'province'": "broadcast 1: the row and its event do not agree",
    "DELETE FROM broadcast": "broadcast 1: the row and its event do not agree",
    "UPDATE remark SET author = 'x' WHERE kind = 'question'": "questioned",
    "UPDATE remark SET revision = 9 WHERE kind = 'question'": "questioned",
    "UPDATE remark SET about = 'x' WHERE kind = 'petition'": "petitioned",
    "UPDATE remark SET granted = true WHERE kind = 'question'": "questioned",
    "UPDATE roster SET file_name = 'x' WHERE organization_code = '6110301'": "roster of 6110301: is not what",
    "UPDATE roster SET imported_at = '2026-01-01 00:00:00' WHERE organization_code = '6110301'": "roster of 611",
    "UPDATE certified_register SET by_province = NOT by_province": "register kept by reopening 1: is not what was",
    "UPDATE certified_register SET sealed = substr(sealed, 2)": "register kept by reopening 1: is not what",
    "UPDATE spot_check SET seed = 'x'": "spot-check 1 of 5110201: is not as it was drawn",
    "UPDATE spot_check SET handed_in_at = NULL": "spot-check 1 of 5110201: was not handed in so",
    "UPDATE spot_check_item SET mark = 'incorrect' WHERE place = 1": "the mark at place 1 is another one",
    "UPDATE spot_check_item SET mark = 'x' WHERE place = 1": "spot_check: a row holds what",
}


@pytest.mark.parametrize("statement", CHANGES)
async def test_a_changed_row_is_named(known: Database, statement: str) -> None:
    assert (await checked(known)).breaks == []
    await without_triggers(known, statement)
    breaks = (await checked(known)).breaks
    assert any(CHANGES[statement] in line for line in breaks), breaks


async def test_another_number_of_a_round_is_found(country: Database) -> None:
    """As long as nothing belongs to the round; then foreign keys keep its number."""
    await without_triggers(country, "UPDATE round SET id = 7")
    assert "round 2570: has another number than when it was opened" in (await checked(country)).breaks


async def test_events_whose_order_was_changed_are_found(known: Database) -> None:
    """The id is in no hash: it decides which of two events of different chains came later."""
    await without_triggers(known, f"UPDATE audit_event SET id = 9999 WHERE chain = '{FIRST}' AND number = 2")
    assert any("has the id of an older one" in line for line in (await checked(known)).breaks)


async def test_a_pin_that_is_put_back_is_found(known: Database, now: datetime) -> None:
    """The hash of a PIN that the officer had before."""
    async with known.read() as session:
        before = await session.scalar(select(Officer.pin_hash).where(Officer.id == 1))
    async with known.write() as session:
        officer = await link(session, f"lao{FIRST}", 501, now)
        officer.may_set_pin_until = now + PIN_CHOICE
        await set_pin(session, officer, pin_hash(501, "938271"), now)
    assert (await checked(known)).breaks == []
    async with known.write() as session:
        await session.execute(text("UPDATE officer SET pin_hash = :hash WHERE id = 1"), {"hash": before})
    assert "officer 1: has another PIN than was recorded" in (await checked(known)).breaks


async def test_who_was_forgotten_is_no_break(known: Database, now: datetime) -> None:
    async with known.write() as session:
        await forget_officer(session, 1, "ผู้ดูแล", "คำขอลบข้อมูล", now)
    assert (await checked(known)).breaks == []
    async with known.write() as session:
        await session.execute(text("UPDATE officer SET user_id = 501 WHERE id = 1"))
    assert "officer 1: is not the chat that was linked" in (await checked(known)).breaks


async def test_a_link_that_is_older_than_its_events_details_is_counted(known: Database, now: datetime) -> None:
    """Its event says nothing of the PIN, as those of earlier releases."""
    async with known.write() as session:
        account = (await session.scalars(select(Account).where(Account.username == "province12"))).one()
        officer = Officer(account=account, user_id=602, linked_at=now, pin_hash="x")
        session.add(officer)
        await session.flush()
        told = {"username": account.username, "officer": officer.id, "user": 602, "by": "password"}
        await event_chain.record(session, event_chain.Event.LOGIN, "12", now, **told)
    found = await checked(known)
    assert (found.breaks, found.uncompared) == ([], {"PINs": 1})
    assert found.not_compared == "not compared: 1 PINs"
    assert found.is_well


async def test_other_words_for_what_was_agreed_to_are_found(
    country: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the program, not in the database."""
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    monkeypatch.setitem(_TEXTS[1, "lao"], Language.THAI, "อื่น")
    found = await checked(country)
    assert found.breaks == ["certificate 1: this program has other words for the statement lao/1/th"]
    assert found.first is Subject.STATEMENT


@pytest.mark.parametrize("subject", Subject)
def test_every_break_has_a_meaning_and_a_mend(subject: Subject) -> None:
    meaning = meaning_of(subject)
    assert meaning.means
    assert meaning.do
