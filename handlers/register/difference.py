"""Texts and screens for the difference of two registers, in total and by record: of the present register and a
sent file, or its certified state.
"""

from collections.abc import Callable, Iterable

from markupsafe import Markup

from handlers.chat.screen import Button, Row, Screen, Style, lines
from handlers.chat.taps.certification import LaoReview
from handlers.chat.taps.register import DropRoster, RosterChanges, SaveRoster
from handlers.chat.taps.tap import Tap
from handlers.chat.texts import Texts
from handlers.chat.words import category_word, home, masked, organization_line, way_out
from models.base.thai import shortened
from models.imports.sent_roster import Proposal
from models.imports.tabular.problems import unpacked
from models.register.difference import ChangeKind, Difference, RecordChange
from models.register.roster import Category, MenuState, Record

# Menus that one line names; a register may have 200.
_MENUS_SHOWN = 5
# Letters of a position or a menu's name after which it is shortened; it has up to 200.
_LONGEST = 41


def proposal_screen(_: Texts, proposal: Proposal) -> Screen:
    """What a sent file would change, with the button that saves it unless nothing would change."""
    difference, sent = proposal.difference, proposal.sent
    head = (
        _("<b>What the file changes</b>"),
        organization_line(_, proposal.organization),
        _("📄 {file}: {count:,} records", file=sent.file_name, count=len(sent.records)),
        "",
    )
    if proposal.draft is None:
        return Screen(
            lines(*head, _("✅ No difference: the register is just like the file. There is nothing to save.")),
            (way_out(_, LaoReview()),),
        )
    key = proposal.draft.key
    return Screen(
        lines(
            *head,
            *(_note(_, note) for note in sent.notes),
            numbers_lines(_, difference),
            "",
            _("Records with empty menus: {count:,}", count=difference.with_empty_menus),
            menus_lines(_, difference),
            "",
            _("<b>Nothing is saved yet.</b> You can save it within 24 hours."),
        ),
        (
            *kind_buttons(_, difference, lambda kind: RosterChanges(key, kind, 0)),
            (Button(_.plain("Save the register"), SaveRoster(key), Style.DANGER),),
            (Button(_.plain("Cancel"), DropRoster(key)), home(_)),
        ),
    )


def numbers_lines(_: Texts, difference: Difference) -> Markup:
    """The number of people in each category and in total, before and after."""
    return lines(
        *(_category_line(_, difference, category) for category in Category),
        _("Total <b>{before:,} → {after:,}</b>", before=difference.before.total, after=difference.after.total),
    )


def _note(_: Texts, note: object) -> Markup:
    """A note about data that was read although it is hidden in the file."""
    text = unpacked(note)
    values = {name: shortened(str(value), _LONGEST) for name, value in text.values.items()}
    return _("⚠️ {note}", note=_.plain(text.template, **values))


def _category_line(_: Texts, difference: Difference, category: Category) -> Markup:
    """A category's number before and after; on a second line its added, removed and changed records."""
    numbers = _(
        "{category} <b>{before:,} → {after:,}</b>",
        category=category_word(_, category),
        before=difference.before.of(category),
        after=difference.after.of(category),
    )
    counts = [(kind, difference.count(kind, category)) for kind in ChangeKind]
    words = " · ".join(kind_word(_, kind, count) for kind, count in counts if count)
    return lines(numbers, Markup("   {}").format(words)) if words else numbers


def kind_word(_: Texts, kind: ChangeKind, count: int) -> str:
    """A number of added, removed or changed records."""
    return {
        ChangeKind.ADDED: _.plain("added {count:,}", count=count),
        ChangeKind.REMOVED: _.plain("removed {count:,}", count=count),
        ChangeKind.CHANGED: _.plain("changed {count:,}", count=count),
    }[kind]


