"""The taps and texts that this package handles, with the right each requires (handlers/dispatch.py)."""

from handlers.chat.taps.spot_checks import (
    DrawSpotCheck,
    HandIn,
    HandInIncorrect,
    MarkDespiteEmpty,
    MarkRecord,
    SpotRecord,
    SpotSummary,
    SpotSummaryPage,
)
from handlers.chat.taps.tap import Tap
from handlers.chat.turn import Handler, Question, Right, Step
from handlers.spot_checks import spot_checking
from models.accounts.pin import Purpose
from models.chats.conversation import Awaiting

TAPS: dict[type[Tap], tuple[Right, Handler]] = {
    DrawSpotCheck: (Right.PROVINCE, spot_checking.start),
    SpotRecord: (Right.PROVINCE, spot_checking.show_record),
    MarkRecord: (Right.PROVINCE, spot_checking.mark_record),
    MarkDespiteEmpty: (Right.PROVINCE, spot_checking.mark_despite_empty),
    SpotSummary: (Right.PROVINCE, spot_checking.show_summary),
    SpotSummaryPage: (Right.PROVINCE, spot_checking.show_summary_page),
    HandIn: (Right.PROVINCE, spot_checking.ask_hand_in),
    HandInIncorrect: (Right.PROVINCE, spot_checking.confirm_hand_in),
}

# Taps that change nothing.
NAVIGATION: set[type[Tap]] = {SpotRecord, SpotSummary, SpotSummaryPage}

# The handlers of typed answers, by the question that the chat awaits.
QUESTIONS: dict[Awaiting, Question] = {
    Awaiting.NOTE: Question(Right.PROVINCE, spot_checking.take_note, spot_checking.ask_note_again),
}

# The steps after a right PIN, by the keypad's purpose.
AFTER_PIN: dict[Purpose, Step] = {
    Purpose.HAND_IN: spot_checking.hand_in_incorrect,
}
