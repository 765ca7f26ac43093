"""Files that an organization's officer sends. Before the turn's transaction it is decided whether the file may be
sent now; only then it is downloaded and checked, off the event loop. The turn compares the result with the
register.
"""

from dataclasses import dataclass
from datetime import datetime

from handlers.chat.incoming import Incoming
from models.accounts.access import NotYours
from models.accounts.account import Role, active_officer
from models.chats.conversation import Awaiting, load_conversation
from models.database.engine import Session
from models.imports.sent_file import require_file
from models.imports.sent_roster import RosterLocked, require_sendable
from models.imports.tabular import ImportRefused, Problem, english
from models.register.draft import SentRoster

NOT_FETCHED = Problem(None, None, english("the file could not be fetched from Telegram"), english("send it again"))
# The Bot API's server serves no files, so sending again would not help. The chat puts the contact for {operator}.
NOT_SERVED = Problem(
    None,
    None,
    english("the system cannot receive files at present"),
    english("tell {operator}", operator="the operator of the system"),
)
# The process that checks the file failed or took too long.
NOT_CHECKED = Problem(
    None, None, english("the file could not be checked"), english("save it anew and send it again")
)


@dataclass(frozen=True)
class Wanted:
    """A file to download and check, and the dla_code of the organization whose register it must contain."""

    file_id: str
    name: str
    organization: str


@dataclass(frozen=True)
class Upload:
    """The result of checking a file for `organization`: its register in `sent`, or its `problems`."""

    organization: str
    sent: SentRoster | None = None
    problems: tuple[Problem, ...] = ()


async def find_upload(session: Session, incoming: Incoming, now: datetime) -> Wanted | None:
    """The update's file, if it is to be downloaded; else None, and the turn explains why.

    The sender must be a ready LAO officer who is not idle and is not asked for a text; the register must not be
    locked; the file must have a known kind and an allowed size.
    """
    document = incoming.document
    if document is None or not incoming.is_private:
        return None
    officer = await active_officer(session, incoming.user_id)
    if officer is None or not officer.is_ready or officer.is_idle(now) or officer.account.role is not Role.LAO:
        return None
    try:
        require_file(document.name, document.size)
        organization = await require_sendable(session, officer)
    except (ImportRefused, NotYours, RosterLocked):
        return None
    # Read last, because the chat may have no conversation yet.
    if (await load_conversation(session, incoming.chat_id)).awaiting is not Awaiting.NOTHING:
        return None
    return Wanted(document.file_id, document.name, organization.dla_code)
