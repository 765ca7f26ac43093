"""A file that an organization's officer sends: looked at before the turn's transaction, so that none is fetched
that is not wanted; fetched and checked off the event loop; and compared inside the transaction.
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
# The Bot API's server gives no files: to send it again would not help. Who the operator is, the chat says.
NOT_SERVED = Problem(
    None,
    None,
    english("the system cannot receive files at present"),
    english("tell {operator}", operator="the operator of the system"),
)
# The process that checked it came to an end or took too long.
NOT_CHECKED = Problem(
    None, None, english("the file could not be checked"), english("save it anew and send it again")
)


@dataclass(frozen=True)
class Wanted:
    """A file to be fetched and checked, and the organization whose register it must be."""

    file_id: str
    name: str
    organization: str


@dataclass(frozen=True)
class Upload:
    """What came of a file: a register, or what is wrong with it. It was checked for `organization`."""

    organization: str
    sent: SentRoster | None = None
    problems: tuple[Problem, ...] = ()


async def find_upload(session: Session, incoming: Incoming, now: datetime) -> Wanted | None:
    """The file of this update, if it is to be fetched: where no text is asked for, from whom it may come, of a
    register that is not locked, and neither too large nor of another kind. Why it is not, the turn says.
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
    # Last, for it may be a chat of which nothing is kept yet.
    if (await load_conversation(session, incoming.chat_id)).awaiting is not Awaiting.NOTHING:
        return None
    return Wanted(document.file_id, document.name, organization.dla_code)
