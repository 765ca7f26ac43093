"""Threads for slow work beside the event loop."""

import os
import sys
import threading

LAST = 19


def step_back(by: int = LAST) -> None:
    """To be called first in a thread: the event loop goes before it. Linux has a nice value for each thread: one
    19 behind the loop gets a seventieth of a core all of which the loop wants, one 5 behind a quarter (sched(7)).

    Counted from where the thread is: a bot that was started with nice(1) may go further back, but not forward.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(LAST, os.getpriority(os.PRIO_PROCESS, thread) + by))
