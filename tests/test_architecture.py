"""What docs/architecture.md names is there: the functions of the two ways, the rooms, and every file."""

import importlib
import re
from pathlib import Path

import pytest

from models.security.row_seal import SealedRow

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FLOORS = ("models", "handlers", "bot")
# The most modules that a room holds, the commands and the migrations excepted.
MOST = 10


def section(heading: str) -> str:
    return TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def names(heading: str) -> list[str]:
    """The functions that the table of a section names in its first column and in its text."""
    return sorted(set(re.findall(r"`((?:bot|handlers|models)(?:\.\w+)+)`", section(heading))))


@pytest.mark.parametrize("name", names("The way of a tap") + names("The way of a notice"))
def test_the_functions_of_the_ways_are_there(name: str) -> None:
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return
    pytest.fail(f"no module of {name}")


def test_the_ways_name_functions() -> None:
    assert len(names("The way of a tap")) > 10
    assert len(names("The way of a notice")) > 6


@pytest.mark.parametrize("document", sorted(ROOT.glob("docs/**/*.md")), ids=lambda path: path.name)
def test_the_files_that_documents_name_are_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`((?:bot|handlers|models|tests|demo|benchmarks)/[\w/.]+)`", text)
    named += re.findall(r"`(test_\w+\.py)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("floor", FLOORS)
def test_every_room_is_listed_in_its_order(floor: str) -> None:
    row = next(line for line in section("The rooms").splitlines() if line.startswith(f"| `{floor}/`"))
    listed = re.findall(r"`(\w+)`", row.split("|")[2])
    rooms = [path.parent.name for path in (ROOT / floor).glob("*/__init__.py")]
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split(f'containers = ["{floor}"]')[1]
    ordered = re.findall(r'"(\w+)"', contract.split("]")[0])
    assert set(rooms) - {"locales"} <= set(listed)
    assert [name for name in listed if name in ordered] == ordered


@pytest.mark.parametrize("floor", FLOORS)
def test_no_room_is_too_large_to_be_taken_in(floor: str) -> None:
    folders = {path.parent for path in (ROOT / floor).glob("**/__init__.py")} - {ROOT / "bot" / "commands"}
    for folder in folders:
        modules = [path.name for path in folder.glob("*.py") if path.name not in ("__init__.py", "routes.py")]
        assert len(modules) <= MOST, folder


@pytest.mark.parametrize("floor", FLOORS)
def test_every_room_says_what_it_is_for_and_what_is_elsewhere(floor: str) -> None:
    for init in (ROOT / floor).glob("*/__init__.py"):
        doc = importlib.import_module(f"{floor}.{init.parent.name}").__doc__ or ""
        assert len(re.findall(r"[.](?:\s|$)", doc)) >= 2, init


def test_tests_of_models_need_neither_the_bot_nor_the_demonstration() -> None:
    for path in (ROOT / "tests" / "models").glob("**/*.py"):
        imported = re.findall(
            r"^(?:from|import) (bot|demo|tests\.chat)\b", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        assert not imported, path


def _sealed() -> set[str]:
    """The models whose rows are sealed."""
    return {model.__name__ for model in SealedRow.__subclasses__()}


# Of one whose seal does not fit; with their seals among the values.
STATEMENTS_OF_SEALED_ROWS = {
    ("models/links/link.py", "Officer"),
    ("models/accounts/throttle.py", "Throttle"),
    ("models/imports/organizations.py", "Organization"),
}


def test_no_statement_writes_many_sealed_rows_without_their_seals() -> None:
    """The session seals its objects; a statement on the table needs models/audit/row_seal.py, or has the seals."""
    statement = re.compile(
        r"\b(?:update|insert|conflict_insert|insert_of)\((?:\w+, )?(\w+)(?:\.core\(\)|\.__table__)?\)"
    )
    bound = re.compile(r"table = (\w+)\.core\(\)")
    written = set()
    for path in [*ROOT.glob("models/**/*.py"), *ROOT.glob("demo/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        for match in statement.finditer(text):
            tables = list(bound.findall(text[: match.start()])) if match[1] == "table" else [match[1]]
            written |= {(str(path.relative_to(ROOT)), name) for name in tables[-1:] if name in _sealed()}
    assert written == STATEMENTS_OF_SEALED_ROWS
