"""The keypad of buttons on which officers choose a PIN, and enter it before irreversible actions."""

from dataclasses import replace
from datetime import datetime

from markupsafe import Markup

from handlers.accounts.profile import ask, change_name_button
from handlers.chat.deleting import refused, require_deleted
from handlers.chat.proving import Attempt, NeedsProof, chosen_pin, entered_pin
from handlers.chat.screen import Button, Row, Screen, lines, opening_below
from handlers.chat.taps.accounts import EraseKey, ForgotPin, ForgotPinToConfirm, Home, Key, LogOutNow
from handlers.chat.taps.certification import Cancel, SeeConfirmation
from handlers.chat.taps.spot_checks import HandInIncorrect, SpotSummary
from handlers.chat.taps.tap import Tap, unpack
from handlers.chat.turn import Proved, Turn
from handlers.chat.words import home
from models.accounts import throttle
from models.accounts.account import LoginCandidate, allow_new_pin, record_failed_login, record_wrong_pin
from models.accounts.pin import (
    LENGTH,
    KeypadExpired,
    Pad,
    Purpose,
    WeakPin,
    bar,
    close_keypad,
    has_ended,
    keep_keypad,
    load_keypad,
    move_pin,
    open_keypad,
    require_strong,
    set_pin,
)
from models.chats.conversation import Awaiting
from models.links.link import announce_pin_reset


async def ask_pin(turn: Turn, purpose: Purpose, subject: str = "", heading: str = "") -> Screen:
    """Open a keypad for the officer's PIN below `heading`; while PINs are blocked, say until when.

    An officer whose PIN has expired is led to a new one instead.
    """
    until = await throttle.blocked_until(turn.session, [throttle.pin_key(turn.user_id)], turn.now)
    if until is not None and purpose is not Purpose.SET:
        return _blocked(turn, until)
    if purpose is not Purpose.SET and await has_ended(turn.session, turn.officer, turn.now):
        return await _ended(turn)
    pad = await open_keypad(turn.session, turn.officer, purpose, subject, heading, turn.now, turn.rng)
    return _keypad(turn, pad)


async def unlock(turn: Turn, then: str = "") -> Screen:
    """Ask for the PIN in an idle chat, and then continue with the callback data `then`."""
    heading = turn.texts("<b>Welcome back.</b> This chat was left alone for 12 hours.")
    return await ask_pin(turn, Purpose.UNLOCK, then, heading)


async def choose_pin(turn: Turn) -> Screen:
    """Ask for a new PIN; if the officer may not choose one without it, ask for the password first."""
    if not turn.officer.may_set_pin(turn.now):
        return await forgot(turn)
    turn.conversation.awaiting = Awaiting.NOTHING
    return await ask_pin(turn, Purpose.SET)


async def press(turn: Turn, tap: Key) -> Screen:
    """Add one digit; the sixth one completes the PIN, which is then set or checked.

    Raises KeypadExpired, and NeedsProof when the PIN must be hashed.
    """
    pad = (await load_keypad(turn.session, turn.officer, tap.keypad, turn.now)).pressed(tap.place)
    if not pad.is_full:
        return await _show(turn, pad)
    return await (_choose(turn, pad) if pad.purpose is Purpose.SET else _check(turn, pad))


async def refuse_text(turn: Turn, typed: str) -> Screen:
    """Refuse a typed message while the PIN must be entered on buttons.

    The message is deleted and neither compared nor counted as an attempt. The keypad stays, and while a PIN is
    being chosen, no number in the message can be chosen. Raises NeedsDeletion.
    """
    require_deleted(turn)
    _ = turn.texts
    sentence = _("Please enter the PIN with the keys only, never as a message.")
    if not turn.keypad:
        return refused(turn, await unlock(turn), sentence)
    pad = await load_keypad(turn.session, turn.officer, turn.keypad, turn.now)
    previously_barred = pad.barred
    if pad.purpose is Purpose.SET:
        pad = pad.barring(typed)
    if pad.barred != previously_barred and len(pad.barred) >= LENGTH:
        sentence = lines(sentence, _("The number that you typed cannot be your PIN. Please choose another one."))
    await keep_keypad(turn.session, turn.officer, pad)
    # Shown next to the dots, where the officer is looking.
    return refused(turn, _keypad(turn, pad, sentence))


