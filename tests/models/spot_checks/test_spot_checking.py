"""สุ่มตรวจสอบ: all is marked and handed in, and only what passed is certified (procedure, province step 5)."""

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, select

from models.accounts.access import NotYours
from models.base.errors import DomainError
from models.certification.certificate import Level
from models.certification.certify import (
    AlreadyCertified,
    Demands,
    NotYetCertified,
    SelfApproval,
    certify,
    prepare_confirmation,
    reopen,
    review_confirmation,
)
from models.certification.remark import Remark, RemarkKind, RemarkRefused
from models.certification.review import RosterChanged, review
from models.certification.spot_check import Mark, SpotCheck, SpotCheckFailed, SpotCheckItem, SpotCheckMissing
from models.database.engine import Database
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage
from models.register.roster import Category
from models.remarks.petition import PetitionPending, decide, list_petitions, petition
from models.rounds.round import NoOpenRound, close_round
from models.spot_checks.spot_checking import (
    MAX_NOTES,
    MarksChanged,
    NothingToDraw,
    SpotCheckEnded,
    SpotCheckHandedIn,
    SpotCheckUnfinished,
    ask_reopening,
    draw,
    hand_in,
    load_checking,
    mark,
    require_ready_to_hand_in,
)
from models.verification.verify import verify
from tests.models.certification.spot_checks import (
    NOTE,
    OPEN,
    OPERATOR,
    SIZE,
    WAITING,
    drawn,
    failed,
    marked,
    press,
    province,
)
from tests.support import certify_as, link, pass_spot_check, put_roster

# --- drawing, marking, handing in ----------------------------------------------------------------------------


@pytest.fixture
async def waiting(country: Database, now: datetime) -> Database:
    """เทศบาลตำบลบางปู waits for its province."""
    await certify_as(country, f"lao{WAITING}", 501, WAITING, Level.LAO, now)
    return country


async def test_the_draw_is_one_for_all_officers_of_the_province(waiting: Database, now: datetime) -> None:
    first = await drawn(waiting, now)
    assert len(first.records) == len(first.check.items) == SIZE
    assert {one.category for one in first.records.values()} == set(Category)
    assert first.menu_names == ["ประวัติ", "การศึกษา", "เครื่องราชฯ"]
    assert all(one.full_name.startswith("บุคคล ทดสอบ") for one in first.records.values())
    async with waiting.write() as session:
        colleague = await province(session, now, 602)
        second = await draw(session, colleague, WAITING, now, random.Random(99), size=8)
    assert (second.check.id, second.check.seed) == (first.check.id, first.check.seed)
    assert set(second.records) == set(first.records)


async def test_two_officers_who_draw_at_once_have_one_draw(waiting: Database, now: datetime) -> None:
    async def one(user: int) -> str:
        async with waiting.write() as session:
            officer = await province(session, now, user)
            return (await draw(session, officer, WAITING, now, random.Random(user), size=SIZE)).check.seed

    # Their links are there already, so that nothing but the draw is raced.
    async with waiting.write() as session:
        for user in (601, 602, 603):
            await province(session, now, user)
    assert len(set(await asyncio.gather(*(one(user) for user in (601, 602, 603))))) == 1


async def test_the_seed_comes_from_the_source_that_is_given(waiting: Database, now: datetime) -> None:
    found = await drawn(waiting, now, seed=7)
    assert found.check.seed == f"{random.Random(7).getrandbits(256):064x}"
    assert [item.place for item in found.check.items] == [1, 2, 3]


