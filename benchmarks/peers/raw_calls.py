"""The HTTP calls alone, over aiohttp on uvloop: the same poll, answer and edit, with nothing around them."""

import asyncio
import os
from typing import Any

import aiohttp
import orjson
import uvloop

BASE = f"{os.environ['LOAD_URL']}/bot{os.environ['LOAD_TOKEN']}"


async def call(client: aiohttp.ClientSession, method: str, **parameters: object) -> Any:
    """Call a method, and return its result."""
    async with client.post(f"{BASE}/{method}", json=parameters) as response:
        return orjson.loads(await response.read())["result"]


async def echo(client: aiohttp.ClientSession, query: dict[str, Any]) -> None:
    """Say which button it was, and keep the buttons; both calls at once."""
    message = query["message"]
    await asyncio.gather(
        call(client, "answerCallbackQuery", callback_query_id=query["id"]),
        call(
            client,
            "editMessageText",
            chat_id=message["chat"]["id"],
            message_id=message["message_id"],
            text=f"You tapped <b>{query['data']}</b>.",
            parse_mode="HTML",
            reply_markup=message["reply_markup"],
        ),
    )


async def main() -> None:
    """Poll until killed."""
    offset, tasks = 0, set()
    async with aiohttp.ClientSession(json_serialize=lambda value: orjson.dumps(value).decode()) as client:
        while True:
            for update in await call(client, "getUpdates", offset=offset, timeout=20, limit=100):
                offset = update["update_id"] + 1
                task = asyncio.create_task(echo(client, update["callback_query"]))
                tasks.add(task)
                task.add_done_callback(tasks.discard)


uvloop.run(main())
