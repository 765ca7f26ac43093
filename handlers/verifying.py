"""`/verify CODE`: what a certificate with a verification code certified, for those whom it concerns."""

from handlers.certifying import ended_line, numbers_line
from handlers.screen import Screen, lines
from handlers.turn import Turn
from handlers.words import home, organization_line, signature, status_word
from models.certification import UnknownCode, find_by_code
from models.statement import agreed_statement


async def show_certificate(turn: Turn, code: str) -> Screen:
    """The certificate, whether it still counts, and the words that its officer agreed to."""
    _ = turn.texts
    rows = ((home(_),),)
    if not code:
        return Screen(_("Type the code behind the command: <code>/verify ABCDE-FGHJK</code>"), rows)
    try:
        made, ended = await find_by_code(turn.session, turn.officer, code)
    except UnknownCode:
        return Screen(_("No certificate of yours has this code. Please check it letter by letter."), rows)
    return Screen(
        lines(
            _("<b>Certificate</b> <code>{code}</code>", code=f"{made.code[:5]}-{made.code[5:]}"),
            organization_line(_, made.organization),
            "",
            _(
                "<b>Fiscal year {year} · {level}</b>",
                year=made.round.fiscal_year,
                level=status_word(_, made.status),
            ),
            numbers_line(_, made),
            _("Records with empty menus: {count:,}", count=made.with_empty_menus),
            signature(_, made),
            ended_line(_, ended) if ended else _("✅ It is valid."),
            "",
            _("Agreed to: “{statement}”", statement=agreed_statement(made.statement)),
        ),
        rows,
    )
