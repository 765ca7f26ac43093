"""The picture of a province's progress, sized for a phone."""

from datetime import date, timedelta
from itertools import pairwise

from bot.papers import typesetting
from bot.papers.thai import STATUSES, short_day, short_moment
from models.province.statistics import DayCounts, ProvinceProgress, StatusCounts

# Pixels an inch. documents/progress.typ is 432 pt wide, so the picture has 1,080 pixels, as many as a phone shows.
PPI = 180
# Day labels below the chart, both ends included.
DAY_LABELS = 4


def png(progress: ProvinceProgress) -> bytes:
    """The PNG's bytes. Takes about 0.2 s of processor time: call it off the event loop."""
    return typesetting.png("progress.typ", facts(progress), PPI)


def facts(progress: ProvinceProgress) -> dict[str, object]:
    """What the picture shows, by the names that documents/progress.typ reads."""
    total = progress.total
    return {
        "province": progress.province_th,
        "fiscal_year": str(progress.fiscal_year),
        "as_of": short_moment(progress.as_of),
        "deadline": progress.closes_on and short_day(progress.closes_on),
        "statuses": list(STATUSES.values()),
        "total": _counts("อปท. ทั้งหมด", total),
        "types": [_counts(type_counts.type_th, type_counts) for type_counts in progress.types],
        "chart": _chart(progress),
    }


def _counts(name: str, counts: StatusCounts) -> dict[str, object]:
    return {"name": name, "counts": [counts.uncertified, counts.lao_certified, counts.province_certified]}


def _chart(progress: ProvinceProgress) -> dict[str, object]:
    """The chart's axes and lines. Day 0 is the round's opening; the chart ends today or at the deadline, whichever
    is later.
    """
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
        "lao": _steps([(day, day.lao) for day in progress.days]),
        "province": _steps([(day, day.province) for day in progress.days]),
        "top": max(progress.total.total, 1),
        "levels": levels(progress.total.total),
        "labels": [{"at": (day - first).days, "text": short_day(day)} for day in _labelled(first, end)],
    }


def _steps(counts: list[tuple[DayCounts, int]]) -> list[list[int]]:
    """The points [day, count] of a line: the first day, each day whose count differs from the day before, and the
    last day.
    """
    first = counts[0][0].day
    points = [[0, counts[0][1]]]
    points += [
        [(day.day - first).days, count] for (_, before), (day, count) in pairwise(counts) if count != before
    ]
    return [*points, [(counts[-1][0].day - first).days, counts[-1][1]]]


def levels(total: int) -> list[int]:
    """The values of the lines across the chart: up to five multiples of 1, 2 or 5 times a power of ten, from 0."""
    step = next(size * 10**power for power in range(9) for size in (1, 2, 5) if total <= 5 * size * 10**power)
    # A label close to the total's would overlap it.
    return [level for level in range(0, total, step) if total - level > step / 2]


def _labelled(first: date, end: date) -> list[date]:
    """The days that are labelled below the chart, evenly apart."""
    days = (end - first).days
    parts = min(DAY_LABELS - 1, days)
    return [first + timedelta(days=round(days * part / parts)) for part in range(parts + 1)]
