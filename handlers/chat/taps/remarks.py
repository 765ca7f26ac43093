"""Taps of petitions, explanations, questions, and their thread."""

from handlers.chat.taps.tap import Tap
from models.remarks.question import Topic


class AskForCorrection(Tap, code="ask"):
    """ขอแก้ไขข้อมูล, of a locked register."""


class SendPetition(Tap, code="send"):
    """Send the petition that was typed and shown."""


class ExplainDifference(Tap, code="le"):
    """ชี้แจงส่วนต่าง: numbers that differ from the last round's by more than the set share."""


class SendExplanation(Tap, code="le!"):
    """Send the explanation that was typed and shown."""


class AnswerQuestion(Tap, code="an"):
    """ตอบคำถาม of the province."""

    question: int


class SendAnswer(Tap, code="an!"):
    """Send the answer that was typed and shown."""

    question: int


class AskForReopening(Tap, code="pa"):
    """ขอเปิดให้แก้ไข, of an organization whose spot-check has failed."""

    organization: str


class SendReopening(Tap, code="pas"):
    """Send the words for a reopening that were typed and shown."""

    organization: str


class AskOrganization(Tap, code="qa"):
    """ถาม อปท.: to what it may be about."""

    organization: str


class AskAbout(Tap, code="qt"):
    """What a question is about; to its words, or to the number of the record."""

    organization: str
    topic: Topic


class SendQuestion(Tap, code="q!"):
    """Send the question to this organization that was typed and shown."""

    organization: str


class SeeRemark(Tap, code="remark"):
    """Read a petition or the decision on it, of which a chat was told that was left alone."""

    remark: int


class Remarks(Tap, code="th"):
    """ข้อสังเกต: a page of the thread of an organization in the round."""

    organization: str
    page: int


class ReadRemark(Tap, code="rr"):
    """One remark of a thread whole, with its reply."""

    remark: int
