"""`/start` with its argument, and `/verify CODE`, which shows the certificate with a verification code.

The QR code of a printed certificate opens `/start vCODE`.
"""

from handlers.accounts import invitation
from handlers.accounts.home import show_home
from handlers.certification.certifying import certificate_button, copy_code, ended_line, numbers_line
from handlers.chat.commands import linked_code
from handlers.chat.screen import Screen, lines
from handlers.chat.taps.certification import SeeCertificate
from handlers.chat.turn import Right, Turn
from handlers.chat.words import certified_organization, home, signature, status_word
from models.certification.certificate import written_code
from models.certification.history import UnknownCode, find_by_code
from models.certification.statement import agreed_statement


async def start(turn: Turn, code: str) -> Screen:
    """`/start`: Home; with an argument the certificate or the invitation that it names."""
    verification_code = linked_code(code)
    if verification_code is not None:
        return await show_scanned(turn, verification_code)
    return await (invitation.show(turn, code) if code else show_home(turn))


async def show_scanned(turn: Turn, code: str) -> Screen:
    """A scanned certificate. A sender who is not linked gets the same answer for every code."""
    if turn.has(Right.LINKED):
        return await show_certificate(turn, code)
    screen = await show_home(turn)
    return screen.headed(turn.texts("To see a certificate, log in first and then scan the code again."))


async def see_certificate(turn: Turn, tap: SeeCertificate) -> Screen:
    """A scanned certificate, after the PIN."""
    return await show_certificate(turn, tap.verification_code)


async def show_certificate(turn: Turn, code: str) -> Screen:
    """The certificate with this code, whether it is valid, and the statement that its officer agreed to. An empty
    code asks for one.
    """
    _ = turn.texts
    rows = ((home(_),),)
    if not code:
        return Screen(_("Type the verification code, for example <code>ABCDE-FGHJK</code>."), rows)
    try:
        certificate, reopening = await find_by_code(turn.session, turn.officer, code)
    except UnknownCode:
        return Screen(_("No certificate of yours has this code. Please check it letter by letter."), rows)
    return Screen(
        lines(
            _("<b>Certificate</b> <code>{code}</code>", code=written_code(certificate.code)),
            certified_organization(_, certificate),
            "",
            _(
                "<b>Fiscal year B.E. {year} · {level}</b>",
                year=certificate.round.fiscal_year,
                level=status_word(_, certificate.status),
            ),
            numbers_line(_, certificate),
            _("Records with empty menus: {count:,}", count=certificate.with_empty_menus),
            signature(_, certificate),
            *([_("❌ It is valid no more."), ended_line(_, reopening)] if reopening else [_("✅ It is valid.")]),
            "",
            _("Agreed to: “{statement}”", statement=agreed_statement(certificate.statement)),
        ),
        ((certificate_button(_, certificate),), (copy_code(_, certificate),), *rows),
    )
