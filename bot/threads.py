"""Threads for slow work beside the event loop."""

import os
import sys
import threading

LAST = 19


def step_back(nice: int = LAST) -> None:
    """To be called first in a thread: the event loop goes before it. Linux has a nice value for each thread:
    one of 19 gets a seventieth of a core all of which the loop wants, one of 5 a quarter (sched(7)).
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
