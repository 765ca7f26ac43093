"""The lock against plain SQL: fixed search paths, triggers that always fire, every update guarded, codes kept."""

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"

# Names and texts of models/sqlite_triggers.py and models/postgresql_triggers.py as they were at this revision.
OLD_SQLITE_TRIGGERS = (
    "audit_event_no_delete",
    "audit_event_no_replace",
    "audit_event_no_update",
    "certification_no_delete",
    "certification_no_replace",
    "certification_no_update",
    "personnel_record_locked_delete",
    "personnel_record_locked_insert",
    "personnel_record_locked_update",
    "remark_no_delete",
    "remark_no_replace",
    "remark_no_update",
    "reopening_no_delete",
    "reopening_no_replace",
    "reopening_no_update",
    "roster_locked_delete",
    "roster_locked_insert",
    "roster_locked_update",
    "round_no_delete",
    "round_no_renumber",
    "round_no_replace",
    "spot_check_delete",
    "spot_check_insert",
    "spot_check_item_delete",
    "spot_check_item_insert",
    "spot_check_item_update",
    "spot_check_update",
)
OLD_POSTGRESQL_TRIGGERS = {
    "personnel_record_locked_insert": "personnel_record",
    "personnel_record_locked_update": "personnel_record",
    "personnel_record_locked_delete": "personnel_record",
    "personnel_record_locked_truncate": "personnel_record",
    "roster_locked_insert": "roster",
    "roster_locked_update": "roster",
    "roster_locked_delete": "roster",
    "roster_locked_truncate": "roster",
    "certification_insert_only": "certification",
    "certification_no_truncate": "certification",
    "reopening_insert_only": "reopening",
    "reopening_no_truncate": "reopening",
    "remark_insert_only": "remark",
    "remark_no_truncate": "remark",
    "audit_event_insert_only": "audit_event",
    "audit_event_no_truncate": "audit_event",
    "spot_check_kept": "spot_check",
    "spot_check_no_truncate": "spot_check",
    "spot_check_item_kept": "spot_check_item",
    "spot_check_item_no_truncate": "spot_check_item",
    "round_no_renumber": "round",
    "round_no_delete": "round",
    "round_no_truncate": "round",
}