@contextmanager
def selects(database: Database) -> Iterator[list[str]]:
    """The SELECTs that run meanwhile."""
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def test_a_draw_and_a_look_at_it_take_few_queries(waiting: Database, now: datetime) -> None:
    async with waiting.write() as session:
        officer = await province(session, now)
        with selects(waiting) as seen:
            found = await draw(session, officer, WAITING, now, random.Random(1), size=SIZE)
        # One or two of them for the event: the end of its chain, and on PostgreSQL the rows that hold it.
        assert len(seen) <= (9 if waiting.is_sqlite else 11), seen
    async with waiting.write() as session:
        officer = await province(session, now)
        with selects(waiting) as seen:
            await load_checking(session, officer, WAITING, found.check.id)
        assert len(seen) <= 5, seen
    async with waiting.read() as session:
        officer = await province(session, now)
        with selects(waiting) as seen:
            assert (await review(session, officer, WAITING)).spot_check is not None
        assert len(seen) <= 5, seen
    for statement in seen:
        assert "personnel_record" not in statement or "organization_code =" in statement


WRONG = {
    "an officer of the organization": (f"lao{WAITING}", 502, WAITING, NotYours),
    "an officer of another province": ("province12", 602, WAITING, NotYours),
    "an unknown organization": ("province11", 601, "9999999", NotYours),
    "an organization that has not certified": ("province11", 601, OPEN, NotYetCertified),
}


@pytest.mark.parametrize(("username", "user", "code", "error"), WRONG.values(), ids=WRONG.keys())
async def test_only_its_province_draws_and_only_what_waits(
    waiting: Database, now: datetime, username: str, user: int, code: str, error: type[DomainError]
) -> None:
    async with waiting.write() as session:
        officer = await province(session, now, user, username)
        with pytest.raises(error):
            await draw(session, officer, code, now, random.Random(1), size=SIZE)


async def test_nobody_else_marks_or_hands_in(waiting: Database, now: datetime) -> None:
    check = (await drawn(waiting, now)).check.id
    for username, user in ((f"lao{WAITING}", 502), ("province12", 602)):
        async with waiting.write() as session:
            officer = await province(session, now, user, username)
            with pytest.raises(NotYours):
                await mark(session, officer, WAITING, check, 1, Mark.CORRECT, None, now, despite_empty_menus=True)
            with pytest.raises(NotYours):
                await hand_in(session, officer, WAITING, check, now, None)
            with pytest.raises(NotYours):
                await load_checking(session, officer, WAITING, check)
            with pytest.raises(NotYours):
                await ask_reopening(session, officer, WAITING, NOTE, now, None)


async def test_who_certified_for_the_organization_does_not_check_it(waiting: Database, now: datetime) -> None:
    async with waiting.write() as session:
        officer = await link(session, f"lao{WAITING}", 501, now)
        officer.unlinked_at = now
        await session.flush()
        officer = await province(session, now, 501)
        with pytest.raises(SelfApproval):
            await draw(session, officer, WAITING, now, random.Random(1), size=SIZE)


async def test_outside_a_round_nothing_is_drawn(waiting: Database, now: datetime) -> None:
    async with waiting.write() as session:
        officer = await province(session, now)
        await close_round(session, now)
        with pytest.raises(NoOpenRound):
            await draw(session, officer, WAITING, now, random.Random(1), size=SIZE)


async def test_what_is_certified_is_not_drawn_again(waiting: Database, now: datetime) -> None:
    await certify_as(waiting, "province11", 601, WAITING, Level.PROVINCE, now)
    with pytest.raises(AlreadyCertified):
        await drawn(waiting, now)


async def test_a_mark_can_be_changed_until_the_check_is_handed_in(waiting: Database, now: datetime) -> None:
    check = await marked(waiting, now, Mark.INCORRECT)
    later = now + timedelta(minutes=1)
    async with waiting.write() as session:
        officer = await province(session, now)
        (item, *_) = (await load_checking(session, officer, WAITING, check)).check.items
        assert (item.mark, item.note, item.marked_at) == (Mark.INCORRECT, NOTE, now)
        with pytest.raises(SpotCheckUnfinished):
            await hand_in(session, officer, WAITING, check, now, None)
        for place in (1, 2, 3):
            found = await mark(
                session, officer, WAITING, check, place, Mark.CORRECT, None, later, despite_empty_menus=True
            )
        item = found.item(1)
        assert (item.mark, item.note, item.marked_at) == (Mark.CORRECT, None, later)
        assert await hand_in(session, officer, WAITING, check, later, None) is None
        for change in (
            mark(session, officer, WAITING, check, 1, Mark.CORRECT, None, later, despite_empty_menus=True),
            hand_in(session, officer, WAITING, check, later, None),
        ):
            with pytest.raises(SpotCheckHandedIn):
                await change