async def show_again(turn: Turn) -> Screen:
    """Return the screen of the chat's open keypad. Raises KeypadExpired."""
    return _keypad(turn, await load_keypad(turn.session, turn.officer, turn.keypad, turn.now))


async def bar_typed(turn: Turn, typed: str) -> None:
    """Bar the digits of a typed message from the PIN that the officer will choose soon.

    This applies to messages typed in place of a name or a password, or while the keypad for a new PIN has expired.
    """
    officer, awaiting = turn.linked, turn.conversation.awaiting
    asks_password = awaiting is Awaiting.PASSWORD_FOR_PIN
    if officer is None or (turn.keypad and not asks_password) or (turn.attempt is not None and turn.attempt.right):
        return
    if not officer.is_ready or asks_password or turn.lapsed is Purpose.SET:
        await bar(turn.session, officer, typed, turn.now)


async def erase(turn: Turn, tap: EraseKey) -> Screen:
    """⌫: remove the last digit. Raises KeypadExpired."""
    pad = await load_keypad(turn.session, turn.officer, tap.keypad, turn.now)
    return await _show(turn, _with(pad, entered=pad.entered[:-1]))


async def forgot(turn: Turn, tap: Tap | None = None) -> Screen:
    """Ask for the password, which allows a new PIN.

    For an account without a password, say that a new invitation is needed. An officer who may already choose a PIN
    does so at once.
    """
    _ = turn.texts
    if turn.officer.may_set_pin(turn.now):
        return await choose_pin(turn)
    if turn.officer.account.password_hash is None:
        rows: tuple[Row, ...] = ((Button(_.plain("Log out"), LogOutNow()), home(_)),)
        return Screen(
            _("A new PIN needs a new invitation. Please ask {operator} for one.", operator=_.operator), rows
        )
    # ยกเลิก (cancel) goes back to the confirmation for which the PIN was asked.
    turn.conversation.subject = tap.nonce if isinstance(tap, ForgotPinToConfirm) else None
    return ask_password_again(turn)


def ask_password_again(turn: Turn) -> Screen:
    """Ask an officer who has forgotten the PIN for the account's password."""
    _, nonce = turn.texts, turn.conversation.subject
    turn.conversation.awaiting = Awaiting.PASSWORD_FOR_PIN
    screen = ask(
        turn, "To choose a PIN, type your account's <b>password</b>. Your message will be deleted at once."
    )
    if not turn.officer.is_ready:
        return replace(screen, rows=((Button(_.plain("Log out"), LogOutNow()),),))
    if nonce:
        return replace(screen, rows=((Button(_.plain("Cancel"), SeeConfirmation(nonce)),),))
    return screen


async def _ended(turn: Turn) -> Screen:
    """Say that the officer's PIN has expired, and lead to a new one."""
    sentence = turn.texts("Your PIN is too old and is not taken any more. Please choose a new one.")
    return (await forgot(turn)).headed(sentence)


async def take_password(turn: Turn, attempt: Attempt) -> Screen:
    """Take the checked password of an officer who has forgotten the PIN, and let the officer choose a new one."""
    _, officer = turn.texts, turn.officer
    if attempt.blocked_until is not None:
        return _password_again(turn, blocked_sentence(turn, attempt))
    rests_on = attempt.rests_on
    is_current = isinstance(rests_on, LoginCandidate) and rests_on.password_hash == officer.account.password_hash
    if not (attempt.right and is_current):
        username = officer.account.username
        tries = attempt.tries.get(throttle.name_key(turn.session, username))
        await record_failed_login(turn.session, username, turn.user_id, turn.now, tries)
        return _password_again(
            turn, _("The password is not correct. Type your account's password here, not the PIN.")
        )
    # The account's throttle is not reset, so that attempts by strangers stay counted.
    await throttle.take_back(turn.session, throttle.chat_key(turn.user_id))
    await allow_new_pin(turn.session, officer, turn.now, by="password")
    return warned_of_password(turn, await choose_pin(turn))


def _password_again(turn: Turn, sentence: Markup) -> Screen:
    return ask_password_again(turn).headed(sentence)


