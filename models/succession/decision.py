"""The decision behind a change of an organization: by whom, why, from when, and where it was published."""

from dataclasses import dataclass
from datetime import date, datetime

from models.base.calendar import bangkok_day
from models.base.errors import DomainError
from models.base.names import is_unseen
from models.base.spelling import spelled
from models.certification.remark import operator_name, remark_text

MAX_GAZETTE = 200


class ChangeRefused(DomainError):
    """An organization cannot be changed in this way. The message says why and what to do."""


@dataclass(frozen=True)
class Decision:
    """A checked decision: `by` (the operator's name), `reason` and `gazette` as stored; `effective_on` in
    Bangkok.
    """

    by: str
    reason: str
    gazette: str | None
    effective_on: date


def decision(by: str, reason: str, gazette: str | None, effective_on: date | None, now: datetime) -> Decision:
    """Check and build a decision. `effective_on` defaults to today.

    Raises OperatorRefused for the name, RemarkRefused for the reason; ChangeRefused for a day in the future or an
    unreadable gazette reference.
    """
    today = bangkok_day(now)
    effective_on = effective_on or today
    if effective_on > today:
        raise ChangeRefused(
            f"--effective {effective_on} is in the future, and the change takes effect at once;"
            " run the command on that day or later"
        )
    return Decision(operator_name(by), remark_text(reason), _gazette(gazette), effective_on)


def _gazette(typed: str | None) -> str | None:
    if typed is None:
        return None
    tidy = " ".join(spelled(typed).split())
    if any(is_unseen(letter) for letter in tidy) or not any(letter.isalnum() for letter in tidy):
        raise ChangeRefused("--gazette is empty or has invisible characters; write where it was published")
    if len(tidy) > MAX_GAZETTE:
        raise ChangeRefused(f"--gazette has {len(tidy)} letters; shorten it to {MAX_GAZETTE}")
    return tidy
