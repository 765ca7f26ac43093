"""setWebhook and its delivery (Client.cpp, process_set_webhook_query; WebhookActor.cpp)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from demo.botapi.api import Api, Webhook, method
from demo.botapi.errors import ApiError, bad_request
from demo.botapi.params import Params
from demo.botapi.updates import Update

_PORTS = (80, 88, 443, 8443)
_LOCAL = ("127.0.0.1", "::1", "localhost")
_SECRET = re.compile(r"[A-Za-z0-9_-]*")
_LONGEST_PAUSE = 60.0
_PATIENCE = aiohttp.ClientTimeout(total=60)
_NOT_IN_ANSWER = ("deletewebhook", "setwebhook", "close", "logout")


@method("setWebhook")
def set_webhook(api: Api, params: Params) -> bool:
    """Deliver updates to a URL from now on. An empty URL means deleteWebhook."""
    url = params.text("url")
    if not url:
        return _unset(api, params)
    api.updates.abort("Conflict: terminated by setWebhook request")
    secret = params.text("secret_token")
    if len(secret) > 256:
        raise bad_request("secret token is too long")
    if not _SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    _check_url(url)
    _drop_pending(api, params)
    api.updates.set_allowed(params)
    connections = params.integer("max_connections", 40, 1, 100)
    api.webhook = Webhook(url, secret, connections, params.text("ip_address"))
    api.updates.webhook_active = True
    if api.updates.on_added is not None:
        api.updates.on_added()
    return True


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise bad_request("invalid webhook URL specified") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise bad_request("invalid webhook URL specified")
    if parts.hostname in _LOCAL:
        return  # like a server in local mode: any port, without TLS
    if parts.scheme == "http":
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if port not in _PORTS:
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")


def _drop_pending(api: Api, params: Params) -> None:
    if params.flag("drop_pending_updates"):
        api.updates.pending.clear()


@method("deleteWebhook")
def delete_webhook(api: Api, params: Params) -> bool:
    """Remove the webhook; the bot polls again."""
    return _unset(api, params)


def _unset(api: Api, params: Params) -> bool:
    _drop_pending(api, params)
    api.webhook = Webhook()
    api.updates.webhook_active = False
    return True


@method("getWebhookInfo")
def get_webhook_info(api: Api, params: Params) -> dict[str, Any]:
    """Return the state of the webhook."""
    api.updates.expire()
    hook = api.webhook
    info: dict[str, Any] = {
        "url": hook.url,
        "has_custom_certificate": False,
        "pending_update_count": len(api.updates.pending),
    }
    if hook.url:
        info["max_connections"] = hook.max_connections
        info["ip_address"] = hook.ip_address or "127.0.0.1"
    if hook.last_error_date:
        info["last_error_date"] = hook.last_error_date
        info["last_error_message"] = hook.last_error
    if api.updates.allowed is not None:
        info["allowed_updates"] = sorted(api.updates.allowed)
    return info


class Courier:
    """Delivers updates to the webhook: each person's in order, several people's in parallel, with retries
    until 2xx.
    """

    def __init__(
        self, api: Api, call: Callable[[str, Params], Any], sleep: Callable[[float], Awaitable[object]]
    ) -> None:
        self._api = api
        self._call = call
        self._sleep = sleep
        self._session: aiohttp.ClientSession | None = None
        self._busy: dict[int, asyncio.Task[None]] = {}
        api.updates.on_added = self.send_ready

    async def close(self) -> None:
        """Stop all deliveries."""
        self._api.updates.on_added = None
        tasks = list(self._busy.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def send_ready(self) -> None:
        """Start the deliveries that may begin now."""
        hook = self._api.webhook
        if not hook.url:
            return
        self._api.updates.expire()
        for update in self._api.updates.pending:
            if len(self._busy) >= hook.max_connections:
                return
            if update.queue not in self._busy:
                self._busy[update.queue] = asyncio.create_task(self._deliver(update, hook))

    async def _deliver(self, update: Update, hook: Webhook) -> None:
        pause = 1.0
        try:
            while self._api.webhook is hook and update in self._api.updates.pending:
                error, retry_after = await self._post(update, hook)
                if not error:
                    if update in self._api.updates.pending:
                        self._api.updates.pending.remove(update)
                    break
                hook.last_error, hook.last_error_date = error, self._api.world.now()
                await self._sleep(retry_after or pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            self._busy.pop(update.queue, None)
        self.send_ready()

    async def _post(self, update: Update, hook: Webhook) -> tuple[str, float]:
        headers = {"Content-Type": "application/json"}
        if hook.secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = hook.secret
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_PATIENCE)
        try:
            async with self._session.post(hook.url, data=update.encoded(), headers=headers) as response:
                body = await response.read()
                if 200 <= response.status <= 299:
                    self._act_on(body)
                    return "", 0.0
                retry_after = response.headers.get("Retry-After", "0")
                error = f"Wrong response from the webhook: {response.status} {response.reason}"
                return error, float(retry_after) if retry_after.isdigit() else 0.0
        except (aiohttp.ClientError, TimeoutError, OSError):
            return "Webhook connection closed", 0.0

    def _act_on(self, body: bytes) -> None:
        """Run the method that an answer of the webhook may contain. Its result is discarded."""
        try:
            values = orjson.loads(body) if body else {}
        except orjson.JSONDecodeError:
            return
        name = str(values.pop("method", "")).lower() if isinstance(values, dict) else ""
        if not name or name in _NOT_IN_ANSWER or name.startswith("get"):
            return
        args = {key: v if isinstance(v, str) else orjson.dumps(v).decode() for key, v in values.items()}
        try:
            self._call(name, Params(args))
        except ApiError as error:
            self._api.complain(f"{name} in an answer to the webhook failed: {error.description}")
