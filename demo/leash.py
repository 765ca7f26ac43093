"""`python -m demo.leash run`: `laocert run` that ends when the demonstration does, by the demonstration's clock.

The demonstration holds the other end of standard input. When that closes, because it was killed with SIGKILL
too, the bot is told to stop. It works on every system, and the bot itself knows nothing of it, nor of whose
clock it goes by.
"""

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from bot.cli import cli
from bot.commands.run import Surroundings
from bot.service.tuning import PRODUCTION
from bot.telegram.limiter import RATES
from demo.clock import FILE, MovedClock

# Who tries several phones at once taps faster than an officer: the bot keeps no budget, and draws a PIN's dots as
# long as Telegram does not object. Telegram is patient here (demo/botapi/limits.py, LOOSE): a pause is a second.
SURROUNDINGS = Surroundings(
    MovedClock(Path(FILE)), replace(PRODUCTION, rates=replace(RATES, chat_calls=1_000_000))
)

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
    # Started in the demonstration's folder.
    cli.main(sys.argv[1:], prog_name="laocert", obj=SURROUNDINGS)
