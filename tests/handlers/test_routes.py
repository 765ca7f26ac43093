"""Rights: every pair of role and handler is tried, and compared with the table of docs/security.md."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import joinedload

from handlers import routes
from handlers.chat.screen import Screen
from handlers.chat.taps.certification import LaoReview, ProvinceHistory
from handlers.chat.taps.province import ProvinceMenu
from handlers.chat.taps.tap import Tap, all_kinds
from handlers.chat.turn import Right, Turn
from models.accounts.account import Officer as Link
from models.accounts.account import Role
from models.accounts.pin import Purpose
from models.audit.event_chain import AuditEvent, Event
from models.audit.repeated import RepeatedRefusal
from models.chats.conversation import Awaiting, Conversation
from models.database.engine import Database
from tests.conftest import NOW
from tests.handlers.support import Hand, MakeHand
from tests.support import alter

ROOT = Path(__file__).parents[2]
ROLES = ("stranger", "not ready", "lao", "province")
# Which rights each role has.
HAS = {
    "stranger": {Right.ANYONE},
    "not ready": {Right.ANYONE, Right.OFFICER},
    "lao": {Right.ANYONE, Right.OFFICER, Right.LINKED, Right.LAO},
    "province": {Right.ANYONE, Right.OFFICER, Right.LINKED, Right.PROVINCE},
}


def test_every_tap_has_a_handler_with_a_declared_right() -> None:
    assert set(routes.TAPS) == set(all_kinds())
    entries = [*routes.TAPS.values(), *routes.COMMANDS.values()]
    entries += [(question.right, question.take) for question in routes.QUESTIONS.values()]
    assert all(isinstance(right, Right) and callable(handler) for right, handler in entries)
    # A room's table with a mistyped name would be left out silently.
    assert set(routes.QUESTIONS) == set(Awaiting) - {Awaiting.PASSWORD, Awaiting.PASSWORD_FOR_PIN}
    assert set(routes.AFTER_PIN) == set(Purpose) - {Purpose.UNLOCK}
    assert set(HAS["stranger"] | HAS["lao"] | HAS["province"]) == set(Right)


def sample(kind: type[Tap]) -> Tap:
    """A tap of a kind, with values of the right types."""
    values: dict[Any, Any] = {int: 0, str: "5110201"}
    return kind(*(values[hint] if hint in values else next(iter(hint)) for hint in kind._types.values()))


async def officer_of(role: str, stranger: Hand, officer: MakeHand, country: Database) -> Hand:
    if role == "stranger":
        await stranger.say("/start")
        return stranger
    hand = await officer("province11" if role == "province" else "lao5110201")
    if role == "not ready":
        async with country.write() as session:
            links = await session.scalars(select(Link).options(joinedload(Link.account)))
            await alter(session, links, NOW, pin_hash=None)
    return hand


@pytest.mark.parametrize("role", ROLES)
async def test_only_the_declared_roles_pass(
    role: str, stranger: Hand, officer: MakeHand, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = await officer_of(role, stranger, officer, country)
    reached: list[object] = []

    def spy(name: object) -> Callable[[Turn, Any], Awaitable[Screen]]:
        async def handler(turn: Turn, _argument: Any) -> Screen:
            reached.append(name)
            return Screen(turn.texts("Home"))

        return handler

    for kind, (right, _) in list(routes.TAPS.items()):
        monkeypatch.setitem(routes.TAPS, kind, (right, spy(kind)))
    for name, (right, _) in list(routes.COMMANDS.items()):
        monkeypatch.setitem(routes.COMMANDS, name, (right, spy(name)))
    for kind, (right, _) in routes.TAPS.items():
        reached.clear()
        await hand.forge(sample(kind).pack())
        assert reached == ([kind] if right in HAS[role] else []), kind
    for name, (right, _) in routes.COMMANDS.items():
        reached.clear()
        await hand.say(f"/{name}")
        assert reached == ([name] if right in HAS[role] else []), name


@pytest.mark.parametrize("role", ROLES)
async def test_texts_are_taken_from_those_who_were_asked(
    role: str, stranger: Hand, officer: MakeHand, country: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only senders who are not linked may answer with a username, only officers anything else."""
    hand = await officer_of(role, stranger, officer, country)
    reached: list[Awaiting] = []

    def spy(step: Awaiting) -> Callable[[Turn, str], Awaitable[Screen]]:
        async def handler(turn: Turn, _text: str) -> Screen:
            reached.append(step)
            return Screen(turn.texts("Home"))

        return handler

    for step, question in list(routes.QUESTIONS.items()):
        monkeypatch.setitem(routes.QUESTIONS, step, replace(question, take=spy(step)))
    for step, question in routes.QUESTIONS.items():
        async with country.write() as session:
            await session.execute(update(Conversation).values(awaiting=step))
        reached.clear()
        await hand.say("ข้อความ")
        is_taken = question.right in HAS[role] and (step is Awaiting.USERNAME) is (role == "stranger")
        assert reached == ([step] if is_taken else []), step


async def test_who_tries_what_it_may_not_is_recorded(officer: MakeHand, stranger: Hand, country: Database) -> None:
    hand = await officer()
    await stranger.say("/start")
    for sender, data in ((hand, ProvinceMenu()), (stranger, LaoReview()), (hand, ProvinceHistory("6120401", 0))):
        await sender.forge(data)
    async with country.read() as session:
        chains = await session.execute(
            select(AuditEvent.chain, func.count()).where(AuditEvent.kind == Event.REFUSED).group_by("chain")
        )
        assert dict(chains.all()) == {"5110201": 2, "system": 1}


async def test_what_a_stranger_tries_again_and_again_is_one_event_a_day(stranger: Hand, country: Database) -> None:
    await stranger.say("/start")
    for _ in range(5):
        await stranger.say("/verify")
    async with country.read() as session:
        refused = select(func.count()).select_from(AuditEvent).where(AuditEvent.kind == Event.REFUSED)
        assert await session.scalar(refused) == 1
        assert await session.scalar(select(RepeatedRefusal.more)) == 4


def table(heading: str) -> dict[str, str]:
    """The rows of a table of docs/security.md: its first column and its second."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    section = text.split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]
    return dict(re.findall(r"^\| `([^`]+)` \| (\w+) \|", section, re.MULTILINE))


def test_the_table_of_rights_is_that_of_the_code() -> None:
    assert table("Buttons") == {kind.__name__: right.value for kind, (right, _) in routes.TAPS.items()}
    assert table("Commands in the chat") == {
        f"/{name}": right.value for name, (right, _) in routes.COMMANDS.items()
    }


def test_an_account_has_one_role() -> None:
    assert set(Role) == {Role.LAO, Role.PROVINCE}
