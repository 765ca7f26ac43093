"""The handler of each tap and typed text of this room, and the right that it needs (handlers/dispatch.py)."""

from handlers.chat.taps.remarks import (
    AnswerQuestion,
    AskAbout,
    AskForCorrection,
    AskForReopening,
    AskOrganization,
    ExplainDifference,
    ReadRemark,
    Remarks,
    SeeRemark,
    SendAnswer,
    SendExplanation,
    SendPetition,
    SendQuestion,
    SendReopening,
)
from handlers.chat.taps.tap import Tap
from handlers.chat.turn import Handler, Question, Right
from handlers.remarks import explanation, petition, question, thread
from models.chats.conversation import Awaiting

TAPS: dict[type[Tap], tuple[Right, Handler]] = {
    AskForCorrection: (Right.LAO, petition.ask_for_words),
    SendPetition: (Right.LAO, petition.send),
    ExplainDifference: (Right.LAO, explanation.ask_for_words),
    SendExplanation: (Right.LAO, explanation.send),
    AnswerQuestion: (Right.LAO, question.ask_for_answer),
    SendAnswer: (Right.LAO, question.send_answer),
    AskForReopening: (Right.PROVINCE, petition.ask_for_reopening),
    SendReopening: (Right.PROVINCE, petition.send_reopening),
    AskOrganization: (Right.PROVINCE, question.choose_topic),
    AskAbout: (Right.PROVINCE, question.choose_words),
    SendQuestion: (Right.PROVINCE, question.send_question),
    Remarks: (Right.LINKED, thread.show),
    ReadRemark: (Right.LINKED, thread.read),
    SeeRemark: (Right.LINKED, petition.see_remark),
}

# Taps whose handlers change nothing.
NAVIGATION: set[type[Tap]] = {Remarks, ReadRemark}

# The texts that this room asks for.
QUESTIONS: dict[Awaiting, Question] = {
    Awaiting.PETITION: Question(Right.LAO, petition.take_words, petition.ask_again),
    Awaiting.REOPENING: Question(Right.PROVINCE, petition.take_reopening, petition.ask_reopening_again),
    Awaiting.EXPLANATION: Question(Right.LAO, explanation.take_words, explanation.ask_again),
    Awaiting.ANSWER: Question(Right.LAO, question.take_answer, question.ask_answer_again),
    Awaiting.RECORD_NO: Question(Right.PROVINCE, question.take_record_no, question.ask_record_no),
    Awaiting.QUESTION: Question(Right.PROVINCE, question.take_question, question.ask_question),
}
