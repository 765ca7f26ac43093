"""`laocert doctor`: checks everything that the bot needs, and prints `ok` or how to fix it for each."""

import asyncio

import click

from bot.commands.common import echo_json, json_option
from bot.runtime.settings import load_settings
from bot.service.doctor import examine
from models.base.errors import DomainError


class NotWell(DomainError):
    """At least one check has failed; the message says how many."""


@click.command(epilog="Example: laocert doctor --json")
@json_option
def doctor(as_json: bool) -> None:
    """Check settings, database, Bot API, clock, fonts and port; exit code 1 when a check fails."""
    findings = asyncio.run(examine(load_settings()))
    if as_json:
        echo_json(
            [
                {"name": finding.name, "ok": finding.mend is None, "said": finding.detail, "mend": finding.mend}
                for finding in findings
            ]
        )
    else:
        for finding in findings:
            click.echo(f"{finding.name}: {f'ok, {finding.detail}' if finding.mend is None else finding.mend}")
    faults = sum(finding.mend is not None for finding in findings)
    if faults:
        raise NotWell(f"{faults} of {len(findings)} checks failed; see above how to fix them")
