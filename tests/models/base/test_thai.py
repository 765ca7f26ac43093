"""Thai dictionary order and digits."""

import random

from models.base.thai import arabic_digits, sort_key

# In the order of a Thai dictionary: a leading vowel sorts after its consonant, tone marks count on ties only.
IN_ORDER = [
    "กก",
    "กระบี่",
    "กลาง",
    "แก่งคอย",
    "ขามเฒ่า",
    "ไชยา",
    "เทพารักษ์",
    "ไทรม้า",
    "บางปู",
    "บางปู่",
    "บางพลี",
    "แพรกษา",
    "แพรกษาใหม่",
    "สันป่าตอง",
    "โสธร",
    "หนอง",
]


def test_dictionary_order() -> None:
    shuffled = random.Random(5).sample(IN_ORDER, len(IN_ORDER))
    assert sorted(shuffled, key=sort_key) == IN_ORDER
    assert sorted(shuffled) != IN_ORDER


def test_digits() -> None:
    assert arabic_digits("๐๑๒๓๔๕๖๗๘๙ กข 12") == "0123456789 กข 12"
