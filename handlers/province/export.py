"""Files for officers: the picture of a province's progress, its list as a spreadsheet, and certificates as PDF.

Each tap shows the same screen again; the file is made afterwards and sent below it.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from markupsafe import Markup

from handlers.certification import lao, province
from handlers.certification.certifying import CERTIFICATES_PER_PAGE
from handlers.chat.commands import link_to
from handlers.chat.screen import Attachment, AttachmentKind, Screen, known, lines
from handlers.chat.taps.certification import CertificatePdf, LaoHistory, ProvinceHistory
from handlers.chat.taps.province import ExportList, ProvinceMenu, SeeProgress
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import certified_organization, status_word
from handlers.province import listing
from models.accounts.access import NotYours
from models.accounts.account import Role
from models.base.calendar import BANGKOK, BUDDHIST_ERA
from models.certification.certificate import Status, written_code
from models.certification.history import load_history
from models.chats.conversation import Language
from models.database.engine import Session
from models.province import export, statistics
from models.province.export import IssuedCertificate, ProvinceList
from models.province.statistics import ProvinceProgress


@dataclass(frozen=True)
class CertificatePage:
    """The facts for a certificate's PDF. `link` opens it in the chat; empty without the bot's name."""

    issued: IssuedCertificate
    link: str


async def export_list(turn: Turn, _tap: ExportList) -> Screen:
    """ส่งออก (Export): send the list of all organizations of the officer's province, as XLSX."""
    _ = turn.texts
    code = await export.take_list(turn.session, turn.officer, turn.now)

    async def load(session: Session, now: datetime) -> tuple[object, Markup]:
        province_list = await export.province_list(session, code, now)
        caption = lines(
            _(
                "<b>{province} province</b>: {count:,} organizations",
                province=_province_name(_, province_list),
                count=len(province_list.rows),
            ),
            _("Data as of {moment}", moment=_.moment(province_list.as_of)),
        )
        return province_list, caption

    name = f"organizations-{code}-{_stamp(turn)}.xlsx"
    screen = await listing.menu(turn, ProvinceMenu())
    return _with(turn, screen, Attachment(AttachmentKind.PROVINCE_LIST, name, load))


async def see_progress(turn: Turn, _tap: SeeProgress) -> Screen:
    """ภาพความคืบหน้า (Progress picture): send the progress of the officer's province, by type and by day.

    Raises NoRoundYet before the first round; NotYours for an account without a province.
    """
    _, code = turn.texts, turn.officer.account.province_code
    if code is None:
        raise NotYours
    await statistics.require_round(turn.session)

    async def load(session: Session, now: datetime) -> tuple[object, Markup]:
        progress = await statistics.province_progress(session, code, now)
        return progress, _progress_caption(_, progress)

    screen = await listing.menu(turn, ProvinceMenu())
    name = f"progress-{code}-{_stamp(turn)}.png"
    return _with(turn, screen, Attachment(AttachmentKind.PROGRESS, name, load))


def _progress_caption(_: Texts, progress: ProvinceProgress) -> Markup:
    total = progress.total
    counts = {
        Status.PROVINCE_CERTIFIED: total.province_certified,
        Status.LAO_CERTIFIED: total.lao_certified,
        Status.UNCERTIFIED: total.uncertified,
    }
    return lines(
        _(
            "<b>{province} province</b> · fiscal year {year}",
            province=_province_name(_, progress),
            year=progress.fiscal_year,
        ),
        *(
            _("{status}: {count:,} of {total:,}", status=status_word(_, status), count=count, total=total.total)
            for status, count in counts.items()
        ),
        _("Data as of {moment}", moment=_.moment(progress.as_of)),
    )


async def certificate_pdf(turn: Turn, tap: CertificatePdf) -> Screen:
    """📄: send one certificate as a PDF, below the page of the history that lists it. Raises NotYours."""
    _ = turn.texts
    issued = await export.take_certificate(turn.session, turn.officer, tap.certification, turn.now)
    certificate = issued.made
    caption = lines(
        _("<b>Certificate</b> <code>{code}</code>", code=written_code(certificate.code)),
        certified_organization(_, certificate),
        _(
            "<b>Fiscal year B.E. {year} · {level}</b>",
            year=certificate.round.fiscal_year,
            level=status_word(_, certificate.status),
        ),
    )
    page = CertificatePage(issued, link_to(turn.setup.bot_username, certificate.code))
    name = f"certificate-{written_code(certificate.code)}.pdf"
    screen = await _history_around(turn, certificate.organization_code, certificate.id)
    return _with(turn, screen, Attachment(AttachmentKind.CERTIFICATE, name, known(page, caption)))


async def _history_around(turn: Turn, organization: str, certification_id: int) -> Screen:
    """The page of the history that lists a certificate."""
    history = await load_history(turn.session, turn.officer, organization)
    place = next(
        place for place, certificate in enumerate(history.certificates) if certificate.id == certification_id
    )
    page = place // CERTIFICATES_PER_PAGE
    if turn.officer.account.role is Role.LAO:
        return await lao.history(turn, LaoHistory(page))
    return await province.history(turn, ProvinceHistory(organization, page))


def _with(turn: Turn, screen: Screen, attachment: Attachment) -> Screen:
    toast = turn.texts.plain("The file is being made and comes below.")
    return replace(screen, toast=toast, attachment=attachment)


def _province_name(_: Texts, facts: ProvinceList | ProvinceProgress) -> str:
    return facts.province_th if _.language is Language.THAI else facts.province_en


def _stamp(turn: Turn) -> str:
    """Day and time in Bangkok, for file names: `25691102-0930`."""
    local = turn.now.astimezone(BANGKOK)
    return f"{local.year + BUDDHIST_ERA}{local:%m%d-%H%M}"
