"""The cost of checking any file: at most 2 s of processor time and 200 MB of memory."""

import subprocess
import sys
from collections.abc import Callable

import orjson
import pytest

from bot.inbound import checking
from models.imports.sent_file import MAX_BYTES
from tests.models.imports.costly import TEXTS, WORKBOOKS
from tests.models.imports.files import FIRST

# Runs the checking process and prints its cost; in a process of its own, to measure nothing else.
_MEASURE = """
import resource, subprocess, sys
check = [sys.executable, "-m", "bot.inbound.checking"]
out = subprocess.run(check, stdin=sys.stdin, stdout=subprocess.PIPE).stdout
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.stdout.flush()
sys.stdout.buffer.write(out)
"""
# Processor time that counting to 20 million took on the machine on which 2 s were measured. A slower machine, and
# one whose cores are shared with other tests, is allowed as much more.
_COUNT = """
import resource
for _ in range(20_000_000): pass
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime)
"""
COUNTED_IN = 0.42
# The limit on that machine, with other tests beside it.
SECONDS = 3.0
MEMORY = 200 << 10
FILES = [(name, ".xlsx", make) for name, make in WORKBOOKS.items()] + [
    (name, ".csv", make) for name, make in TEXTS.items()
]


# One file of each sort that is made fast; the others run with --torture.
IN_THE_SUITE = {
    "5,000 rows and 200 menus",
    "a formatted cell far down",
    "a million attributes",
    "cells in the last column",
    "100 MB of strings",
    "900,000 strings",
    "deep elements",
    "a comment of 80 MB",
    "entities of entities",
    "another way of packing",
    "empty lines",
    "wide lines",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each file; with --torture also for those that take long to make."""
    if "make" in metafunc.fixturenames:
        is_full = metafunc.config.getoption("--torture")
        files = [file for file in FILES if is_full or file[0] in IN_THE_SUITE]
        metafunc.parametrize(
            ("suffix", "make"), [parameters for _, *parameters in files], ids=[name for name, *_ in files]
        )


def test_any_file_is_read_or_refused_within_its_bounds(suffix: str, make: Callable[[], bytes]) -> None:
    content = make()
    assert len(content) <= MAX_BYTES
    request = orjson.dumps({"name": f"a{suffix}", "organization": FIRST})
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE], input=request + b"\n" + content, stdout=subprocess.PIPE, check=True
    )
    cost, _, outcome = done.stdout.partition(b"\n")
    seconds, memory = map(float, cost.split())
    counted = float(subprocess.run([sys.executable, "-c", _COUNT], stdout=subprocess.PIPE, check=True).stdout)
    assert orjson.loads(outcome)
    assert seconds < SECONDS * max(1.0, counted / COUNTED_IN)
    assert memory < MEMORY


def test_the_process_itself_is_bounded() -> None:
    assert checking.SECONDS <= 5
    assert checking.MEMORY <= 512 << 20
