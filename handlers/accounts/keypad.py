"""The keypad of buttons: choosing a PIN, and giving it before what cannot be undone."""

from dataclasses import replace
from datetime import datetime

from markupsafe import Markup

from handlers.accounts.profile import ask, change_name_button
from handlers.chat.deleting import refused, require_deleted
from handlers.chat.proving import Attempt, NeedsProof, chosen_pin, entered_pin, login_keys
from handlers.chat.screen import Button, Row, Screen, lines, opening_below
from handlers.chat.taps.accounts import EraseKey, ForgotPin, ForgotPinToConfirm, Home, Key, LogOutNow
from handlers.chat.taps.certification import Cancel, SeeConfirmation
from handlers.chat.taps.tap import Tap
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


async def ask_pin(turn: Turn, purpose: Purpose, subject: str = "", heading: str = "") -> Screen:
    """Open a keypad for the officer's PIN, under what it is for; while PINs are blocked, say until when."""
    until = await throttle.blocked_until(turn.session, [throttle.pin_key(turn.user_id)], turn.now)
    if until is not None and purpose is not Purpose.SET:
        return _blocked(turn, until)
    if purpose is not Purpose.SET and await has_ended(turn.session, turn.officer, turn.now):
        return await _ended(turn)
    pad = await open_keypad(turn.session, turn.officer, purpose, subject, heading, turn.now, turn.rng)
    return _keypad(turn, pad)


async def unlock(turn: Turn, then: str = "") -> Screen:
    """The chat was left alone: ask for the PIN, and go on with the callback data `then` after it."""
    heading = turn.texts("<b>Welcome back.</b> This chat was left alone for 12 hours.")
    return await ask_pin(turn, Purpose.UNLOCK, then, heading)


async def choose_pin(turn: Turn) -> Screen:
    """Ask for a new PIN; where the login was too long ago, for the password first."""
    if not turn.officer.may_set_pin(turn.now):
        return await forgot(turn)
    turn.conversation.awaiting = Awaiting.NOTHING
    return await ask_pin(turn, Purpose.SET)


async def press(turn: Turn, tap: Key) -> Screen:
    """One digit; the sixth one makes the PIN. Raises NeedsProof."""
    pad = (await load_keypad(turn.session, turn.officer, tap.keypad, turn.now)).pressed(tap.place)
    if not pad.is_full:
        return await _show(turn, pad)
    return await (_choose(turn, pad) if pad.purpose is Purpose.SET else _check(turn, pad))


async def refuse_text(turn: Turn, typed: str) -> Screen:
    """A message where the PIN is entered on buttons: deleted, neither compared nor counted; the keypad stays, and
    no number in the message can be chosen as a PIN. Raises NeedsDeletion.
    """
    require_deleted(turn)
    _ = turn.texts
    sentence = _("Please enter the PIN with the keys only, never as a message.")
    if not turn.keypad:
        return refused(turn, await unlock(turn), sentence)
    pad = await load_keypad(turn.session, turn.officer, turn.keypad, turn.now)
    before = pad.barred
    if pad.purpose is Purpose.SET:
        pad = pad.barring(typed)
    if pad.barred != before and len(pad.barred) >= LENGTH:
        sentence = lines(sentence, _("The number that you typed cannot be your PIN. Please choose another one."))
    await keep_keypad(turn.session, turn.officer, pad)
    # Beside the dots, where the officer looks.
    return refused(turn, _keypad(turn, pad, sentence))


async def show_again(turn: Turn) -> Screen:
    """The keypad that the chat has on its screen."""
    return _keypad(turn, await load_keypad(turn.session, turn.officer, turn.keypad, turn.now))


async def bar_typed(turn: Turn, typed: str) -> None:
    """No number that is typed shortly before a PIN is chosen can be chosen: in place of a name or a password, or
    beside a keypad that takes no digits any more.
    """
    officer, awaiting = turn.linked, turn.conversation.awaiting
    asks_password = awaiting is Awaiting.PASSWORD_FOR_PIN
    if officer is None or (turn.keypad and not asks_password) or (turn.attempt is not None and turn.attempt.right):
        return
    if not officer.is_ready or asks_password or turn.lapsed is Purpose.SET:
        await bar(turn.session, officer, typed, turn.now)


