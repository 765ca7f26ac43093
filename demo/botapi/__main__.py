"""Run the emulated server by hand: `python -m demo.botapi --port 8082`.

Lines typed on the terminal are sent by one person; `#label` taps a button; the chat is shown as it changes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from demo.botapi import DEFAULT_TOKEN, Chat, Emulator, Event, Phone


def _show(chat: Chat, event: Event) -> None:
    buttons = event.message.labels if event.message is not None else []
    labels = f"  [{' | '.join(buttons)}]" if buttons else ""
    print(f"{chat.id} {event.kind}: {event.text}{labels}", flush=True)


async def _say(phone: Phone, line: str) -> None:
    try:
        if line.startswith("#"):
            await phone.tap(line[1:])
        elif line:
            await phone.send(line)
    except AssertionError as error:
        print(error, flush=True)


async def _run(port: int, token: str) -> None:
    async with Emulator(token, port=port) as emulator:
        emulator.subscribe(_show)
        phone = emulator.phone("สมชาย", last_name="ใจดี")
        print(f"root {emulator.url}  token {token}", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            await _say(phone, line.strip())
        await asyncio.Event().wait()  # without a terminal: serve until stopped


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m demo.botapi", description="An emulated Bot API server.")
    parser.add_argument("--port", type=int, default=8082)
    parser.add_argument("--token", default=DEFAULT_TOKEN)
    options = parser.parse_args()
    try:
        asyncio.run(_run(options.port, options.token))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
