"""What may happen to a certification, without the chat: rights, races, fingerprints, status, notices."""

import asyncio
import random
from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from models.accounts.access import NotYours
from models.accounts.account import active_officer
from models.audit.event_chain import AuditEvent
from models.certification.certificate import CODE_ALPHABET, Certification, Level, Status
from models.certification.certify import (
    AlreadyCertified,
    ConfirmationExpired,
    NotYetCertified,
    certify,
    prepare_confirmation,
    reopen,
)
from models.certification.review import RosterChanged, own_status, review
from models.database.engine import Database
from models.links.link import unlink_officer
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.province.listing import Listing, Sorting, search
from models.province.progress import count_statuses, locked_organizations
from models.register.roster import NoRoster, PersonnelRecord
from models.rounds.round import NoOpenRound, close_round, open_round
from tests.support import DEMANDS, ORGANIZATIONS, certify_as, link, put_roster

FIRST, SECOND, THIRD, WITHOUT_ROSTER, ELSEWHERE = (code for code, *_ in ORGANIZATIONS)


async def ask(
    database: Database, user_id: int, username: str, organization: str, level: Level, now: datetime
) -> str:
    """The nonce of a warning that was shown to an officer."""
    async with database.write() as session:
        officer = await link(session, username, user_id, now)
        seen = await review(session, officer, organization)
        confirmation, _ = await prepare_confirmation(
            session,
            officer,
            level,
            organization,
            seen.fingerprint(Level.LAO),
            now,
            random.Random(user_id),
            demands=DEMANDS,
        )
        return confirmation.nonce


async def press(database: Database, user_id: int, username: str, nonce: str, now: datetime) -> Certification:
    async with database.write() as session:
        officer = await link(session, username, user_id, now)
        return await certify(session, officer, nonce, now, random.Random(user_id), demands=DEMANDS)


async def test_the_certificate_freezes_what_was_seen(country: Database, now: datetime) -> None:
    made = await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    assert (made.officials, made.permanent_employees, made.contract_employees) == (12, 3, 5)
    assert made.with_empty_menus == 1
    assert (made.officer_name, made.officer_position, made.user_id) == ("ทดสอบ ลงนาม", "ปลัด", 501)
    assert made.certified_at == now
    assert len(made.code) == 10
    assert set(made.code) <= set(CODE_ALPHABET)


async def test_eight_officers_at_once_make_one_certificate(country: Database, now: datetime) -> None:
    nonces = [await ask(country, 500 + i, f"lao{FIRST}", FIRST, Level.LAO, now) for i in range(8)]
    ended = await asyncio.gather(
        *(press(country, 500 + i, f"lao{FIRST}", nonce, now) for i, nonce in enumerate(nonces)),
        return_exceptions=True,
    )
    assert Counter(type(one) for one in ended) == {Certification: 1, AlreadyCertified: 7}
    async with country.read() as session:
        assert await session.scalar(select(func.count()).select_from(Certification)) == 1


async def test_the_same_press_twice_says_who_certified(country: Database, now: datetime) -> None:
    nonce = await ask(country, 501, f"lao{FIRST}", FIRST, Level.LAO, now)
    made = await press(country, 501, f"lao{FIRST}", nonce, now)
    with pytest.raises(AlreadyCertified) as told:
        await press(country, 501, f"lao{FIRST}", nonce, now)
    assert str(told.value) == made.code


@pytest.mark.parametrize("counts", [(13, 3, 5), (12, 3, 4), (11, 4, 5), (0, 0, 0)])
async def test_a_register_that_changed_is_not_certified(
    country: Database, now: datetime, counts: tuple[int, int, int]
) -> None:
    nonce = await ask(country, 501, f"lao{FIRST}", FIRST, Level.LAO, now)
    async with country.write() as session:
        await put_roster(session, FIRST, counts, now)
    with pytest.raises(RosterChanged) as told:
        await press(country, 501, f"lao{FIRST}", nonce, now)
    assert told.value.review.roster.headcount.total == sum(counts)
    async with country.read() as session:
        assert (await own_status(session, FIRST))[1] is Status.UNCERTIFIED


async def test_a_name_that_changed_with_the_same_counts_is_not_certified(country: Database, now: datetime) -> None:
    nonce = await ask(country, 501, f"lao{FIRST}", FIRST, Level.LAO, now)
    async with country.write() as session:
        await session.execute(
            update(PersonnelRecord)
            .where(PersonnelRecord.organization_code == FIRST, PersonnelRecord.record_no == "0003")
            .values(full_name="อื่น")
        )
    with pytest.raises(RosterChanged):
        await press(country, 501, f"lao{FIRST}", nonce, now)


async def test_a_confirmation_is_one_officers_and_not_for_long(country: Database, now: datetime) -> None:
    nonce = await ask(country, 501, f"lao{FIRST}", FIRST, Level.LAO, now)
    with pytest.raises(ConfirmationExpired):
        await press(country, 502, f"lao{FIRST}", nonce, now)
    with pytest.raises(ConfirmationExpired):
        await press(country, 501, f"lao{FIRST}", nonce, now + timedelta(minutes=31))
    with pytest.raises(ConfirmationExpired):
        await press(country, 501, f"lao{FIRST}", "0" * 24, now)


async def test_each_account_certifies_its_own_level_and_place(country: Database, now: datetime) -> None:
    with pytest.raises(NotYours):
        await certify_as(country, f"lao{FIRST}", 501, SECOND, Level.LAO, now)
    with pytest.raises(NotYours):
        await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.PROVINCE, now)
    with pytest.raises(NotYours):
        await certify_as(country, "province11", 601, FIRST, Level.LAO, now)
    with pytest.raises(NotYetCertified):
        await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    with pytest.raises(NotYours):
        await certify_as(country, "province12", 602, FIRST, Level.PROVINCE, now)
    with pytest.raises(NotYours):
        await certify_as(country, "province11", 601, "9999999", Level.PROVINCE, now)


