"""Any order of imports, certifications, petitions, reopenings, rounds, links and ends of organizations keeps what
must never be false.
"""

import asyncio
import contextlib
import random
import shutil
import tempfile
from collections.abc import Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from models.accounts.account import Account, Officer, active_officer
from models.base.errors import DomainError
from models.certification.certificate import Certification, Level, Reopening, Status
from models.certification.certify import reopen
from models.certification.changes import load_changes
from models.certification.review import own_status, review
from models.certification.spot_check import Mark, SpotCheck, basis_of
from models.database.engine import Database
from models.imports.successions import succeed_from_file
from models.links.link import unlink_officer
from models.operator.closing import reopen_round
from models.organizations.organization import Organization, OrganizationEnd
from models.province.progress import count_statuses, locked_organizations
from models.register.roster import NoRoster, PersonnelRecord, Record, load_records
from models.remarks.petition import decide, list_petitions, petition
from models.rounds.round import RoundState, close_round, current_round, open_round
from models.spot_checks.spot_checking import draw, hand_in, mark
from models.succession.closing import close
from models.succession.renaming import rename
from models.verification.verify import verify
from tests.conftest import NOW, STOCK, _admin, postgres_url
from tests.models.imports.files import write
from tests.models.succession.decisions import decided
from tests.support import KEYRING, ORGANIZATIONS, certify_as, link, put_roster, settle

# Two that are there at first, and two that may come.
CODES = [*(code for code, *_ in ORGANIZATIONS[:2]), "5110801", "5110802"]
organizations = st.sampled_from(CODES)
levels = st.sampled_from(Level)


