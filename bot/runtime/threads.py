"""Priority of threads that do slow work beside the event loop."""

import os
import sys
import threading

# The highest nice value, which is the lowest priority.
LAST = 19


def step_back(by: int = LAST) -> None:
    """Lower the priority of the calling thread: raise its nice value by `by`, up to 19. On Linux only, where each
    thread has its own.

    Beside an event loop that wants the whole core, a thread 19 above it gets a seventieth of the core, one 5 above
    a quarter (sched(7)). The step is relative, because a bot that was started with nice(1) may only go further.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(LAST, os.getpriority(os.PRIO_PROCESS, thread) + by))
