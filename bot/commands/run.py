"""`laocert run`."""

import asyncio
import gc
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from bot.runtime.clock import Clock, utc_now

if TYPE_CHECKING:
    from bot.service.tuning import Tuning


@dataclass(frozen=True)
class Surroundings:
    """What the demo and the tests, which start the program in their own process, may replace: clock and tuning."""

    clock: Clock = utc_now
    tuning: "Tuning | None" = None


@click.command(epilog="Example: LAOCERT_BOT_TOKEN=… LAOCERT_SECRET_KEY=… laocert run")
@click.make_pass_decorator(Surroundings, ensure=True)
def run(surroundings: Surroundings) -> None:
    """Run the bot, by long polling or as a webhook, until it is told to stop."""
    # Imported modules live to the end: garbage collection during the imports takes a tenth of the start.
    gc.disable()
    import uvloop  # noqa: PLC0415 - only this command needs the whole bot

    from bot.runtime import logs  # noqa: PLC0415
    from bot.runtime.settings import forget_environment, load_settings, secrets_of  # noqa: PLC0415
    from bot.service import wiring  # noqa: PLC0415
    from bot.service.tuning import PRODUCTION  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    settings = load_settings()
    forget_environment()
    logs.set_up(settings.log_level, settings.log_format, secrets_of(settings))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(wiring.run(settings, surroundings.clock, surroundings.tuning or PRODUCTION))
