"""`laocert webhook`: sets the webhook at Telegram, shows its state, and deletes it to return to long polling."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from bot.commands.common import echo_json, json_option, thai_time
from bot.inbound import webhook as hooks
from bot.runtime.settings import Hook, Settings, SettingsRefused, hook_of, load_settings, require_bot
from bot.telegram.api import short_lived

T = TypeVar("T")


@click.group(epilog="Example: laocert webhook info")
def webhook() -> None:
    """Set, show and delete the webhook. Updates that wait at Telegram are never dropped."""


@webhook.command("set", epilog="Example: laocert webhook set")
@click.option(
    "--connections",
    type=click.IntRange(1, 100),
    default=hooks.CONNECTIONS,
    show_default=True,
    metavar="N",
    help="How many updates Telegram posts at once.",
)
def set_(connections: int) -> None:
    """Have Telegram post updates to LAOCERT_WEBHOOK_URL."""
    settings = load_settings()
    hook = _require_hook(settings)
    state = _asking(settings, lambda bot: hooks.set_up(bot, hook, connections))
    click.echo(f"Telegram posts updates to {hook.url}; {state.pending} wait there")


@webhook.command(epilog="Example: laocert webhook info --json")
@json_option
def info(as_json: bool) -> None:
    """Show where Telegram posts updates, and its last error; exit code 1 when that differs from the settings."""
    settings = load_settings()
    state = _asking(settings, hooks.look)
    fault = state.fault(hook_of(settings))
    if as_json:
        echo_json(
            {
                "ok": fault is None,
                "fault": fault,
                "url": state.url or None,
                "pending": state.pending,
                "max_connections": state.max_connections,
                "allowed_updates": state.allowed_updates,
                "last_error": state.error,
                "last_error_at": state.error_at,
                "last_error_means": state.error and hooks.meaning(state.error),
            }
        )
    else:
        click.echo(
            f"Telegram posts updates to {state.url}" if state.url else "updates are polled: no webhook is set"
        )
        click.echo(f"{state.pending} updates wait at Telegram")
        if state.error and state.error_at:
            click.echo(f"last error, {thai_time(state.error_at)}: {state.error}: {hooks.meaning(state.error)}")
    if fault is not None:
        raise hooks.WebhookRefused(fault)


@webhook.command(epilog="Example: laocert webhook delete")
def delete() -> None:
    """Delete the webhook, so that updates are polled; those that wait stay at Telegram until then."""
    state = _asking(load_settings(), hooks.take_away)
    click.echo(f"no webhook is set; {state.pending} updates wait at Telegram to be polled")


def _require_hook(settings: Settings) -> Hook:
    hook = hook_of(settings)
    if hook is None:
        raise SettingsRefused("LAOCERT_WEBHOOK_URL is not set; give the URL that Telegram is to post to")
    return hook


def _asking(settings: Settings, ask: Callable[[Bot], Awaitable[T]]) -> T:
    """Run `ask` with a client of the Bot API; its result. Raises SettingsRefused, WebhookRefused."""
    token, _keys = require_bot(settings)

    async def run() -> T:
        async with short_lived(token, settings.api_url) as bot:
            return await ask(bot)

    try:
        return asyncio.run(run())
    except InvalidToken:
        raise SettingsRefused("LAOCERT_BOT_TOKEN is not known to Telegram; see @BotFather") from None
    except TelegramError as error:
        raise hooks.WebhookRefused(f"the Bot API cannot be asked: {error.message}; try again") from None
