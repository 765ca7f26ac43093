"""A bare aiogram on uvloop, with orjson: one answer and one edit a tap, nothing kept."""

import os

import orjson
import uvloop
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import CallbackQuery

dispatcher = Dispatcher()


@dispatcher.callback_query()
async def echo(query: CallbackQuery) -> None:
    """Say which button it was, and keep the buttons."""
    await query.answer()
    await query.message.edit_text(
        f"You tapped <b>{query.data}</b>.", parse_mode="HTML", reply_markup=query.message.reply_markup
    )


async def main() -> None:
    """Poll until killed."""
    session = AiohttpSession(
        api=TelegramAPIServer.from_base(os.environ["LOAD_URL"]),
        json_loads=orjson.loads,
        json_dumps=lambda value: orjson.dumps(value).decode(),
    )
    await dispatcher.start_polling(Bot(os.environ["LOAD_TOKEN"], session=session))


uvloop.run(main())