SQLITE_TRIGGERS = (
    """CREATE TRIGGER personnel_record_locked_insert BEFORE INSERT ON personnel_record WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = NEW.organization_code) OR EXISTS (
    SELECT 1 FROM personnel_record AS other
    WHERE (other.id = NEW.id OR (other.organization_code = NEW.organization_code AND other.record_no = NEW.record_no)) AND EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = other.organization_code)) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER personnel_record_locked_update BEFORE UPDATE ON personnel_record WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = OLD.organization_code) OR EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = NEW.organization_code) OR EXISTS (
    SELECT 1 FROM personnel_record AS other
    WHERE (other.id = NEW.id OR (other.organization_code = NEW.organization_code AND other.record_no = NEW.record_no)) AND EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = other.organization_code)) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER personnel_record_locked_delete BEFORE DELETE ON personnel_record WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = OLD.organization_code) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER roster_locked_insert BEFORE INSERT ON roster WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = NEW.organization_code) OR EXISTS (
    SELECT 1 FROM roster AS other
    WHERE (other.rowid = NEW.rowid OR other.organization_code = NEW.organization_code) AND EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = other.organization_code)) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER roster_locked_update BEFORE UPDATE ON roster WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = OLD.organization_code) OR EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = NEW.organization_code) OR EXISTS (
    SELECT 1 FROM roster AS other
    WHERE (other.rowid = NEW.rowid OR other.organization_code = NEW.organization_code) AND EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = other.organization_code)) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER roster_locked_delete BEFORE DELETE ON roster WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = OLD.organization_code) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER certification_no_replace BEFORE INSERT ON certification WHEN EXISTS (
    SELECT 1 FROM certification AS other
    WHERE (other.id = NEW.id OR other.code = NEW.code OR (other.organization_code = NEW.organization_code AND other.round_id = NEW.round_id AND other.revision = NEW.revision AND other.level = NEW.level))) BEGIN SELECT RAISE(ABORT, 'a row of certification is never changed'); END""",
    """CREATE TRIGGER certification_no_update BEFORE UPDATE ON certification BEGIN SELECT RAISE(ABORT, 'a row of certification is never changed'); END""",
    """CREATE TRIGGER certification_no_delete BEFORE DELETE ON certification BEGIN SELECT RAISE(ABORT, 'a row of certification is never changed'); END""",
    """CREATE TRIGGER reopening_no_replace BEFORE INSERT ON reopening WHEN EXISTS (
    SELECT 1 FROM reopening AS other
    WHERE (other.id = NEW.id OR (other.organization_code = NEW.organization_code AND other.round_id = NEW.round_id AND other.revision = NEW.revision))) BEGIN SELECT RAISE(ABORT, 'a row of reopening is never changed'); END""",
    """CREATE TRIGGER reopening_no_update BEFORE UPDATE ON reopening BEGIN SELECT RAISE(ABORT, 'a row of reopening is never changed'); END""",
    """CREATE TRIGGER reopening_no_delete BEFORE DELETE ON reopening BEGIN SELECT RAISE(ABORT, 'a row of reopening is never changed'); END""",
    """CREATE TRIGGER remark_no_replace BEFORE INSERT ON remark WHEN EXISTS (
    SELECT 1 FROM remark AS other
    WHERE (other.id = NEW.id OR other.answers_id = NEW.answers_id)) BEGIN SELECT RAISE(ABORT, 'a row of remark is never changed'); END""",
    """CREATE TRIGGER remark_no_update BEFORE UPDATE ON remark BEGIN SELECT RAISE(ABORT, 'a row of remark is never changed'); END""",
    """CREATE TRIGGER remark_no_delete BEFORE DELETE ON remark BEGIN SELECT RAISE(ABORT, 'a row of remark is never changed'); END""",
    """CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON audit_event WHEN EXISTS (
    SELECT 1 FROM audit_event AS other
    WHERE (other.id = NEW.id OR (other.chain = NEW.chain AND other.number = NEW.number))) BEGIN SELECT RAISE(ABORT, 'a row of audit_event is never changed'); END""",
    """CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event BEGIN SELECT RAISE(ABORT, 'a row of audit_event is never changed'); END""",
    """CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event BEGIN SELECT RAISE(ABORT, 'a row of audit_event is never changed'); END""",
    """CREATE TRIGGER round_no_replace BEFORE INSERT ON round WHEN EXISTS (
    SELECT 1 FROM round AS other
    WHERE (other.id = NEW.id OR other.fiscal_year = NEW.fiscal_year OR (other.state = 'open' AND NEW.state = 'open'))) BEGIN SELECT RAISE(ABORT, 'a round is never renumbered or removed'); END""",
    """CREATE TRIGGER round_no_rekeying BEFORE UPDATE ON round WHEN NEW.id IS NOT OLD.id OR NEW.fiscal_year IS NOT OLD.fiscal_year
    OR (NEW.state = 'open' AND EXISTS (SELECT 1 FROM round WHERE id <> OLD.id AND state = 'open')) BEGIN SELECT RAISE(ABORT, 'a round is never renumbered or removed'); END""",
    """CREATE TRIGGER round_no_delete BEFORE DELETE ON round BEGIN SELECT RAISE(ABORT, 'a round is never renumbered or removed'); END""",
    """CREATE TRIGGER organization_no_replace BEFORE INSERT ON organization WHEN EXISTS (
    SELECT 1 FROM organization AS other
    WHERE (other.rowid = NEW.rowid OR other.dla_code = NEW.dla_code)) BEGIN SELECT RAISE(ABORT, 'an organization never gets another code and is never removed'); END""",
    """CREATE TRIGGER organization_no_rekeying BEFORE UPDATE ON organization WHEN NEW.rowid IS NOT OLD.rowid OR NEW.dla_code IS NOT OLD.dla_code BEGIN SELECT RAISE(ABORT, 'an organization never gets another code and is never removed'); END""",
    """CREATE TRIGGER organization_no_delete BEFORE DELETE ON organization BEGIN SELECT RAISE(ABORT, 'an organization never gets another code and is never removed'); END""",
    """CREATE TRIGGER spot_check_insert BEFORE INSERT ON spot_check
    WHEN NEW.handed_in_at IS NOT NULL OR EXISTS (
    SELECT 1 FROM spot_check AS other
    WHERE (other.id = NEW.id OR (other.organization_code = NEW.organization_code AND other.round_id = NEW.round_id AND other.revision = NEW.revision))) BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
    """CREATE TRIGGER spot_check_update BEFORE UPDATE ON spot_check
    WHEN OLD.handed_in_at IS NOT NULL OR NEW.id IS NOT OLD.id OR NEW.organization_code IS NOT OLD.organization_code OR NEW.round_id IS NOT OLD.round_id OR NEW.revision IS NOT OLD.revision OR NEW.officer_id IS NOT OLD.officer_id OR NEW.seed IS NOT OLD.seed OR NEW.drawn_at IS NOT OLD.drawn_at
    OR (NEW.handed_in_at IS NOT NULL AND (NOT EXISTS (SELECT 1 FROM spot_check_item WHERE spot_check_id = NEW.id)
    OR EXISTS (SELECT 1 FROM spot_check_item WHERE spot_check_id = NEW.id AND mark IS NULL))) BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
    """CREATE TRIGGER spot_check_delete BEFORE DELETE ON spot_check BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
    """CREATE TRIGGER spot_check_item_insert BEFORE INSERT ON spot_check_item
    WHEN EXISTS (SELECT 1 FROM spot_check WHERE id = NEW.spot_check_id AND handed_in_at IS NOT NULL) OR EXISTS (
    SELECT 1 FROM spot_check_item AS other
    WHERE (other.rowid = NEW.rowid OR (other.spot_check_id = NEW.spot_check_id AND (other.place = NEW.place OR other.record_no = NEW.record_no)))) BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
    """CREATE TRIGGER spot_check_item_update BEFORE UPDATE ON spot_check_item
    WHEN EXISTS (SELECT 1 FROM spot_check WHERE id = OLD.spot_check_id AND handed_in_at IS NOT NULL) OR NEW.rowid IS NOT OLD.rowid OR NEW.spot_check_id IS NOT OLD.spot_check_id OR NEW.place IS NOT OLD.place OR NEW.record_no IS NOT OLD.record_no BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
    """CREATE TRIGGER spot_check_item_delete BEFORE DELETE ON spot_check_item BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
)

