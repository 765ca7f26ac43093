"""`python -m bot.inbound.checking`: the process that checks one file that an officer sent
(bot/inbound/uploads.py).

Standard input: a line of JSON, `{"name": file name, "organization": dla_code}`, then the file's bytes. Standard
output: the packed result (`models.imports.sent_file.packed_check`). When the bot dies, standard input ends, and
the process with it.
"""

import codecs
import os
import sys

import orjson

from bot.runtime.confinement import give_up_everything
from models.imports.sent_file import packed_check

# Limits of the process: bytes of address space and seconds of processor time. Any file is read or refused within
# 200 MB of memory and 2 s (tests/bot/inbound/test_file_cost.py); the address space is a multiple of the memory.
MEMORY = 512 << 20
SECONDS = 5
# The codecs that a file may want: Python opens their modules when they are first used, and then it is too late.
# Of a CSV file, of a workbook's parts, and of the names in a ZIP archive.
CODECS = ("utf-8", "utf-8-sig", "cp874", "utf-16", "utf-16-le", "utf-16-be", "ascii", "latin-1", "cp437")


def _limit_resources() -> None:
    """Lower the priority, have the system end the process when a file takes more than any register can, and give
    up every right that reading a file does not need.
    """
    for name in CODECS:
        codecs.lookup(name)
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - is not on every system

        # Not the lowest priority: the check must also finish beside a busy bot.
        os.nice(10)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    give_up_everything()


def main() -> None:
    """Check the file on standard input and write the packed result to standard output."""
    _limit_resources()
    request = orjson.loads(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read()
    sys.stdout.buffer.write(packed_check(request["name"], content, request["organization"]))


if __name__ == "__main__":
    main()