class Country(RuleBasedStateMachine):
    """Steps may be refused by a rule (DomainError) or a trigger; nothing else may happen."""

    template: Path | str

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = NOW
        self.seen: dict[int, tuple[object, ...]] = {}
        self.ends: dict[str, tuple[object, ...]] = {}
        self.closed: dict[tuple[object, ...], tuple[int, int]] = {}
        self.files = Path(tempfile.mkdtemp())
        # The register that each reopening has ended, by the reopening's number.
        self.ended: dict[int, dict[str, Record]] = {}
        self.database = Database(self.make(), KEYRING)

    def make(self) -> str:
        if isinstance(self.template, Path):
            self.folder = Path(tempfile.mkdtemp())
            shutil.copy(self.template, self.folder / "machine.db")
            return f"sqlite+aiosqlite:///{self.folder / 'machine.db'}"
        self.name = f"{self.template}_{random.getrandbits(32):08x}"
        self.run(_admin(f"CREATE DATABASE {self.name} TEMPLATE {self.template}"))
        return postgres_url(self.name)

    def teardown(self) -> None:
        self.run(self.database.close())
        shutil.rmtree(self.files)
        if isinstance(self.template, Path):
            shutil.rmtree(self.folder)
        else:
            self.run(_admin(f"DROP DATABASE {self.name} WITH (FORCE)"))
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def attempt(self, work: Coroutine[Any, Any, Any]) -> None:
        with contextlib.suppress(DomainError):
            self.run(work)

    def now(self) -> datetime:
        self.clock += timedelta(minutes=1)
        return self.clock

    @rule(code=organizations, people=st.integers(0, 3))
    def bring_another_roster(self, code: str, people: int) -> None:
        async def work() -> None:
            async with self.database.read() as session:
                locked = code in await locked_organizations(session, {code})
                is_there = await session.get(Organization, code) is not None
            try:
                async with self.database.write() as session:
                    await put_roster(session, code, (people, 1, 0), self.now())
            except DBAPIError:
                assert locked or not is_there
            else:
                assert is_there
                assert not locked

        self.run(work())

    @rule(code=organizations, number=st.integers(1, 4), level=st.sampled_from(["ปฏิบัติการ", "ชำนาญการ"]))
    def correct_a_record(self, code: str, number: int, level: str) -> None:
        async def work() -> None:
            async with self.database.read() as session:
                locked = code in await locked_organizations(session, {code})
            of_number = PersonnelRecord.organization_code == code, PersonnelRecord.record_no == f"{number:04}"
            try:
                async with self.database.write() as session:
                    changed = await session.execute(update(PersonnelRecord).where(*of_number).values(level=level))
                    assert not (locked and changed.rowcount)
            except DBAPIError:
                assert locked

        self.run(work())

    @rule(code=organizations, level=levels)
    def certify(self, code: str, level: Level) -> None:
        async def work() -> None:
            username, user = "province11", 11
            if level is Level.LAO:
                # An account may have gone over from another organization.
                async with self.database.read() as session:
                    of_it = select(Account.username).where(Account.organization_code == code).limit(1)
                    username = await session.scalar(of_it) or f"lao{code}"
                user = int(username.removeprefix("lao"))
            await certify_as(self.database, username, user, code, level, self.now())

        self.attempt(work())

    @rule(code=organizations, found=st.sampled_from(Mark), everything=st.booleans())
    def check_on_the_spot(self, code: str, found: Mark, everything: bool) -> None:
        async def work() -> None:
            async with self.database.write() as session:
                officer = await link(session, "province11", 11, self.now())
                shown = await draw(session, officer, code, self.now(), random.Random(self.now().minute), size=2)
                for item in shown.check.items if everything else shown.check.items[:1]:
                    await mark(
                        session,
                        officer,
                        code,
                        shown.check.id,
                        item.place,
                        found,
                        "ไม่ตรงกัน",
                        self.now(),
                        despite_empty_menus=True,
                    )
            async with self.database.write() as session:
                officer = await link(session, "province11", 11, self.now())
                await hand_in(session, officer, code, shown.check.id, self.now(), None)

        self.attempt(work())

    @rule(code=organizations)
    def reopen(self, code: str) -> None:
        async def work() -> None:
            async with self.database.write() as session:
                await reopen(session, code, "ผู้ดูแล", "เหตุผล", self.now())

        self.attempt(work())

    @rule(code=organizations)
    def ask_for_a_correction(self, code: str) -> None:
        async def work() -> None:
            async with self.database.write() as session:
                officer = await link(session, f"lao{code}", int(code), self.now())
                await petition(session, officer, "ขอแก้ไขข้อมูล", self.now(), None)

        self.attempt(work())

    @rule(granted=st.booleans())
    def decide(self, granted: bool) -> None:
        async def work() -> None:
            async with self.database.write() as session:
                for asked in (await list_petitions(session))[:1]:
                    await decide(session, asked.id, granted=granted, by="ผู้ดูแล", reason="เหตุผล", now=self.now())

        self.attempt(work())

    @rule()
    def close_the_round(self) -> None:
        async def work() -> None:
            async with self.database.write() as session:
                await close_round(session, self.now())

        self.attempt(work())

    @rule()
    def reopen_the_round(self) -> None:
        async def work() -> None:
            async with self.database.write() as session:
                newest = await current_round(session)
                deadline = newest and newest.closes_on
                reopened = await reopen_round(session, "ผู้ดูแล", "เหตุผล", self.now())
                assert (reopened.closes_on, reopened.closed_at) == (deadline, None)

        self.attempt(work())

    @rule()
    def open_the_next_round(self) -> None:
        async def work() -> None:
            async with self.database.write() as session:
                newest = await current_round(session)
                await open_round(session, newest.fiscal_year + 1 if newest else 2570, None, self.now())

        self.attempt(work())

    @rule(code=organizations, name=st.sampled_from(["บางเหนือ", "บางใต้"]))
    def rename(self, code: str, name: str) -> None:
        async def work() -> None:
            async with self.database.write() as session:
                await rename(session, code, name, decided(self.now()), self.clock)

        self.attempt(work())

    # Seldom: nothing more happens to one that has ended.
    @rule(code=organizations, really=st.integers(0, 3))
    def close_for_good(self, code: str, really: int) -> None:
        async def work() -> None:
            async with self.database.write() as session:
                await close(session, code, decided(self.now()), self.clock)

        if not really:
            self.attempt(work())

    @rule(
        pair=st.lists(organizations, min_size=2, max_size=2, unique=True),
        kind=st.sampled_from(["upgrade", "merger"]),
        reopens=st.booleans(),
    )
    def go_on_as_another(self, pair: list[str], kind: str, reopens: bool) -> None:
        async def work() -> None:
            async with self.database.read() as session:
                is_new = await session.get(Organization, pair[1]) is None
            words = ["บางใหม่", "เทศบาลตำบล", "เมืองสมุทรปราการ", "11"] if is_new else 4 * [""]
            header = ["from", "to", "kind", "name", "type", "district", "province"]
            path = write(self.files / "changes.csv", [header, [*pair, kind, *words]])
            now = self.now()
            await succeed_from_file(self.database, path, decided(now), now, reopens=reopens)

        self.attempt(work())

    @rule(code=organizations)
    def log_out(self, code: str) -> None:
        async def work() -> None:
            async with self.database.write() as session:
                officer = await active_officer(session, int(code))
                if officer is not None:
                    await unlink_officer(session, officer, self.now())

        self.run(work())

    @invariant()
    def what_must_never_be_false(self) -> None:
        self.run(self.check())

    async def check(self) -> None:
        async with self.database.read() as session:
            assert (await verify(session)).breaks == []
            made = list(await session.scalars(select(Certification)))
            keys = {(one.organization_code, one.round_id, one.revision, one.level) for one in made}
            assert len(keys) == len(made)
            for organization, round_id, revision, level in keys:
                assert level is Level.LAO or (organization, round_id, revision, Level.LAO) in keys
            checks = await session.scalars(select(SpotCheck).options(selectinload(SpotCheck.items)))
            passed = {
                (one.organization_code, one.round_id, one.revision)
                for one in checks
                if one.handed_in_at and one.items and not one.incorrect
            }
            for one in made:
                if one.level is Level.PROVINCE:
                    assert (one.organization_code, one.round_id, one.revision) in passed
            now = {one.id: (one.roster_digest, one.officer_name, one.code, one.words) for one in made}
            assert None not in {one.words for one in made}
            assert self.seen.items() <= now.items()
            self.seen = now
            newest = await current_round(session)
            assert newest is not None
            for code in CODES:
                await self.check_changes(session, code, newest.id)
            locked = await locked_organizations(session, set(CODES))
            ends = await session.scalars(select(OrganizationEnd))
            ended = {one.organization_code: (one.id, one.kind, one.successor_code) for one in ends}
            assert self.ends.items() <= ended.items()
            self.ends = ended
            for code in CODES:
                status = (await own_status(session, code))[1]
                assert (status is not Status.UNCERTIFIED or code in ended) is (code in locked)
            (counts,) = await count_statuses(session, "11")
            assert newest.state in RoundState
            certified = counts.total - counts.uncertified
            if newest.state is RoundState.OPEN:
                assert certified == len(locked - ended.keys())
            else:
                # Whatever ends or begins after its end, a closed round counts what it has counted.
                kept = self.closed.setdefault((newest.id, newest.closed_at), (counts.total, certified))
                assert kept == (counts.total, certified)
            active = list(await session.scalars(select(Officer.user_id).where(Officer.unlinked_at.is_(None))))
            assert len(active) == len(set(active))
            for officer in await session.scalars(select(Officer).where(Officer.unlinked_at.is_(None))):
                loaded = await active_officer(session, officer.user_id)
                assert loaded is not None
                own = loaded.account.organization_code
                if own is not None:
                    assert own not in ended
                    # A merger brings no register.
                    with contextlib.suppress(NoRoster):
                        shown = await review(session, loaded, own)
                        assert shown.lao is None or shown.lao.roster_digest == shown.roster.digest

    async def check_changes(self, session: AsyncSession, code: str, round_id: int) -> None:
        """Every record that is not as in each revision that counts is known as changed, and what was not correct
        is drawn again.
        """
        now = {one.record_no: one for one in await load_records(session, code)}
        of_code = Reopening.organization_code == code, Reopening.round_id == round_id
        reopenings = list(await session.scalars(select(Reopening).where(*of_code).order_by(Reopening.id.desc())))
        for one in reopenings:
            # Right after the reopening nothing has changed yet.
            self.ended.setdefault(one.id, now)
        changes = await load_changes(session, code, round_id)
        assert (changes is None) is (not reopenings)
        if changes is None:
            return
        made = await session.execute(
            select(Certification.revision).where(
                Certification.organization_code == code,
                Certification.round_id == round_id,
                Certification.level == Level.PROVINCE,
            )
        )
        by_province = {revision for (revision,) in made}
        settled = max((one.revision for one in reopenings if one.revision in by_province), default=1)
        counted = [one for one in reopenings if one.revision >= settled]
        assert changes.revisions == tuple(one.revision for one in counted)
        changed = {
            number
            for number, one in now.items()
            if any(self.ended[ended.id].get(number) != one for ended in counted)
        }
        assert changes.changed_numbers == tuple(sorted(changed))
        assert not changes.may_all_differ
        for since, ended in zip(changes.since, counted, strict=True):
            before = self.ended[ended.id]
            assert since.difference is not None
            assert {one.record.record_no for one in since.difference.changes} == {
                number for number in now.keys() | before.keys() if now.get(number) != before.get(number)
            }
        await self.check_draw(session, code, round_id, changes.revisions, changed, set(now))

    async def check_draw(
        self,
        session: AsyncSession,
        code: str,
        round_id: int,
        revisions: tuple[int, ...],
        changed: set[str],
        register: set[str],
    ) -> None:
        """The draw of the revision that follows the ended ones, as soon as it is there."""
        found = await session.scalars(
            select(SpotCheck)
            .where(SpotCheck.organization_code == code, SpotCheck.round_id == round_id)
            .options(selectinload(SpotCheck.items))
        )
        checks = {one.revision: one for one in found}
        check = checks.get(revisions[0] + 1)
        if check is None:
            return
        drawn, basis = {item.record_no for item in check.items}, basis_of(check)
        assert basis is not None
        incorrect = {
            item.record_no for revision in revisions if revision in checks for item in checks[revision].incorrect
        }
        assert incorrect & register <= drawn
        assert set(basis.gone) == incorrect - register
        assert set(basis.changed) == changed
        assert len(drawn & changed) >= min(len(changed), basis.size)


@pytest.mark.parametrize("database_url", ["sqlite", STOCK, "postgresql"], indirect=True)
def test_any_order_of_steps(database_url: str, request: pytest.FixtureRequest) -> None:
    torture = request.config.getoption("--torture")
    loop = asyncio.new_event_loop()
    database = Database(database_url, KEYRING)
    loop.run_until_complete(settle(database, NOW))
    loop.run_until_complete(database.close())
    loop.close()
    path = database.url.database or ""

    class Prepared(Country):
        template = Path(path) if database.is_sqlite else path

    run_state_machine_as_test(
        Prepared,
        settings=settings(
            max_examples=60 if torture else 10,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
