"""The numbers that stand in the database, for /metrics."""

import logging
from dataclasses import dataclass

from models.certification.certificate import Level
from models.chats import inbox
from models.database.engine import Database
from models.database.trouble import name_of
from models.notices import outbox
from models.province.progress import count_certificates

log = logging.getLogger(__name__)

# Seconds that they count, however often they are asked for.
READ_EVERY = 5.0


@dataclass(frozen=True)
class Stored:
    """What is not done, what is not sent, and what is certified in the newest round."""

    updates: inbox.Waiting
    messages: outbox.Waiting
    certificates: dict[Level, int]


async def look(database: Database) -> Stored | None:
    """Read them; None while the database is away."""
    try:
        async with database.read() as session:
            return Stored(
                await inbox.waiting(session), await outbox.waiting(session), await count_certificates(session)
            )
    except Exception as error:
        log.error("the numbers could not be read: %s", name_of(error))
        return None
