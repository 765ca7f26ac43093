"""`/start` with what stands behind it, and `/verify CODE`: what a certificate with a verification code certified.

The QR code of a printed certificate leads here too: it opens `/start vCODE`.
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
    """`/start`: home, or with a code behind it the certificate or the invitation that the code is of."""
    certificate = linked_code(code)
    if certificate is not None:
        return await show_scanned(turn, certificate)
    return await (invitation.show(turn, code) if code else show_home(turn))


async def show_scanned(turn: Turn, code: str) -> Screen:
    """A scanned certificate. Who has no right to any is told the same of every code."""
    if turn.has(Right.LINKED):
        return await show_certificate(turn, code)
    screen = await show_home(turn)
    return screen.headed(turn.texts("To see a certificate, log in first and then scan the code again."))


async def see_certificate(turn: Turn, tap: SeeCertificate) -> Screen:
    """A scanned certificate, after the PIN."""
    return await show_certificate(turn, tap.verification_code)


async def show_certificate(turn: Turn, code: str) -> Screen:
    """The certificate, whether it still counts, and the words that its officer agreed to."""
    _ = turn.texts
    rows = ((home(_),),)
    if not code:
        return Screen(_("Type the verification code, for example <code>ABCDE-FGHJK</code>."), rows)
    try:
        made, ended = await find_by_code(turn.session, turn.officer, code)
    except UnknownCode:
        return Screen(_("No certificate of yours has this code. Please check it letter by letter."), rows)
    return Screen(
        lines(
            _("<b>Certificate</b> <code>{code}</code>", code=written_code(made.code)),
            certified_organization(_, made),
            "",
            _(
                "<b>Fiscal year B.E. {year} · {level}</b>",
                year=made.round.fiscal_year,
                level=status_word(_, made.status),
            ),
            numbers_line(_, made),
            _("Records with empty menus: {count:,}", count=made.with_empty_menus),
            signature(_, made),
            *([_("❌ It is valid no more."), ended_line(_, ended)] if ended else [_("✅ It is valid.")]),
            "",
            _("Agreed to: “{statement}”", statement=agreed_statement(made.statement)),
        ),
        ((certificate_button(_, made),), (copy_code(_, made),), *rows),
    )
