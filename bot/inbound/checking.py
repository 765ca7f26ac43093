"""`python -m bot.inbound.checking`: the process in which one file that an officer sent is read
(bot/inbound/uploads.py).

On standard input a line of JSON with the file's name and the organization, then the file; on standard output what
came of it. It ends by itself when the bot does: then its input ends.
"""

import codecs
import os
import sys

import orjson

from bot.runtime.confinement import give_up_everything
from models.imports.sent_file import packed_check

# Bytes of address space, and seconds of a core. Any file is read or refused within 200 MB of memory, of which the
# address space is a multiple, and 2 s (tests/bot/inbound/test_file_cost.py).
MEMORY = 512 << 20
SECONDS = 5
# The codecs that a file may want: Python opens their modules when they are first used, and then it is too late.
# Of a CSV file, of a workbook's parts, and of the names in a ZIP archive.
CODECS = ("utf-8", "utf-8-sig", "cp874", "utf-16", "utf-16-le", "utf-16-be", "ascii", "latin-1", "cp437")


def _bound() -> None:
    """Wait for everybody else, end when a file takes more than any register can, and give up all that reading a
    file does not need.
    """
    for name in CODECS:
        codecs.lookup(name)
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - is not on every system

        # Not the lowest: beside a busy bot it must come to its end, too.
        os.nice(10)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    give_up_everything()


def main() -> None:
    """Check what comes in."""
    _bound()
    told = orjson.loads(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read()
    sys.stdout.buffer.write(packed_check(told["name"], content, told["organization"]))


if __name__ == "__main__":
    main()
