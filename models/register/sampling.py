"""A sample of a register: stratified by category, and a pure function of a seed and the register."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from models.register.roster import Category


def sample(seed: str, records: Iterable[tuple[str, Category]], size: int) -> list[str]:
    """The numbers of the records that a seed draws from a register (record_no, category): `size`, or all.

    The rule, so that anybody can draw again: within a category the records are ordered by SHA-256 of
    `<seed>/<record_no>`, and its first ones are drawn. The places go to the categories one by one: first one to
    each category that has records (in order of SHA-256 of `<seed>/<category>`), then each to the category with the
    most records for each of its places and one more (so that places follow the numbers), ties in that same order.
    The sample is listed category by category, in the order drawn. Nothing depends on the order of `records`.
    """
    by_category: dict[Category, list[str]] = {category: [] for category in Category}
    for record_no, category in records:
        by_category[category].append(record_no)
    counts = {category: len(found) for category, found in by_category.items() if found}
    places = _places(seed, counts, size)
    drawn = (
        sorted(by_category[category], key=lambda number: rank(seed, number))[: places[category]]
        for category in Category
    )
    return [record_no for some in drawn for record_no in some]


def _places(seed: str, counts: dict[Category, int], size: int) -> Counter[Category]:
    """How many records of each category are drawn."""
    places: Counter[Category] = Counter()

    def urgency(category: Category) -> tuple[bool, Fraction, str]:
        has = places[category]
        share = Fraction(counts[category], has + 1) if has else Fraction(0)
        return has > 0, -share, rank(seed, category)

    for _ in range(min(size, sum(counts.values()))):
        places[min((one for one in counts if places[one] < counts[one]), key=urgency)] += 1
    return places


def rank(seed: str, what: str) -> str:
    """By what a seed puts things in order."""
    return hashlib.sha256(f"{seed}/{what}".encode()).hexdigest()
