"""The notice to an organization's officers that the organization has ended."""

from handlers.certification.ended import end_lines
from handlers.chat.screen import Screen, lines
from handlers.chat.words import home, organization_line
from handlers.notices.notice import Notice
from models.organizations.organization import load_end


async def ended(notice: Notice) -> Screen:
    """The end and its reason. An officer who is taken over by the successor reads how to go on, all others whom to
    ask.
    """
    _, end, reader = notice.texts, await load_end(notice.session, notice.subject_id), notice.reader
    goes_over = reader is not None and reader.account.organization_code == end.successor_code
    return Screen(
        lines(
            _("✕ <b>Your organization has ended</b>"),
            organization_line(_, end.organization),
            "",
            end_lines(_, end),
            "",
            _(
                "You go on as its officer, with the same name, position and PIN. "
                "Its register must be certified anew."
            )
            if goes_over
            else _(
                "This chat is no longer linked. What you have certified keeps your name. Please ask {operator}.",
                operator=_.operator,
            ),
        ),
        ((home(_),),) if goes_over else (),
    )
