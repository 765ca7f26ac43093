"""What no name may hold, typed or imported: what nobody sees, and what Telegram would make a link of."""

import re
import unicodedata

# Without ink, though letters, marks or signs by category (Unicode, Default_Ignorable_Code_Point, and the blank of
# braille); marks that Telegram leaves out of a text (td, clean_input_string); and the sign of text that a
# conversion has lost. With them two names look alike, or one looks like another.
WITHOUT_INK = re.compile(
    "[\u030a\u0333\u033f\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffd"
    "\U000e0100-\U000e01ef]"
)

# In any text Telegram finds mentions, hashtags, cashtags, commands, e-mail addresses and links (Bot API,
# MessageEntity), and no bot can tell it not to. A domain's last part is told from the next word of a sentence as
# td does it (MessageEntity.cpp, is_common_tld): not by a capital letter alone, so that Mr.Kim stays a name.
_LINK = re.compile(
    r"[@#]\w|\$[A-Z]|(?<![\w/<>])/[A-Za-z0-9_]|://"
    r"|[\w-]\.(?:(?![A-Z][a-z]+(?!\w))[A-Za-z]{2,}|xn--[\w-]+|ไทย|คอม)(?!\w)"
    r"|\d\.\d+\.\d+\.\d"
)


# Unicode's general categories of what nobody sees: controls, formats (bidi, zero width), surrogates, private use.
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})


def is_unseen(letter: str, also: frozenset[str] = frozenset()) -> bool:
    """Whether nobody sees a letter, or its general category is one of `also`."""
    category = unicodedata.category(letter)
    return category in UNSEEN or category in also or WITHOUT_INK.match(letter) is not None


def with_ink(text: str) -> str:
    """A text without the characters that nobody sees: formats such as zero-width blanks, and what has no ink."""
    return WITHOUT_INK.sub("", "".join(letter for letter in text if unicodedata.category(letter) != "Cf"))


def becomes_link(name: str) -> bool:
    """Whether Telegram would show a part of the name as a link, a mention or a command."""
    return _LINK.search(name) is not None
