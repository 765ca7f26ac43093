"""`python -m demo.leash run`: `laocert run` with the demonstration's clock, which ends with the demonstration.

The demonstration holds the other end of standard input. When that closes, even because the demonstration was
killed with SIGKILL, a thread sends SIGTERM to the bot's process. This works on every system and needs no support
by the bot.
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

# A visitor with several phones taps faster than an officer. The bot therefore has no budget of calls for each
# chat, and relies on Telegram's 429, which is lenient here (demo/botapi/limits.py, LOOSE): a pause lasts a second.
SURROUNDINGS = Surroundings(
    MovedClock(Path(FILE)), replace(PRODUCTION, rates=replace(RATES, chat_calls=1_000_000))
)

# Seconds after SIGTERM before the process is ended by force.
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
