"""`python -m tests.models.imports.fuzz SECONDS [SEED]`: the chat's reader among damaged files.

Files of one register, in each form that is read, are damaged at random: bytes, pieces of their XML, whole parts.
Each is read or refused, raises nothing else, and takes no longer than a file may; what is read from a damaged text
stands in that text. Prints how many were read and refused and the longest; a failure names its seed.
"""

import io
import random
import re
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from models.base.spelling import spelled
from models.base.thai import arabic_digits
from models.imports.sent_file import MAX_BYTES, check_file, packed_check
from models.imports.tabular import ImportRefused
from models.register.draft import SentRoster
from tests.models.imports.files import COLUMNS, FIRST, MENUS, person
from tests.models.imports.workbooks import archive, inline_row, parts_of, shared_strings, worksheet

ROWS = [[*COLUMNS, *MENUS], *(person(number) for number in range(1, 9))]
LIBREOFFICE = Path(__file__).with_name("libreoffice")
# Seconds of a processor; the process that reads is started anew for each file and takes 0.5 s more.
LONGEST = 1.5
# What XML is made of, and numbers that readers trip over.
PIECES = [
    *(
        b'<row r="2">',
        b"</row>",
        b"<c>",
        b"</c>",
        b"<v>",
        b"</v>",
        b'<c r="A2" t="s">',
        b"<is><t>",
        b"<!--",
        b"-->",
    ),
    *(
        b"<![CDATA[",
        b"]]>",
        b"&amp;",
        b"&#0;",
        b"&x;",
        b"<?x?>",
        b'" ',
        b"'",
        b"<",
        b">",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
    ),
    *(
        b"-1",
        b"0",
        b"99999999999999999999",
        b"1e999",
        b"1048577",
        b"XFE1",
        b"NaN",
        b' hidden="1"',
        b't="e"',
        b't="b"',
    ),
    *(
        b"<f>1</f>",
        b"<mergeCells><mergeCell ref='A1:B9'/></mergeCells>",
        b",",
        b";",
        b'"',
        b"\n",
        b"\t",
        b"sep=,\n",
    ),
]


def _shared() -> bytes:
    texts = sorted({text for row in ROWS for text in row})
    rows = "".join(
        f'<row r="{number}">'
        + "".join(
            f'<c r="{"ABCDEFGHI"[place]}{number}" s="1" t="s"><v>{texts.index(text)}</v></c>'
            for place, text in enumerate(row)
        )
        + "</row>"
        for number, row in enumerate(ROWS, 1)
    )
    return archive(parts_of(worksheet(rows), shared_strings(texts)))


def _in_cells() -> bytes:
    return archive(parts_of(worksheet("\n".join(inline_row(number, row) for number, row in enumerate(ROWS, 1)))))


def _text(encoding: str) -> bytes:
    return "\r\n".join(",".join(row) for row in ROWS).encode(encoding)


FILES: list[tuple[str, Callable[[], bytes]]] = [
    ("a.xlsx", _shared),
    ("a.xlsx", _in_cells),
    ("a.xlsx", (LIBREOFFICE / "template-typed.xlsx").read_bytes),
    ("a.csv", lambda: _text("utf-8")),
    ("a.csv", lambda: _text("cp874")),
]


def _damaged(content: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, doubled, moved, left out, or pieces put in."""
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        place = rng.randrange(len(content) + 1)
        end = min(len(content), place + rng.choice((1, 1, 2, 8, 60, 400)))
        what = rng.randrange(6)
        if what == 0:
            content = content[:place] + content[end:]
        elif what == 1:
            content = content[:place] + content[place:end] * rng.choice((2, 3, 500)) + content[end:]
        elif what == 2:
            content = content[:place] + rng.choice(PIECES) + content[place:]
        elif what == 3:
            content = content[:place] + rng.choice(PIECES) + content[end:]
        elif what == 4:
            content = content[:place] + bytes(rng.randrange(256) for _ in range(end - place)) + content[end:]
        else:
            content = _moved(content, rng)
    return content[:MAX_BYTES]


def _moved(content: bytes, rng: random.Random) -> bytes:
    """Two elements, or lines, in one another's place."""
    pieces = re.split(rb"(?=<row |<c |<si>|<xf |\n)", content)
    if len(pieces) > 2:
        one, other = rng.randrange(len(pieces)), rng.randrange(len(pieces))
        pieces[one], pieces[other] = pieces[other], pieces[one]
    return b"".join(pieces)


def damaged_file(name: str, whole: bytes, rng: random.Random) -> bytes:
    """A file with damage inside of its parts, or in its bytes."""
    if name.endswith(".csv") or rng.random() < 0.2:
        return _damaged(whole, rng)
    with zipfile.ZipFile(io.BytesIO(whole)) as source:
        parts: dict[str, str | bytes] = {part: source.read(part) for part in source.namelist()}
    part = rng.choice([part for part in parts if part.endswith((".xml", ".rels"))] + 6 * [_sheet_of(parts)])
    if rng.random() < 0.05:
        del parts[part]
    else:
        content = parts[part]
        parts[part] = _damaged(content if isinstance(content, bytes) else content.encode(), rng)
    return archive(parts)


def _sheet_of(parts: dict[str, str | bytes]) -> str:
    return "xl/worksheets/sheet1.xml" if "xl/worksheets/sheet1.xml" in parts else next(iter(parts))


def fuzzed(seconds: float, seed: int, say: Callable[[str], None] = lambda _line: None) -> int:
    """Read damaged files for so long; how many there were. Raises AssertionError with the seed of a failure."""
    outcomes: Counter[str] = Counter()
    longest, ends = 0.0, time.monotonic() + seconds
    wholes = [(name, make()) for name, make in FILES]
    while time.monotonic() < ends:
        seed += 1
        rng = random.Random(seed)
        number = rng.randrange(len(wholes))
        name, whole = wholes[number]
        content = damaged_file(name, whole, rng)
        started = time.process_time()
        try:
            sent = check_file(name, content, FIRST)
            packed_check(name, content, FIRST)
            outcomes["read"] += 1
        except ImportRefused:
            outcomes["refused"] += 1
        except BaseException as error:
            raise AssertionError(f"{name} of seed {seed}: {type(error).__name__}") from error
        else:
            _require_cells_of_the_file(sent, content, name, seed)
        took = time.process_time() - started
        longest = max(longest, took)
        assert took < LONGEST, f"{name} of seed {seed} took {took:.1f} s"
    say(f"{sum(outcomes.values()):,} files, {dict(outcomes)}, longest {longest:.2f} s, up to seed {seed}")
    return sum(outcomes.values())


def _require_cells_of_the_file(sent: SentRoster, content: bytes, name: str, seed: int) -> None:
    """A register that was read from a damaged text holds nothing that does not stand in that text."""
    if not name.endswith(".csv"):
        return
    text = content.decode("utf-8-sig" if _is_utf8(content) else "cp874")
    # Digits may be Thai, and letters that can be written in several ways are in one.
    plain = re.sub(r'[\s"]+', "", arabic_digits(spelled(text)))
    for record in sent.records:
        for cell in (record.record_no, record.full_name, record.position, record.level):
            assert re.sub(r'[\s"]+', "", arabic_digits(cell)) in plain, (
                f"{name} of seed {seed}: {cell!r} is not in the file"
            )


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


if __name__ == "__main__":
    fuzzed(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % (1 << 30), print)
