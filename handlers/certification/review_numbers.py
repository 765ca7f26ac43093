"""A review's numbers as lines of text: beside the last round's, with marks for large differences and their
explanation.
"""

from markupsafe import Markup

from handlers.chat.screen import lines
from handlers.chat.texts import Texts
from handlers.chat.words import category_word, headcount_lines
from models.certification.certificate import Status
from models.certification.review import Review
from models.register.roster import Category


def numbers_text(_: Texts, review: Review, difference_percent: int) -> Markup:
    """The number of people in each category and the total; after an earlier round with the differences."""
    if review.previous is None:
        return headcount_lines(_, review.roster.headcount)
    year = _("Fiscal year B.E. {year} → now", year=review.previous_year)
    return lines(year, compared_lines(_, review, difference_percent))


def difference_text(_: Texts, review: Review, difference_percent: int) -> Markup | None:
    """The categories that differ too much from the last round, and the organization's explanation; None without
    either.
    """
    marked = marked_line(_, review, difference_percent)
    if marked is None and review.explanation is None:
        return None
    parts: list[Markup | str | None] = ["", marked]
    if review.status is Status.UNCERTIFIED and review.lacks_explanation(difference_percent):
        parts.append(_("The organization must explain this before it certifies."))
    if review.explanation is not None:
        explanation = review.explanation
        parts += [
            _("<b>Explanation of the difference</b>"),
            explanation.body,
            _("By {name} · {moment}", name=explanation.author, moment=_.moment(explanation.made_at)),
        ]
    return lines(*parts)


def compared_lines(_: Texts, review: Review, difference_percent: int) -> Markup:
    """`ข้าราชการ 42 → 39 คน (−3)` for each category and the total, with ⚠️ where the difference is too large.

    `review.previous` must not be None.
    """
    assert review.previous is not None  # noqa: S101 - the callers' condition
    now, before, beyond = review.roster.headcount, review.previous, review.marked(difference_percent)
    rows = [
        (
            category_word(_, category),
            before.of(category),
            now.of(category),
            Markup(" ⚠️") if category in beyond else "",
        )
        for category in Category
    ]
    rows.append((_.plain("Total"), before.total, now.total, ""))
    return lines(
        *(
            _(
                "{name} {before:,} → <b>{now:,}</b> ({change})",
                name=name,
                before=previous_count,
                now=count,
                change=signed(count - previous_count),
            )
            + mark
            for name, previous_count, count, mark in rows
        )
    )


def signed(difference: int) -> str:
    """A difference with its sign: `+3`, `0`, `−3`; U+2212, because it is as wide as a plus."""
    return f"{difference:+,}".replace("-", "−") if difference else "0"


def marked_line(_: Texts, review: Review, difference_percent: int) -> Markup | None:
    """The categories that differ too much, in words, because a sign alone is overlooked; None without any."""
    beyond = review.marked(difference_percent)
    if not beyond:
        return None
    names = ", ".join(category_word(_, category) for category in beyond)
    return _("⚠️ Differs by more than {percent}%: {names}", percent=difference_percent, names=names)
