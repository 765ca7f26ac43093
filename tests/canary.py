"""What no log may ever say: the suite runs with all loggers at DEBUG, and whatever they say is searched for it."""

import logging
import re

from bot.runtime import logs
from demo.botapi.emulator import DEFAULT_TOKEN
from tests.support import PASSWORD, PIN, SECRET_KEY

# The names in personnel records (tests/support.py, record).
_RECORD_NAME = "บุคคล ทดสอบ"
_SECRETS = {
    "token": DEFAULT_TOKEN.partition(":")[2],
    "password": PASSWORD,
    "secret key": SECRET_KEY,
    "record name": _RECORD_NAME,
}


def _written(secret: str) -> str:
    """In any of the forms in which it could be written: as it is, and with its letters escaped."""
    escaped = secret.encode("unicode_escape").decode()
    return f"{re.escape(secret)}|{re.escape(escaped)}"


# Six digits may stand in a longer number by chance.
_FORMS = {**{what: _written(secret) for what, secret in _SECRETS.items()}, "PIN": rf"(?<![0-9.]){PIN}(?![0-9])"}
_ANY = re.compile(
    "|".join(f"(?P<{what.replace(' ', '_')}>{form})" for what, form in _FORMS.items()), re.IGNORECASE
)


def found(text: str) -> set[str]:
    """Which of the secrets a text holds."""
    return {match.lastgroup or "" for match in _ANY.finditer(text)}


class Canary(logging.Handler):
    """Looks at every record of the process, its arguments and tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard = 0
        # Which logger said what, without saying it again.
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard += 1
        said = self.format(record)
        self.leaks += [f"{what} in the log of {record.name}: {record.msg!r:.80}" for what in sorted(found(said))]

    def listen(self) -> None:
        """From now on to all loggers; libraries are as quiet as in the program."""
        root = logging.getLogger()
        root.addHandler(self)
        root.setLevel(logging.DEBUG)
        logs.quiet()
