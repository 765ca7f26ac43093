"""Threads for slow work beside the event loop."""

import os
import sys
import threading


def step_back() -> None:
    """To be called first in a thread: it waits for the event loop, never the other way round. Linux has a nice
    value for each thread.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
