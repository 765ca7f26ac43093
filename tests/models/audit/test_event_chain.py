"""The record: events bound to one another and to their key, heads, and that nothing is ever changed in it."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from models.audit import event_chain
from models.certification.certificate import Level
from models.certification.certify import reopen
from models.database.engine import Database
from models.security.keys import Keyring
from tests.models.audit.record import FIRST, REASON, SECOND, THIRD, checked, take_head, without_triggers
from tests.support import KEYRING, certify_as


async def test_what_happened_stands_in_the_chains(lived: Database) -> None:
    async with lived.read() as session:
        kinds = list(
            await session.scalars(
                text("SELECT kind FROM audit_event WHERE chain = :chain ORDER BY number").bindparams(chain=FIRST)
            )
        )
    assert [kind for kind in kinds if kind not in ("pin_set", "warned")] == [
        "login",
        "certified",
        "drawn",
        *["marked"] * 3,
        "handed_in",
        "certified",
        "petitioned",
        "decided",
        "reopened",
    ]


async def test_all_is_well_with_and_without_a_head(lived: Database, now: datetime) -> None:
    head = await take_head(lived, now)
    await certify_as(lived, f"lao{THIRD}", 503, THIRD, Level.LAO, now)
    later = await take_head(lived, now + timedelta(days=1))
    for filed in (None, head, later):
        found = await checked(lived, filed)
        assert found.breaks == []
    assert (found.certificates, found.rosters) == (4, 2)
    assert head != later


async def test_heads_are_taken_while_others_record(lived: Database, now: datetime) -> None:
    async def happen(number: int) -> None:
        async with lived.write() as session:
            chain = event_chain.SYSTEM if number % 2 else FIRST
            await event_chain.record(session, event_chain.Event.REFUSED, chain, now, number=number)

    heads = await asyncio.gather(
        *(take_head(lived, now) if number % 3 == 0 else happen(number) for number in range(30))
    )
    for head in heads:
        if head is not None:
            assert (await checked(lived, head)).breaks == []


async def test_a_wrong_head_does_not_fit(lived: Database, now: datetime) -> None:
    head = await take_head(lived, now)
    number, _, digest = head.partition("-")
    for other in (f"{int(number) - 1}-{digest}", f"{number}-{'0' * 32}", "nonsense"):
        assert len((await checked(lived, other)).breaks) == 1


async def test_a_changed_key_opens_what_the_old_one_made(lived: Database, now: datetime) -> None:
    head = await take_head(lived, now)
    rotated = Database(
        lived.url.render_as_string(hide_password=False), Keyring("another key " * 4, (KEYRING.current,))
    )
    await certify_as(rotated, f"lao{THIRD}", 503, THIRD, Level.LAO, now)
    assert (await checked(rotated, head)).is_well
    await rotated.close()
    lost = Database(lived.url.render_as_string(hide_password=False), Keyring("another key " * 4))
    findings = await checked(lost, head)
    assert (findings.breaks, findings.unknown_keys.keys()) == ([], {KEYRING.current_id})
    assert "LAOCERT_OLD_SECRET_KEYS" in findings.unchecked
    await lost.close()


@pytest.mark.parametrize("table", ["audit_event", "reopening", "remark"])
@pytest.mark.parametrize("change", ["UPDATE {table} SET id = id + 1000", "DELETE FROM {table}"])
async def test_the_record_is_append_only(lived: Database, table: str, change: str) -> None:
    with pytest.raises(DBAPIError, match="never changed"):
        async with lived.write() as session:
            await session.execute(text(change.format(table=table)))


async def test_a_chain_made_anew_without_the_key_is_found(lived: Database, now: datetime) -> None:
    """Somebody removes an event and renumbers what follows: the hashes do not fit."""
    await without_triggers(lived, f"DELETE FROM audit_event WHERE chain = '{FIRST}' AND number = 2")
    await without_triggers(
        lived, f"UPDATE audit_event SET number = number - 1 WHERE chain = '{FIRST}' AND number = 3"
    )
    assert any("event 2: was changed" in line for line in (await checked(lived)).breaks)


async def test_an_event_that_was_given_another_key_is_found(lived: Database) -> None:
    await without_triggers(
        lived, f"UPDATE audit_event SET key_id = '0badca5e' WHERE chain = '{FIRST}' AND kind = 'certified'"
    )
    assert any("is under a key that is not here" in line for line in (await checked(lived)).breaks)


async def test_nothing_recorded_without_the_key(lived: Database, now: datetime) -> None:
    keyless = Database(lived.url.render_as_string(hide_password=False))
    with pytest.raises(event_chain.KeyMissing, match="LAOCERT_SECRET_KEY"):
        async with keyless.write() as session:
            await reopen(session, SECOND, "x", REASON, now)
    await keyless.close()
