"""Linking a chat by invitation instead of password, and handing a link over to a successor."""

from dataclasses import replace
from datetime import timedelta

from markupsafe import Markup

from handlers.accounts import home, keypad
from handlers.accounts.officers import unit_line
from handlers.chat.screen import Button, CopyButton, Row, Screen, Style, lines
from handlers.chat.taps.accounts import AcceptInvitation, HandOverNow, Home, Officers
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts
from handlers.chat.turn import Relinked, Turn
from handlers.chat.words import home as home_button
from handlers.chat.words import officer_line, way_out
from models.accounts.account import Account, Role
from models.accounts.pin import Purpose
from models.chats.conversation import Awaiting
from models.links import invitation
from models.links.invitation import Invitation, InvitationRefused, OwnHandover, find_invitation, require_acceptable
from models.links.link import AlreadyLinked

# How long a handover's code is valid. It is short because the successor is usually present; an operator's
# invitation may be sent by letter.
HANDOVER = timedelta(minutes=60)


async def show(turn: Turn, code: str) -> Screen:
    """Answer `/start CODE` with what the invitation links, and ask for confirmation."""
    try:
        found_invitation = await find_invitation(turn.session, code, turn.now)
        require_acceptable(found_invitation, turn.linked)
    except (InvitationRefused, OwnHandover, AlreadyLinked) as problem:
        return await _refused(turn, problem)
    if turn.linked is None:
        # Ends an unfinished login, so that the next message does not answer its question.
        turn.conversation.awaiting = Awaiting.NOTHING
    return _question(turn, found_invitation, code)


async def accept(turn: Turn, tap: AcceptInvitation) -> Screen:
    """เชื่อมต่อ: link the chat; in a chat linked already, let the officer choose a new PIN."""
    was_linked = turn.linked is not None
    try:
        officer = await invitation.accept(turn.session, turn.user_id, tap.invitation, turn.now)
    except InvitationRefused as problem:
        return await _tapped_again(turn, tap.invitation) or await _refused(turn, problem)
    except (OwnHandover, AlreadyLinked) as problem:
        return await _refused(turn, problem)
    linked = replace(turn, linked=officer)
    if was_linked:
        return Relinked.of(await _new_pin(linked), officer)
    sentence = turn.texts("✅ Linked: {name}", name=officer.account.display_name)
    return Relinked.of((await home.show_home(linked)).headed(sentence), officer)


async def _new_pin(turn: Turn) -> Screen:
    """Let the officer choose a new PIN without asking for the old one, also in an idle chat.

    An officer without a name is asked for it first.
    """
    return await (keypad.choose_pin(turn) if turn.officer.is_ready else home.show_home(turn))


async def _tapped_again(turn: Turn, code: str) -> Screen | None:
    """Return the screen of the first of two quick taps; None when this officer has not used the code."""
    used = None if turn.linked is None else await invitation.used_by(turn.session, code, turn.officer)
    if used is None:
        return None
    has_linked = used.used_at == turn.officer.linked_at
    may_choose = turn.officer.may_set_pin(turn.now)
    return await (_new_pin(turn) if may_choose and not has_linked else home.show_home(turn))


async def ask_hand_over(turn: Turn, _tap: Tap) -> Screen:
    """Explain ส่งมอบงาน (handing over) and ask for confirmation."""
    _ = turn.texts
    return Screen(
        _(
            "<b>Hand over your work</b>\n"
            "You get a link for your successor, good for one use within {minutes} minutes.\n\n"
            "As soon as it is used, this chat is no longer linked. What you have certified keeps your name.",
            minutes=HANDOVER // timedelta(minutes=1),
        ),
        ((Button(_.plain("Make a link for the successor"), HandOverNow(), Style.DANGER),), way_out(_, Officers())),
    )


async def ask_pin(turn: Turn, _tap: Tap) -> Screen:
    """Ask for the PIN before the handover's link is made."""
    return await keypad.ask_pin(turn, Purpose.HAND_OVER, heading=turn.texts("<b>Hand over your work</b>"))


async def hand_over(turn: Turn, _subject: str) -> Screen:
    """After the PIN, make the handover's link, in a separate message that can be forwarded."""
    _, officer = turn.texts, turn.officer
    code = await invitation.invite(turn.session, officer.account, HANDOVER, turn.now, by=officer)
    link = f"https://t.me/{turn.setup.bot_username}?start={code}"
    text = lines(
        _("🔑 <b>Handover</b>"),
        unit_line(_, officer.account),
        officer_line(_, officer),
        "",
        _("Successor: open this link on your own phone and tap “Start”."),
        Markup("{}").format(link),
        _("Good for one use until {moment}.", moment=_.moment(turn.now + HANDOVER)),
    )
    return Screen(
        _(
            "Pass the message below on to your successor, and to nobody else. "
            "This chat stays linked until its link is used; a link that you made before is no longer good."
        ),
        ((home_button(_),),),
        apart=Screen(text, ((CopyButton("📋 " + _.plain("Copy the link"), link),),), is_protected=False),
    )


async def _refused(turn: Turn, problem: Exception) -> Screen:
    """Show home with the reason why the invitation was refused."""
    _ = turn.texts
    if isinstance(problem, OwnHandover):
        sentence = _("This is your own handover. Your successor must open it on another phone.")
    elif isinstance(problem, AlreadyLinked):
        sentence = _("This chat is linked to an account already. To use the invitation, log out first.")
    else:
        sentence = _("This invitation is not valid (any more). Please ask for a new one.")
    return (await home.show_home(turn)).headed(sentence)


def _question(turn: Turn, opened: Invitation, code: str) -> Screen:
    """The confirmation screen of an invitation: unit, role, the officer who hands over, and the effect."""
    _, leaver = turn.texts, opened.from_officer
    if turn.linked is not None:
        effect, label = _("This chat is linked already. You can choose a new PIN."), _.plain("Choose a new PIN")
    else:
        effect, label = _("Link this chat? Only if this is your own organization."), _.plain("Link")
    rows: tuple[Row, ...] = (
        (Button(label, AcceptInvitation(code), Style.PRIMARY), Button(_.plain("Cancel"), Home())),
    )
    return Screen(
        lines(
            _("<b>Invitation</b>"),
            unit_line(_, opened.account),
            _role(_, opened.account),
            None if leaver is None else _("Handed over by {officer}", officer=officer_line(_, leaver)),
            "",
            effect,
            None if leaver is None else _("The chat of the officer who hands over is unlinked by it."),
        ),
        rows,
    )


def _role(_: Texts, account: Account) -> Markup:
    if account.role is Role.LAO:
        return _("Role: certifies at LAO level")
    return _("Role: certifies at province level")
