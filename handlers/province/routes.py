"""The handler of each tap and typed text of this room, and the right that it needs (handlers/dispatch.py)."""

from handlers.chat.taps.certification import CertificatePdf
from handlers.chat.taps.province import (
    AllWaiting,
    ChooseDistrict,
    ChooseSorting,
    ChooseStatus,
    ChooseType,
    ExportList,
    Lift,
    NextOfAll,
    NextWaiting,
    OnlyWithRemarks,
    ProvinceDistricts,
    ProvinceList,
    ProvinceMenu,
    ProvinceSearch,
    ProvinceTypes,
    SeeProgress,
    SkipWaiting,
)
from handlers.chat.taps.tap import Tap
from handlers.chat.turn import Handler, Question, Right
from handlers.province import export, listing, live_card, queue
from models.chats.conversation import Awaiting

TAPS: dict[type[Tap], tuple[Right, Handler]] = {
    ProvinceMenu: (Right.PROVINCE, listing.menu),
    ChooseStatus: (Right.PROVINCE, listing.choose_status),
    ProvinceTypes: (Right.PROVINCE, listing.types),
    ChooseType: (Right.PROVINCE, listing.choose_type),
    ProvinceDistricts: (Right.PROVINCE, listing.districts),
    ChooseDistrict: (Right.PROVINCE, listing.choose_district),
    OnlyWithRemarks: (Right.PROVINCE, listing.only_with_remarks),
    Lift: (Right.PROVINCE, listing.lift),
    ChooseSorting: (Right.PROVINCE, listing.choose_sorting),
    ProvinceSearch: (Right.PROVINCE, listing.search),
    ProvinceList: (Right.PROVINCE, listing.show_list),
    AllWaiting: (Right.PROVINCE, live_card.all_waiting),
    NextWaiting: (Right.PROVINCE, queue.open_next),
    NextOfAll: (Right.PROVINCE, queue.open_next_of_all),
    SkipWaiting: (Right.PROVINCE, queue.skip),
    ExportList: (Right.PROVINCE, export.export_list),
    SeeProgress: (Right.PROVINCE, export.see_progress),
    CertificatePdf: (Right.LINKED, export.certificate_pdf),
}

# Taps whose handlers change nothing but the officer's filter.
NAVIGATION: set[type[Tap]] = {
    ProvinceMenu,
    ProvinceTypes,
    ProvinceDistricts,
    ProvinceSearch,
    ProvinceList,
    AllWaiting,
}

# The texts that this room takes.
QUESTIONS: dict[Awaiting, Question] = {
    Awaiting.NOTHING: Question(Right.PROVINCE, listing.take_words, None),
}
