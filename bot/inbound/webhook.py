"""The webhook as registered at Telegram: set, read, deleted. Updates that wait there are never dropped."""

from dataclasses import dataclass
from datetime import datetime

from telegram import Bot
from telegram.error import BadRequest

from bot.inbound.intake import ALLOWED_UPDATES
from bot.runtime.settings import Hook, host_of
from models.base.errors import DomainError

# Posts in flight at once: the Bot API's default (setWebhook, max_connections; at most 100).
CONNECTIONS = 40


class WebhookRefused(DomainError):
    """The webhook differs from the settings, or Telegram refused it; the message says why and how to fix it."""


@dataclass(frozen=True)
class State:
    """The webhook's state at Telegram (Bot API, WebhookInfo). `error` is its last error, which may be over.

    `pending`: updates that wait there.
    """

    url: str
    pending: int
    max_connections: int | None
    allowed_updates: tuple[str, ...]
    error: str | None
    error_at: datetime | None

    def fault(self, hook: Hook | None) -> str | None:
        """One line that says how the webhook differs from the settings and how to fix it; None when it does not.

        `hook` is None when the settings want long polling.
        """
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
    """Read the webhook's state from Telegram. Raises TelegramError."""
    info = await bot.get_webhook_info()
    return State(
        info.url,
        info.pending_update_count,
        info.max_connections,
        tuple(info.allowed_updates or ()),
        info.last_error_message,
        info.last_error_date,
    )


async def set_up(bot: Bot, hook: Hook, connections: int = CONNECTIONS) -> State:
    """Set the webhook at Telegram, which then posts the waiting updates too; its state afterwards.

    Raises WebhookRefused when Telegram refuses the URL or reports another state than was set; TelegramError.
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
    """Delete the webhook, so that updates can be polled, the waiting ones too; its state. Raises TelegramError."""
    await bot.delete_webhook(drop_pending_updates=False)
    return await look(bot)


# Advice for the operator by words of Telegram's last error.
_MEANINGS = (
    ("403", "the secrets differ; run laocert webhook set with the secret that run has"),
    ("404", "there is no such path; does the proxy pass on the path of LAOCERT_WEBHOOK_URL?"),
    ("405", "there is no such path; does the proxy pass on the path of LAOCERT_WEBHOOK_URL?"),
    ("413", "the proxy limits bodies to a smaller size"),
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
    """The operator's advice for an error that Telegram reports for the webhook; for an unknown one, to look into
    the logs.
    """
    meanings = (advice for words, advice in _MEANINGS if words in error.lower())
    return next(meanings, "see what the proxy's log and that of laocert run say")
