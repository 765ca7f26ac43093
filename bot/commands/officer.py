"""`laocert officer`: erasing an officer's chat data where the law asks for it."""

import click

from bot.commands.common import now, writing
from models.operator.erasure import Erasure, forget_officer


@click.group(epilog="Example: laocert officer forget 12 --by 'สถ. กองบุคลากร' --reason 'คำขอลบข้อมูล ที่ 7/2570'")
def officer() -> None:
    """Officers, the people behind the linked chats."""


@officer.command(epilog="Example: laocert officer forget 12 --by 'สถ. กองบุคลากร' --reason 'คำขอลบข้อมูล ที่ 7/2570'")
@click.argument("officer_id", type=int)
@click.option("--by", required=True, metavar="NAME", help="Who decides; recorded permanently.")
@click.option(
    "--reason", required=True, metavar="TEXT", help="Why, without the officer's name; recorded permanently."
)
def forget(officer_id: int, by: str, reason: str) -> None:
    """End an officer's link and erase the officer's name, position, PIN and Telegram number, and the chat's data.

    OFFICER_ID is the number in: laocert account links USERNAME --all. The command lists what must not be erased;
    docs/security.md says why.
    """
    erasure = writing(lambda session: forget_officer(session, officer_id, by, reason, now()))
    for line in _report_lines(erasure):
        click.echo(line)


def _report_lines(erasure: Erasure) -> list[str]:
    """The lines that say what was erased, what is left to do, and what stays."""
    lines = [f"officer {erasure.officer_id} is forgotten: name, position, PIN and Telegram number are erased"]
    if erasure.was_linked:
        lines.append("its link has ended")
    if erasure.is_linked_elsewhere:
        lines.append("kept: the data of its chat, which is linked anew as another officer")
    else:
        lines.append("erased: what was kept of its chat")
    if erasure.blanks:
        lines.append(f"to be done by laocert run: {erasure.blanks} messages in the chat are taken away")
    if erasure.other_rows:
        numbers = ", ".join(map(str, erasure.other_rows))
        lines.append(f"not erased: the same person as officer {numbers}; forget these as well, if that is asked")
    if erasure.certificates:
        where = f"{erasure.certificates} certificates, and in the record of them"
        lines.append(f"stays: name, position and Telegram number of the signer in {where}")
    if erasure.remarks:
        lines.append(f"stays: name and position in {erasure.remarks} petitions or remarks")
    lines.append("stays: the Telegram number in the record of events, and all of it in copies made before this")
    return lines
