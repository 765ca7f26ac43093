"""No test patches a module's constant. A value that tests need to change is an argument (bot/service/tuning.py).

A patched constant affects only code that reads it at run time, and the test breaks silently when the constant
moves.
"""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]+")
# Objects with names in capitals that are no constants: the counters of the process.
OBJECTS = {"TALLY"}


def changed(source: str) -> list[str]:
    """Return the constants that a module's code changes; "VARIABLE" for a patch whose target is a variable."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            names += _patched(node)
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [target.attr for target in targets if isinstance(target, ast.Attribute)]
    return [name for name in names if CONSTANT.fullmatch(name) and name not in OBJECTS]


def _patched(call: ast.Call) -> list[str]:
    """Return the name of the attribute that a call of setattr, patch or patch.object changes, in a list."""
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
    # Whether it names a constant cannot be known.
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
