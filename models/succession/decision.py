"""What every change of an organization is done by: whose decision, why, since when, and where it was published."""

from dataclasses import dataclass
from datetime import date, datetime

from models.base.calendar import bangkok_day
from models.base.errors import DomainError
from models.base.names import is_unseen
from models.base.spelling import spelled
from models.certification.remark import operator_name, remark_text

MAX_GAZETTE = 200


class ChangeRefused(DomainError):
    """An organization cannot be changed so; the message says what stands in the way and how to go on."""


@dataclass(frozen=True)
class Decision:
    """Checked: `by` and `reason` as they are kept, `effective_on` in Bangkok."""

    by: str
    reason: str
    gazette: str | None
    effective_on: date


def decision(by: str, reason: str, gazette: str | None, effective_on: date | None, now: datetime) -> Decision:
    """The decision behind a change; `effective_on` is today unless given.

    Raises OperatorRefused, RemarkRefused, and ChangeRefused for a day that has not come or a reference that cannot
    be read.
    """
    today = bangkok_day(now)
    effective_on = effective_on or today
    if effective_on > today:
        raise ChangeRefused(
            f"--effective {effective_on} has not come yet; the change is made now: run this on that day or later"
        )
    return Decision(operator_name(by), remark_text(reason), _gazette(gazette), effective_on)


def _gazette(typed: str | None) -> str | None:
    if typed is None:
        return None
    tidy = " ".join(spelled(typed).split())
    if any(is_unseen(letter) for letter in tidy) or not any(letter.isalnum() for letter in tidy):
        raise ChangeRefused("--gazette says where it was published, in letters that can be seen")
    if len(tidy) > MAX_GAZETTE:
        raise ChangeRefused(f"--gazette has {len(tidy)} letters; shorten it to {MAX_GAZETTE}")
    return tidy
