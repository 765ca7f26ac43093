"""Updates the catalogs of the chat's texts with Babel: `make messages` extracts the texts from the code.

The catalogs contain only texts that the code uses. The program reads them in handlers/chat/texts.py.
"""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

CODE = Path(__file__).parents[1]
MODELS = CODE.parent / "models"
CATALOGS = Path(__file__).parent

# Calls whose argument is a text: Texts under its two names, its plain form, profile.ask (second argument),
# english.
_KEYWORDS = {"_": None, "texts": None, "plain": None, "ask": (2,), "english": None}
# In models only the problems of files are texts for the chat (models/imports/tabular/problems.py).
_OF_FILES = {"english": None}


def extract() -> Catalog:
    """A catalog of all texts in the code, without translations."""
    catalog = Catalog()
    for folder, keywords in ((CODE, _KEYWORDS), (MODELS, _OF_FILES)):
        for file_name, _line, message, comments, _context in extract_from_dir(folder, keywords=keywords):
            catalog.add(message, locations=[(file_name, 0)], auto_comments=comments)
    return catalog


def languages() -> list[str]:
    """The languages that have a catalog; English has none, because the texts in the code are English."""
    return sorted(path.parents[1].name for path in CATALOGS.glob("*/LC_MESSAGES/laocert.po"))


def _file_of(language: str) -> Path:
    return CATALOGS / language / "LC_MESSAGES" / "laocert.po"


def read(language: str = "th") -> Catalog:
    """The catalog of a language as it is kept."""
    with _file_of(language).open("rb") as file:
        return read_po(file, locale=language)


def update() -> list[str]:
    """Bring every catalog up to date; the texts that now want a translation, each with its language."""
    in_code, missing = extract(), []
    for language in languages():
        catalog = read(language)
        catalog.update(in_code, no_fuzzy_matching=True)
        with _file_of(language).open("wb") as file:
            write_po(file, catalog, omit_header=True, include_lineno=False, ignore_obsolete=True, width=110)
        missing += [f"{language}: {message.id}" for message in catalog if message.id and not message.string]
    return missing
