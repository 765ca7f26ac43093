"""What the triggers of both databases look at, as SQL without any function.

A connection to SQLite may put functions of its own in the place of SQLite's (`max` among them); operators of
integers and EXISTS it cannot replace.

`at` stands before the name of each table: the schema and a dot on PostgreSQL, nothing on SQLite, where the names
in a trigger are those of its own file.
"""

# Tables whose rows are only ever inserted.
INSERT_ONLY = ("certification", "certificate_words", "reopening", "remark", "audit_event", "organization_end")
# What a draw is; an officer adds its marks, then hands it in.
DRAW_COLUMNS = ("id", "organization_code", "round_id", "revision", "officer_id", "seed", "drawn_at", "basis")
ITEM_COLUMNS = ("spot_check_id", "place", "record_no")

ROSTER_LOCKED = "the roster is locked: it is certified, or its organization has ended"
DRAW_KEPT = "a spot-check is drawn once and handed in once"
ROUND_KEPT = "a round is never renumbered or removed, and only the newest one is open"
CERTIFIED_KEPT = "a register as it was certified is never changed, and goes when the next round has opened"
ORGANIZATION_KEPT = "an organization never gets another code and is never removed"


def certified(at: str = "") -> str:
    """The LAO's live certificates of the newest round, as FROM and WHERE."""
    return f"""FROM {at}certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM {at}round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM {at}reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)"""  # noqa: S608 - no input in it


def locked(organization: str, at: str = "") -> str:
    """Whether the register of `organization` is locked: its LAO certified it in the newest round, or the
    organization has ended, which locks it for ever.
    """
    return f"""(EXISTS (
    SELECT 1 {certified(at)}
      AND certification.organization_code = {organization})
    OR EXISTS (
    SELECT 1 FROM {at}organization_end WHERE organization_end.organization_code = {organization}))"""  # noqa: S608


def unfinished(at: str = "") -> str:
    """Whether the spot-check NEW has no records, or one without a mark."""
    return f"""(NOT EXISTS (SELECT 1 FROM {at}spot_check_item WHERE spot_check_id = NEW.id)
    OR EXISTS (SELECT 1 FROM {at}spot_check_item WHERE spot_check_id = NEW.id AND mark IS NULL))"""  # noqa: S608


def past(reopening: str, at: str = "") -> str:
    """Whether a round has been opened since the reopening with this id."""
    return f"""EXISTS (
    SELECT 1 FROM {at}reopening, {at}round
    WHERE reopening.id = {reopening} AND round.id > reopening.round_id)"""  # noqa: S608 - no input in it
