"""The first schema: organizations, accounts, rosters, rounds, certificates, inbox and outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

UTC_TIME = sa.DateTime(timezone=True)
BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BINARY_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")

# The texts of models/triggers.py as they were at this revision.
SQLITE_TRIGGERS = (
    """CREATE TRIGGER personnel_record_locked_insert BEFORE INSERT ON personnel_record WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE organization_code = NEW.organization_code AND level = 'lao' AND round_id = (SELECT max(id) FROM round)) OR EXISTS (SELECT 1 FROM personnel_record AS other WHERE (other.id = NEW.id OR (other.organization_code = NEW.organization_code AND other.record_no = NEW.record_no)) AND EXISTS (
    SELECT 1 FROM certification
    WHERE organization_code = other.organization_code AND level = 'lao' AND round_id = (SELECT max(id) FROM round))) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER personnel_record_locked_update BEFORE UPDATE ON personnel_record WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE organization_code = OLD.organization_code AND level = 'lao' AND round_id = (SELECT max(id) FROM round)) OR EXISTS (
    SELECT 1 FROM certification
    WHERE organization_code = NEW.organization_code AND level = 'lao' AND round_id = (SELECT max(id) FROM round)) OR EXISTS (SELECT 1 FROM personnel_record AS other WHERE (other.id = NEW.id OR (other.organization_code = NEW.organization_code AND other.record_no = NEW.record_no)) AND EXISTS (
    SELECT 1 FROM certification
    WHERE organization_code = other.organization_code AND level = 'lao' AND round_id = (SELECT max(id) FROM round))) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER personnel_record_locked_delete BEFORE DELETE ON personnel_record WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE organization_code = OLD.organization_code AND level = 'lao' AND round_id = (SELECT max(id) FROM round)) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER roster_locked_insert BEFORE INSERT ON roster WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE organization_code = NEW.organization_code AND level = 'lao' AND round_id = (SELECT max(id) FROM round)) OR EXISTS (SELECT 1 FROM roster AS other WHERE (other.organization_code = NEW.organization_code) AND EXISTS (
    SELECT 1 FROM certification
    WHERE organization_code = other.organization_code AND level = 'lao' AND round_id = (SELECT max(id) FROM round))) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER roster_locked_update BEFORE UPDATE ON roster WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE organization_code = OLD.organization_code AND level = 'lao' AND round_id = (SELECT max(id) FROM round)) OR EXISTS (
    SELECT 1 FROM certification
    WHERE organization_code = NEW.organization_code AND level = 'lao' AND round_id = (SELECT max(id) FROM round)) OR EXISTS (SELECT 1 FROM roster AS other WHERE (other.organization_code = NEW.organization_code) AND EXISTS (
    SELECT 1 FROM certification
    WHERE organization_code = other.organization_code AND level = 'lao' AND round_id = (SELECT max(id) FROM round))) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER roster_locked_delete BEFORE DELETE ON roster WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE organization_code = OLD.organization_code AND level = 'lao' AND round_id = (SELECT max(id) FROM round)) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER certification_no_replace BEFORE INSERT ON certification WHEN EXISTS (
    SELECT 1 FROM certification AS other
    WHERE other.id = NEW.id OR other.code = NEW.code
       OR (other.organization_code = NEW.organization_code AND other.round_id = NEW.round_id
           AND other.revision = NEW.revision AND other.level = NEW.level)) BEGIN SELECT RAISE(ABORT, 'a certificate is never changed'); END""",
    """CREATE TRIGGER certification_no_update BEFORE UPDATE ON certification BEGIN SELECT RAISE(ABORT, 'a certificate is never changed'); END""",
    """CREATE TRIGGER certification_no_delete BEFORE DELETE ON certification BEGIN SELECT RAISE(ABORT, 'a certificate is never changed'); END""",
)

POSTGRESQL_TRIGGERS = (
    """CREATE FUNCTION refuse_locked_roster() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    touched text;
BEGIN
    FOREACH touched IN ARRAY CASE TG_OP
        WHEN 'INSERT' THEN ARRAY[NEW.organization_code]
        WHEN 'DELETE' THEN ARRAY[OLD.organization_code]
        ELSE ARRAY[OLD.organization_code, NEW.organization_code] END
    LOOP
        PERFORM 1 FROM organization WHERE dla_code = touched FOR SHARE;
        IF EXISTS (
    SELECT 1 FROM certification
    WHERE organization_code = touched AND level = 'lao' AND round_id = (SELECT max(id) FROM round)) THEN
            RAISE EXCEPTION 'the roster is certified and locked' USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$""",
    """CREATE FUNCTION refuse_roster_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM certification WHERE level = 'lao' AND round_id = (SELECT max(id) FROM round)) THEN
        RAISE EXCEPTION 'the roster is certified and locked' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$""",
    """CREATE FUNCTION refuse_certificate_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a certificate is never changed' USING ERRCODE = 'restrict_violation';
END
$$""",
    """CREATE TRIGGER personnel_record_locked BEFORE INSERT OR UPDATE OR DELETE ON personnel_record FOR EACH ROW EXECUTE FUNCTION refuse_locked_roster()""",
    """CREATE TRIGGER personnel_record_locked_truncate BEFORE TRUNCATE ON personnel_record FOR EACH STATEMENT EXECUTE FUNCTION refuse_roster_truncate()""",
    """CREATE TRIGGER roster_locked BEFORE INSERT OR UPDATE OR DELETE ON roster FOR EACH ROW EXECUTE FUNCTION refuse_locked_roster()""",
    """CREATE TRIGGER roster_locked_truncate BEFORE TRUNCATE ON roster FOR EACH STATEMENT EXECUTE FUNCTION refuse_roster_truncate()""",
    """CREATE TRIGGER certification_insert_only BEFORE UPDATE OR DELETE ON certification FOR EACH ROW EXECUTE FUNCTION refuse_certificate_change()""",
    """CREATE TRIGGER certification_no_truncate BEFORE TRUNCATE ON certification FOR EACH STATEMENT EXECUTE FUNCTION refuse_certificate_change()""",
)


def upgrade() -> None:
    pass
    dialect = op.get_bind().dialect.name
    for statement in SQLITE_TRIGGERS if dialect == "sqlite" else POSTGRESQL_TRIGGERS:
        op.execute(sa.text(statement.replace(":", "\\:")))
