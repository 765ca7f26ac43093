"""The webhook at Telegram: set, looked at, taken away. Updates that wait there are never dropped."""

from dataclasses import dataclass
from datetime import datetime

from telegram import Bot
from telegram.error import BadRequest

from bot.inbound.intake import ALLOWED_UPDATES
from bot.runtime.settings import Hook, host_of
from models.base.errors import DomainError

# Posts under way at once; Telegram's default (Bot API, setWebhook, max_connections, at most 100).
CONNECTIONS = 40


class WebhookRefused(DomainError):
    """The webhook is not as it should be; the message says why and how to mend it."""


@dataclass(frozen=True)
class State:
    """What Telegram says of the webhook. `error` is its last one, which may be over by now."""

    url: str
    pending: int
    max_connections: int | None
    allowed_updates: tuple[str, ...]
    error: str | None
    error_at: datetime | None

    def fault(self, hook: Hook | None) -> str | None:
        """How it differs from the settings, in one line with the mend; None when it does not."""
        if hook is None:
            if not self.url:
                return None
            return f"Telegram posts to {host_of(self.url)}, and LAOCERT_WEBHOOK_URL is not set; {MEND_POLLING}"
        if not self.url:
            return "no webhook is set at Telegram; run: laocert webhook set"
        if self.url != hook.url:
            return f"Telegram posts to {host_of(self.url)}, not to LAOCERT_WEBHOOK_URL; run: laocert webhook set"
        if set(self.allowed_updates) != set(ALLOWED_UPDATES):
            return "Telegram does not post the kinds of updates that this program needs; run: laocert webhook set"
        return None


MEND_POLLING = "run: laocert webhook delete, or set LAOCERT_WEBHOOK_URL"


async def look(bot: Bot) -> State:
    """Ask Telegram. Raises TelegramError."""
    found = await bot.get_webhook_info()
    return State(
        found.url,
        found.pending_update_count,
        found.max_connections,
        tuple(found.allowed_updates or ()),
        found.last_error_message,
        found.last_error_date,
    )


async def set_up(bot: Bot, hook: Hook, connections: int = CONNECTIONS) -> State:
    """Have updates posted to us, also those that wait; what Telegram then says.

    Raises WebhookRefused, TelegramError.
    """
    try:
        await bot.set_webhook(
            hook.url, secret_token=hook.secret, allowed_updates=ALLOWED_UPDATES, max_connections=connections
        )
    except BadRequest as error:
        raise WebhookRefused(f"Telegram does not take LAOCERT_WEBHOOK_URL: {error.message}") from None
    state = await look(bot)
    if fault := state.fault(hook):
        raise WebhookRefused(fault)
    return state


async def take_away(bot: Bot) -> State:
    """Have updates polled again, also those that wait; what Telegram then says. Raises TelegramError."""
    await bot.delete_webhook(drop_pending_updates=False)
    return await look(bot)


# What Telegram's last error means for the operator, by words in it.
_MEANINGS = (
    ("403", "the secret is another one; run laocert webhook set with the secret that run has"),
    ("404", "there is no such path; does the proxy pass on the path of LAOCERT_WEBHOOK_URL?"),
    ("405", "there is no such path; does the proxy pass on the path of LAOCERT_WEBHOOK_URL?"),
    ("413", "the proxy takes too small bodies"),
    ("503", "the database was away; Telegram repeats"),
    ("502", "the proxy does not reach laocert run at LAOCERT_LISTEN"),
    ("504", "the proxy does not reach laocert run at LAOCERT_LISTEN"),
    ("connection refused", "nothing listens at the address of LAOCERT_WEBHOOK_URL"),
    ("connection closed", "nothing answers at the address of LAOCERT_WEBHOOK_URL"),
    ("timed out", "nothing answers in time at the address of LAOCERT_WEBHOOK_URL"),
    ("ssl", "the certificate of the host is not one that Telegram trusts"),
    ("certificate", "the certificate of the host is not one that Telegram trusts"),
    ("resolve", "the host's name is not known"),
)


def meaning(error: str) -> str:
    """What one of Telegram's errors means, and where to look."""
    found = (said for words, said in _MEANINGS if words in error.lower())
    return next(found, "see what the proxy's log and that of laocert run say")
