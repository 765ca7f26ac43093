"""What has changed in a register since it was certified, from a reopening until the next round opens.

The register is compared with that of each ended revision, from the newest back to the last one that the province
had certified, or to the first. A comparison with the newest revision alone would hide, after a second reopening,
changes in a revision that the province never certified.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.access import find_organization
from models.accounts.account import Officer
from models.certification.certificate import Reopening
from models.organizations.organization import Organization
from models.register.certified import CertifiedRegister, open_certified
from models.register.difference import Difference, RecordChange, compare
from models.register.draft import SentRoster
from models.register.roster import Record, Roster, load_records
from models.rounds.round import current_round

# An ended revision's number, the id of its reopening, and its stored register, if any.
EndedRevision = tuple[int, int, CertifiedRegister | None]


@dataclass(frozen=True)
class ChangesSince:
    """The difference from the register of one ended revision.

    `difference` is None when that register is unknown: an older version of the program stored none, its key is
    missing, or the register no longer equaled its certificate when it was reopened.
    """

    revision: int
    difference: Difference | None


@dataclass(frozen=True)
class Changes:
    """The differences from each ended revision that is compared with, the newest first."""

    since: tuple[ChangesSince, ...]

    @property
    def revisions(self) -> tuple[int, ...]:
        """The numbers of the ended revisions that are compared with, the newest first."""
        return tuple(comparison.revision for comparison in self.since)

    @property
    def changed_numbers(self) -> tuple[str, ...]:
        """The sorted numbers of the register's records that differ from at least one of those revisions."""
        differences = [comparison.difference for comparison in self.since if comparison.difference is not None]
        changed = {
            change.after.record_no
            for difference in differences
            for change in difference.changes
            if change.after is not None
        }
        return tuple(sorted(changed))

    @property
    def may_all_differ(self) -> bool:
        """Whether records outside `changed_numbers` may have changed too.

        That is so when the register of a revision is unknown, or its menus differ, which affects every record.
        """
        return any(
            comparison.difference is None
            or bool(comparison.difference.new_menus or comparison.difference.gone_menus)
            for comparison in self.since
        )

    @property
    def is_known(self) -> bool:
        """Whether the registers of all revisions that are compared with are known."""
        return all(comparison.difference is not None for comparison in self.since)

    def renumbered(self, numbers: Collection[str]) -> set[str]:
        """Return the new record numbers of people whose records `numbers` were removed, matched by full name."""
        new_numbers: set[str] = set()
        for comparison in self.since:
            changes = comparison.difference.changes if comparison.difference is not None else ()
            removed_names = {
                change.before.full_name
                for change in changes
                if change.before is not None and change.after is None and change.before.record_no in numbers
            }
            new_numbers.update(
                change.after.record_no
                for change in changes
                if change.before is None and change.after is not None and change.after.full_name in removed_names
            )
        return new_numbers

    def of_record(self, record_no: str) -> RecordChange | None:
        """Return how a record differs from the newest revision in which it was different; None if in none."""
        known_changes = (
            comparison.difference.changes for comparison in self.since if comparison.difference is not None
        )
        return next(
            (change for changes in known_changes for change in changes if change.record.record_no == record_no),
            None,
        )


@dataclass(frozen=True)
class RegisterChanges:
    """The changes of one organization's register, for the screens; `changes` is None when nothing was reopened."""

    organization: Organization
    changes: Changes | None


def compare_with_ended(
    session: AsyncSession,
    ended: Iterable[EndedRevision],
    menu_names: Sequence[str],
    records: Sequence[Record],
) -> Changes | None:
    """Compare the current register with the ended revisions of the round; None when there are none."""
    current = SentRoster("", tuple(menu_names), tuple(records))
    since = []
    for revision, reopening_id, stored_register in sorted(ended, key=lambda ended_revision: -ended_revision[0]):
        certified = open_certified(session, reopening_id, stored_register) if stored_register is not None else None
        difference = compare(certified.menu_names, certified.records, current) if certified is not None else None
        since.append(ChangesSince(revision, difference))
        if stored_register is not None and stored_register.by_province:
            break
    return Changes(tuple(since)) if since else None


async def load_changes(session: AsyncSession, dla_code: str, round_id: int) -> Changes | None:
    """Return the changes in an organization's register since it was certified in a round.

    Returns None, after one query, when nothing was reopened in the round; otherwise makes two queries.
    """
    rows = await session.execute(
        select(Reopening.revision, Reopening.id, CertifiedRegister, Roster.menu_names)
        .join(Roster, Roster.organization_code == Reopening.organization_code)
        .outerjoin(CertifiedRegister, CertifiedRegister.reopening_id == Reopening.id)
        .where(Reopening.organization_code == dla_code, Reopening.round_id == round_id)
    )
    reopening_rows = rows.all()
    if not reopening_rows:
        return None
    ended = [
        (revision, reopening_id, stored_register) for revision, reopening_id, stored_register, _ in reopening_rows
    ]
    return compare_with_ended(session, ended, reopening_rows[0].menu_names, await load_records(session, dla_code))


async def see_changes(session: AsyncSession, officer: Officer, dla_code: str) -> RegisterChanges:
    """Return the changes in the newest round, for an officer of the organization or its province.

    Raises NotYours.
    """
    organization = await find_organization(session, officer, dla_code)
    round_ = await current_round(session)
    return RegisterChanges(
        organization, await load_changes(session, dla_code, round_.id) if round_ is not None else None
    )
