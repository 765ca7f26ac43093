"""The numbers for Prometheus: read by its own parser, and as they are."""

from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.http import stored
from bot.http.scrape import text
from bot.runtime.metrics import TALLY, Tally
from bot.service.listener import Front
from demo.botapi import Emulator
from models.certification.certificate import Level
from models.chats import inbox
from models.database.engine import Database
from models.notices import outbox
from models.notices.bad_seals import report_bad_seal
from models.notices.kind import NoticeKind
from tests.bot.running import SEAL, front, served_at, until
from tests.chat import TEST_TUNING, Officer, running_bot
from tests.support import Clock, certify_as

__all__ = ["front"]

# What alert rules are written against.
NAMES = {
    "laocert_updates",
    "laocert_messages",
    "laocert_webhook_requests",
    "laocert_floods",
    "laocert_refusals",
    "laocert_tap_seconds",
    "laocert_lease",
    "laocert_clock_offset_seconds",
    "laocert_build_info",
    "laocert_inbox_depth",
    "laocert_inbox_age_seconds",
    "laocert_outbox_depth",
    "laocert_outbox_age_seconds",
    "laocert_certificates",
    "laocert_database_troubles",
    "laocert_bad_seals",
    "laocert_conflicts",
    "laocert_bot_api",
}
LABELS = {
    "kind",
    "outcome",
    "status",
    "method",
    "le",
    "name",
    "version",
    "state",
    "level",
    "against",
    "trouble",
    "table",
}


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted from nothing."""
    for name, value in vars(Tally()).items():
        monkeypatch.setitem(vars(TALLY), name, value)


def numbers(scraped: str) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels."""
    families = list(text_string_to_metric_families(scraped))
    assert {family.name for family in families} == NAMES
    samples = [sample for family in families for sample in family.samples]
    assert {label for sample in samples for label in sample.labels} <= LABELS
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


async def test_what_is_done_and_what_waits_is_told(
    emulator: Emulator, country: Database, clock: Clock, front: Front
) -> None:
    tuning = replace(TEST_TUNING, read_every=0.0)
    officer = Officer(emulator.phone("ก"))
    async with (
        running_bot(emulator, country, clock, front=Front(front.listening), tuning=tuning),
        aiohttp.ClientSession() as client,
    ):

        async def scraped() -> dict[tuple[str, ...], float]:
            async with client.get(served_at(front, "/metrics")) as answer:
                assert (answer.status, answer.content_type) == (200, "text/plain")
                return numbers(await answer.text())

        async def counted() -> dict[tuple[str, ...], float] | None:
            found = await scraped()
            return found if found.get(("laocert_tap_seconds_count",)) else None

        assert (await scraped())["laocert_inbox_depth",] == 0
        emulator.faults.flood(1, method="sendMessage")
        await officer.says("/start", "เข้าสู่ระบบ")
        await officer.tap("เข้าสู่ระบบ", "พิมพ์ชื่อผู้ใช้")
        found = await until(counted)
    assert found["laocert_updates_total", "message", "done"] == 1
    assert found["laocert_updates_total", "tap", "done"] == 1
    assert found["laocert_floods_total",] == 1
    assert found["laocert_bot_api",] == 1
    assert found["laocert_conflicts_total",] == 0
    assert found["laocert_tap_seconds_bucket", "0.05"] == 1
    assert found["laocert_tap_seconds_bucket", "+Inf"] == 1
    assert found["laocert_lease", "poller"] == 1
    assert found["laocert_lease", "courier"] == 1


async def test_depth_age_and_certificates_are_read_from_the_database(
    country: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await certify_as(country, "lao5110201", 1, "5110201", Level.LAO, clock())
    async with country.write() as session:
        await inbox.store(session, 1, [inbox.Received(1, 7, SEAL.close(b"{}"))], clock())
        for subject, state in enumerate([outbox.State.PENDING, outbox.State.DEAD, outbox.State.SENT]):
            outbox.enqueue(session, NoticeKind.LINKED, 7, subject, clock())
            await session.flush()
            await session.execute(
                outbox.update(outbox.OutboxMessage)
                .where(outbox.OutboxMessage.subject_id == subject, outbox.OutboxMessage.chat_id == 7)
                .values(state=state)
            )
        # Due in future: it does not wait yet.
        outbox.enqueue(session, NoticeKind.LINKED, 7, 99, clock() + timedelta(hours=1))
    with pytest.raises(ConnectionRefusedError):
        async with country.write():
            raise ConnectionRefusedError
    monkeypatch.setattr(TALLY, "troubles", country.troubles)
    monkeypatch.setattr(TALLY, "bad_seals", country.seal_state.found)
    async with country.write() as session:
        await report_bad_seal(session, "officer:1", clock(), None)
    before = (await stored.look(country)).messages.depth[outbox.State.PENDING]  # type: ignore[union-attr]
    found = numbers(text(await stored.look(country), clock() + timedelta(seconds=90)).decode())
    assert found["laocert_database_troubles_total", "away"] == 1
    assert found["laocert_database_troubles_total", "full"] == 0
    assert found["laocert_bad_seals_total", "officer"] == 1
    assert found["laocert_inbox_depth",] == 1
    assert found["laocert_inbox_age_seconds",] == 90
    assert found["laocert_outbox_depth", "pending"] == before
    assert found["laocert_outbox_depth", "dead"] == 1
    assert ("laocert_outbox_depth", "sent") not in found
    assert found["laocert_outbox_age_seconds",] == 90
    assert found["laocert_certificates", "lao"] == 1
    assert found["laocert_certificates", "province"] == 0


def test_how_far_the_clock_is_off_is_told_when_it_is_known(clock: Clock) -> None:
    TALLY.clock_offsets.update(telegram=lambda: timedelta(minutes=-6), database=lambda: None)
    scraped = text(None, clock()).decode()
    assert 'laocert_clock_offset_seconds{against="telegram"} -360.0' in scraped
    assert 'against="database"' not in scraped


def test_a_tap_before_the_clock_was_set_back_took_no_time() -> None:
    tally = Tally()
    tally.time_tap(-3600.0)
    assert (dict(tally.taps), tally.tap_seconds) == ({0: 1}, 0.0)


async def test_while_the_database_is_away_the_rest_is_told(
    country: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    class Away:
        def read(self) -> None:
            raise ConnectionRefusedError

    assert await stored.look(Away()) is None  # type: ignore[arg-type]
    assert "the numbers could not be read: ConnectionRefusedError" in caplog.text
    families = {family.name for family in text_string_to_metric_families(text(None, clock()).decode())}
    assert "laocert_updates" in families
    assert "laocert_inbox_depth" not in families


def test_a_tap_is_in_the_bucket_of_its_seconds() -> None:
    tally = Tally()
    for seconds in (0.05, 0.051, 61.0):
        tally.time_tap(seconds)
    assert dict(tally.taps) == {0: 1, 1: 1, 11: 1}
    assert tally.tap_seconds == pytest.approx(61.101)