def kind_buttons(_: Texts, difference: Difference, tap: Callable[[ChangeKind], Tap]) -> tuple[Row, ...]:
    """A row with a button for each kind of change that occurs; `tap(kind)` is what the button sends."""
    return tuple(
        (Button(_see_word(_, kind, count), tap(kind)),) for kind in ChangeKind if (count := difference.count(kind))
    )


def _see_word(_: Texts, kind: ChangeKind, count: int) -> str:
    """The label of the button that opens the records with one kind of change."""
    return {
        ChangeKind.ADDED: _.plain("See added ({count:,})", count=count),
        ChangeKind.REMOVED: _.plain("See removed ({count:,})", count=count),
        ChangeKind.CHANGED: _.plain("See changed ({count:,})", count=count),
    }[kind]


def menus_lines(_: Texts, difference: Difference) -> Markup | None:
    """The names of added and removed menus; None when the menus are the same."""
    parts = [part for part in (_new_menus(_, difference), _gone_menus(_, difference)) if part is not None]
    return lines(*parts) if parts else None


def _new_menus(_: Texts, difference: Difference) -> Markup | None:
    if not difference.new_menus:
        return None
    return _("New menus: {menus}", menus=_listed(_, difference.new_menus))


def _gone_menus(_: Texts, difference: Difference) -> Markup | None:
    if not difference.gone_menus:
        return None
    return _("⚠️ Menus that go: {menus}", menus=_listed(_, difference.gone_menus))


def change_text(_: Texts, change: RecordChange) -> Markup:
    """One changed record: its number, the masked name, and the changed fields; for an added or removed record the
    category, position and level.
    """
    record = change.record
    title = Markup("<b>{}</b> {}").format(record.record_no, masked(record.full_name))
    if change.before is None or change.after is None:
        return lines(
            title,
            category_word(_, record.category),
            shortened(f"{record.position} {record.level}".strip(), _LONGEST),
        )
    return lines(title, fields_text(_, change))


def fields_text(_: Texts, change: RecordChange, *, whole_names: bool = False) -> Markup:
    """The fields of a record that differ, or that it is new. `whole_names`: show a changed name unmasked."""
    if change.before is None or change.after is None:
        return _("New in the register")
    return lines(*_fields(_, change.before, change.after, whole_names), _menus(_, change))


def _fields(_: Texts, before: Record, after: Record, whole_names: bool) -> Iterable[Markup]:
    """The fields that differ, with both values. Of a masked name only that it changed, because both masked forms
    may be the same.
    """
    if before.full_name != after.full_name and not whole_names:
        yield _("Name: changed")
    names = ((_.plain("Name"), before.full_name, after.full_name),) if whole_names else ()
    pairs = (
        *names,
        (_.plain("Category"), category_word(_, before.category), category_word(_, after.category)),
        (_.plain("Position"), before.position, after.position),
        (_.plain("Level"), before.level, after.level),
    )
    for name, old, new in pairs:
        if old != new:
            values = (name, shortened(old, _LONGEST) or "–", shortened(new, _LONGEST) or "–")
            yield Markup("{}: {} → <b>{}</b>").format(*values)


def _menus(_: Texts, change: RecordChange) -> Markup | None:
    words = {
        MenuState.RECORDED: _.plain("recorded"),
        MenuState.NONE: _.plain("none"),
        MenuState.EMPTY: _.plain("empty"),
    }
    parts = [
        f"{shortened(name, _LONGEST)}: {words[before]} → {words[after]}" for name, before, after in change.menus
    ]
    return lines(*map(Markup.escape, _first(_, parts))) if parts else None


def _listed(_: Texts, names: tuple[str, ...]) -> str:
    return ", ".join(_first(_, [shortened(name, _LONGEST) for name in names]))


def _first(_: Texts, texts: list[str]) -> list[str]:
    """The first texts, and how many more menus there are."""
    more = len(texts) - _MENUS_SHOWN
    return [*texts[:_MENUS_SHOWN], _.plain("and {count:,} more menus", count=more)] if more > 0 else texts
