"""`laocert demo`."""

from pathlib import Path

import click


@click.command(epilog="Example: laocert demo --port 8080 --keep ./demo-data")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Port of the page.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep the data in this folder.")
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
def demo(port: int, keep: Path | None, no_open: bool) -> None:
    """Start the whole system with sample data, without a token and without the internet."""
    # The one way from bot to demo (pyproject.toml exempts it by name): only this command needs it.
    from demo.main import show  # noqa: PLC0415

    show(port, keep, open_browser=not no_open)