# `{schema}` is the schema of the tables.
POSTGRESQL_STATEMENTS = (
    """CREATE OR REPLACE FUNCTION {schema}.refuse_locked_roster() RETURNS trigger LANGUAGE plpgsql SET search_path TO 'pg_catalog', 'pg_temp' AS $function$
DECLARE
    touched text[];
BEGIN
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'a roster is changed at READ COMMITTED only, where it shows whether it is locked'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        touched := ARRAY(SELECT DISTINCT organization_code FROM new_rows);
    ELSIF TG_OP = 'DELETE' THEN
        touched := ARRAY(SELECT DISTINCT organization_code FROM old_rows);
    ELSE
        touched := ARRAY(SELECT organization_code FROM old_rows UNION SELECT organization_code FROM new_rows);
    END IF;
    PERFORM 1 FROM {schema}.organization WHERE dla_code = ANY (touched) ORDER BY dla_code FOR SHARE;
    IF EXISTS (
    SELECT 1 FROM {schema}.certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM {schema}.round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM {schema}.reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = ANY (touched)) THEN
        RAISE EXCEPTION 'the roster is certified and locked' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$function$""",
    """CREATE OR REPLACE FUNCTION {schema}.refuse_roster_truncate() RETURNS trigger LANGUAGE plpgsql SET search_path TO 'pg_catalog', 'pg_temp' AS $function$
BEGIN
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'a roster is changed at READ COMMITTED only, where it shows whether it is locked'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (
    SELECT 1 FROM {schema}.certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM {schema}.round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM {schema}.reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)) THEN
        RAISE EXCEPTION 'the roster is certified and locked' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$function$""",
    """CREATE OR REPLACE FUNCTION {schema}.keep_round() RETURNS trigger LANGUAGE plpgsql SET search_path TO 'pg_catalog', 'pg_temp' AS $function$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NOT (NEW.id IS DISTINCT FROM OLD.id OR NEW.fiscal_year IS DISTINCT FROM OLD.fiscal_year) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a round is never renumbered or removed' USING ERRCODE = 'restrict_violation';
END
$function$""",
    """CREATE OR REPLACE FUNCTION {schema}.keep_organization() RETURNS trigger LANGUAGE plpgsql SET search_path TO 'pg_catalog', 'pg_temp' AS $function$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NOT (NEW.dla_code IS DISTINCT FROM OLD.dla_code) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'an organization never gets another code and is never removed' USING ERRCODE = 'restrict_violation';
END
$function$""",
    """CREATE OR REPLACE FUNCTION {schema}.keep_spot_check() RETURNS trigger LANGUAGE plpgsql SET search_path TO 'pg_catalog', 'pg_temp' AS $function$
BEGIN
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'a spot-check is changed at READ COMMITTED only, where it shows whether it is locked'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF (CASE TG_OP
        WHEN 'INSERT' THEN NEW.handed_in_at IS NOT NULL
        WHEN 'DELETE' THEN true
        ELSE OLD.handed_in_at IS NOT NULL OR NEW.id IS DISTINCT FROM OLD.id OR NEW.organization_code IS DISTINCT FROM OLD.organization_code OR NEW.round_id IS DISTINCT FROM OLD.round_id OR NEW.revision IS DISTINCT FROM OLD.revision OR NEW.officer_id IS DISTINCT FROM OLD.officer_id OR NEW.seed IS DISTINCT FROM OLD.seed OR NEW.drawn_at IS DISTINCT FROM OLD.drawn_at
            OR (NEW.handed_in_at IS NOT NULL AND (NOT EXISTS (SELECT 1 FROM {schema}.spot_check_item WHERE spot_check_id = NEW.id)
    OR EXISTS (SELECT 1 FROM {schema}.spot_check_item WHERE spot_check_id = NEW.id AND mark IS NULL))) END)
    THEN
        RAISE EXCEPTION 'a spot-check is drawn once and handed in once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$function$""",
    """CREATE OR REPLACE FUNCTION {schema}.keep_spot_check_item() RETURNS trigger LANGUAGE plpgsql SET search_path TO 'pg_catalog', 'pg_temp' AS $function$
BEGIN
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'a spot-check is changed at READ COMMITTED only, where it shows whether it is locked'
            USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM 1 FROM {schema}.spot_check WHERE id = NEW.spot_check_id AND handed_in_at IS NULL FOR SHARE;
    IF NOT FOUND OR TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND (NEW.spot_check_id IS DISTINCT FROM OLD.spot_check_id OR NEW.place IS DISTINCT FROM OLD.place OR NEW.record_no IS DISTINCT FROM OLD.record_no)) THEN
        RAISE EXCEPTION 'a spot-check is drawn once and handed in once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$function$""",
    """CREATE OR REPLACE FUNCTION {schema}.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path TO 'pg_catalog', 'pg_temp' AS $function$
BEGIN
    RAISE EXCEPTION 'a row of % is never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$function$""",
    """CREATE TRIGGER personnel_record_locked_insert AFTER INSERT ON {schema}.personnel_record REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_locked_roster()""",
    """ALTER TABLE {schema}.personnel_record ENABLE ALWAYS TRIGGER personnel_record_locked_insert""",
    """CREATE TRIGGER personnel_record_locked_update AFTER UPDATE ON {schema}.personnel_record REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_locked_roster()""",
    """ALTER TABLE {schema}.personnel_record ENABLE ALWAYS TRIGGER personnel_record_locked_update""",
    """CREATE TRIGGER personnel_record_locked_delete AFTER DELETE ON {schema}.personnel_record REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_locked_roster()""",
    """ALTER TABLE {schema}.personnel_record ENABLE ALWAYS TRIGGER personnel_record_locked_delete""",
    """CREATE TRIGGER personnel_record_locked_truncate BEFORE TRUNCATE ON {schema}.personnel_record FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_roster_truncate()""",
    """ALTER TABLE {schema}.personnel_record ENABLE ALWAYS TRIGGER personnel_record_locked_truncate""",
    """CREATE TRIGGER roster_locked_insert AFTER INSERT ON {schema}.roster REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_locked_roster()""",
    """ALTER TABLE {schema}.roster ENABLE ALWAYS TRIGGER roster_locked_insert""",
    """CREATE TRIGGER roster_locked_update AFTER UPDATE ON {schema}.roster REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_locked_roster()""",
    """ALTER TABLE {schema}.roster ENABLE ALWAYS TRIGGER roster_locked_update""",
    """CREATE TRIGGER roster_locked_delete AFTER DELETE ON {schema}.roster REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_locked_roster()""",
    """ALTER TABLE {schema}.roster ENABLE ALWAYS TRIGGER roster_locked_delete""",
    """CREATE TRIGGER roster_locked_truncate BEFORE TRUNCATE ON {schema}.roster FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_roster_truncate()""",
    """ALTER TABLE {schema}.roster ENABLE ALWAYS TRIGGER roster_locked_truncate""",
    """CREATE TRIGGER certification_insert_only BEFORE DELETE OR UPDATE ON {schema}.certification FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.certification ENABLE ALWAYS TRIGGER certification_insert_only""",
    """CREATE TRIGGER certification_no_truncate BEFORE TRUNCATE ON {schema}.certification FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.certification ENABLE ALWAYS TRIGGER certification_no_truncate""",
    """CREATE TRIGGER reopening_insert_only BEFORE DELETE OR UPDATE ON {schema}.reopening FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.reopening ENABLE ALWAYS TRIGGER reopening_insert_only""",
    """CREATE TRIGGER reopening_no_truncate BEFORE TRUNCATE ON {schema}.reopening FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.reopening ENABLE ALWAYS TRIGGER reopening_no_truncate""",
    """CREATE TRIGGER remark_insert_only BEFORE DELETE OR UPDATE ON {schema}.remark FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.remark ENABLE ALWAYS TRIGGER remark_insert_only""",
    """CREATE TRIGGER remark_no_truncate BEFORE TRUNCATE ON {schema}.remark FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.remark ENABLE ALWAYS TRIGGER remark_no_truncate""",
    """CREATE TRIGGER audit_event_insert_only BEFORE DELETE OR UPDATE ON {schema}.audit_event FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.audit_event ENABLE ALWAYS TRIGGER audit_event_insert_only""",
    """CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON {schema}.audit_event FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.audit_event ENABLE ALWAYS TRIGGER audit_event_no_truncate""",
    """CREATE TRIGGER round_kept BEFORE DELETE OR UPDATE ON {schema}.round FOR EACH ROW EXECUTE FUNCTION {schema}.keep_round()""",
    """ALTER TABLE {schema}.round ENABLE ALWAYS TRIGGER round_kept""",
    """CREATE TRIGGER round_no_truncate BEFORE TRUNCATE ON {schema}.round FOR EACH STATEMENT EXECUTE FUNCTION {schema}.keep_round()""",
    """ALTER TABLE {schema}.round ENABLE ALWAYS TRIGGER round_no_truncate""",
    """CREATE TRIGGER organization_kept BEFORE DELETE OR UPDATE ON {schema}.organization FOR EACH ROW EXECUTE FUNCTION {schema}.keep_organization()""",
    """ALTER TABLE {schema}.organization ENABLE ALWAYS TRIGGER organization_kept""",
    """CREATE TRIGGER organization_no_truncate BEFORE TRUNCATE ON {schema}.organization FOR EACH STATEMENT EXECUTE FUNCTION {schema}.keep_organization()""",
    """ALTER TABLE {schema}.organization ENABLE ALWAYS TRIGGER organization_no_truncate""",
    """CREATE TRIGGER spot_check_kept BEFORE INSERT OR DELETE OR UPDATE ON {schema}.spot_check FOR EACH ROW EXECUTE FUNCTION {schema}.keep_spot_check()""",
    """ALTER TABLE {schema}.spot_check ENABLE ALWAYS TRIGGER spot_check_kept""",
    """CREATE TRIGGER spot_check_no_truncate BEFORE TRUNCATE ON {schema}.spot_check FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.spot_check ENABLE ALWAYS TRIGGER spot_check_no_truncate""",
    """CREATE TRIGGER spot_check_item_kept BEFORE INSERT OR DELETE OR UPDATE ON {schema}.spot_check_item FOR EACH ROW EXECUTE FUNCTION {schema}.keep_spot_check_item()""",
    """ALTER TABLE {schema}.spot_check_item ENABLE ALWAYS TRIGGER spot_check_item_kept""",
    """CREATE TRIGGER spot_check_item_no_truncate BEFORE TRUNCATE ON {schema}.spot_check_item FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.spot_check_item ENABLE ALWAYS TRIGGER spot_check_item_no_truncate""",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in OLD_SQLITE_TRIGGERS:
            op.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in SQLITE_TRIGGERS:
            op.execute(statement)
        return
    schema = op.get_bind().scalar(text("SELECT quote_ident(current_schema())"))
    for name, table in OLD_POSTGRESQL_TRIGGERS.items():
        op.execute(f"DROP TRIGGER IF EXISTS {name} ON {schema}.{table}")
    for statement in POSTGRESQL_STATEMENTS:
        op.execute(statement.replace("{schema}", schema))
