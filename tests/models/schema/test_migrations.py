"""An upgrade keeps what the schema before held, in every table."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import DBAPIError

from models.accounts.account import active_officer, name_officer
from models.audit import event_chain
from models.audit.event_chain import UNRECORDED
from models.base.tables import UtcDateTime
from models.certification.certificate import Certification, Level, snapshot
from models.certification.changes import load_changes
from models.certification.history import load_certification
from models.certification.words import Words
from models.database.engine import Database
from models.notices import card_marks
from models.notices.kind import NoticeKind
from models.notices.outbox import OutboxMessage, State, end_link
from models.notices.tables import ProvinceCard
from models.province import live_card
from models.register.roster import load_summary
from models.schema import drift, triggers, version
from models.succession.word_keeping import keep_words
from models.verification.verify import verify
from tests.conftest import MARK, _admin, apart, postgres_url
from tests.support import KEYRING

ROWS = [
    "INSERT INTO province VALUES ('11', 'สมุทรปราการ', 'Samut Prakan')",
    "INSERT INTO organization (dla_code, type_th, type_code, name_th, district_th, province_code, sort_key)"
    " VALUES ('2110101', 'อบจ.', 'provincial_admin_org', 'สมุทรปราการ', 'เมือง', '11', 'ส')",
    "INSERT INTO account (id, username, role, organization_code, display_name)"
    " VALUES (1, 'lao2110101', 'lao', '2110101', 'อบจ.สมุทรปราการ')",
    "INSERT INTO officer (id, account_id, user_id, full_name, position, linked_at)"
    " VALUES (1, 1, 501, 'ทดสอบ หนึ่ง', 'ปลัด', '2026-11-01 00:00:00')",
    "INSERT INTO round (id, fiscal_year, state, opened_at) VALUES (1, 2570, 'open', '2026-11-01 00:00:00')",
    "INSERT INTO roster (organization_code, file_name, imported_at, menu_names)"
    " VALUES ('2110101', 'x.csv', '2026-11-01 00:00:00', '[]')",
    "INSERT INTO personnel_record"
    " (id, organization_code, record_no, full_name, category, position, level, menus)"
    " VALUES (1, '2110101', '0001', 'บุคคล ทดสอบ', 'official', 'ปลัด', 'กลาง', 'r')",
    "INSERT INTO confirmation (nonce, officer_id, organization_code, round_id, level, fingerprint, shown_at)"
    " VALUES ('n', 1, '2110101', 1, 'lao', 'f', '2026-11-01 00:00:00')",
    "INSERT INTO certification (id, organization_code, round_id, revision, level, officials,"
    " permanent_employees, contract_employees, with_empty_menus, roster_digest, roster_file, roster_imported_at,"
    " officer_id, officer_name, officer_position, user_id, code, is_late, certified_at)"
    " VALUES (1, '2110101', 1, 1, 'lao', 1, 0, 0, 0, 'd', 'x.csv', '2026-11-01 00:00:00', 1, 'ทดสอบ หนึ่ง',"
    " 'ปลัด', 501, '0123456789', false, '2026-11-02 00:00:00')",
    "INSERT INTO outbox (id, dedupe_key, kind, chat_id, certification_id, state, attempts, created_at, due_at)"
    " VALUES (7, 'receipt:1:501', 'receipt', 501, 1, 'pending', 0, '2026-11-02 00:00:00', '2026-11-02 00:00:00')",
    "INSERT INTO inbox (id, bot_id, update_id, sender, received_at, state, attempts)"
    " VALUES (1, 1, 1, 501, '2026-11-02 00:00:00', 'done', 0)",
    "INSERT INTO conversation (chat_id, language, awaiting, told_private_only)"
    " VALUES (501, 'th', 'nothing', false)",
]


async def _upgrade(database: Database, revision: str) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(version.config(sync), revision))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'old.db'}"
        return
    # Skips where there is no PostgreSQL.
    request.getfixturevalue("spares")(False)
    name = MARK + uuid.uuid4().hex[:12]
    apart(_admin(f'CREATE DATABASE "{name}"'))
    yield postgres_url(name)
    apart(_admin(f'DROP DATABASE "{name}" WITH (FORCE)'))


async def test_the_upgrade_from_0001_keeps_every_row(empty_url: str) -> None:
    database = Database(empty_url, KEYRING)
    await _upgrade(database, "0001")
    async with database.engine.begin() as connection:
        for row in ROWS:
            await connection.execute(text(row))
    await version.upgrade(database)
    assert await drift.check(database) == []
    async with database.engine.connect() as connection:
        for row in ROWS:
            table = row.split()[2]
            assert (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar() == 1, table
        kept = await connection.execute(text("SELECT subject_id, state, dedupe_key FROM outbox WHERE id = 7"))
        assert tuple(kept.one()) == (1, "pending", "receipt:1:501")
        made = await connection.execute(
            text("SELECT account_username, statement, audit_head, officer_name FROM certification")
        )
        assert tuple(made.one()) == ("lao2110101", UNRECORDED, UNRECORDED, "ทดสอบ หนึ่ง")
    async with database.read() as session:
        found = await verify(session)
    assert found.unrecorded == ["0123456789"]
    # The old certificate's digest was made up above; that is what the check says.
    assert found.breaks == ["roster of 2110101: is not what certificate 0123456789 certified"]
    await database.close()


# Of an organization that has certified and been reopened, and of its province, at schema 0011.
RECORDED = [
    "INSERT INTO account (id, username, role, province_code, display_name)"
    " VALUES (2, 'province11', 'province', '11', 'จังหวัดสมุทรปราการ')",
    "INSERT INTO officer (id, account_id, user_id, full_name, position, linked_at)"
    " VALUES (2, 2, 601, 'ทดสอบ สอง', 'ท้องถิ่นจังหวัด', '2026-11-01 00:00:00')",
]
COLUMNS_OF_0011 = (
    "id, organization_code, round_id, revision, level, officials, permanent_employees, contract_employees,"
    " with_empty_menus, roster_digest, roster_file, roster_imported_at, officer_id, officer_name,"
    " officer_position, user_id, account_username, statement, audit_head, code, is_late, certified_at, spot_check"
)


async def _certify_at_0011(database: Database, now: datetime) -> None:
    """Both levels as the program of 0011 certified, each with its event."""
    async with database.write() as session:
        summary = await load_summary(session, "2110101")
        for number, level in enumerate(Level, 2):
            values = {
                "id": number,
                "organization_code": "2110101",
                "round_id": 1,
                "revision": 2,
                "level": level,
                "officials": 1,
                "permanent_employees": 0,
                "contract_employees": 0,
                "with_empty_menus": 0,
                "roster_digest": summary.digest,
                "roster_file": summary.file_name,
                "roster_imported_at": summary.imported_at,
                "officer_id": number - 1,
                "officer_name": "ทดสอบ",
                "officer_position": "ปลัด",
                "user_id": 499 + number,
                "account_username": "lao2110101",
                "statement": f"{level}/1/th",
                "audit_head": "",
                "code": f"AAAAAAAAA{number}",
                "is_late": False,
                "certified_at": now,
                "spot_check": None,
            }
            assert set(values) == set(COLUMNS_OF_0011.split(", "))
            made = {"certified_at": now, "roster_imported_at": summary.imported_at}
            await session.execute(
                text(
                    f"INSERT INTO certification ({COLUMNS_OF_0011})"
                    f" VALUES (:{COLUMNS_OF_0011.replace(', ', ', :')})"
                ).bindparams(*(bindparam(name, type_=UtcDateTime()) for name in made)),
                values | {"level": level.value},
            )
            kept = snapshot(Certification(**values))
            await event_chain.record(session, event_chain.Event.CERTIFIED, "2110101", now, certificate=kept)


async def test_the_upgrade_to_0012_keeps_every_certificate_and_event(empty_url: str, now: datetime) -> None:
    """Those with an event, and one from before there were events; and what is done with them afterwards."""
    database = Database(empty_url, KEYRING)
    await _upgrade(database, "0001")
    async with database.engine.begin() as connection:
        for row in ROWS:
            await connection.execute(text(row))
    await _upgrade(database, "0011")
    async with database.engine.begin() as connection:
        for row in RECORDED:
            await connection.execute(text(row))
    async with database.write() as session:
        told = {"reopening": 1, "round": 2570, "revision": 1, "by": "ผู้ดูแล", "reason": "นับซ้ำ"}
        await session.execute(
            text(
                "INSERT INTO reopening (id, organization_code, round_id, revision, by_name, reason, reopened_at)"
                " VALUES (1, '2110101', 1, 1, 'ผู้ดูแล', 'นับซ้ำ', :now)"
            ).bindparams(bindparam("now", type_=UtcDateTime())),
            {"now": now},
        )
        await event_chain.record(session, event_chain.Event.REOPENED, "2110101", now, **told)
    await _certify_at_0011(database, now)
    columns = text(f"SELECT {COLUMNS_OF_0011} FROM certification ORDER BY id")
    events = text("SELECT id, chain, number, kind, at, details, key_id, mac FROM audit_event ORDER BY id")
    async with database.engine.connect() as connection:
        before = [list(await connection.execute(one)) for one in (columns, events)]
    await version.upgrade(database)
    assert await drift.check(database) == []
    async with database.engine.connect() as connection:
        assert [list(await connection.execute(one)) for one in (columns, events)] == before
    async with database.read() as session:
        found = await verify(session)
    assert (found.breaks, found.unrecorded, found.certificates, found.without_words) == ([], ["0123456789"], 3, 3)
    async with database.write() as session:
        assert (await keep_words(session, now)).certificates == 3
    async with database.write() as session:
        await session.execute(text("UPDATE organization SET name_th = 'ใหม่'"))
    async with database.read() as session:
        for number in (1, 2, 3):
            words = (await load_certification(session, number)).words
            assert words == Words("อบจ.สมุทรปราการ", "อบจ.", "เมือง", "11", "สมุทรปราการ", "Samut Prakan")
        found = await verify(session)
    assert (found.breaks, found.unrecorded, found.without_words) == ([], ["0123456789"], 0)
    assert await drift.check(database) == []
    async with database.engine.connect() as connection:
        assert list(await connection.execute(columns)) == before[0]
    await database.close()


NOTICES = [
    "INSERT INTO account (id, username, role, province_code, display_name)"
    " VALUES (2, 'province11', 'province', '11', 'จังหวัดสมุทรปราการ')",
    "INSERT INTO officer (id, account_id, user_id, full_name, position, linked_at, unlinked_at) VALUES"
    " (2, 2, 601, 'ทดสอบ สอง', 'ท้องถิ่นจังหวัด', '2026-11-01 00:00:00', NULL),"
    " (3, 2, 602, 'ทดสอบ สาม', 'ท้องถิ่นจังหวัด', '2026-11-01 00:00:00', '2026-11-02 00:00:00')",
    "INSERT INTO outbox"
    " (id, dedupe_key, kind, chat_id, subject_id, state, attempts, created_at, due_at, message_id)"
    " VALUES (8, 'awaits_province:1:601', 'awaits_province', 601, 1, 'sent', 1, '2026-11-02 00:00:00',"
    " '2026-11-02 00:00:00', 77), (9, 'awaits_province:2:601', 'awaits_province', 601, 2, 'uncertain', 1,"
    " '2026-11-02 00:00:00', '2026-11-02 00:00:00', NULL)",
]


async def test_waiting_notices_become_the_live_card(empty_url: str) -> None:
    """Whoever had a notice in the queue gets its card; what was sent is still taken away when the link ends."""
    database = Database(empty_url, KEYRING)
    await _upgrade(database, "0001")
    async with database.engine.begin() as connection:
        for row in ROWS:
            await connection.execute(text(row))
    await _upgrade(database, "0006")
    async with database.engine.begin() as connection:
        for row in NOTICES:
            await connection.execute(text(row))
    await version.upgrade(database)
    async with database.read() as session:
        rows = list(await session.scalars(select(OutboxMessage)))
        assert {(row.kind, row.chat_id, row.state, row.message_id) for row in rows} == {
            (NoticeKind.RECEIPT, 501, State.PENDING, None),
            (NoticeKind.WAITING, 601, State.SENT, 77),
            (NoticeKind.REFRESH, 601, State.PENDING, None),
        }
        (card,) = await session.scalars(select(ProvinceCard))
        assert (card.officer_id, card.message_id) == (2, None)
    now = datetime.now(UTC)
    refresh, ring = (
        OutboxMessage(kind=kind, chat_id=601, subject_id=2) for kind in (NoticeKind.REFRESH, NoticeKind.WAITING)
    )
    async with database.write() as session:
        assert await live_card.decide(session, refresh, now) is None
        made = await live_card.decide(session, ring, now)
        assert isinstance(made, live_card.Showing)
        assert (made.waiting, made.newest[0].certificate) == (1, 1)
        # The numbers go on where the migration began.
        await card_marks.touch(session, "11", now)
        await end_link(session, 601)
    async with database.read() as session:
        assert {
            row.state for row in await session.scalars(select(OutboxMessage).where(OutboxMessage.chat_id == 601))
        } == {
            State.SENT,
            State.DEAD,
        }
    await database.close()


async def test_the_lock_of_an_older_schema_is_brought_up_to_date(empty_url: str) -> None:
    """What the triggers of 0009 let through is refused afterwards, also where one of them was away."""
    renumber = text(
        "UPDATE round SET rowid = rowid + 100" if "sqlite" in empty_url else "DELETE FROM organization"
    )
    database = Database(empty_url, KEYRING)
    await _upgrade(database, "0001")
    async with database.engine.begin() as connection:
        for row in ROWS:
            await connection.execute(text(row))
    await _upgrade(database, "0009")
    async with database.engine.begin() as connection:
        if database.is_sqlite:
            await connection.execute(text("DROP TRIGGER round_no_delete"))
        else:
            await connection.execute(text("DROP TRIGGER round_no_delete ON round"))
            await connection.execute(text("DROP FUNCTION keep_round() CASCADE"))
    await _upgrade(database, "head")
    async with database.engine.begin() as connection:
        assert await connection.run_sync(triggers.differences) == []
    with pytest.raises(DBAPIError, match="never"):
        async with database.engine.begin() as connection:
            await connection.execute(renumber)
    await database.close()


def drawn_by_rule_1() -> list[str]:
    """A province's certificate of a second revision, as it was made before there was another rule: its one record
    was drawn, and its draw names no rule.
    """
    kept = {"seed": "0f", "size": 1, "records": [{"record_no": "0001", "mark": "correct"}]}
    columns = {column.name: column.name for column in Certification.core().columns}
    lao = columns | {"id": "2", "revision": "2", "code": "'2222222222'"}
    province = columns | {
        "id": "3",
        "revision": "2",
        "level": "'province'",
        "code": "'3333333333'",
        "spot_check": f"'{json.dumps(kept)}'".replace(":", "\\:"),
    }
    copy = "INSERT INTO certification ({}) SELECT {} FROM certification WHERE id = 1"
    return [
        "INSERT INTO reopening (organization_code, round_id, revision, by_name, reason, reopened_at)"
        " VALUES ('2110101', 1, 1, 'ก', 'นับผิดจริง', '2026-11-03 00:00:00')",
        *(copy.format(", ".join(columns), ", ".join(values.values())) for values in (lao, province)),
        "INSERT INTO spot_check (organization_code, round_id, revision, officer_id, seed, drawn_at)"
        " VALUES ('2110101', 1, 2, 1, '0f', '2026-11-03 00:00:00')",
        "INSERT INTO spot_check_item (spot_check_id, place, record_no, mark) SELECT id, 1, '0001', 'correct'"
        " FROM spot_check",
    ]


async def test_what_was_drawn_and_reopened_before_0014_stays_as_it_was(empty_url: str) -> None:
    database = Database(empty_url, KEYRING)
    await _upgrade(database, "0001")
    async with database.engine.begin() as connection:
        for row in ROWS:
            await connection.execute(text(row))
    await _upgrade(database, "0013")
    async with database.engine.begin() as connection:
        for row in drawn_by_rule_1():
            await connection.execute(text(row))
    await version.upgrade(database)
    assert await drift.check(database) == []
    async with database.read() as session:
        assert not any("spot-check" in line for line in (await verify(session)).breaks)
        changes = await load_changes(session, "2110101", 1)
    assert changes is not None
    assert (changes.revisions, changes.is_known, changes.may_all_differ) == ((1,), False, True)
    await database.close()


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
async def test_the_tables_may_lie_in_any_schema(empty_url: str) -> None:
    """The first of the search path, whatever letters its name has."""
    database = Database(empty_url, KEYRING)
    async with database.engine.begin() as connection:
        name = database.url.database
        await connection.execute(text('CREATE SCHEMA "ทะเบียน 70"'))
        await connection.execute(text(f"""ALTER DATABASE {name} SET search_path = "ทะเบียน 70", public"""))
    await database.engine.dispose()
    await version.upgrade(database)
    assert await drift.check(database) == []
    async with database.engine.begin() as connection:
        in_public = text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert await connection.scalar(in_public) == 0
        for row in ROWS[:5]:
            await connection.execute(text(row))
    with pytest.raises(DBAPIError, match="a round is never renumbered or removed"):
        async with database.engine.begin() as connection:
            await connection.execute(text('DELETE FROM "ทะเบียน 70".round'))
    await database.close()


async def test_rows_from_before_0015_give_rights_until_all_rows_are_sealed(empty_url: str, now: datetime) -> None:
    """The upgrade makes no seal: whoever has changed a row before would be believed for ever."""
    database = Database(empty_url, KEYRING)
    await _upgrade(database, "0001")
    async with database.engine.begin() as connection:
        for row in ROWS:
            await connection.execute(text(row))
    await _upgrade(database, "0014")
    before = {}
    async with database.engine.begin() as connection:
        for table in ("officer", "account", "confirmation", "organization", "round"):
            before[table] = (await connection.execute(text(f"SELECT * FROM {table}"))).mappings().one()
    await version.upgrade(database)
    assert await drift.check(database) == []
    async with database.engine.begin() as connection:
        for table, old in before.items():
            row = dict((await connection.execute(text(f"SELECT * FROM {table}"))).mappings().one())
            assert [row.pop(name) for name in ("seal", "seen_seal") if name in row] in ([None], [None, None])
            # Of migration 0016.
            assert row.pop("row_lock", None) is None
            assert row == old, table
    async with database.write() as session:
        officer = await active_officer(session, 501)
        assert officer is not None
        await name_officer(session, officer, now, position="ปลัดคนใหม่")
        assert officer.seal is not None
    async with database.write() as session:
        assert await active_officer(session, 501) is not None
        await event_chain.record(session, event_chain.Event.SEALED_ALL, event_chain.SYSTEM, now)
    async with database.read() as session:
        # Its account has none.
        assert await active_officer(session, 501) is None
    await database.close()
