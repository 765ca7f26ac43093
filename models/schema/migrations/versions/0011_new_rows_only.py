"""SQLite: rows are inserted under new rowids only. Both databases: the open round is the newest one."""

from alembic import op
from sqlalchemy import text

revision = "0011"
down_revision = "0010"

# Names and texts of models/schema/sqlite_triggers.py and models/schema/postgresql_triggers.py as they were at this
# revision.
OLD_SQLITE_TRIGGERS = ("round_no_replace", "round_no_rekeying", "round_no_delete")
SQLITE_STATEMENTS = (
    """CREATE TABLE last_row (
    table_name TEXT NOT NULL PRIMARY KEY,
    highest INTEGER NOT NULL
) WITHOUT ROWID""",
    """INSERT INTO last_row (table_name, highest) VALUES ('round', 0), ('organization', 0), ('roster', 0), ('personnel_record', 0), ('certification', 0), ('reopening', 0), ('remark', 0), ('audit_event', 0), ('spot_check', 0), ('spot_check_item', 0)""",
    """CREATE TRIGGER round_no_replace BEFORE INSERT ON round WHEN EXISTS (
    SELECT 1 FROM round AS other
    WHERE (other.id = NEW.id OR other.fiscal_year = NEW.fiscal_year OR (other.state = 'open' AND NEW.state = 'open'))) BEGIN SELECT RAISE(ABORT, 'a round is never renumbered or removed, and only the newest one is open'); END""",
    """CREATE TRIGGER round_no_rekeying BEFORE UPDATE ON round WHEN NEW.id IS NOT OLD.id OR NEW.fiscal_year IS NOT OLD.fiscal_year
    OR (NEW.state = 'open' AND EXISTS (
    SELECT 1 FROM round WHERE id <> OLD.id AND (state = 'open' OR id > OLD.id))) BEGIN SELECT RAISE(ABORT, 'a round is never renumbered or removed, and only the newest one is open'); END""",
    """CREATE TRIGGER round_no_delete BEFORE DELETE ON round BEGIN SELECT RAISE(ABORT, 'a round is never renumbered or removed, and only the newest one is open'); END""",
    """CREATE TRIGGER round_begins_open BEFORE INSERT ON round WHEN NEW.state IS NOT 'open' BEGIN SELECT RAISE(ABORT, 'a round is never renumbered or removed, and only the newest one is open'); END""",
    """CREATE TRIGGER last_row_no_insert BEFORE INSERT ON last_row BEGIN SELECT RAISE(ABORT, 'the highest row of a table is noted as it is'); END""",
    """CREATE TRIGGER last_row_no_other BEFORE UPDATE ON last_row
    WHEN NEW.table_name IS NOT OLD.table_name OR NOT ((NEW.table_name = 'round' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM round)
    THEN (SELECT rowid FROM round ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'organization' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM organization)
    THEN (SELECT rowid FROM organization ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'roster' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM roster)
    THEN (SELECT rowid FROM roster ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'personnel_record' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM personnel_record)
    THEN (SELECT rowid FROM personnel_record ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'certification' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM certification)
    THEN (SELECT rowid FROM certification ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'reopening' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM reopening)
    THEN (SELECT rowid FROM reopening ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'remark' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM remark)
    THEN (SELECT rowid FROM remark ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'audit_event' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM audit_event)
    THEN (SELECT rowid FROM audit_event ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'spot_check' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM spot_check)
    THEN (SELECT rowid FROM spot_check ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'spot_check_item' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM spot_check_item)
    THEN (SELECT rowid FROM spot_check_item ORDER BY rowid DESC LIMIT 1) ELSE 0 END))) BEGIN SELECT RAISE(ABORT, 'the highest row of a table is noted as it is'); END""",
    """CREATE TRIGGER last_row_no_delete BEFORE DELETE ON last_row BEGIN SELECT RAISE(ABORT, 'the highest row of a table is noted as it is'); END""",
    """CREATE TRIGGER round_last_row BEFORE INSERT ON round
    WHEN (SELECT highest FROM last_row WHERE table_name = 'round') IS NOT (CASE WHEN EXISTS (SELECT 1 FROM round)
    THEN (SELECT rowid FROM round ORDER BY rowid DESC LIMIT 1) ELSE 0 END)
    BEGIN UPDATE last_row SET highest = (CASE WHEN EXISTS (SELECT 1 FROM round)
    THEN (SELECT rowid FROM round ORDER BY rowid DESC LIMIT 1) ELSE 0 END) WHERE table_name = 'round'; END""",
    """CREATE TRIGGER round_new_row AFTER INSERT ON round
    WHEN NOT EXISTS (SELECT 1 FROM last_row WHERE table_name = 'round' AND highest < NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a row of round is inserted under a new number only'); END""",
    """CREATE TRIGGER organization_last_row BEFORE INSERT ON organization
    WHEN (SELECT highest FROM last_row WHERE table_name = 'organization') IS NOT (CASE WHEN EXISTS (SELECT 1 FROM organization)
    THEN (SELECT rowid FROM organization ORDER BY rowid DESC LIMIT 1) ELSE 0 END)
    BEGIN UPDATE last_row SET highest = (CASE WHEN EXISTS (SELECT 1 FROM organization)
    THEN (SELECT rowid FROM organization ORDER BY rowid DESC LIMIT 1) ELSE 0 END) WHERE table_name = 'organization'; END""",
    """CREATE TRIGGER organization_new_row AFTER INSERT ON organization
    WHEN NOT EXISTS (SELECT 1 FROM last_row WHERE table_name = 'organization' AND highest < NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a row of organization is inserted under a new number only'); END""",
    """CREATE TRIGGER roster_last_row BEFORE INSERT ON roster
    WHEN (SELECT highest FROM last_row WHERE table_name = 'roster') IS NOT (CASE WHEN EXISTS (SELECT 1 FROM roster)
    THEN (SELECT rowid FROM roster ORDER BY rowid DESC LIMIT 1) ELSE 0 END)
    BEGIN UPDATE last_row SET highest = (CASE WHEN EXISTS (SELECT 1 FROM roster)
    THEN (SELECT rowid FROM roster ORDER BY rowid DESC LIMIT 1) ELSE 0 END) WHERE table_name = 'roster'; END""",
    """CREATE TRIGGER roster_new_row AFTER INSERT ON roster
    WHEN NOT EXISTS (SELECT 1 FROM last_row WHERE table_name = 'roster' AND highest < NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a row of roster is inserted under a new number only'); END""",
    """CREATE TRIGGER personnel_record_last_row BEFORE INSERT ON personnel_record
    WHEN (SELECT highest FROM last_row WHERE table_name = 'personnel_record') IS NOT (CASE WHEN EXISTS (SELECT 1 FROM personnel_record)
    THEN (SELECT rowid FROM personnel_record ORDER BY rowid DESC LIMIT 1) ELSE 0 END)
    BEGIN UPDATE last_row SET highest = (CASE WHEN EXISTS (SELECT 1 FROM personnel_record)
    THEN (SELECT rowid FROM personnel_record ORDER BY rowid DESC LIMIT 1) ELSE 0 END) WHERE table_name = 'personnel_record'; END""",
    """CREATE TRIGGER personnel_record_new_row AFTER INSERT ON personnel_record
    WHEN NOT EXISTS (SELECT 1 FROM last_row WHERE table_name = 'personnel_record' AND highest < NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a row of personnel_record is inserted under a new number only'); END""",
    """CREATE TRIGGER certification_last_row BEFORE INSERT ON certification
    WHEN (SELECT highest FROM last_row WHERE table_name = 'certification') IS NOT (CASE WHEN EXISTS (SELECT 1 FROM certification)
    THEN (SELECT rowid FROM certification ORDER BY rowid DESC LIMIT 1) ELSE 0 END)
    BEGIN UPDATE last_row SET highest = (CASE WHEN EXISTS (SELECT 1 FROM certification)
    THEN (SELECT rowid FROM certification ORDER BY rowid DESC LIMIT 1) ELSE 0 END) WHERE table_name = 'certification'; END""",
    """CREATE TRIGGER certification_new_row AFTER INSERT ON certification
    WHEN NOT EXISTS (SELECT 1 FROM last_row WHERE table_name = 'certification' AND highest < NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a row of certification is inserted under a new number only'); END""",
    """CREATE TRIGGER reopening_last_row BEFORE INSERT ON reopening
    WHEN (SELECT highest FROM last_row WHERE table_name = 'reopening') IS NOT (CASE WHEN EXISTS (SELECT 1 FROM reopening)
    THEN (SELECT rowid FROM reopening ORDER BY rowid DESC LIMIT 1) ELSE 0 END)
    BEGIN UPDATE last_row SET highest = (CASE WHEN EXISTS (SELECT 1 FROM reopening)
    THEN (SELECT rowid FROM reopening ORDER BY rowid DESC LIMIT 1) ELSE 0 END) WHERE table_name = 'reopening'; END""",
    """CREATE TRIGGER reopening_new_row AFTER INSERT ON reopening
    WHEN NOT EXISTS (SELECT 1 FROM last_row WHERE table_name = 'reopening' AND highest < NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a row of reopening is inserted under a new number only'); END""",
    """CREATE TRIGGER remark_last_row BEFORE INSERT ON remark
    WHEN (SELECT highest FROM last_row WHERE table_name = 'remark') IS NOT (CASE WHEN EXISTS (SELECT 1 FROM remark)
    THEN (SELECT rowid FROM remark ORDER BY rowid DESC LIMIT 1) ELSE 0 END)
    BEGIN UPDATE last_row SET highest = (CASE WHEN EXISTS (SELECT 1 FROM remark)
    THEN (SELECT rowid FROM remark ORDER BY rowid DESC LIMIT 1) ELSE 0 END) WHERE table_name = 'remark'; END""",
    """CREATE TRIGGER remark_new_row AFTER INSERT ON remark
    WHEN NOT EXISTS (SELECT 1 FROM last_row WHERE table_name = 'remark' AND highest < NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a row of remark is inserted under a new number only'); END""",
    """CREATE TRIGGER audit_event_last_row BEFORE INSERT ON audit_event
    WHEN (SELECT highest FROM last_row WHERE table_name = 'audit_event') IS NOT (CASE WHEN EXISTS (SELECT 1 FROM audit_event)
    THEN (SELECT rowid FROM audit_event ORDER BY rowid DESC LIMIT 1) ELSE 0 END)
    BEGIN UPDATE last_row SET highest = (CASE WHEN EXISTS (SELECT 1 FROM audit_event)
    THEN (SELECT rowid FROM audit_event ORDER BY rowid DESC LIMIT 1) ELSE 0 END) WHERE table_name = 'audit_event'; END""",
    """CREATE TRIGGER audit_event_new_row AFTER INSERT ON audit_event
    WHEN NOT EXISTS (SELECT 1 FROM last_row WHERE table_name = 'audit_event' AND highest < NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a row of audit_event is inserted under a new number only'); END""",
    """CREATE TRIGGER spot_check_last_row BEFORE INSERT ON spot_check
    WHEN (SELECT highest FROM last_row WHERE table_name = 'spot_check') IS NOT (CASE WHEN EXISTS (SELECT 1 FROM spot_check)
    THEN (SELECT rowid FROM spot_check ORDER BY rowid DESC LIMIT 1) ELSE 0 END)
    BEGIN UPDATE last_row SET highest = (CASE WHEN EXISTS (SELECT 1 FROM spot_check)
    THEN (SELECT rowid FROM spot_check ORDER BY rowid DESC LIMIT 1) ELSE 0 END) WHERE table_name = 'spot_check'; END""",
    """CREATE TRIGGER spot_check_new_row AFTER INSERT ON spot_check
    WHEN NOT EXISTS (SELECT 1 FROM last_row WHERE table_name = 'spot_check' AND highest < NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a row of spot_check is inserted under a new number only'); END""",
    """CREATE TRIGGER spot_check_item_last_row BEFORE INSERT ON spot_check_item
    WHEN (SELECT highest FROM last_row WHERE table_name = 'spot_check_item') IS NOT (CASE WHEN EXISTS (SELECT 1 FROM spot_check_item)
    THEN (SELECT rowid FROM spot_check_item ORDER BY rowid DESC LIMIT 1) ELSE 0 END)
    BEGIN UPDATE last_row SET highest = (CASE WHEN EXISTS (SELECT 1 FROM spot_check_item)
    THEN (SELECT rowid FROM spot_check_item ORDER BY rowid DESC LIMIT 1) ELSE 0 END) WHERE table_name = 'spot_check_item'; END""",
    """CREATE TRIGGER spot_check_item_new_row AFTER INSERT ON spot_check_item
    WHEN NOT EXISTS (SELECT 1 FROM last_row WHERE table_name = 'spot_check_item' AND highest < NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a row of spot_check_item is inserted under a new number only'); END""",
)
POSTGRESQL_STATEMENTS = (
    """CREATE OR REPLACE FUNCTION {schema}.keep_round() RETURNS trigger LANGUAGE plpgsql SET search_path TO 'pg_catalog', 'pg_temp' AS $function$
BEGIN
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' THEN
        IF NEW.state = 'open' AND EXISTS (SELECT 1 FROM {schema}.round WHERE id > NEW.id) THEN
            RAISE EXCEPTION 'a round is never renumbered or removed, and only the newest one is open' USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state = 'open' THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        IF NOT (NEW.id IS DISTINCT FROM OLD.id OR NEW.fiscal_year IS DISTINCT FROM OLD.fiscal_year) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a round is never renumbered or removed, and only the newest one is open' USING ERRCODE = 'restrict_violation';
END
$function$""",
    """CREATE TRIGGER round_kept BEFORE INSERT OR DELETE OR UPDATE ON {schema}.round FOR EACH ROW EXECUTE FUNCTION {schema}.keep_round()""",
    """ALTER TABLE {schema}.round ENABLE ALWAYS TRIGGER round_kept""",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in OLD_SQLITE_TRIGGERS:
            op.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in SQLITE_STATEMENTS:
            op.execute(statement)
        return
    schema = op.get_bind().scalar(text("SELECT quote_ident(current_schema())"))
    op.execute(f"DROP TRIGGER IF EXISTS round_kept ON {schema}.round")
    for statement in POSTGRESQL_STATEMENTS:
        op.execute(statement.replace("{schema}", schema))
