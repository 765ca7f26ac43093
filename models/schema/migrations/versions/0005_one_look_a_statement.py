"""One look a statement: PostgreSQL's lock on certified registers."""

from alembic import op

revision = "0005"
down_revision = "0004"

# The texts of models/triggers.py as they were at this revision. SQLite knows only triggers of rows, and keeps its own.
FUNCTIONS = (
    """CREATE OR REPLACE FUNCTION refuse_locked_roster() RETURNS trigger LANGUAGE plpgsql AS $$
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
    PERFORM 1 FROM organization WHERE dla_code = ANY (touched) ORDER BY dla_code FOR SHARE;
    IF EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = ANY (touched) AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)) THEN
        RAISE EXCEPTION 'the roster is certified and locked' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$""",
    """CREATE OR REPLACE FUNCTION refuse_roster_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'a roster is changed at READ COMMITTED only, where it shows whether it is locked'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (
        SELECT 1 FROM certification
        WHERE level = 'lao' AND round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
    ) THEN
        RAISE EXCEPTION 'the roster is certified and locked' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$""",
)
TRIGGERS = (
    "CREATE TRIGGER personnel_record_locked_insert AFTER INSERT ON personnel_record REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_locked_roster()",
    "CREATE TRIGGER personnel_record_locked_update AFTER UPDATE ON personnel_record REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_locked_roster()",
    "CREATE TRIGGER personnel_record_locked_delete AFTER DELETE ON personnel_record REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_locked_roster()",
    "CREATE TRIGGER roster_locked_insert AFTER INSERT ON roster REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_locked_roster()",
    "CREATE TRIGGER roster_locked_update AFTER UPDATE ON roster REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_locked_roster()",
    "CREATE TRIGGER roster_locked_delete AFTER DELETE ON roster REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION refuse_locked_roster()",
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("DROP TRIGGER personnel_record_locked ON personnel_record")
    op.execute("DROP TRIGGER roster_locked ON roster")
    for statement in (*FUNCTIONS, *TRIGGERS):
        op.execute(statement)
