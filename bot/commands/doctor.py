"""`laocert doctor`: everything that the bot needs, each with `ok` or the mend."""

import asyncio

import click

from bot.commands.common import echo_json, json_option
from bot.runtime.settings import load_settings
from bot.service.doctor import examine
from models.base.errors import DomainError


class NotWell(DomainError):
    """Something is to be mended before the bot can run well."""


@click.command(epilog="Example: laocert doctor --json")
@json_option
def doctor(as_json: bool) -> None:
    """Look at settings, database, Bot API, clock, fonts and port; exit code 1 when one is not as it should be."""
    findings = asyncio.run(examine(load_settings()))
    if as_json:
        echo_json(
            [
                {
                    "name": one.name,
                    "ok": one.mend is None or one.is_warning,
                    "warning": one.is_warning,
                    "said": one.said,
                    "mend": one.mend,
                }
                for one in findings
            ]
        )
    else:
        for one in findings:
            warning = "warning, " if one.is_warning else ""
            click.echo(f"{one.name}: {f'ok, {one.said}' if one.mend is None else warning + one.mend}")
    wrong = sum(one.mend is not None and not one.is_warning for one in findings)
    if wrong:
        raise NotWell(f"{wrong} of {len(findings)} things are to be mended, see above")
