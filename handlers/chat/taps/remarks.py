"""Taps for petitions, explanations, questions, and the thread of remarks.

The taps that send a remark carry a digest of the words that were shown (handlers/chat/drafts.py, `draft_digest`).
"""

from handlers.chat.taps.tap import Tap
from models.remarks.question import Topic


class AskForCorrection(Tap, code="ask"):
    """ขอแก้ไขข้อมูล (Ask for a correction) of the officer's locked register: ask for the words."""


class SendPetition(Tap, code="send"):
    """Send the petition that was typed and shown."""

    digest: str


class ExplainDifference(Tap, code="le"):
    """ชี้แจงส่วนต่าง (Explain the difference) of numbers that differ from the last round's by more than the set
    percentage.
    """


class SendExplanation(Tap, code="le!"):
    """Send the explanation that was typed and shown."""

    digest: str


class AnswerQuestion(Tap, code="an"):
    """ตอบคำถาม (Answer the question) of the province: ask for the words."""

    question: int


class SendAnswer(Tap, code="an!"):
    """Send the answer that was typed and shown."""

    question: int
    digest: str


class AskForReopening(Tap, code="pa"):
    """ขอเปิดให้แก้ไข (Ask for a reopening) of an organization whose spot-check failed: ask for the words."""

    organization: str


class SendReopening(Tap, code="pas"):
    """Send the petition for a reopening that was typed and shown."""

    organization: str
    digest: str


class AskOrganization(Tap, code="qa"):
    """ถาม อปท. (Ask the organization): show the topics that a question can have."""

    organization: str


class AskAbout(Tap, code="qt"):
    """Choose a question's topic: ask for the words, or for the record's number first."""

    organization: str
    topic: Topic


class SendQuestion(Tap, code="q!"):
    """Send the question that was typed and shown to this organization."""

    organization: str
    digest: str


class SeeRemark(Tap, code="remark"):
    """Read a petition or the decision on it, after a notice that showed only its title in an idle chat."""

    remark: int


class Remarks(Tap, code="th"):
    """ข้อสังเกต (Remarks): a page of an organization's thread in the round."""

    organization: str
    page: int


class ReadRemark(Tap, code="rr"):
    """Show one remark of a thread in full, with its reply."""

    remark: int