async def erase(turn: Turn, tap: EraseKey) -> Screen:
    """⌫: take the last digit back."""
    pad = await load_keypad(turn.session, turn.officer, tap.keypad, turn.now)
    return await _show(turn, _with(pad, entered=pad.entered[:-1]))


async def forgot(turn: Turn, tap: Tap | None = None) -> Screen:
    """The password gives the right to choose a new PIN; without one only a new invitation does."""
    _ = turn.texts
    if turn.officer.may_set_pin(turn.now):
        return await choose_pin(turn)
    if turn.officer.account.password_hash is None:
        rows: tuple[Row, ...] = ((Button(_.plain("Log out"), LogOutNow()), home(_)),)
        return Screen(
            _("A new PIN needs a new invitation. Please ask {operator} for one.", operator=_.operator), rows
        )
    # ยกเลิก goes back to what the PIN was wanted for.
    turn.conversation.subject = tap.nonce if isinstance(tap, ForgotPinToConfirm) else None
    return ask_password_again(turn)


def ask_password_again(turn: Turn) -> Screen:
    """The question for the password of an officer who has forgotten its PIN."""
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
    """The officer's PIN is taken no more: the way to a new one."""
    sentence = turn.texts("Your PIN is too old and is not taken any more. Please choose a new one.")
    return (await forgot(turn)).headed(sentence)


async def take_password(turn: Turn, attempt: Attempt) -> Screen:
    """The password of an officer who has forgotten its PIN."""
    _, officer = turn.texts, turn.officer
    if attempt.blocked_until is not None:
        return _password_again(turn, blocked_sentence(turn, attempt))
    rests_on = attempt.rests_on
    stands = isinstance(rests_on, LoginCandidate) and rests_on.password_hash == officer.account.password_hash
    if not (attempt.right and stands):
        username = officer.account.username
        spent = attempt.tries.get(throttle.name_key(turn.session, username))
        await record_failed_login(turn.session, username, turn.user_id, turn.now, spent)
        return _password_again(
            turn, _("The password is not correct. Type your account's password here, not the PIN.")
        )
    await accept_password(turn, officer.account.username)
    await allow_new_pin(turn.session, officer, turn.now, by="password")
    return warned_of_password(turn, await choose_pin(turn))


def _password_again(turn: Turn, sentence: Markup) -> Screen:
    return ask_password_again(turn).headed(sentence)


async def accept_password(turn: Turn, username: str) -> None:
    """A right password: nothing is held against the account; of the chat's tries only this one is taken back."""
    name, chat = login_keys(turn.session, turn.user_id, username)
    await throttle.clear(turn.session, [name], turn.now)
    await throttle.take_back(turn.session, chat)


def warned_of_password(turn: Turn, screen: Screen) -> Screen:
    """The screen after a typed password, with a warning when its message still stands in the chat."""
    if turn.is_deleted is not False:
        return screen
    return screen.headed(
        turn.texts("⚠️ Your password message could not be deleted. Please delete it yourself now.")
    )


def blocked_sentence(turn: Turn, attempt: Attempt) -> Markup:
    """Too many were wrong; the same for known and unknown usernames."""
    assert attempt.blocked_until is not None  # noqa: S101 - what the caller asked
    _ = turn.texts
    return _("Too many wrong tries. Please try again after {moment}.", moment=_.moment(attempt.blocked_until))


# --- six digits ---------------------------------------------------------------------------------------------


async def _choose(turn: Turn, pad: Pad) -> Screen:
    """A new PIN, given twice; then the login ends. Raises NeedsProof and KeypadExpired."""
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
    await set_pin(turn.session, turn.officer, attempt.new_hash, turn.now)
    await close_keypad(turn.session, turn.officer)
    return Proved(Markup(), pad=pad)


async def _choose_again(turn: Turn, pad: Pad, sentence: Markup) -> Screen:
    """The keypad from its beginning, and why; the toast tells it when the same is refused twice."""
    pad = _with(pad, entered="", first="")
    await keep_keypad(turn.session, turn.officer, pad)
    screen = _keypad(turn, pad, Markup("❌ {}").format(sentence))
    return replace(screen, toast=turn.texts.plain("Please choose another PIN."))


