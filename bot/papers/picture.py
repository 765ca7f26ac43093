"""A province's progress as a picture for a phone."""

from datetime import date, timedelta
from itertools import pairwise

from bot.papers import typesetting
from bot.papers.thai import STATUSES, short_day, short_moment
from models.province.statistics import DayCounts, ProvinceProgress, StatusCounts

# bot/papers/documents/progress.typ is 432 pt wide: that is 1,080 pixels, all that a phone shows of a photo.
PPI = 180
# Labels below the chart, both ends included.
DAY_LABELS = 4


def png(progress: ProvinceProgress) -> bytes:
    """The picture. Takes about 0.2 s: call it off the event loop."""
    return typesetting.png("progress.typ", facts(progress), PPI)


def facts(progress: ProvinceProgress) -> dict[str, object]:
    """What the template draws: names, counts, and the chart's places."""
    total = progress.total
    return {
        "province": progress.province_th,
        "fiscal_year": str(progress.fiscal_year),
        "as_of": short_moment(progress.as_of),
        "deadline": progress.closes_on and short_day(progress.closes_on),
        "statuses": list(STATUSES.values()),
        "total": _counts("อปท. ทั้งหมด", total),
        "types": [_counts(one.type_th, one) for one in progress.types],
        "chart": _chart(progress),
    }


def _counts(name: str, one: StatusCounts) -> dict[str, object]:
    return {"name": name, "counts": [one.uncertified, one.lao_certified, one.province_certified]}


def _chart(progress: ProvinceProgress) -> dict[str, object]:
    """Days are counted from the opening of the round; the chart ends today or with the deadline."""
    first, last = progress.days[0].day, progress.days[-1].day
    end = max(last, progress.closes_on or last, first + timedelta(days=1))
    return {
        "days": (end - first).days,
        "today": (last - first).days,
        "deadline": progress.closes_on
        and {
            "at": max((progress.closes_on - first).days, 0),
            "label": f"กำหนด {short_day(progress.closes_on)}",
        },
        "lao": _steps([(one, one.lao) for one in progress.days]),
        "province": _steps([(one, one.province) for one in progress.days]),
        "top": max(progress.total.total, 1),
        "levels": levels(progress.total.total),
        "labels": [{"at": (day - first).days, "text": short_day(day)} for day in _labelled(first, end)],
    }


def _steps(counts: list[tuple[DayCounts, int]]) -> list[list[int]]:
    """(day, count) where the count has changed, and of the last day."""
    first = counts[0][0].day
    points = [[0, counts[0][1]]]
    points += [
        [(one.day - first).days, count] for (_, before), (one, count) in pairwise(counts) if count != before
    ]
    return [*points, [(counts[-1][0].day - first).days, counts[-1][1]]]


def levels(total: int) -> list[int]:
    """Round numbers for the lines across the chart: two to five of them, below the total."""
    step = next(size * 10**power for power in range(9) for size in (1, 2, 5) if total <= 5 * size * 10**power)
    # One that is close to the total would be written into it.
    return [level for level in range(0, total, step) if total - level > step / 2]


def _labelled(first: date, end: date) -> list[date]:
    """The days below the chart, evenly apart."""
    days = (end - first).days
    parts = min(DAY_LABELS - 1, days)
    return [first + timedelta(days=round(days * part / parts)) for part in range(parts + 1)]
