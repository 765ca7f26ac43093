"""`python -m demo.leash run …`: `laocert run …` that ends when the demonstration does, however that ends.

The demonstration holds the other end of standard input. When that closes, because it was killed with SIGKILL
too, the bot is told to stop. It works on every system, and the bot itself knows nothing of it.
"""

import os
import runpy
import signal
import threading
import time

# Seconds that the bot is given to stop by itself.
GRACE = 15.0


def _watch() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_watch, daemon=True).start()
    runpy.run_module("bot", run_name="__main__", alter_sys=True)
