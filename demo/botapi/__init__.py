"""An emulated Telegram Bot API server, as strict as the real one, with phones to talk to the bot.

For `make demo` and the tests; the program itself never imports it.

Emulated: the methods in METHODS of api.py; private chats, groups and supergroups; taps; files; getUpdates and
webhooks; Telegram's limits in a weather (limits.py) and faults (faults.py) on demand. Refusals are worded as in
tdlib/telegram-bot-api. Every answer is checked against schema/botapi.json, and what the bot sends against it is in
`Emulator.violations`.

Not emulated: Markdown, inline mode, channels, topics, albums, reactions, polls, payments, business accounts,
administrators among people, TLS. Such a call gets 404 and a violation.

`close()` and then `start()` is an outage: state and port stay.
"""

from demo.botapi.callbacks import Answer
from demo.botapi.emulator import DEFAULT_TOKEN, Emulator
from demo.botapi.errors import ApiError, EmulatorBug
from demo.botapi.groups import Group
from demo.botapi.limits import DESIGN, LOOSE, WEATHERS, CountedCall, Limit, Weather
from demo.botapi.phone import PATIENCE, Phone, Tap
from demo.botapi.state import Button, Chat, Event, Message

__all__ = [
    "DEFAULT_TOKEN",
    "DESIGN",
    "LOOSE",
    "PATIENCE",
    "WEATHERS",
    "Answer",
    "ApiError",
    "Button",
    "Chat",
    "CountedCall",
    "Emulator",
    "EmulatorBug",
    "Event",
    "Group",
    "Limit",
    "Message",
    "Phone",
    "Tap",
    "Weather",
]