async def _check(turn: Turn, pad: Pad) -> Screen:
    """The officer's PIN. Raises NeedsProof and KeypadExpired."""
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
    tried = throttle.pin_key(turn.user_id)
    if attempt.right:
        await throttle.clear(turn.session, [tried], turn.now)
        await close_keypad(turn.session, turn.officer)
        if attempt.new_hash:
            await move_pin(turn.session, turn.officer, attempt.new_hash, turn.now)
        turn.officer.last_seen_at = turn.now
        return Proved(Markup(), pad=pad)
    until = await throttle.blocked_until(turn.session, [tried], turn.now)
    spent = attempt.tries.get(tried)
    await record_wrong_pin(turn.session, turn.officer, turn.now, spent, blocks=until is not None)
    if until is not None:
        await close_keypad(turn.session, turn.officer)
        return _now_blocked(turn, until)
    left = await throttle.tries_left(turn.session, tried)
    pad = _with(pad, entered="")
    await keep_keypad(turn.session, turn.officer, pad)
    return _keypad(turn, pad, turn.texts("❌ The PIN is not correct. Tries left: {left}", left=left))


def _with(pad: Pad, **changes: str) -> Pad:
    return Pad(**{**pad.__dict__, **changes})


# --- screens ------------------------------------------------------------------------------------------------


async def _show(turn: Turn, pad: Pad) -> Screen:
    await keep_keypad(turn.session, turn.officer, pad)
    return _keypad(turn, pad)


def _keypad(turn: Turn, pad: Pad, refusal: Markup | None = None) -> Screen:
    """The keys, and beside the dots why they start anew."""
    _ = turn.texts
    if pad.purpose is not Purpose.SET:
        question = _("Enter your <b>PIN</b>.")
    elif pad.first:
        question = _("Enter the same PIN <b>once more</b>.")
    else:
        question = _("Choose a <b>PIN</b> of 6 digits. You will need it to certify.")
    dots = "●" * len(pad.entered) + "○" * (LENGTH - len(pad.entered))
    # What was kept as HTML was made by Texts, with everything from outside escaped.
    heading = Markup(pad.heading) if pad.heading else None  # noqa: S704
    # In the place of the empty line, so that the keys stay under the thumb.
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
    """As on a telephone, and the ways out below; which place stands behind which digit was drawn."""
    _ = turn.texts
    place = {digit: number for number, digit in enumerate(pad.layout)}
    keys = {digit: Button(str(digit), Key(pad.nonce, place[digit])) for digit in range(10)}
    rows: list[Row] = [tuple(keys[digit] for digit in row) for row in ((1, 2, 3), (4, 5, 6), (7, 8, 9))]
    must_finish = pad.purpose is Purpose.UNLOCK or not turn.officer.is_ready
    if must_finish:
        way_out = Button(_.plain("Log out"), LogOutNow())
    else:
        # What was to be certified is on the screen again: nothing has been.
        way_out = Button(_.plain("Cancel"), Cancel(pad.subject) if pad.purpose is Purpose.CONFIRM else Home())
    rows.append((keys[0], Button("⌫", EraseKey(pad.nonce))))
    if pad.purpose is Purpose.SET:
        # A new officer can still correct its name and position here: certificates will bear them.
        return (*rows, (way_out,) if turn.officer.is_ready else (change_name_button(_), way_out))
    forgot = ForgotPinToConfirm(pad.subject) if pad.purpose is Purpose.CONFIRM else ForgotPin()
    return (*rows, (way_out, Button(_.plain("Forgot the PIN"), forgot)))


def _now_blocked(turn: Turn, until: datetime) -> Screen:
    """After the last try. It stays in the chat, for it may have been somebody else who tried: what its buttons
    open comes below.
    """
    _, screen = turn.texts, _blocked(turn, until)
    title = _("⚠️ <b>The PIN was wrong {count} times</b>", count=throttle.TRIES)
    taken_again = _("It is taken again after {moment}.", moment=_.moment(until))
    not_you = _("Was that not you? Then log this chat out, and tell {operator}.", operator=_.operator)
    return Screen(lines(title, taken_again, "", not_you), opening_below(screen.rows))


def _blocked(turn: Turn, until: datetime) -> Screen:
    """No keys until then; the way by the password stays open."""
    _ = turn.texts
    return Screen(
        _("The PIN was wrong too often. It is taken again after {moment}.", moment=_.moment(until)),
        ((Button(_.plain("Forgot the PIN"), ForgotPin()),), (Button(_.plain("Log out"), LogOutNow()), home(_))),
    )
