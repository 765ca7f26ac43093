"""The statements to which officers agree by certifying, in versions and languages.

A certificate stores the version and language, so that the exact text on the screen can be shown later. A changed
text is a new version; old versions stay.
"""

import hashlib

from models.chats.conversation import Language

CURRENT = 1

# (version, level) → text by language. The LAO's text is quoted from the procedure (LAO step 2); the province's is
# based on province steps 5 and 6.
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
    """Return the text of a statement. Raises KeyError for an unknown version, level or language."""
    return _TEXTS[version, level][language]


def agreed_statement(name: str) -> str:
    """Return the text of a certificate's `statement`; empty for a certificate from before there were versions.

    Raises KeyError or ValueError for a statement that this program does not have.
    """
    parts = name.split("/")
    if len(parts) != 3:
        return ""
    level, version, language = parts
    return statement(level, Language(language), int(version))


def statement_digest(name: str) -> str:
    """Return the hexadecimal SHA-256 of the text of a certificate's `statement`, for its event.

    Returns an empty string when this program does not have the text.
    """
    try:
        words = agreed_statement(name)
    except (KeyError, ValueError):
        return ""
    return hashlib.sha256(words.encode()).hexdigest() if words else ""


def statement_name(level: str, language: Language) -> str:
    """Return the name of the current statement as a certificate stores it, such as `lao/1/th`."""
    return f"{level}/{CURRENT}/{language}"
