"""Texts in the two languages, and the one place where outside text is escaped.

The source of every text is its English form in the code; handlers/locales holds the Thai one. Values put into a
text are escaped by markupsafe, so a name can never become markup (Bot API, HTML style).
"""

import gettext
import io
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path

from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup

from models.base.calendar import BANGKOK, BUDDHIST_ERA
from models.chats.conversation import Language

LOCALES = Path(__file__).parents[1] / "locales"


@cache
def _catalog(language: Language) -> gettext.NullTranslations:
    """The catalog of a language; English is the texts themselves."""
    if language is Language.ENGLISH:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with (LOCALES / language / "LC_MESSAGES" / "laocert.po").open("rb") as source:
        write_mo(compiled, read_po(source, language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


class Texts:
    """The texts of one language. Handlers call it `_`, so that Babel finds what is to be translated. `contact` is
    how the operator is reached (LAOCERT_CONTACT), or empty.
    """

    def __init__(self, language: Language, contact: str = "") -> None:
        self.language = language
        self._contact = contact
        self._catalog = _catalog(language)

    def __call__(self, message: str, **values: object) -> Markup:
        """A text for a message: HTML, with all values escaped but those that are Markup already."""
        # The template comes from our own catalogs; markupsafe escapes the values.
        return Markup(self._catalog.gettext(message)).format(**values)  # noqa: S704

    def plain(self, message: str, **values: object) -> str:
        """A text for a button or a toast, where the Bot API knows no markup."""
        return self._catalog.gettext(message).format(**values)

    @property
    def operator(self) -> str:
        """Whom an officer is told to ask: `ผู้ดูแลระบบ (โทร. 02 000 0000)`."""
        name = self.plain("the operator")
        return f"{name} ({self._contact})" if self._contact else name

    def day(self, day: date) -> str:
        """A day in the Buddhist Era: `2 พ.ย. 2569`."""
        return _day(self.language, day)

    def moment(self, moment: datetime) -> str:
        """A moment in the Buddhist Era and Bangkok's time: `2 พ.ย. 2569 09:30 น.`."""
        there = moment.astimezone(BANGKOK)
        return self.plain("{day} {time:%H:%M}", day=self.day(there.date()), time=there)


@lru_cache(1000)
def _day(language: Language, day: date) -> str:
    era = "" if language is Language.THAI else "B.E. "
    return f"{format_date(day, 'd MMM', locale=language)} {era}{day.year + BUDDHIST_ERA}"


@cache
def texts(language: Language, contact: str = "") -> Texts:
    """The texts of a language, read once."""
    return Texts(language, contact)