def warned_of_password(turn: Turn, screen: Screen) -> Screen:
    """Add a warning to the screen when the message with the password could not be deleted."""
    if turn.is_deleted is not False:
        return screen
    return screen.headed(
        turn.texts("⚠️ Your password message could not be deleted. Please delete it yourself now.")
    )


def blocked_sentence(turn: Turn, attempt: Attempt) -> Markup:
    """Say until when logins are blocked; the same text for known and unknown usernames."""
    assert attempt.blocked_until is not None  # noqa: S101 - what the caller asked
    _ = turn.texts
    return _("Too many wrong tries. Please try again after {moment}.", moment=_.moment(attempt.blocked_until))


# --- six digits ---------------------------------------------------------------------------------------------


async def _choose(turn: Turn, pad: Pad) -> Screen:
    """Handle a full keypad for a new PIN: the first entry, then the second, after which the PIN is set.

    Raises NeedsProof to hash the PIN, and KeypadExpired when the keypad has changed since.
    """
    _ = turn.texts
    if pad.entered in pad.barred:
        sentence = _("The number that you typed cannot be your PIN. Please choose another one.")
        return await _choose_again(turn, pad, sentence)
    if not pad.first:
        try:
            require_strong(pad.entered, turn.officer.account.username)
        except WeakPin:
            sentence = _(
                "That PIN is guessed first: a row, a repetition, or digits of your username."
                " Please choose another one."
            )
            return await _choose_again(turn, pad, sentence)
        return await _show(turn, _with(pad, entered="", first=pad.entered))
    if pad.entered != pad.first:
        sentence = _("The two were not the same. Please choose the PIN again.")
        return await _choose_again(turn, pad, sentence)
    attempt = turn.attempt
    if attempt is None:
        raise NeedsProof(chosen_pin(turn.session, turn.officer, pad))
    if attempt.rests_on != pad:
        raise KeypadExpired
    if await set_pin(turn.session, turn.officer, attempt.new_hash, turn.now):
        await announce_pin_reset(turn.session, turn.officer, turn.now)
    await close_keypad(turn.session, turn.officer)
    return Proved(Markup(), pad=pad)


async def _choose_again(turn: Turn, pad: Pad, sentence: Markup) -> Screen:
    """Clear both entries and say why. The toast also shows the refusal when the same one is repeated."""
    pad = _with(pad, entered="", first="")
    await keep_keypad(turn.session, turn.officer, pad)
    screen = _keypad(turn, pad, Markup("❌ {}").format(sentence))
    return replace(screen, toast=turn.texts.plain("Please choose another PIN."))


async def _check(turn: Turn, pad: Pad) -> Screen:
    """Handle a full keypad for an existing PIN: accept it, or count a failure.

    Raises NeedsProof to check the PIN, and KeypadExpired when the keypad has changed since.
    """
    attempt = turn.attempt
    if attempt is None:
        if await has_ended(turn.session, turn.officer, turn.now):
            await close_keypad(turn.session, turn.officer)
            return await _ended(turn)
        raise NeedsProof(entered_pin(turn.session, turn.officer, pad))
    if attempt.rests_on != pad:
        raise KeypadExpired
    if attempt.blocked_until is not None:
        return _blocked(turn, attempt.blocked_until)
    throttle_key = throttle.pin_key(turn.user_id)
    if attempt.right:
        await throttle.clear(turn.session, [throttle_key], turn.now)
        await close_keypad(turn.session, turn.officer)
        if attempt.new_hash:
            await move_pin(turn.session, turn.officer, attempt.new_hash, turn.now)
        turn.officer.last_seen_at = turn.now
        return Proved(Markup(), pad=pad)
    until = await throttle.blocked_until(turn.session, [throttle_key], turn.now)
    tries = attempt.tries.get(throttle_key)
    await record_wrong_pin(turn.session, turn.officer, turn.now, tries, blocks=until is not None)
    if until is not None:
        await close_keypad(turn.session, turn.officer)
        return _now_blocked(turn, until)
    remaining = await throttle.tries_left(turn.session, throttle_key)
    pad = _with(pad, entered="")
    await keep_keypad(turn.session, turn.officer, pad)
    return _keypad(turn, pad, turn.texts("❌ The PIN is not correct. Tries left: {left}", left=remaining))


