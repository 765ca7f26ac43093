"""The log canary: the suite runs with all loggers at DEBUG, and searches every log record for secrets."""

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
    """Return a pattern of the forms in which a secret could be logged: as it is, and with escaped letters."""
    escaped = secret.encode("unicode_escape").decode()
    return f"{re.escape(secret)}|{re.escape(escaped)}"


# A PIN's six digits may occur in a longer number by chance.
_FORMS = {**{what: _written(secret) for what, secret in _SECRETS.items()}, "PIN": rf"(?<![0-9.]){PIN}(?![0-9])"}
_ANY = re.compile(
    "|".join(f"(?P<{what.replace(' ', '_')}>{form})" for what, form in _FORMS.items()), re.IGNORECASE
)


def secrets_in(text: str) -> set[str]:
    """Return the names of the secrets that a text contains."""
    return {match.lastgroup or "" for match in _ANY.finditer(text)}


class Canary(logging.Handler):
    """A log handler that searches every record of the process, including arguments and tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard = 0
        # Which logger leaked which secret, without the secret itself.
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard += 1
        leaked = sorted(secrets_in(self.format(record)))
        self.leaks += [f"{what} in the log of {record.name}: {record.msg!r:.80}" for what in leaked]

    def listen(self) -> None:
        """Attach the handler to all loggers. Libraries log at the same levels as in the program."""
        root = logging.getLogger()
        root.addHandler(self)
        root.setLevel(logging.DEBUG)
        logs.quiet()
