"""Search for organizations by what an officer types: a part of the name or code, optionally with the type before
it.

The comparison ignores tone marks, spaces, dots and hyphens (`folded` in models/base/thai.py), because two people
write one name differently.
"""

from sqlalchemy import ColumnElement, and_, func, or_

from models.base import thai
from models.base.errors import DomainError
from models.base.names import with_ink
from models.base.spelling import spelled
from models.organizations.organization import Organization

MAX_WORDS = 100

# Pairs of how officers write a type before a name, and how the matching type_th begins. Every reading counts:
# a typed เทศบาลเมืองคง may be a เทศบาลเมือง called คง, or a เทศบาลตำบล called เมืองคง.
_KINDS: list[tuple[list[str], list[str]]] = [
    (["อบต.", "องค์การบริหารส่วนตำบล"], ["อบต.", "องค์การบริหารส่วนตำบล"]),
    (["อบจ.", "องค์การบริหารส่วนจังหวัด"], ["อบจ.", "องค์การบริหารส่วนจังหวัด"]),
    (["ทต.", "เทศบาลตำบล"], ["เทศบาลตำบล"]),
    (["ทม.", "เทศบาลเมือง"], ["เทศบาลเมือง"]),
    (["ทน.", "เทศบาลนคร"], ["เทศบาลนคร"]),
    (["เทศบาล"], ["เทศบาล"]),
]


class NoSearch(DomainError):
    """The typed text is longer than MAX_WORDS characters, or has neither a letter nor a digit."""


def tidy_words(typed: str) -> str:
    """Return the typed text as it is stored and shown: one line, one spelling, digits as 0-9. Raises NoSearch."""
    words = with_ink(" ".join(thai.arabic_digits(spelled(typed)).split()))
    words = "".join(letter for letter in words if letter.isprintable())
    if len(words) > MAX_WORDS or not any(letter.isalnum() for letter in words):
        raise NoSearch
    return words


def is_called(words: str) -> ColumnElement[bool]:
    """SQL condition on Organization: `words` is a part of its name or code, or names its type and a part of
    both.
    """
    part = thai.folded(words)
    name: ColumnElement[str] = Organization.name_th.expression
    for letters, replacement in thai.FOLDS:
        name = func.replace(name, letters, replacement)
    readings = [name.contains(part, autoescape=True), Organization.dla_code.icontains(part, autoescape=True)]
    for spellings, types in _KINDS:
        is_kind = or_(*(Organization.type_th.startswith(type_prefix, autoescape=True) for type_prefix in types))
        for spelling in map(thai.folded, spellings):
            if part.startswith(spelling):
                name_part = part.removeprefix(spelling)
                readings.append(and_(is_kind, name.contains(name_part, autoescape=True)))
    return or_(*readings)
