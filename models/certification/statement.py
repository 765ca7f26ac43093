"""What an officer agrees to with the irreversible press, word by word, in versions.

A certificate names the version and the language, so that it can be read later what was on the screen. A change of
words is a new version; old ones stay.
"""

import hashlib

from models.chats.conversation import Language

CURRENT = 1

# (version, level) → text by language. The LAO's is the procedure's own (LAO step 2); the province's rests on
# province steps 5 and 6.
_TEXTS: dict[tuple[int, str], dict[Language, str]] = {
    (1, "lao"): {
        Language.THAI: "หากรับรองข้อมูลแล้ว อปท. จะไม่สามารถแก้ไขหรือบันทึกข้อมูลใดๆ เพิ่มเติมได้อีก",
        Language.ENGLISH: "Once certified, the LAO can no longer edit or record any data.",
    },
    (1, "province"): {
        Language.THAI: "โปรดรับรองเมื่อจำนวนตรงกับข้อเท็จจริงเท่านั้น รับรองแล้วยกเลิกไม่ได้",
        Language.ENGLISH: "Certify only if the numbers match the facts. It cannot be taken back.",
    },
}


def statement(level: str, language: Language, version: int = CURRENT) -> str:
    """The text that was on the screen."""
    return _TEXTS[version, level][language]


def agreed_statement(name: str) -> str:
    """The words behind a certificate's `statement`; empty for one from before there were versions."""
    parts = name.split("/")
    if len(parts) != 3:
        return ""
    level, version, language = parts
    return statement(level, Language(language), int(version))


def statement_digest(name: str) -> str:
    """SHA-256 of the words behind a certificate's `statement`, hexadecimal: what its event says of them. Empty
    where this program has no such words.
    """
    try:
        words = agreed_statement(name)
    except (KeyError, ValueError):
        return ""
    return hashlib.sha256(words.encode()).hexdigest() if words else ""


def statement_name(level: str, language: Language) -> str:
    """How a certificate names the current text: `lao/1/th`."""
    return f"{level}/{CURRENT}/{language}"
