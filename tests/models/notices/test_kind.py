"""What is decided once for a kind of notice: who may get it, how urgent it is, what becomes of it."""

from datetime import timedelta

from models.notices.kind import (
    AFTER_HOLIDAYS,
    ANSWERS,
    CHANGES,
    FOR_ANY_CHAT,
    KEPT_IN_CHAT,
    RULES,
    SOON,
    Audience,
    Change,
    NoticeKind,
    Telling,
    kinds_where,
)


def test_every_kind_has_its_rules() -> None:
    assert RULES.keys() == set(NoticeKind)


def test_evidence_stays_with_who_pressed_whatever_becomes_of_the_link() -> None:
    receipt = RULES[NoticeKind.RECEIPT]
    assert (receipt.audience, receipt.telling, receipt.stays) == (Audience.ANY_CHAT, Telling.WHOLE, True)
    assert {NoticeKind.RECEIPT} == ANSWERS


def test_the_receipt_is_first_and_what_hides_names_comes_next() -> None:
    by_urgency = sorted(NoticeKind, key=lambda kind: RULES[kind].urgency)
    assert by_urgency[:2] == [NoticeKind.RECEIPT, NoticeKind.BLANK]
    assert {RULES[kind].urgency for kind in by_urgency[2:]} == {2}


def test_what_bears_an_accounts_numbers_is_for_linked_chats_and_brief_when_idle() -> None:
    """These tell what happened to an organization: the phone may be in other hands."""
    for kind in (
        NoticeKind.COLLEAGUE_CERTIFIED,
        NoticeKind.PROVINCE_CERTIFIED,
        NoticeKind.REOPENED,
        NoticeKind.PETITIONED,
        NoticeKind.PETITION_REFUSED,
        NoticeKind.QUESTIONED,
        NoticeKind.ANSWERED,
        NoticeKind.LINKED,
        NoticeKind.PIN_RESET,
        NoticeKind.UNREACHABLE,
        NoticeKind.REMINDER,
        NoticeKind.WAITING,
        NoticeKind.REFRESH,
    ):
        assert RULES[kind].audience is Audience.LINKED, kind
        assert RULES[kind].telling is Telling.BRIEF_WHEN_IDLE, kind
        assert not RULES[kind].stays, kind


def test_the_end_of_a_link_reaches_a_chat_that_is_not_linked_any_more() -> None:
    assert {
        NoticeKind.RECEIPT,
        NoticeKind.BLANK,
        NoticeKind.HANDED_OVER,
        NoticeKind.PIN_BLOCKED,
        NoticeKind.LINK_DISPUTED,
        NoticeKind.ESCALATION,
        NoticeKind.ORGANIZATION_ENDED,
        # To the operator's chat.
        NoticeKind.BAD_SEAL,
    } == FOR_ANY_CHAT
    # Nothing that may go to any chat hides behind a PIN that nobody there has.
    assert all(RULES[kind].telling is Telling.WHOLE for kind in FOR_ANY_CHAT)
    # And what stays in a chat may be in any: it is not taken away with the link.
    assert KEPT_IN_CHAT <= FOR_ANY_CHAT


def test_what_changes_a_message_is_no_new_one() -> None:
    assert {NoticeKind.BLANK, NoticeKind.REFRESH, NoticeKind.REMOVE} == CHANGES
    assert RULES[NoticeKind.REMOVE].change is Change.REMOVE
    assert not CHANGES & ANSWERS


def test_bulk_is_what_goes_to_the_whole_country() -> None:
    bulk = kinds_where(lambda rules: rules.is_bulk)
    assert bulk == {NoticeKind.REMINDER, NoticeKind.BROADCAST}
    assert all(RULES[kind].urgency == 2 for kind in bulk)


def test_what_waits_for_a_quiet_hours_end_may_wait_over_the_longest_holidays() -> None:
    far = kinds_where(lambda rules: rules.furthest == AFTER_HOLIDAYS)
    assert far == {NoticeKind.REMINDER, NoticeKind.BROADCAST, NoticeKind.WAITING}
    assert kinds_where(lambda rules: rules.furthest not in (SOON, AFTER_HOLIDAYS)) == frozenset()
    assert timedelta(days=10) < AFTER_HOLIDAYS


def test_the_names_fit_their_column() -> None:
    assert all(len(kind.value) <= 30 for kind in NoticeKind)