async def test_nothing_without_a_round_or_a_register(country: Database, now: datetime) -> None:
    with pytest.raises(NoRoster):
        await certify_as(country, f"lao{WITHOUT_ROSTER}", 501, WITHOUT_ROSTER, Level.LAO, now)
    nonce = await ask(country, 502, f"lao{FIRST}", FIRST, Level.LAO, now)
    async with country.write() as session:
        await close_round(session, now)
    with pytest.raises(NoOpenRound):
        await press(country, 502, f"lao{FIRST}", nonce, now)


async def test_the_next_round_starts_uncertified(country: Database, now: datetime) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    async with country.write() as session:
        await close_round(session, now)
        assert await locked_organizations(session, {FIRST, SECOND}) == {FIRST}
        await open_round(session, 2571, None, now)
    async with country.read() as session:
        assert (await own_status(session, FIRST))[1] is Status.UNCERTIFIED
        assert await locked_organizations(session, {FIRST, SECOND}) == set()
    again = await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    assert again.round_id != 1


async def test_after_the_closing_date_it_is_late(country: Database, now: datetime) -> None:
    last_minute = datetime.fromisoformat("2027-09-15T23:59:59+07:00")
    on_time = await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, last_minute)
    late = await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, last_minute + timedelta(seconds=1))
    assert (on_time.is_late, late.is_late) == (False, True)


async def test_everybody_concerned_is_told_but_not_the_one_who_acted(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await link(session, f"lao{FIRST}", 502, now)
        await link(session, f"lao{SECOND}", 503, now)
        await link(session, "province11", 601, now)
        await link(session, "province11", 602, now)
        await link(session, "province12", 603, now)
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    async with country.read() as session:
        told = {(row.kind, row.chat_id) for row in await session.scalars(select(OutboxMessage))}
    kind = NoticeKind
    assert told == {
        (kind.RECEIPT, 501),
        (kind.COLLEAGUE_CERTIFIED, 502),
        (kind.REFRESH, 601),
        (kind.REFRESH, 602),
        (kind.RECEIPT, 601),
        (kind.PROVINCE_CERTIFIED, 501),
        (kind.PROVINCE_CERTIFIED, 502),
    }


def _list(status: Status) -> Listing:
    return Listing(status=status, with_remarks=False, sorting=Sorting.NAME, page=0)


async def test_lists_and_counts_follow_the_certificates(country: Database, now: datetime) -> None:
    await certify_as(country, f"lao{FIRST}", 501, FIRST, Level.LAO, now)
    await certify_as(country, f"lao{SECOND}", 502, SECOND, Level.LAO, now)
    await certify_as(country, "province11", 601, FIRST, Level.PROVINCE, now)
    async with country.write() as session:
        (counts,) = await count_statuses(session, "11")
        assert [counts.of(status) for status in Status] == [2, 1, 1]
        assert [one.province.code for one in await count_statuses(session)] == ["11", "12"]
        officer = await link(session, "province11", 601, now)
        listed = {
            status: [row.name.dla_code for row in (await search(session, officer, _list(status), now)).rows]
            for status in Status
        }
        # เทพารักษ์ sorts under ท, before แพรกษา under พ.
        assert listed == {
            Status.UNCERTIFIED: [WITHOUT_ROSTER, THIRD],
            Status.LAO_CERTIFIED: [SECOND],
            Status.PROVINCE_CERTIFIED: [FIRST],
        }
        outsider = await link(session, f"lao{FIRST}", 501, now)
        with pytest.raises(NotYours):
            await search(session, outsider, _list(Status.UNCERTIFIED), now)
    assert all(ELSEWHERE not in codes for codes in listed.values())


async def test_a_link_that_ends_at_the_moment_of_its_certificate(country: Database, now: datetime) -> None:
    """The certificate comes first or not at all: nothing is certified by a link that has ended."""
    rng = random.Random(21)
    for number in range(20):
        user = 700 + number
        async with country.write() as session:
            officer = await link(session, f"lao{FIRST}", user, now)
            seen = await review(session, officer, FIRST)
            asked, _ = await prepare_confirmation(
                session, officer, Level.LAO, FIRST, seen.fingerprint(Level.LAO), now, rng, demands=DEMANDS
            )

        async def press(user: int = user, nonce: str = asked.nonce) -> None:
            async with country.write() as session:
                officer = await active_officer(session, user)
                await asyncio.sleep(rng.random() / 100)
                if officer is None:
                    raise NotYours
                await certify(session, officer, nonce, now, rng, demands=DEMANDS)

        async def end(user: int = user) -> None:
            async with country.write() as session:
                officer = await active_officer(session, user)
                assert officer is not None
                await asyncio.sleep(rng.random() / 100)
                await unlink_officer(session, officer, now, by="operator")

        ended = await asyncio.gather(press(), end(), return_exceptions=True)
        assert ended[1] is None
        assert ended[0] is None or isinstance(ended[0], NotYours)
        async with country.read() as session:
            events = await session.scalars(
                select(AuditEvent.kind)
                .where(AuditEvent.chain == FIRST)
                .order_by(AuditEvent.number.desc())
                .limit(2)
            )
            expected = ["unlinked", "certified"] if ended[0] is None else ["unlinked", "warned"]
            assert list(events) == expected
        if ended[0] is None:
            async with country.write() as session:
                await reopen(session, FIRST, "ผู้ดูแลระบบ", "ทดสอบ", now)
