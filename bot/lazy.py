"""A click group that imports a command's module only when it is called, so that `laocert --help` is fast."""

from importlib import import_module
from typing import NamedTuple

import click


class Lazy(NamedTuple):
    """Where a command is defined (`package.module:name`), and its line in the group's help."""

    target: str
    help: str


class LazyGroup(click.Group):
    """A group whose commands are given by name in `lazy`."""

    def __init__(self, *args: object, lazy: dict[str, Lazy] | None = None, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of `lazy`, which is that of a year's work."""
        return [*self._lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None for an unknown name."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, name = self._lazy[cmd_name].target.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands for the help, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in self._lazy.items()])
