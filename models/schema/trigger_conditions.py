"""SQL conditions that the triggers of both databases share. They call no SQL function.

A connection to SQLite can replace SQLite's functions (such as `max`) by its own, but not EXISTS and integer
operators.

`at` is the prefix of each table's name: the schema and a dot on PostgreSQL, "" on SQLite, where a trigger's names
refer to its own file.
"""

# Tables whose rows are inserted, and never updated or deleted.
INSERT_ONLY = ("certification", "certificate_words", "reopening", "remark", "audit_event", "organization_end")
# The columns of a spot-check and its items that are fixed at the draw. Officers add marks, then hand it in.
DRAW_COLUMNS = ("id", "organization_code", "round_id", "revision", "officer_id", "seed", "drawn_at", "basis")
ITEM_COLUMNS = ("spot_check_id", "place", "record_no")

ROSTER_LOCKED = "the roster is locked: it is certified, or its organization has ended"
DRAW_KEPT = "a spot-check is drawn once and handed in once"
ROUND_KEPT = "a round is never renumbered or removed, and only the newest one is open"
CERTIFIED_KEPT = "a register as it was certified is never changed, and goes when the next round has opened"
ORGANIZATION_KEPT = "an organization never gets another code and is never removed"


def certified(at: str = "") -> str:
    """Return FROM and WHERE clauses that select the LAOs' live certificates of the newest round."""
    return f"""FROM {at}certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM {at}round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM {at}reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)"""  # noqa: S608 - no input in it


def locked(organization: str, at: str = "") -> str:
    """Return the condition that the register of `organization` (an SQL expression) is locked: its LAO has
    certified it in the newest round, or the organization has ended.
    """
    return f"""(EXISTS (
    SELECT 1 {certified(at)}
      AND certification.organization_code = {organization})
    OR EXISTS (
    SELECT 1 FROM {at}organization_end WHERE organization_end.organization_code = {organization}))"""  # noqa: S608


def unfinished(at: str = "") -> str:
    """Return the condition that the spot-check NEW has no records, or a record without a mark."""
    return f"""(NOT EXISTS (SELECT 1 FROM {at}spot_check_item WHERE spot_check_id = NEW.id)
    OR EXISTS (SELECT 1 FROM {at}spot_check_item WHERE spot_check_id = NEW.id AND mark IS NULL))"""  # noqa: S608


def past(reopening: str, at: str = "") -> str:
    """Return the condition that a round has opened since the reopening with this id (an SQL expression)."""
    return f"""EXISTS (
    SELECT 1 FROM {at}reopening, {at}round
    WHERE reopening.id = {reopening} AND round.id > reopening.round_id)"""  # noqa: S608 - no input in it
