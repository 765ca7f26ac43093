"""A folder with the sample data, made once and copied: hashing its passwords takes a second or two.

And the page of a demonstration in a browser, which the tests of a module share: they run in the module's loop.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from demo.botapi import Emulator
from demo.clock import FILE, MovedClock
from demo.demonstration import Demonstration
from demo.session import Session
from tests.conftest import apart
from tests.demo.browser import NARROW, Thumb, chromium, demonstrated, opened


async def _make(folder: Path) -> None:
    async with Emulator() as emulator:
        session = Session(folder, emulator, MovedClock(folder / FILE))
        try:
            await session.start()
        finally:
            await session.close()


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    apart(_make(folder))
    return folder


@pytest.fixture
def sample_folder(sample: Path, tmp_path: Path) -> Path:
    """The data folder of an unused demonstration."""
    return shutil.copytree(sample, tmp_path / "kept")


@pytest_asyncio.fixture(loop_scope="module")
async def demonstration(sample_folder: Path) -> AsyncIterator[tuple[Demonstration, str]]:
    async with demonstrated(sample_folder) as running:
        yield running
        assert running[0].session.emulator.violations == []


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", params=[NARROW], ids=["narrow"])
async def thumb(
    browser: Browser, demonstration: tuple[Demonstration, str], request: pytest.FixtureRequest
) -> AsyncIterator[Thumb]:
    async with opened(browser, demonstration[1], request.param, reduced_motion="reduce") as thumb:
        yield thumb
        assert thumb.complaints == []
