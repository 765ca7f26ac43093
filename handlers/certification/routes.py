"""The handler of each tap and command of this room, and the right that it needs (handlers/dispatch.py)."""

from handlers.certification import confirming, lao, province, verifying
from handlers.chat.taps.certification import (
    Cancel,
    Confirm,
    LaoCertify,
    LaoHistory,
    LaoMenu,
    LaoPositions,
    LaoReview,
    ProvinceCertify,
    ProvinceHistory,
    ProvincePositions,
    ProvinceReview,
    SeeCertificate,
    SeeConfirmation,
    SeeHistory,
)
from handlers.chat.taps.tap import Tap
from handlers.chat.turn import Handler, Right, Step
from models.accounts.pin import Purpose

TAPS: dict[type[Tap], tuple[Right, Handler]] = {
    LaoMenu: (Right.LAO, lao.menu),
    LaoReview: (Right.LAO, lao.show_review),
    LaoPositions: (Right.LAO, lao.positions),
    LaoCertify: (Right.LAO, lao.ask),
    LaoHistory: (Right.LAO, lao.history),
    ProvinceReview: (Right.PROVINCE, province.show_review),
    ProvincePositions: (Right.PROVINCE, province.positions),
    ProvinceCertify: (Right.PROVINCE, province.ask),
    ProvinceHistory: (Right.PROVINCE, province.history),
    SeeCertificate: (Right.LINKED, verifying.see_certificate),
    SeeHistory: (Right.LINKED, confirming.see_history),
    Confirm: (Right.LINKED, confirming.confirm),
    SeeConfirmation: (Right.LINKED, confirming.see_confirmation),
    Cancel: (Right.LINKED, confirming.cancel),
}

# Taps whose handlers certify nothing and change no register.
NAVIGATION: set[type[Tap]] = {
    LaoMenu,
    LaoReview,
    LaoPositions,
    LaoHistory,
    ProvinceReview,
    ProvincePositions,
    ProvinceHistory,
    SeeCertificate,
    SeeHistory,
}

# Each handler receives the command's argument.
COMMANDS: dict[str, tuple[Right, Handler]] = {
    "start": (Right.ANYONE, verifying.start),
    "verify": (Right.LINKED, verifying.show_certificate),
}

# What follows a right PIN, by the keypad's purpose.
AFTER_PIN: dict[Purpose, Step] = {
    Purpose.CONFIRM: confirming.confirmed,
}