def _with(pad: Pad, **changes: str) -> Pad:
    return Pad(**{**pad.__dict__, **changes})


# --- screens ------------------------------------------------------------------------------------------------


async def _show(turn: Turn, pad: Pad) -> Screen:
    await keep_keypad(turn.session, turn.officer, pad)
    return _keypad(turn, pad)


def _keypad(turn: Turn, pad: Pad, refusal: Markup | None = None) -> Screen:
    """The keypad's screen, with the reason if the last entry was refused."""
    _ = turn.texts
    if pad.purpose is not Purpose.SET:
        question = _("Enter your <b>PIN</b>.")
    elif pad.first:
        question = _("Enter the same PIN <b>once more</b>.")
    else:
        question = _("Choose a <b>PIN</b> of 6 digits. You will need it to certify.")
    dots = "●" * len(pad.entered) + "○" * (LENGTH - len(pad.entered))
    # The stored heading is HTML made by Texts, in which all external text is escaped.
    heading = Markup(pad.heading) if pad.heading else None  # noqa: S704
    # The refusal replaces the empty line, so that the keys do not move.
    apart = "" if heading and refusal is None else None
    text, keys = lines(heading, apart, question, refusal), _keys(turn, pad)
    toast = " ".join(dots) if pad.entered else ""
    return Screen(
        lines(text, Markup("<b>{}</b>").format(dots)),
        keys,
        toast=toast,
        is_passing=bool(pad.entered),
        without_dots=Screen(text, keys, toast=toast),
    )


def _keys(turn: Turn, pad: Pad) -> tuple[Row, ...]:
    """The keys in a telephone's order, with the exits below; the place in each key's callback data is random."""
    _ = turn.texts
    place = {digit: number for number, digit in enumerate(pad.layout)}
    keys = {digit: Button(str(digit), Key(pad.nonce, place[digit])) for digit in range(10)}
    rows: list[Row] = [tuple(keys[digit] for digit in row) for row in ((1, 2, 3), (4, 5, 6), (7, 8, 9))]
    must_finish = pad.purpose is Purpose.UNLOCK or not turn.officer.is_ready
    way_out = Button(_.plain("Log out"), LogOutNow()) if must_finish else Button(_.plain("Cancel"), _cancel(pad))
    rows.append((keys[0], Button("⌫", EraseKey(pad.nonce))))
    if pad.purpose is Purpose.SET:
        # A new officer can still correct the name and position, which certificates will print.
        return (*rows, (way_out,) if turn.officer.is_ready else (change_name_button(_), way_out))
    forgot = ForgotPinToConfirm(pad.subject) if pad.purpose is Purpose.CONFIRM else ForgotPin()
    return (*rows, (way_out, Button(_.plain("Forgot the PIN"), forgot)))


def _cancel(pad: Pad) -> Tap:
    """Return the tap of the cancel button, which leads back to the screen before the keypad."""
    if pad.purpose is Purpose.CONFIRM:
        return Cancel(pad.subject)
    if pad.purpose is Purpose.HAND_IN:
        handing_in = unpack(pad.subject)
        if isinstance(handing_in, HandInIncorrect):
            return SpotSummary(handing_in.organization, handing_in.check)
    return Home()


def _now_blocked(turn: Turn, until: datetime) -> Screen:
    """The warning after the last allowed attempt.

    Its buttons open new messages below, so that the warning stays in the chat: somebody else may have tried.
    """
    _, screen = turn.texts, _blocked(turn, until)
    title = _("⚠️ <b>The PIN was wrong {count} times</b>", count=throttle.TRIES)
    taken_again = _("It is taken again after {moment}.", moment=_.moment(until))
    not_you = _("Was that not you? Then log this chat out, and tell {operator}.", operator=_.operator)
    return Screen(lines(title, taken_again, "", not_you), opening_below(screen.rows))


def _blocked(turn: Turn, until: datetime) -> Screen:
    """Say until when PINs are blocked; a new PIN by password stays possible."""
    _ = turn.texts
    return Screen(
        _("The PIN was wrong too often. It is taken again after {moment}.", moment=_.moment(until)),
        ((Button(_.plain("Forgot the PIN"), ForgotPin()),), (Button(_.plain("Log out"), LogOutNow()), home(_))),
    )
