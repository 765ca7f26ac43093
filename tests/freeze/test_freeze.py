"""What is stored, signed, sent or matched by name stays as it is, until a commit changes it and its snapshot.

The snapshot is tests/freeze/outside.txt; `make freeze` writes it anew.
"""

import difflib
import tomllib
from pathlib import Path

import pytest

from models.audit import event_chain
from tests.freeze import outside

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def written() -> dict[str, list[str]]:
    return outside.written()


@pytest.mark.parametrize("title", outside.SECTIONS)
def test_the_outside_is_as_written_down(title: str, written: dict[str, list[str]]) -> None:
    before, now = written.get(title, []), outside.lines_of(title)
    assert now, "nothing was found: the test looks in the wrong place"
    # Behind the two lines with the names of what is compared.
    compared = list(difflib.unified_diff(before, now, n=0, lineterm=""))[2:]
    changes = [line for line in compared if not line.startswith("@@")]
    assert not changes, "\n".join([f"{title}:", *changes, "Where that is meant: make freeze"])


def test_the_snapshot_has_no_other_sections(written: dict[str, list[str]]) -> None:
    assert list(written) == list(outside.SECTIONS)


def test_every_event_is_found_in_the_source() -> None:
    assert {line.partition(":")[0] for line in outside.lines_of(outside.EVENTS)} == set(event_chain.Event)


def test_nothing_in_the_source_was_too_hard_to_read(written: dict[str, list[str]]) -> None:
    assert not [line for lines in written.values() for line in lines if "(not known)" in line]


def test_every_data_file_goes_into_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packed = {
        path
        for package, patterns in settings["tool"]["setuptools"]["package-data"].items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    assert {path.name for path in outside.data_files() if path not in packed} == set()
