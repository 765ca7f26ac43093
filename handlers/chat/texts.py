"""Texts in Thai and English. Only this module turns texts into HTML.

The code contains each text in English; the catalog in handlers/locales holds its Thai translation. markupsafe
escapes the values in a text, so that a name cannot become markup (Bot API, HTML style).
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
    """The compiled catalog of a language. English has none: the texts in the code are English."""
    if language is Language.ENGLISH:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with (LOCALES / language / "LC_MESSAGES" / "laocert.po").open("rb") as source:
        write_mo(compiled, read_po(source, language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


class Texts:
    """The texts of one language. Handlers name it `_`, so that Babel extracts the texts for translation.
    `contact`: how to reach the operator (LAOCERT_CONTACT); may be empty.
    """

    def __init__(self, language: Language, contact: str = "") -> None:
        self.language = language
        self._contact = contact
        self._catalog = _catalog(language)

    def __call__(self, message: str, **values: object) -> Markup:
        """Translate a text for a message: HTML, with all values escaped except those that are Markup."""
        # The template is from the code or a catalog; markupsafe escapes the values.
        return Markup(self._catalog.gettext(message)).format(**values)  # noqa: S704

    def plain(self, message: str, **values: object) -> str:
        """Translate a text for a button or a toast: plain text without escaping, as the Bot API takes it there."""
        return self._catalog.gettext(message).format(**values)

    @property
    def operator(self) -> str:
        """The operator, with the contact if there is one: `ผู้ดูแลระบบ (โทร. 02 000 0000)`."""
        name = self.plain("the operator")
        return f"{name} ({self._contact})" if self._contact else name

    def day(self, day: date) -> str:
        """A day in the Buddhist Era: `2 พ.ย. 2569`."""
        return _day(self.language, day)

    def moment(self, moment: datetime) -> str:
        """A time in the Buddhist Era and Bangkok's time: `2 พ.ย. 2569 09:30 น.`."""
        local = moment.astimezone(BANGKOK)
        return self.plain("{day} {time:%H:%M}", day=self.day(local.date()), time=local)


@lru_cache(1000)
def _day(language: Language, day: date) -> str:
    era = "" if language is Language.THAI else "B.E. "
    return f"{format_date(day, 'd MMM', locale=language)} {era}{day.year + BUDDHIST_ERA}"


@cache
def texts(language: Language, contact: str = "") -> Texts:
    """The texts of a language, cached."""
    return Texts(language, contact)
