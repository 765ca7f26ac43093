"""A bare python-telegram-bot with its defaults: one answer and one edit a tap, nothing kept."""

import os

from telegram import Update
from telegram.ext import Application, CallbackQueryHandler, ContextTypes


async def echo(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
    """Say which button it was, and keep the buttons."""
    query = update.callback_query
    await query.answer()
    await query.edit_message_text(
        f"You tapped <b>{query.data}</b>.", parse_mode="HTML", reply_markup=query.message.reply_markup
    )


application = (
    Application.builder().token(os.environ["LOAD_TOKEN"]).base_url(f"{os.environ['LOAD_URL']}/bot").build()
)
application.add_handler(CallbackQueryHandler(echo))
application.run_polling()
