"""Organizations end and go on: how each has ended, insert only; the register of one that has is locked for ever."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

UTC_TIME = sa.DateTime(timezone=True)
BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Names and texts of models/schema/sqlite_triggers.py and models/schema/postgresql_triggers.py as they were at this
# revision.
OLD_SQLITE_TRIGGERS = (
    "personnel_record_locked_insert",
    "personnel_record_locked_update",
    "personnel_record_locked_delete",
    "roster_locked_insert",
    "roster_locked_update",
    "roster_locked_delete",
    "last_row_no_insert",
    "last_row_no_other",
)
SQLITE_STATEMENTS = (
    """INSERT INTO last_row (table_name, highest) VALUES ('organization_end', 0)""",
    """CREATE TRIGGER personnel_record_locked_insert BEFORE INSERT ON personnel_record WHEN (EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = NEW.organization_code)
    OR EXISTS (
    SELECT 1 FROM organization_end WHERE organization_end.organization_code = NEW.organization_code)) OR EXISTS (
    SELECT 1 FROM personnel_record AS other
    WHERE (other.id = NEW.id OR (other.organization_code = NEW.organization_code AND other.record_no = NEW.record_no)) AND (EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = other.organization_code)
    OR EXISTS (
    SELECT 1 FROM organization_end WHERE organization_end.organization_code = other.organization_code))) BEGIN SELECT RAISE(ABORT, 'the roster is locked: it is certified, or its organization has ended'); END""",
    """CREATE TRIGGER personnel_record_locked_update BEFORE UPDATE ON personnel_record WHEN (EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = OLD.organization_code)
    OR EXISTS (
    SELECT 1 FROM organization_end WHERE organization_end.organization_code = OLD.organization_code)) OR (EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = NEW.organization_code)
    OR EXISTS (
    SELECT 1 FROM organization_end WHERE organization_end.organization_code = NEW.organization_code)) OR EXISTS (
    SELECT 1 FROM personnel_record AS other
    WHERE (other.id = NEW.id OR (other.organization_code = NEW.organization_code AND other.record_no = NEW.record_no)) AND (EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = other.organization_code)
    OR EXISTS (
    SELECT 1 FROM organization_end WHERE organization_end.organization_code = other.organization_code))) BEGIN SELECT RAISE(ABORT, 'the roster is locked: it is certified, or its organization has ended'); END""",
    """CREATE TRIGGER personnel_record_locked_delete BEFORE DELETE ON personnel_record WHEN (EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = OLD.organization_code)
    OR EXISTS (
    SELECT 1 FROM organization_end WHERE organization_end.organization_code = OLD.organization_code)) BEGIN SELECT RAISE(ABORT, 'the roster is locked: it is certified, or its organization has ended'); END""",
    """CREATE TRIGGER roster_locked_insert BEFORE INSERT ON roster WHEN (EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = NEW.organization_code)
    OR EXISTS (
    SELECT 1 FROM organization_end WHERE organization_end.organization_code = NEW.organization_code)) OR EXISTS (
    SELECT 1 FROM roster AS other
    WHERE (other.rowid = NEW.rowid OR other.organization_code = NEW.organization_code) AND (EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = other.organization_code)
    OR EXISTS (
    SELECT 1 FROM organization_end WHERE organization_end.organization_code = other.organization_code))) BEGIN SELECT RAISE(ABORT, 'the roster is locked: it is certified, or its organization has ended'); END""",
    """CREATE TRIGGER roster_locked_update BEFORE UPDATE ON roster WHEN (EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = OLD.organization_code)
    OR EXISTS (
    SELECT 1 FROM organization_end WHERE organization_end.organization_code = OLD.organization_code)) OR (EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = NEW.organization_code)
    OR EXISTS (
    SELECT 1 FROM organization_end WHERE organization_end.organization_code = NEW.organization_code)) OR EXISTS (
    SELECT 1 FROM roster AS other
    WHERE (other.rowid = NEW.rowid OR other.organization_code = NEW.organization_code) AND (EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = other.organization_code)
    OR EXISTS (
    SELECT 1 FROM organization_end WHERE organization_end.organization_code = other.organization_code))) BEGIN SELECT RAISE(ABORT, 'the roster is locked: it is certified, or its organization has ended'); END""",
    """CREATE TRIGGER roster_locked_delete BEFORE DELETE ON roster WHEN (EXISTS (
    SELECT 1 FROM certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = OLD.organization_code)
    OR EXISTS (
    SELECT 1 FROM organization_end WHERE organization_end.organization_code = OLD.organization_code)) BEGIN SELECT RAISE(ABORT, 'the roster is locked: it is certified, or its organization has ended'); END""",
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
    THEN (SELECT rowid FROM spot_check_item ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'certificate_words' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM certificate_words)
    THEN (SELECT rowid FROM certificate_words ORDER BY rowid DESC LIMIT 1) ELSE 0 END)) OR (NEW.table_name = 'organization_end' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM organization_end)
    THEN (SELECT rowid FROM organization_end ORDER BY rowid DESC LIMIT 1) ELSE 0 END))) BEGIN SELECT RAISE(ABORT, 'the highest row of a table is noted as it is'); END""",
    """CREATE TRIGGER organization_end_no_replace BEFORE INSERT ON organization_end WHEN EXISTS (
    SELECT 1 FROM organization_end AS other
    WHERE (other.id = NEW.id OR other.organization_code = NEW.organization_code)) BEGIN SELECT RAISE(ABORT, 'a row of organization_end is never changed'); END""",
    """CREATE TRIGGER organization_end_no_update BEFORE UPDATE ON organization_end BEGIN SELECT RAISE(ABORT, 'a row of organization_end is never changed'); END""",
    """CREATE TRIGGER organization_end_no_delete BEFORE DELETE ON organization_end BEGIN SELECT RAISE(ABORT, 'a row of organization_end is never changed'); END""",
    """CREATE TRIGGER organization_end_last_row BEFORE INSERT ON organization_end
    WHEN (SELECT highest FROM last_row WHERE table_name = 'organization_end') IS NOT (CASE WHEN EXISTS (SELECT 1 FROM organization_end)
    THEN (SELECT rowid FROM organization_end ORDER BY rowid DESC LIMIT 1) ELSE 0 END)
    BEGIN UPDATE last_row SET highest = (CASE WHEN EXISTS (SELECT 1 FROM organization_end)
    THEN (SELECT rowid FROM organization_end ORDER BY rowid DESC LIMIT 1) ELSE 0 END) WHERE table_name = 'organization_end'; END""",
    """CREATE TRIGGER organization_end_new_row AFTER INSERT ON organization_end
    WHEN NOT EXISTS (SELECT 1 FROM last_row WHERE table_name = 'organization_end' AND highest < NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a row of organization_end is inserted under a new number only'); END""",
)
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
    IF (EXISTS (
    SELECT 1 FROM {schema}.certification
    WHERE certification.level = 'lao'
      AND certification.round_id = (SELECT id FROM {schema}.round ORDER BY id DESC LIMIT 1)
      AND NOT EXISTS (
        SELECT 1 FROM {schema}.reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)
      AND certification.organization_code = ANY (touched))
    OR EXISTS (
    SELECT 1 FROM {schema}.organization_end WHERE organization_end.organization_code = ANY (touched))) THEN
        RAISE EXCEPTION 'the roster is locked: it is certified, or its organization has ended' USING ERRCODE = 'restrict_violation';
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
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)) OR EXISTS (SELECT 1 FROM {schema}.organization_end) THEN
        RAISE EXCEPTION 'the roster is locked: it is certified, or its organization has ended' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$function$""",
    """CREATE TRIGGER organization_end_insert_only BEFORE DELETE OR UPDATE ON {schema}.organization_end FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.organization_end ENABLE ALWAYS TRIGGER organization_end_insert_only""",
    """CREATE TRIGGER organization_end_no_truncate BEFORE TRUNCATE ON {schema}.organization_end FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.organization_end ENABLE ALWAYS TRIGGER organization_end_no_truncate""",
)


def upgrade() -> None:
    op.create_table(
        "organization_end",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("organization_code", sa.String(20), nullable=False),
        sa.Column("successor_code", sa.String(20), nullable=True),
        sa.Column("founds_successor", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("by_name", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("gazette", sa.String(200), nullable=True),
        sa.Column("ended_at", UTC_TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_code"], ["organization.dla_code"], name=op.f("fk_organization_end_organization_code")
        ),
        sa.ForeignKeyConstraint(
            ["successor_code"], ["organization.dla_code"], name=op.f("fk_organization_end_successor_code")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization_end")),
        sa.UniqueConstraint("organization_code", name=op.f("uq_organization_end_organization_code")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_organization_end_successor_code", "organization_end", ["successor_code"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        for name in OLD_SQLITE_TRIGGERS:
            op.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in SQLITE_STATEMENTS:
            op.execute(statement)
        return
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    for statement in POSTGRESQL_STATEMENTS:
        op.execute(statement.replace("{schema}", schema))
