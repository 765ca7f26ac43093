"""`python -m benchmarks.unlimited run`: `laocert run` for officers who tap faster than Telegram lets a chat be
edited, for what measures the program and not its patience.
"""

import sys
from dataclasses import replace

from bot.cli import cli
from bot.commands.run import Surroundings
from bot.service.tuning import PRODUCTION
from bot.telegram.limiter import RATES

TUNING = replace(PRODUCTION, rates=replace(RATES, chat_calls=1_000_000, rate=1e6, burst=1e6))

if __name__ == "__main__":
    cli.main(sys.argv[1:], prog_name="laocert", obj=Surroundings(tuning=TUNING))
