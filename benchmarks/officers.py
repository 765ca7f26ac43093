"""A database in which officers are linked and at work: what load is put on."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert, select

from benchmarks.nation import SECRET_KEY, Country
from demo import sample
from models.accounts.account import Account, Officer, Role
from models.audit.row_seal import insert_sealed
from models.chats.conversation import Awaiting, Conversation, Language
from models.database.engine import Database
from models.security.keys import Keyring

FIRST_USER = 501


async def fill(
    country: Country,
    units: list[sample.Unit],
    hash_pins: Callable[[list[int]], dict[int, str]] = lambda users: dict.fromkeys(users, "none"),
) -> dict[int, sample.Unit]:
    """Import what there is of organizations and link an officer to each unit, to one that is there twice two of
    them; the units by Telegram user. Nobody has a PIN unless `hash_pins` makes them.
    """
    folder = country.folder
    sample.write_organizations(folder / "organizations.csv", {unit.province for unit in units})
    sample.write_personnel(folder / "personnel.csv", units, random.Random(1))  # noqa: S311 - samples
    country.laocert("db", "upgrade")
    for kind in ("organizations", "personnel"):
        country.laocert("import", kind, str(Path(folder / f"{kind}.csv")))
    country.laocert("round", "open", "--fiscal-year", "2570", "--closes", "2670-09-15")
    people = dict(enumerate(units, FIRST_USER))
    database = Database(country.environment["LAOCERT_DATABASE_URL"], Keyring(SECRET_KEY))
    try:
        await link(database, people, hash_pins(list(people)))
    finally:
        await database.close()
    return people


async def link(database: Database, people: dict[int, sample.Unit], pins: dict[int, str]) -> None:
    """An officer at work for each Telegram user.

    Accounts without a password: a bench that has to hash hundreds says nothing of taps.
    """
    now = datetime.now(UTC)
    async with database.write() as session:
        there = set(await session.scalars(select(Account.username)))
        units = [unit for unit in dict.fromkeys(people.values()) if unit.username not in there]
        await insert_sealed(session, Account, [_account(unit) for unit in units])
        ids = dict((await session.execute(select(Account.username, Account.id))).tuples().all())
        officers = [_officer(user, ids[unit.username], pins[user], now) for user, unit in people.items()]
        await insert_sealed(session, Officer, officers)
        await session.execute(insert(Conversation), [_conversation(user) for user in people])


def _account(unit: sample.Unit) -> dict[str, object]:
    is_lao = unit.role == "lao"
    return {
        "username": unit.username,
        "password_hash": None,
        "role": Role.LAO if is_lao else Role.PROVINCE,
        "organization_code": unit.code if is_lao else None,
        "province_code": None if is_lao else unit.code,
        "display_name": unit.name,
    }


def _officer(user_id: int, account_id: int, pin_hash: str, now: datetime) -> dict[str, object]:
    return {
        "account_id": account_id,
        "user_id": user_id,
        "full_name": "นางสาวสมมุติ ทดสอบระบบ",
        "position": "หัวหน้าสำนักปลัด",
        "linked_at": now,
        "pin_hash": pin_hash,
        "last_seen_at": now,
    }


def _conversation(user_id: int) -> dict[str, object]:
    return {
        "chat_id": user_id,
        "language": Language.THAI,
        "awaiting": Awaiting.NOTHING,
        "card_message_id": 7,
        "told_private_only": False,
    }
