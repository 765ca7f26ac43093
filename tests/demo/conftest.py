"""A folder with the sample data, made once and copied: hashing its passwords takes a second or two."""

import shutil
from pathlib import Path

import pytest

from demo.botapi import Emulator
from demo.clock import FILE, MovedClock
from demo.session import Session
from tests.conftest import apart


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
    """A folder as a demonstration leaves it that nobody used."""
    return shutil.copytree(sample, tmp_path / "kept")
