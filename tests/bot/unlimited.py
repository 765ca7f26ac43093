"""`python -m tests.bot.unlimited run`: `laocert run` without rate limits and flood control,
and with a short time until an unsent receipt counts as abandoned.
"""

import sys
from dataclasses import replace

from bot.cli import cli
from bot.commands.run import Surroundings
from bot.inbound.floods import FloodRules
from bot.outbound.courier import COURIER_PACE
from bot.service.tuning import PRODUCTION
from bot.telegram.limiter import RATES

TUNING = replace(
    PRODUCTION,
    rates=replace(RATES, chat_calls=1_000_000, rate=1e6, burst=1e6),
    floods=FloodRules(free=1_000_000, most=1_000_000, newcomers_burst=1e9, others_burst=1e9),
    courier=replace(COURIER_PACE, doubt=5.0, look_for_lost=1.0),
)

if __name__ == "__main__":
    cli.main(sys.argv[1:], prog_name="laocert", obj=Surroundings(tuning=TUNING))
