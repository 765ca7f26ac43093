"""How wide a button's label is on a phone, how high a screen, and how much room there is for both.

The widths are those of Noto Sans Thai and Noto Sans, with which Android shows Thai and Latin letters, in
thousandths of the size. Telegram writes labels at 15 px, on one line. Its keyboard is as wide as a message, some
277 px of a screen of 360; a label has 15 px less than its button, and what does not fit is cut. The text of a
message is written at 16 px on lines of 22, its keys are 48 px apart, and the client's bars leave 630 px of 740.
"""

import math

SIZE = 15
TEXT_SIZE, TEXT_WIDTH, LINE, KEY, HEIGHT = 16, 256, 22, 48, 630
# Pixels for a label, by how many buttons share its row.
ROOM = {1: 262, 2: 121, 3: 74}
# The width of an emoji: of the widest that is used, with its space.
_EMOJI = 1250
_BY_WIDTH = {
    0: "ัิีึืฺุู็่้๊๋์ํ๎",
    225: "'",
    258: "ijl",
    260: " ",
    268: ",.:;·",
    269: "!",
    273: "J",
    281: "`",
    289: "ใ",
    295: "เ",
    300: "()",
    304: "ไ",
    308: "โ",
    322: "-",
    329: "[]",
    338: "ะ",
    339: "I",
    344: "f",
    361: "t",
    372: "/\\",
    380: "{}",
    406: "าำๅ",
    408: '"',
    413: "r",
    434: "?",
    444: "_",
    470: "z",
    479: "s",
    480: "c",
    488: "ร",
    492: "ว",
    500: "–",
    508: "v",
    510: "y",
    519: "Fฯ",
    524: "L",
    529: "x",
    532: "จ",
    534: "k",
    537: "ง",
    544: "ธ",
    547: "ขฐ",
    549: "Sฃ",
    550: "ช",
    551: "*|",
    556: "ETซ",
    560: "ฮ",
    561: "a",
    564: "e",
    566: "Y",
    568: "แ",
    571: "ล",
    572: "$+0123456789<=>Z^~ส",
    574: "อ",
    584: "฿",
    586: "X",
    587: "ห",
    594: "ย",
    595: "ๆ",
    598: "ฆ",
    600: "Vก",
    602: "ถฤ",
    603: "ฎฏภฦ",
    604: "ฉบ",
    605: "Poป",
    609: "ท",
    613: "น",
    614: "คม",
    615: "bdgpq",
    616: "ด",
    618: "hnu",
    619: "K",
    621: "ฅ",
    622: "R",
    626: "ฑ",
    628: "ศ",
    632: "C",
    636: "ต",
    639: "A",
    640: "ษ",
    646: "#",
    648: "ผ",
    650: "B",
    652: "ฝ",
    668: "ฬ",
    682: "ฟ",
    695: "พ",
    728: "G",
    730: "D",
    731: "U",
    732: "&",
    741: "H",
    760: "N",
    781: "OQ",
    786: "w",
    831: "%",
    899: "@",
    903: "ฒ",
    906: "ฌ",
    907: "M",
    909: "ญณ",
    930: "W",
    935: "m",
}
_WIDTHS = {letter: width for width, letters in _BY_WIDTH.items() for letter in letters}


def width(label: str) -> float:
    """The width in pixels. Variation selectors and marks above or below a letter have no width."""
    return sum(_WIDTHS.get(letter, 0 if letter in "\u200d\ufe0f" else _EMOJI) for letter in label) * SIZE / 1000


def cut(rows: list[list[str]]) -> list[str]:
    """The labels of a keyboard that do not fit into their buttons."""
    return [label for row in rows for label in row if width(label) > ROOM[min(len(row), 3)]]


def height(text: str, rows: int) -> float:
    """The height in pixels of a message with so many rows of buttons."""
    lines = sum(max(1, math.ceil(width(line) * TEXT_SIZE / SIZE / TEXT_WIDTH)) for line in text.split("\n"))
    return lines * LINE + rows * KEY
