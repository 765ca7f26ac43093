"""Priority of threads beside the event loop."""

import os
import sys
import threading
from collections.abc import Callable

import pytest

from bot.runtime.threads import LAST, step_back

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no nice value of its own")


def nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def in_a_thread(*steps: Callable[[], object]) -> list[int]:
    """The nice value after each step."""
    seen = []

    def go() -> None:
        for step in steps:
            step()
            seen.append(nice())

    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    return seen


def test_a_thread_steps_back_and_its_process_does_not() -> None:
    before = nice()
    assert in_a_thread(lambda: step_back(5)) == [min(LAST, before + 5)]
    assert nice() == before


def test_where_the_bot_was_started_with_nice_it_steps_further_back() -> None:
    """Only root may raise a priority: the thread would fail, and no password could be checked."""
    first, then = in_a_thread(lambda: step_back(7), lambda: step_back(5))
    assert then == min(LAST, first + 5)
    assert in_a_thread(step_back) == [LAST]
