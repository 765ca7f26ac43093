"""Updates the catalogs of the chat's texts with Babel: `make messages` extracts the texts from the code.

The catalogs contain only texts that the code uses. The program reads them in handlers/chat/texts.py.
"""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

CODE = Path(__file__).parents[1]
MODELS = CODE.parent / "models"
THAI = Path(__file__).parent / "th" / "LC_MESSAGES" / "laocert.po"

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


def read() -> Catalog:
    """The Thai catalog as stored in the file."""
    with THAI.open("rb") as file:
        return read_po(file, locale="th")


def update() -> list[str]:
    """Update the Thai catalog's file from the code; the texts that have no translation."""
    catalog = read() if THAI.exists() else Catalog(locale="th")
    catalog.update(extract(), no_fuzzy_matching=True)
    with THAI.open("wb") as file:
        write_po(file, catalog, omit_header=True, include_lineno=False, ignore_obsolete=True, width=110)
    return [str(message.id) for message in catalog if message.id and not message.string]
