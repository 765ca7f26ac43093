"""The process that makes files for officers."""

import os
import signal
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime

import pytest

from bot.inbound.files import FileMaker
from handlers.chat.screen import AttachmentKind
from models.province.export import ProvinceList

LISTED = ProvinceList("11", "สมุทรปราการ", "Samut Prakan", 2570, datetime(2026, 11, 1, tzinfo=UTC), ())


def pid_of(maker: FileMaker) -> int:
    assert maker._process is not None
    (pid,) = maker._process._processes
    return pid


async def test_one_process_makes_one_file_after_another() -> None:
    maker = FileMaker()
    try:
        first = await maker.make(AttachmentKind.PROVINCE_LIST, LISTED)
        pid = pid_of(maker)
        assert await maker.make(AttachmentKind.PROVINCE_LIST, LISTED)
        assert (first[:2], pid_of(maker)) == (b"PK", pid)
        assert pid != os.getpid()
    finally:
        maker.close()


async def test_after_a_process_that_was_killed_comes_another() -> None:
    maker = FileMaker()
    try:
        await maker.make(AttachmentKind.PROVINCE_LIST, LISTED)
        os.kill(pid_of(maker), signal.SIGKILL)
        with pytest.raises(BrokenProcessPool):
            await maker.make(AttachmentKind.PROVINCE_LIST, LISTED)
        assert await maker.make(AttachmentKind.PROVINCE_LIST, LISTED)
    finally:
        maker.close()