async def test_what_is_not_correct_is_said_in_words(waiting: Database, now: datetime) -> None:
    check = (await drawn(waiting, now)).check.id
    async with waiting.write() as session:
        officer = await province(session, now)
        for note in (None, "", "สั้น", "....", "ก" * 1001):
            with pytest.raises(RemarkRefused):
                await mark(session, officer, WAITING, check, 1, Mark.INCORRECT, note, now)
        for place in (0, 4, 999):
            with pytest.raises(SpotCheckEnded):
                await mark(
                    session, officer, WAITING, check, place, Mark.CORRECT, None, now, despite_empty_menus=True
                )
        assert (await load_checking(session, officer, WAITING, check)).check.marked == 0


async def test_two_officers_who_mark_at_once_lose_nothing(waiting: Database, now: datetime) -> None:
    check = (await drawn(waiting, now)).check.id
    async with waiting.write() as session:
        for user in (601, 602):
            await province(session, now, user)

    async def one(user: int, place: int, found: Mark) -> None:
        async with waiting.write() as session:
            await mark(
                session,
                await province(session, now, user),
                WAITING,
                check,
                place,
                found,
                NOTE,
                now,
                despite_empty_menus=True,
            )

    await asyncio.gather(
        one(601, 1, Mark.CORRECT),
        one(602, 2, Mark.INCORRECT),
        one(601, 3, Mark.CORRECT),
        one(602, 1, Mark.CORRECT),
    )
    async with waiting.read() as session:
        officer = await province(session, now)
        items = (await load_checking(session, officer, WAITING, check)).check.items
    assert [item.mark for item in items] == [Mark.CORRECT, Mark.INCORRECT, Mark.CORRECT]


async def test_a_mark_that_races_the_handing_in_is_in_it_or_refused(waiting: Database, now: datetime) -> None:
    check = await marked(waiting, now, *[Mark.CORRECT] * 3)

    async def change() -> None:
        async with waiting.write() as session:
            await mark(session, await province(session, now), WAITING, check, 2, Mark.INCORRECT, NOTE, now)

    async def end() -> Remark | None:
        async with waiting.write() as session:
            return await hand_in(session, await province(session, now), WAITING, check, now, None)

    changed, ended = await asyncio.gather(change(), end(), return_exceptions=True)
    assert isinstance(changed, SpotCheckHandedIn | None)
    # Whoever came first: what was handed in is what follows from it.
    assert isinstance(ended, Remark) is (changed is None)


# --- the gate ------------------------------------------------------------------------------------------------


async def test_without_it_the_province_cannot_certify(waiting: Database, now: datetime) -> None:
    with pytest.raises(SpotCheckMissing):
        await press(waiting, now)
    check = await marked(waiting, now, Mark.CORRECT, Mark.CORRECT)
    with pytest.raises(SpotCheckMissing):
        await press(waiting, now)
    async with waiting.write() as session:
        officer = await province(session, now)
        await mark(session, officer, WAITING, check, 3, Mark.CORRECT, None, now, despite_empty_menus=True)
    # Any officer of the province may then certify.
    assert (await press(waiting, now, user=602)).level is Level.PROVINCE


async def test_certifying_hands_in_a_check_that_is_all_correct(waiting: Database, now: datetime) -> None:
    check = await marked(waiting, now, *[Mark.CORRECT] * 3)
    made = await press(waiting, now)
    assert made.spot_check is not None
    assert f'"handed_in_at":"{now.isoformat()}"' in made.spot_check
    async with waiting.write() as session:
        officer = await province(session, now)
        assert await session.scalar(select(SpotCheck.handed_in_at)) == now
        with pytest.raises(AlreadyCertified):
            await mark(session, officer, WAITING, check, 1, Mark.INCORRECT, NOTE, now)


