"""Import of accounts: added or updated by username; passwords hashed on all cores before the write begins."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.account import Account, Officer, Role, is_username, normalize_username
from models.audit import event_chain
from models.audit.row_seal import insert_sealed, update_sealed
from models.database.engine import Database
from models.imports.common import ImportResult, Progress, chunks, no_progress, organization_names, read_rows
from models.imports.tabular import BadCell, Column, Layout, Problems, english, open_table, shown
from models.imports.tabular.cells import printed_name
from models.links.account_admin import PasswordRefused, require_good_password
from models.organizations.organization import Province, ends_among, how_it_ended
from models.security.passwords import hash_password

_ROLES = {
    "lao": Role.LAO,
    "อปท.": Role.LAO,
    "อปท": Role.LAO,
    "province": Role.PROVINCE,
    "จังหวัด": Role.PROVINCE,
}


_UNITS = {Role.LAO: english("organization"), Role.PROVINCE: english("province")}


def _username(text: str) -> str:
    username = normalize_username(text)
    if not is_username(username):
        raise BadCell(
            english("{text} is no username", text=shown(text)),
            "write 3 to 64 of a-z, 0-9, dot, dash, underscore and @, a letter or digit first",
        )
    return username


def _password(text: str) -> str:
    try:
        require_good_password(text)
    except PasswordRefused as refused:
        raise BadCell(refused.what, refused.mend) from None
    return text


def _role(text: str) -> str:
    try:
        return _ROLES[text.casefold()]
    except KeyError:
        raise BadCell(
            english("{text} is no role", text=shown(text)), "write lao (อปท.) or province (จังหวัด)"
        ) from None


LAYOUT = Layout(
    (
        Column("username", "ชื่อผู้ใช้", 64, _username, is_code=True),
        Column("password", "รหัสผ่าน", 1000, _password, empty="", verbatim=True),
        Column("role", "ระดับ", 20, _role),
        Column("organization", "รหัสหน่วยงาน", 20, is_code=True),
        Column("display_name", "ชื่อหน่วยงาน", 200, printed_name),
    ),
    kind="accounts",
)


@dataclass
class _Entry:
    """One account as the file gives it. Its password is not shown by repr."""

    line: int
    role: str
    unit: str
    display_name: str
    password_hash: str | None = None

    def values(self) -> dict[str, Any]:
        """The columns that an import writes besides the password."""
        return {
            "role": Role(self.role),
            "organization_code": self.unit if self.role == Role.LAO else None,
            "province_code": self.unit if self.role == Role.PROVINCE else None,
            "display_name": self.display_name,
        }


@dataclass
class _File:
    entries: dict[str, _Entry]
    passwords: dict[str, str]
    headers: list[str]
    notes: tuple[str, ...] = ()


async def _read(path: Path, problems: Problems, progress: Progress) -> _File:
    file = _File({}, {}, [])
    with open_table(path, LAYOUT, problems) as table:
        file.headers = table.headers
        async for batch in read_rows(table, progress):
            for line, (username, password, role, unit, display_name) in batch:
                first = file.entries.setdefault(username, _Entry(line, role, unit, display_name)).line
                if first != line:
                    what = english("{username} is on line {first} already", username=shown(username), first=first)
                    problems.add(line, file.headers[0], what, "keep one of the two")
                elif password:
                    file.passwords[username] = password
        file.notes = tuple(table.notes())
    return file


async def _refuse_unknown_units(session: AsyncSession, file: _File, problems: Problems) -> None:
    known = {
        Role.LAO: set(await organization_names(session)),
        Role.PROVINCE: set(await session.scalars(select(Province.code))),
    }
    ends = await ends_among(session, {entry.unit for entry in file.entries.values()})
    for entry in file.entries.values():
        if entry.role == Role.LAO and entry.unit in ends:
            mend = "write the code of its successor, or leave the line out"
            problems.add(entry.line, file.headers[3], how_it_ended(ends[entry.unit]), mend)
        elif entry.role and entry.unit not in known[Role(entry.role)]:
            problems.add(
                entry.line,
                file.headers[3],
                english("no {kind} has the code {code}", kind=_UNITS[Role(entry.role)], code=shown(entry.unit)),
                "correct it, or import organizations first",
            )


@dataclass(frozen=True)
class _Before:
    """An account as the database has it."""

    id: int
    username: str
    password_hash: str | None
    role: Role
    organization_code: str | None
    province_code: str | None
    display_name: str

    @property
    def unit(self) -> str:
        return self.organization_code or self.province_code or ""


async def _existing(session: AsyncSession, usernames: Sequence[str], *, hold: bool) -> dict[str, _Before]:
    """The accounts that are there already, `hold`: kept from being linked for the rest of the transaction."""
    statement = select(
        Account.id,
        Account.username,
        Account.password_hash,
        Account.role,
        Account.organization_code,
        Account.province_code,
        Account.display_name,
    ).order_by(Account.id)
    found: dict[str, _Before] = {}
    for some in chunks(usernames):
        chosen = statement.where(Account.username.in_(some))
        rows = await session.execute(chosen.with_for_update() if hold else chosen)
        found |= {row.username: _Before(*row) for row in rows}
    return found


async def _refuse_moves(
    session: AsyncSession, file: _File, existing: dict[str, _Before], problems: Problems
) -> None:
    """Note each account that would change its role or unit under the officers who are linked to it."""
    moved = {
        account.id: account
        for username, account in existing.items()
        if (entry := file.entries[username]).role and (entry.role, entry.unit) != (account.role, account.unit)
    }
    linked: set[int] = set()
    for some in chunks(list(moved)):
        linked |= set(
            await session.scalars(
                select(Officer.account_id).where(Officer.account_id.in_(some), Officer.unlinked_at.is_(None))
            )
        )
    for account_id in sorted(linked):
        account = moved[account_id]
        entry = file.entries[account.username]
        problems.add(
            entry.line,
            file.headers[3 if entry.role == account.role else 2],
            f"{account.username} has linked chats and is {account.role} {account.unit}",
            f"unlink them first: laocert account unlink {account.username} --all",
        )


async def _hash_passwords(file: _File, progress: Progress) -> None:
    """Fill in the hashes. Threads are enough: Argon2 lets go of the interpreter (measured: twice as fast on two
    cores, as fast as processes).
    """
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(os.cpu_count())
    done, total = 0, len(file.passwords)

    async def hash_one(username: str, password: str) -> None:
        nonlocal done
        file.entries[username].password_hash = await loop.run_in_executor(pool, hash_password, password)
        done += 1
        progress("hashing", done, total)

    try:
        async with asyncio.TaskGroup() as tasks:
            for username, password in file.passwords.items():
                tasks.create_task(hash_one(username, password))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _is_unchanged(entry: _Entry, account: _Before, has_password: bool) -> bool:
    wanted = (entry.role, entry.unit, entry.display_name)
    return not has_password and wanted == (account.role, account.unit, account.display_name)


async def _write(session: AsyncSession, file: _File, existing: dict[str, _Before], now: datetime) -> None:
    new, changed = [], []
    for username, entry in file.entries.items():
        before = existing.get(username)
        if before is None:
            new.append({"username": username, "password_hash": entry.password_hash, **entry.values()})
        elif not _is_unchanged(entry, before, username in file.passwords):
            password_hash = entry.password_hash or before.password_hash
            changed.append({"id": before.id, "password_hash": password_hash, **entry.values()})
    seals: dict[str, str] = {}
    for some in chunks(new):
        seals |= await insert_sealed(session, Account, some)
    for some in chunks(changed):
        seals |= await update_sealed(session, Account, some)
    await _record(session, seals, now)


async def _record(session: AsyncSession, seals: dict[str, str], now: datetime) -> None:
    """One event in the chain of each organization or province whose accounts were added or changed."""
    by_unit: dict[str, dict[str, str]] = {}
    unit = func.coalesce(Account.organization_code, Account.province_code)
    for some in chunks([int(name.removeprefix("account:")) for name in seals]):
        for account_id, code in await session.execute(select(Account.id, unit).where(Account.id.in_(some))):
            name = f"account:{account_id}"
            by_unit.setdefault(code, {})[name] = seals[name]
    links = [
        event_chain.Link(event_chain.Event.ACCOUNT_CHANGED, code, {"change": "imported", "seals": of_it})
        for code, of_it in sorted(by_unit.items())
    ]
    await event_chain.record_all(session, links, now)


async def import_accounts(
    database: Database, path: Path, now: datetime, *, dry_run: bool = False, progress: Progress = no_progress
) -> ImportResult:
    """Add or update the accounts of a CSV or XLSX file, all or none.

    An empty password leaves the old one; a new account without one is by invitation only. A disabled account stays
    disabled, linked chats stay linked. Raises ImportRefused with every problem: of the file, codes that are
    unknown, and an account with linked chats that would act for another unit.
    """
    problems = Problems()
    file = await _read(path, problems, progress)
    async with database.read() as session:
        await _refuse_unknown_units(session, file, problems)
        existing = await _existing(session, sorted(file.entries), hold=False)
        await _refuse_moves(session, file, existing, problems)
    problems.require_none()
    if not dry_run:
        await _hash_passwords(file, progress)
        async with database.write() as session:
            # Once more: a chat may have been linked since.
            existing = await _existing(session, sorted(file.entries), hold=True)
            await _refuse_moves(session, file, existing, problems)
            problems.require_none()
            progress("writing", 0, len(file.entries))
            await _write(session, file, existing, now)
            told = {"what": "accounts", "file": path.name, "rows": len(file.entries)}
            await event_chain.record(session, event_chain.Event.IMPORTED, event_chain.SYSTEM, now, **told)
        progress("writing", len(file.entries), len(file.entries))
    total = len(file.entries)
    unchanged = sum(
        _is_unchanged(file.entries[username], account, username in file.passwords)
        for username, account in existing.items()
    )
    updated = len(existing) - unchanged
    return ImportResult(path.name, dry_run, total, total - len(existing), updated, unchanged, file.notes)
