"""`python -m bot` and the console script `laocert`."""

import sys

from bot.cli import INTERRUPTED, cli


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        cli.main(prog_name="laocert")
    except KeyboardInterrupt:
        # Outside a command; within one bot.cli handles the interruption.
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
