"""What an officer types to find an organization: a part of its name or code, with or without its kind before it.

Compared without regard to tone marks, blanks, dots and hyphens (models/base/thai.py, folded), in which two people
write one name differently.
"""

from sqlalchemy import ColumnElement, and_, func, or_

from models.base import thai
from models.base.errors import DomainError
from models.base.names import with_ink
from models.base.spelling import spelled
from models.organizations.organization import Organization

MAX_WORDS = 100

# How a kind of organization is written before a name, and how such a type_th begins. All readings count: the
# เทศบาลเมืองคง that somebody types may be a เทศบาลเมือง called คง, or the เทศบาลตำบล called เมืองคง.
_KINDS: list[tuple[list[str], list[str]]] = [
    (["อบต.", "องค์การบริหารส่วนตำบล"], ["อบต.", "องค์การบริหารส่วนตำบล"]),
    (["อบจ.", "องค์การบริหารส่วนจังหวัด"], ["อบจ.", "องค์การบริหารส่วนจังหวัด"]),
    (["ทต.", "เทศบาลตำบล"], ["เทศบาลตำบล"]),
    (["ทม.", "เทศบาลเมือง"], ["เทศบาลเมือง"]),
    (["ทน.", "เทศบาลนคร"], ["เทศบาลนคร"]),
    (["เทศบาล"], ["เทศบาล"]),
]


class NoSearch(DomainError):
    """What was typed is too long to look for, or holds no letter and no digit."""


def tidy_words(typed: str) -> str:
    """What was typed, as it is kept and shown: on one line, digits as 0-9. Raises NoSearch."""
    words = with_ink(" ".join(thai.arabic_digits(spelled(typed)).split()))
    words = "".join(letter for letter in words if letter.isprintable())
    if len(words) > MAX_WORDS or not any(letter.isalnum() for letter in words):
        raise NoSearch
    return words


def is_called(words: str) -> ColumnElement[bool]:
    """A condition on organizations: the words are a part of the name or the code."""
    part = thai.folded(words)
    name: ColumnElement[str] = Organization.name_th.expression
    for letters, replacement in thai.FOLDS:
        name = func.replace(name, letters, replacement)
    readings = [name.contains(part, autoescape=True), Organization.dla_code.icontains(part, autoescape=True)]
    for spellings, types in _KINDS:
        is_kind = or_(*(Organization.type_th.startswith(one, autoescape=True) for one in types))
        for spelling in map(thai.folded, spellings):
            if part.startswith(spelling):
                rest = part.removeprefix(spelling)
                readings.append(and_(is_kind, name.contains(rest, autoescape=True)))
    return or_(*readings)
