"""What has changed in a register since it was certified: after a reopening, until the next round opens.

Compared is with the register of each ended revision, from the newest one back to the last that the province had
certified, or to the first. With the newest alone, what changed in a revision that the province never certified
would be shown to nobody after the next reopening.
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

# An ended revision, its reopening, and what was kept of its register.
EndedRevision = tuple[int, int, CertifiedRegister | None]


@dataclass(frozen=True)
class ChangesSince:
    """What differs from the register of one ended revision. `difference` is None where that register is not known:
    it was reopened by a program that kept none, its key is not here, or what was reopened was not what its
    certificate said.
    """

    revision: int
    difference: Difference | None


@dataclass(frozen=True)
class Changes:
    """What differs from each ended revision that counts, the newest first."""

    since: tuple[ChangesSince, ...]

    @property
    def revisions(self) -> tuple[int, ...]:
        """The ended revisions that are compared with, the newest first."""
        return tuple(one.revision for one in self.since)

    @property
    def changed_numbers(self) -> tuple[str, ...]:
        """The numbers of the register's records that are not as in each of those revisions, in order."""
        differences = [one.difference for one in self.since if one.difference is not None]
        changed = {
            change.after.record_no
            for difference in differences
            for change in difference.changes
            if change.after is not None
        }
        return tuple(sorted(changed))

    @property
    def may_all_differ(self) -> bool:
        """Whether any other record may have changed too: a revision's register is not known, or its menus were
        others, so that each record says something else.
        """
        return any(
            one.difference is None or bool(one.difference.new_menus or one.difference.gone_menus)
            for one in self.since
        )

    @property
    def is_known(self) -> bool:
        """Whether the registers of all those revisions are known."""
        return all(one.difference is not None for one in self.since)

    def renumbered(self, numbers: Collection[str]) -> set[str]:
        """The numbers that people whose records are gone have now, as far as their names tell."""
        found: set[str] = set()
        for one in self.since:
            changes = one.difference.changes if one.difference is not None else ()
            gone = {
                change.before.full_name
                for change in changes
                if change.before is not None and change.after is None and change.before.record_no in numbers
            }
            found.update(
                change.after.record_no
                for change in changes
                if change.before is None and change.after is not None and change.after.full_name in gone
            )
        return found

    def of_record(self, record_no: str) -> RecordChange | None:
        """How a record of the register differs from the newest of those revisions in which it was another."""
        found = (one.difference.changes for one in self.since if one.difference is not None)
        return next(
            (change for changes in found for change in changes if change.record.record_no == record_no), None
        )


@dataclass(frozen=True)
class RegisterChanges:
    """The changes of one organization's register, for the screens about them; None where nothing was reopened."""

    organization: Organization
    changes: Changes | None


def compare_with_ended(
    session: AsyncSession,
    ended: Iterable[EndedRevision],
    menu_names: Sequence[str],
    records: Sequence[Record],
) -> Changes | None:
    """Compare a register, as it is now, with the ended revisions of the round; None where there are none."""
    now = SentRoster("", tuple(menu_names), tuple(records))
    since = []
    for revision, reopening_id, kept in sorted(ended, key=lambda one: -one[0]):
        before = open_certified(session, reopening_id, kept) if kept is not None else None
        difference = compare(before.menu_names, before.records, now) if before is not None else None
        since.append(ChangesSince(revision, difference))
        if kept is not None and kept.by_province:
            break
    return Changes(tuple(since)) if since else None


async def load_changes(session: AsyncSession, dla_code: str, round_id: int) -> Changes | None:
    """What has changed in an organization's register since it was certified in a round; None where nothing was
    reopened. One query there, else two.
    """
    rows = await session.execute(
        select(Reopening.revision, Reopening.id, CertifiedRegister, Roster.menu_names)
        .join(Roster, Roster.organization_code == Reopening.organization_code)
        .outerjoin(CertifiedRegister, CertifiedRegister.reopening_id == Reopening.id)
        .where(Reopening.organization_code == dla_code, Reopening.round_id == round_id)
    )
    found = rows.all()
    if not found:
        return None
    ended = [(revision, reopening_id, kept) for revision, reopening_id, kept, _ in found]
    return compare_with_ended(session, ended, found[0].menu_names, await load_records(session, dla_code))


async def see_changes(session: AsyncSession, officer: Officer, dla_code: str) -> RegisterChanges:
    """What an officer of the organization or its province may see of it, in the newest round. Raises NotYours."""
    organization = await find_organization(session, officer, dla_code)
    round_ = await current_round(session)
    return RegisterChanges(
        organization, await load_changes(session, dla_code, round_.id) if round_ is not None else None
    )