async def test_a_confirmation_is_bound_to_the_marks(waiting: Database, now: datetime) -> None:
    """A colleague marks a record once more, with the same mark: what was warned about is certified no more."""
    check = await marked(waiting, now, *[Mark.CORRECT] * 3)
    async with waiting.write() as session:
        officer, rng = await province(session, now), random.Random(1)
        seen = (await review(session, officer, WAITING)).fingerprint(Level.PROVINCE)
        asked, _ = await prepare_confirmation(
            session, officer, Level.PROVINCE, WAITING, seen, now, rng, demands=Demands(SIZE, 100)
        )
        await mark(
            session,
            await province(session, now, 602),
            WAITING,
            check,
            2,
            Mark.CORRECT,
            None,
            now + timedelta(seconds=1),
        )
        with pytest.raises(RosterChanged):
            await certify(
                session, officer, asked.nonce, now + timedelta(seconds=1), rng, demands=Demands(SIZE, 100)
            )
        assert await session.scalar(select(SpotCheck.handed_in_at)) is None


async def test_a_hand_in_is_bound_to_the_marks(waiting: Database, now: datetime) -> None:
    """Another note for a record that was not correct before is another mark: the press was for the first one."""
    check = await marked(waiting, now, Mark.INCORRECT, Mark.CORRECT, Mark.CORRECT)
    later = now + timedelta(seconds=1)
    async with waiting.write() as session:
        officer = await province(session, now)
        seen = (await load_checking(session, officer, WAITING, check)).check.fingerprint
        found = await mark(session, officer, WAITING, check, 1, Mark.INCORRECT, f"{NOTE} อีก", later)
        for fingerprint in (seen, "0"):
            with pytest.raises(MarksChanged):
                await hand_in(session, officer, WAITING, check, later, None, marks=fingerprint)
            with pytest.raises(MarksChanged):
                await require_ready_to_hand_in(session, officer, WAITING, check, fingerprint)
        assert await session.scalar(select(SpotCheck.handed_in_at)) is None
        assert await hand_in(session, officer, WAITING, check, later, None, marks=found.check.fingerprint)


async def test_a_failed_check_blocks_its_revision_whatever_is_asked_for(waiting: Database, now: datetime) -> None:
    await failed(waiting, now)
    for size in (SIZE, 0):
        with pytest.raises(SpotCheckFailed):
            await press(waiting, now, size)


async def test_the_gate_is_looked_at_again_under_the_lock(waiting: Database, now: datetime) -> None:
    """A warning that was shown when no check was asked for certifies nothing once one is."""
    async with waiting.write() as session:
        officer = await province(session, now)
        seen = await review(session, officer, WAITING)
        rng = random.Random(1)
        asked, _ = await prepare_confirmation(
            session,
            officer,
            Level.PROVINCE,
            WAITING,
            seen.fingerprint(Level.PROVINCE),
            now,
            rng,
            demands=Demands(0, 100),
        )
        for look in (
            review_confirmation(session, officer, asked.nonce, now, demands=Demands(SIZE, 100)),
            certify(session, officer, asked.nonce, now, rng, demands=Demands(SIZE, 100)),
        ):
            with pytest.raises(SpotCheckMissing):
                await look


async def test_size_0_makes_it_optional(waiting: Database, now: datetime) -> None:
    with pytest.raises(NothingToDraw):
        await drawn(waiting, now, size=0)
    made = await press(waiting, now, size=0)
    assert made.spot_check is None


