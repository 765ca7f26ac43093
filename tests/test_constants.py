"""No test changes a constant of a module: what a test wants otherwise is an argument (bot/service/tuning.py).

A constant that is patched reaches only code that reads it late, and whoever moves it does not see the test.
"""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]+")
# Written in capitals as the one object of its kind, and no constant: what the process has counted so far.
OBJECTS = {"TALLY"}


def changed(source: str) -> list[str]:
    """The constants that a module's code changes, and the calls that name an attribute by a variable."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            names += _patched(node)
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [target.attr for target in targets if isinstance(target, ast.Attribute)]
    return [name for name in names if CONSTANT.fullmatch(name) and name not in OBJECTS]


def _patched(call: ast.Call) -> list[str]:
    """The attribute that a call of setattr, patch or patch.object changes."""
    function = ast.unparse(call.func).rpartition(".")[2]
    if function not in ("setattr", "patch", "object") or len(call.args) < 2:
        return []
    # monkeypatch.setattr and mock.patch take a path, all others an object and a name.
    is_path = function == "patch" or (function == "setattr" and len(call.args) == 2)
    name = call.args[0 if is_path else 1]
    if isinstance(name, ast.JoinedStr):
        name = name.values[-1]
    if isinstance(name, ast.Constant):
        return [str(name.value).rpartition(".")[2]]
    # Nobody can see here whether it is a constant's.
    return ["VARIABLE"]


@pytest.mark.parametrize(
    "code",
    [
        'monkeypatch.setattr(worker, "PARALLEL", 1)',
        'patch.setattr("bot.inbound.worker.PARALLEL", 1)',
        'monkeypatch.setattr(f"bot.{room}.PARALLEL", 1)',
        "for limit in limits: monkeypatch.setattr(worker, limit, 1)",
        'monkeypatch.setattr(worker, "_PARALLEL", 1)',
        'setattr(worker, "PARALLEL", 1)',
        'with patch.object(worker, "PARALLEL", 1): pass',
        'with mock.patch("bot.inbound.worker.PARALLEL", 1): pass',
        "worker.PARALLEL = 1",
        "worker.PARALLEL: int = 1",
        "bot.inbound.worker.PARALLEL += 1",
    ],
)
def test_each_way_to_change_a_constant_is_seen(code: str) -> None:
    assert len(changed(code)) == 1


@pytest.mark.parametrize(
    "code",
    [
        'monkeypatch.setattr(worker, "respond", respond)',
        'monkeypatch.setattr("bot.inbound.worker.respond", respond)',
        'monkeypatch.setattr(f"bot.commands.{module}.now", now)',
        'monkeypatch.setattr(files, "FileMaker", Gate)',
        "worker.respond = respond",
        "PARALLEL = 1",
    ],
)
def test_what_simulates_a_fault_may_stay(code: str) -> None:
    assert changed(code) == []


def test_no_test_changes_a_constant() -> None:
    by_file = {str(path): changed(path.read_text(encoding="utf-8")) for path in TESTS.rglob("*.py")}
    assert {path: names for path, names in by_file.items() if names} == {}
