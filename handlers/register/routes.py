"""The handler of each tap of this room, and the right that it needs (handlers/dispatch.py)."""

from handlers.chat.taps.register import (
    ChangedRecords,
    DropRoster,
    EmptyMenu,
    EmptyMenus,
    RegisterTemplate,
    RosterChanges,
    SaveRoster,
    SeeChanges,
    SendRegister,
    SentFile,
)
from handlers.chat.taps.tap import Tap
from handlers.chat.turn import Handler, Right
from handlers.register import changes, empty_menus, register_file

TAPS: dict[type[Tap], tuple[Right, Handler]] = {
    SendRegister: (Right.LAO, register_file.explain),
    RegisterTemplate: (Right.LAO, register_file.template),
    RosterChanges: (Right.LAO, register_file.changes),
    SentFile: (Right.LAO, register_file.show),
    SaveRoster: (Right.LAO, register_file.save),
    DropRoster: (Right.LAO, register_file.drop),
    EmptyMenus: (Right.LINKED, empty_menus.show_menus),
    EmptyMenu: (Right.LINKED, empty_menus.show_records),
    SeeChanges: (Right.LINKED, changes.show_changes),
    ChangedRecords: (Right.LINKED, changes.show_records),
}

# Taps whose handlers change nothing.
NAVIGATION: set[type[Tap]] = {RosterChanges, EmptyMenus, EmptyMenu, SeeChanges, ChangedRecords}
