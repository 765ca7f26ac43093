"""`laocert run`."""

import asyncio
import gc

import click

from bot.runtime.clock import Clock, utc_now


@click.command(epilog="Example: LAOCERT_BOT_TOKEN=… LAOCERT_SECRET_KEY=… laocert run")
@click.pass_obj
def run(clock: Clock | None) -> None:
    """Run the bot, by long polling or as a webhook, until it is told to stop."""
    # What is imported stays: to look through it for garbage while it comes is a tenth of the start.
    gc.disable()
    import uvloop  # noqa: PLC0415 - only this command needs the whole bot

    from bot.runtime import logs  # noqa: PLC0415
    from bot.runtime.settings import load_settings, secrets_of  # noqa: PLC0415
    from bot.service import wiring  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    settings = load_settings()
    logs.set_up(settings.log_level, settings.log_format, secrets_of(settings))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(wiring.run(settings, clock or utc_now))
