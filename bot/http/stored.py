"""The numbers that /metrics and /healthz/work read from the database."""

import logging
from dataclasses import dataclass

from models.certification.certificate import Level
from models.chats import inbox
from models.database.engine import Database
from models.database.trouble import name_of
from models.notices import outbox
from models.province.progress import count_certificates

log = logging.getLogger(__name__)

# Seconds for which they are cached.
READ_EVERY = 5.0


@dataclass(frozen=True)
class Stored:
    """Updates that are not done, messages that are not sent, and the newest round's certificates by level."""

    updates: inbox.Waiting
    messages: outbox.Waiting
    certificates: dict[Level, int]


async def look(database: Database) -> Stored | None:
    """Read the numbers; None, and a log line, when the database fails."""
    try:
        async with database.read() as session:
            return Stored(
                await inbox.waiting(session), await outbox.waiting(session), await count_certificates(session)
            )
    except Exception as error:
        log.error("the numbers could not be read: %s", name_of(error))
        return None
