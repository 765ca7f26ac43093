"""CONTRIBUTING.md names files, functions and tests that are there."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# A row of a walk: the linked module, and the names in it.
STEPS = [
    (file, name)
    for file, names in re.findall(r"^\| \[([\w/]+\.py)\]\([\w/]+\.py\) \| ([^|]+) \|", TEXT, re.MULTILINE)
    for name in re.findall(r"`([\w.]+)`", names)
]


@pytest.mark.parametrize(("file", "name"), STEPS)
def test_a_step_of_a_walk_is_in_its_file(file: str, name: str) -> None:
    found = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        found = getattr(found, part)


def test_the_walks_have_steps() -> None:
    assert len(STEPS) > 25


def test_linked_and_named_files_are_there() -> None:
    linked = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", TEXT)
    named = re.findall(r"`((?:bot|handlers|models|tests|demo|docs|benchmarks|deploy)/[\w/.-]*)`", TEXT)
    assert linked
    assert [path for path in linked + named if not (ROOT / path).exists()] == []


def test_the_tests_of_the_recipes_are_there() -> None:
    commands = re.findall(r"^(?:.* )?pytest ([^\n#]+)", TEXT, re.MULTILINE)
    paths = [word.partition("::")[0] for command in commands for word in command.split() if "tests/" in word]
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_make_targets_are_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)\b", TEXT, re.MULTILINE)) <= targets
