"""The command line: which commands there are, and how each of them fails (docs/contract.md, Commands)."""

from importlib import import_module

import click

from bot.lazy import Lazy, LazyGroup

INTERRUPTED = 130

COMMANDS = {
    "demo": Lazy("bot.commands.demo:demo", "Start everything with sample data, no token and no internet."),
    "run": Lazy("bot.commands.run:run", "Run the bot."),
    "webhook": Lazy("bot.commands.webhook:webhook", "Have Telegram post updates, or go back to polling."),
    "doctor": Lazy("bot.commands.doctor:doctor", "Look at everything that the bot needs."),
    "db": Lazy("bot.commands.db:db", "The database: upgrade, check, backup, restore."),
    "import": Lazy("bot.commands.imports:import_", "Import organizations, accounts or personnel."),
    "organization": Lazy("bot.commands.organization:organization", "Organizations that get another name, or end."),
    "round": Lazy("bot.commands.round:round_", "The yearly round: open, close, reopen, list."),
    "account": Lazy("bot.commands.account:account", "Accounts and the chats linked to them."),
    "invite": Lazy("bot.commands.invite:invite", "A one-time link for an officer, and its slip for the letter."),
    "officer": Lazy("bot.commands.officer:officer", "Erase an officer's chat data where the law asks for it."),
    "status": Lazy("bot.commands.status:status", "How far the organizations are, by province."),
    "reopen": Lazy("bot.commands.reopen:reopen", "End the certified revision of an organization."),
    "petitions": Lazy("bot.commands.reopen:petitions", "Petitions that wait for a decision."),
    "petition": Lazy("bot.commands.reopen:petition", "Decide a petition."),
    "audit": Lazy("bot.commands.audit:audit", "The record: read it, take heads, verify."),
    "keys": Lazy("bot.commands.keys:keys", "The secret key: seal the rows that decide, move to a new key."),
    "seal": Lazy("bot.commands.seal:seal", "Rows whose seal does not fit: look for them, accept one."),
    "outbox": Lazy("bot.commands.outbox:outbox", "Messages that the bot sends on its own."),
    "broadcast": Lazy("bot.commands.broadcast:broadcast", "Announce something to all officers of a side."),
    "export": Lazy("bot.commands.export:export", "Write what was certified to a file."),
}


class _Refused(click.ClickException):
    """The end of a command that could not do what was asked: its lines on stderr, exit code 1."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))

    def show(self, file: object = None) -> None:
        """No prefix: each line says by itself what and how to mend it."""
        click.echo(self.message, err=True)


class Program(LazyGroup):
    """The root of all commands: turns what they raise into lines and exit codes, never a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("interrupted; what was not finished was not written", err=True)
            ctx.exit(INTERRUPTED)
        except Exception as error:  # the last resort of the whole program
            raise _Refused(import_module("bot.commands.failures").explain(error)) from None


@click.group(
    cls=Program,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: laocert db upgrade",
)
@click.version_option(package_name="laocert", prog_name="laocert")
def cli() -> None:
    """The yearly certification of the personnel registers of Thai local administrative organizations."""