async def test_an_empty_register_needs_none(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await put_roster(session, WAITING, (0, 0, 0), now)
    await certify_as(country, f"lao{WAITING}", 501, WAITING, Level.LAO, now)
    with pytest.raises(NothingToDraw):
        await drawn(country, now)
    assert (await press(country, now)).spot_check is None
    async with country.read() as session:
        assert (await verify(session)).breaks == []


async def test_a_register_smaller_than_the_sample_is_checked_whole(country: Database, now: datetime) -> None:
    async with country.write() as session:
        await put_roster(session, WAITING, (1, 0, 1), now)
    await certify_as(country, f"lao{WAITING}", 501, WAITING, Level.LAO, now)
    assert set((await drawn(country, now)).records) == {"0001", "0002"}


async def test_the_certificate_keeps_the_check_without_names_and_notes(waiting: Database, now: datetime) -> None:
    check = await marked(waiting, now, Mark.INCORRECT, Mark.CORRECT, Mark.CORRECT)
    later = now + timedelta(minutes=5)
    async with waiting.write() as session:
        officer = await province(session, now)
        found = await mark(
            session, officer, WAITING, check, 1, Mark.CORRECT, None, later, despite_empty_menus=True
        )
        await hand_in(session, officer, WAITING, check, later, None)
    made = await press(waiting, later)
    kept = json.loads(made.spot_check or "")
    moments = {"0": later.isoformat()}
    assert kept == {
        "rule": 2,
        "seed": found.check.seed,
        "size": SIZE,
        # Nothing was reopened.
        "since": [],
        "incorrect": [],
        "gone": [],
        "changed": [],
        "may_all_differ": False,
        "drawn_at": now.isoformat(),
        "handed_in_at": later.isoformat(),
        "records": [
            {
                "record_no": item.record_no,
                "mark": "correct",
                "marked_at": moments.get(str(number), now.isoformat()),
            }
            for number, item in enumerate(found.check.items)
        ],
    }
    async with waiting.read() as session:
        assert (await verify(session)).breaks == []


async def test_a_reopened_revision_is_drawn_anew(waiting: Database, now: datetime) -> None:
    old = await marked(waiting, now, *[Mark.CORRECT] * 3)
    async with waiting.write() as session:
        await hand_in(session, await province(session, now), WAITING, old, now, None)
        await reopen(session, WAITING, "ผู้ดูแล", "นับซ้ำหนึ่งราย", now)
    async with waiting.write() as session:
        officer = await province(session, now)
        with pytest.raises(NotYetCertified):
            await draw(session, officer, WAITING, now, random.Random(2), size=SIZE)
    await certify_as(waiting, f"lao{WAITING}", 501, WAITING, Level.LAO, now)
    # What was handed in counts for its own revision only.
    with pytest.raises(SpotCheckMissing):
        await press(waiting, now)
    new = await drawn(waiting, now, seed=8)
    assert new.check.id != old
    assert new.check.revision == 2
    async with waiting.write() as session:
        officer = await province(session, now)
        with pytest.raises(SpotCheckEnded):
            await mark(session, officer, WAITING, old, 1, Mark.CORRECT, None, now, despite_empty_menus=True)
        with pytest.raises(SpotCheckEnded):
            await hand_in(session, officer, WAITING, old, now, None)
        await pass_spot_check(session, officer, WAITING, now, random.Random(3))
    assert (await press(waiting, now)).revision == 2


# --- what failed: the province asks for a reopening -----------------------------------------------------------


async def test_a_failed_check_asks_for_a_reopening_in_the_same_transaction(
    waiting: Database, now: datetime
) -> None:
    async with waiting.write() as session:
        await province(session, now, 602)
        # A petition of the organization's own does not keep it from being filed, nor the other way round.
        await petition(session, await link(session, f"lao{WAITING}", 501, now), "ขอแก้ไขเอง", now, None)
    check = await failed(waiting, now)
    async with waiting.read() as session:
        own, asked = await list_petitions(session)
        assert own.side == "lao"
        assert asked.side == "province"
        items = {
            item.place: item.record_no
            for item in await session.scalars(select(SpotCheckItem).where(SpotCheckItem.spot_check_id == check))
        }
        assert asked.body == f"{items[2]}: {NOTE}"
        assert asked.author == "ทดสอบ ลงนาม ปลัด"
        told = await session.scalars(
            select(OutboxMessage.chat_id).where(
                OutboxMessage.kind == NoticeKind.PETITIONED, OutboxMessage.subject_id == asked.id
            )
        )
        # Whoever handed it in knows.
        assert set(told) == {501, 602, OPERATOR}
        assert (await verify(session)).breaks == []


async def test_after_a_refusal_it_asks_again_in_its_own_words(waiting: Database, now: datetime) -> None:
    await failed(waiting, now)
    async with waiting.write() as session:
        officer = await province(session, now)
        with pytest.raises(PetitionPending):
            await ask_reopening(session, officer, WAITING, "ขอเปิดให้แก้ไขอีกครั้ง", now, OPERATOR)
        (asked,) = await list_petitions(session)
        await decide(session, asked.id, granted=False, by="ผู้ดูแล", reason="ยังไม่เห็นหลักฐาน", now=now)
    async with waiting.write() as session:
        officer = await province(session, now)
        with pytest.raises(RemarkRefused):
            await ask_reopening(session, officer, WAITING, "...", now, OPERATOR)
        again = await ask_reopening(session, officer, WAITING, "ขอเปิดให้แก้ไขอีกครั้ง", now, OPERATOR)
        with pytest.raises(PetitionPending):
            await ask_reopening(session, officer, WAITING, "ขอเปิดให้แก้ไขอีกครั้ง", now, OPERATOR)
        await decide(session, again.id, granted=True, by="ผู้ดูแล", reason="เห็นหลักฐานแล้ว", now=now)
        assert await list_petitions(session) == []
    await certify_as(waiting, f"lao{WAITING}", 501, WAITING, Level.LAO, now)
    made = await certify_as(waiting, "province11", 601, WAITING, Level.PROVINCE, now)
    assert made.revision == 2
    async with waiting.read() as session:
        assert (await verify(session)).breaks == []


async def test_without_a_failed_check_there_is_nothing_to_ask_for(waiting: Database, now: datetime) -> None:
    await marked(waiting, now, Mark.INCORRECT, Mark.CORRECT, Mark.CORRECT)
    async with waiting.write() as session:
        with pytest.raises(SpotCheckEnded):
            await ask_reopening(session, await province(session, now), WAITING, NOTE, now, None)


async def test_a_petition_whose_revision_has_ended_waits_no_longer(waiting: Database, now: datetime) -> None:
    await failed(waiting, now)
    async with waiting.write() as session:
        officer = await link(session, f"lao{WAITING}", 501, now)
        await petition(session, officer, "ขอแก้ไขจำนวนพนักงานจ้าง", now, None)
        _, asked = await list_petitions(session)
        await reopen(session, WAITING, "ผู้ดูแล", "แก้ไขได้เลย", now)
        assert await list_petitions(session) == []
    await certify_as(waiting, f"lao{WAITING}", 501, WAITING, Level.LAO, now)
    async with waiting.write() as session:
        with pytest.raises(DomainError, match="no open petition"):
            await decide(session, asked.id, granted=True, by="ผู้ดูแล", reason="นับซ้ำจริง", now=now)
        officer = await link(session, f"lao{WAITING}", 501, now)
        assert (await petition(session, officer, "ขอแก้ไขอีกครั้งหนึ่ง", now, None)).revision == 2


async def test_twenty_long_notes_fit_into_one_message(waiting: Database, now: datetime) -> None:
    found = await drawn(waiting, now, size=20)
    async with waiting.write() as session:
        officer = await province(session, now)
        for item in found.check.items:
            await mark(session, officer, WAITING, found.check.id, item.place, Mark.INCORRECT, "ผิด " * 250, now)
        asked = await hand_in(session, officer, WAITING, found.check.id, now, None)
        assert asked is not None
        assert asked.kind is RemarkKind.PETITION
        assert len(asked.body) <= MAX_NOTES
        assert [line.partition(":")[0] for line in asked.body.splitlines()] == [
            item.record_no for item in found.check.items
        ]
        # The whole notes stay with the check.
        assert {len(note or "") for note in await session.scalars(select(SpotCheckItem.note))} == {999}
