"""A review's numbers as lines: beside the last round's, with what differs too much and what was said of it."""

from markupsafe import Markup

from handlers.chat.screen import lines
from handlers.chat.texts import Texts
from handlers.chat.words import category_word, headcount_lines
from models.certification.certificate import Status
from models.certification.review import Review
from models.register.roster import Category


def numbers_text(_: Texts, shown: Review, difference_percent: int) -> Markup:
    """The three numbers and their total; where there was an earlier round, with the difference and its marks."""
    if shown.previous is None:
        return headcount_lines(_, shown.roster.headcount)
    year = _("Fiscal year B.E. {year} → now", year=shown.previous_year)
    return lines(year, compared_lines(_, shown, difference_percent))


def difference_text(_: Texts, shown: Review, difference_percent: int) -> Markup | None:
    """Which numbers differ too much from the last round's, and what the organization said of it."""
    marked = marked_line(_, shown, difference_percent)
    if marked is None and shown.explanation is None:
        return None
    parts: list[Markup | str | None] = ["", marked]
    if shown.status is Status.UNCERTIFIED and shown.lacks_explanation(difference_percent):
        parts.append(_("The organization must explain this before it certifies."))
    if shown.explanation is not None:
        said = shown.explanation
        parts += [
            _("<b>Explanation of the difference</b>"),
            said.body,
            _("By {name} · {moment}", name=said.author, moment=_.moment(said.made_at)),
        ]
    return lines(*parts)


def compared_lines(_: Texts, shown: Review, difference_percent: int) -> Markup:
    """`ข้าราชการ 42 → 39 คน (−3)` for each category and the total, with ⚠️ where it is too much."""
    assert shown.previous is not None  # noqa: S101 - there is something to compare with
    now, before, beyond = shown.roster.headcount, shown.previous, shown.marked(difference_percent)
    rows = [
        (category_word(_, one), before.of(one), now.of(one), Markup(" ⚠️") if one in beyond else "")
        for one in Category
    ]
    rows.append((_.plain("Total"), before.total, now.total, ""))
    return lines(
        *(
            _(
                "{name} {before:,} → <b>{now:,}</b> ({change})",
                name=name,
                before=then,
                now=there,
                change=signed(there - then),
            )
            + mark
            for name, then, there, mark in rows
        )
    )


def signed(difference: int) -> str:
    """`+3`, `0`, `−3` with the minus sign of typography: it is as wide as a plus."""
    return f"{difference:+,}".replace("-", "−") if difference else "0"


def marked_line(_: Texts, shown: Review, difference_percent: int) -> Markup | None:
    """The categories that differ too much, in words: a sign alone is overlooked."""
    beyond = shown.marked(difference_percent)
    if not beyond:
        return None
    names = ", ".join(category_word(_, category) for category in beyond)
    return _("⚠️ Differs by more than {percent}%: {names}", percent=difference_percent, names=names)
