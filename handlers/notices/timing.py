"""การแจ้งเตือน (Notices): how often a province's live card rings, quiet hours and days off, each set by one tap."""

from dataclasses import replace

from handlers.chat.screen import Button, Row, Screen, lines
from handlers.chat.taps.notices import ChooseQuiet, ChooseRhythm, NoticeTimes, RestOnDaysOff, RingOnDaysOff
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts
from handlers.chat.turn import Turn
from handlers.chat.words import home
from models.accounts.account import Role
from models.notices import card_marks
from models.notices.tables import Quiet, Rhythm
from models.notices.timing import Preference, load_preference, next_time, quiet_end, save_preference

CHOSEN = "✓ "


async def show(turn: Turn, _tap: NoticeTimes) -> Screen:
    """The officer's settings, and when the next message can ring."""
    return _screen(turn, await load_preference(turn.session, turn.officer.id))


async def choose_rhythm(turn: Turn, tap: ChooseRhythm) -> Screen:
    """Set how often the live card rings."""
    return await _choose(turn, rhythm=tap.rhythm)


async def choose_quiet(turn: Turn, tap: ChooseQuiet) -> Screen:
    """Set the hours in which nothing rings."""
    return await _choose(turn, quiet=tap.quiet)


async def rest_on_days_off(turn: Turn, _tap: RestOnDaysOff) -> Screen:
    """Let nothing ring on weekends and public holidays."""
    return await _choose(turn, skips_days_off=True)


async def ring_on_days_off(turn: Turn, _tap: RingOnDaysOff) -> Screen:
    """Let notices ring on every day."""
    return await _choose(turn, skips_days_off=False)


async def _choose(turn: Turn, **change: Rhythm | Quiet | bool) -> Screen:
    preference = replace(await load_preference(turn.session, turn.officer.id), **change)  # type: ignore[arg-type]
    await save_preference(turn.session, turn.officer.id, preference)
    if turn.officer.account.role is Role.PROVINCE:
        await card_marks.plan_anew(turn.session, turn.officer, turn.now)
    return _screen(turn, preference)


def _screen(turn: Turn, preference: Preference) -> Screen:
    _, is_province = turn.texts, turn.officer.account.role is Role.PROVINCE
    rows: list[Row] = _rhythm_rows(_, preference) if is_province else []
    rows += [(_choice(quiet_word(_, quiet), ChooseQuiet(quiet), quiet is preference.quiet),) for quiet in Quiet]
    days_off: Tap = RingOnDaysOff() if preference.skips_days_off else RestOnDaysOff()
    rows.append((_choice(_.plain("Not on weekends and holidays"), days_off, preference.skips_days_off),))
    return Screen(
        lines(
            _("<b>Notifications</b>"),
            "",
            _province_words(_) if is_province else _lao_words(_),
            "",
            _next_line(turn, preference),
        ),
        (*rows, (home(_),)),
    )


def _rhythm_rows(_: Texts, preference: Preference) -> list[Row]:
    return [
        (_choice(rhythm_word(_, rhythm), ChooseRhythm(rhythm), rhythm is preference.rhythm),) for rhythm in Rhythm
    ]


def _choice(label: str, tap: Tap, is_chosen: bool) -> Button:
    return Button(f"{CHOSEN if is_chosen else ''}{label}", tap)


def rhythm_word(_: Texts, rhythm: Rhythm) -> str:
    """A rhythm in words, for its button."""
    return {
        Rhythm.AT_ONCE: _.plain("At once"),
        Rhythm.HOURLY: _.plain("Hourly"),
        Rhythm.TWICE: _.plain("08:30, 13:30"),
        Rhythm.OFF: _.plain("Off"),
    }[rhythm]


def quiet_word(_: Texts, quiet: Quiet) -> str:
    """Quiet hours in words, for their button."""
    return {
        Quiet.NONE: _.plain("No quiet hours"),
        Quiet.OVERNIGHT: _.plain("Quiet 20:00 to 07:00"),
        Quiet.AFTER_HOURS: _.plain("Quiet after hours (16:30 to 08:30)"),
    }[quiet]


def _province_words(_: Texts) -> str:
    return _(
        "One card shows what waits for you and is kept up to date without a sound. A new message, which rings, "
        "comes only when something new waits. Reminders keep to the quiet hours too. Questions, answers, and what "
        "concerns your link or your PIN always come at once."
    )


def _lao_words(_: Texts) -> str:
    return _(
        "Reminders of the closing day and announcements wait for the end of the quiet hours. Receipts, questions, "
        "decisions, and what concerns your link or your PIN always come at once."
    )


def _next_line(turn: Turn, preference: Preference) -> str:
    """The line that says when the next message can ring."""
    _ = turn.texts
    if turn.officer.account.role is Role.LAO:
        moment = quiet_end(preference, turn.now)
        if moment <= turn.now:
            return _("Reminders can ring now.")
        return _("Reminders can ring again from {moment}.", moment=_.moment(moment))
    following = next_time(preference, turn.now)
    if following is None:
        return _("The card does not ring; it is still kept up to date.")
    if following <= turn.now:
        return _("The card can ring now.")
    return _("The card can ring next at {moment}.", moment=_.moment(following))
