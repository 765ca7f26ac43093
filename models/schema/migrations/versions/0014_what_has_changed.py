"""What a register was before a reopening, to show what has changed since; what a spot-check's draw rests on."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

# Names and texts of models/schema/sqlite_triggers.py and models/schema/postgresql_triggers.py as they were at this
# revision.
OLD_SQLITE_TRIGGERS = ("spot_check_insert", "spot_check_update")
SQLITE_STATEMENTS = (
    """CREATE TRIGGER spot_check_insert BEFORE INSERT ON spot_check
    WHEN NEW.handed_in_at IS NOT NULL OR NEW.basis IS NULL OR EXISTS (
    SELECT 1 FROM spot_check AS other
    WHERE (other.id = NEW.id OR (other.organization_code = NEW.organization_code AND other.round_id = NEW.round_id AND other.revision = NEW.revision))) BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
    """CREATE TRIGGER spot_check_update BEFORE UPDATE ON spot_check
    WHEN OLD.handed_in_at IS NOT NULL OR NEW.id IS NOT OLD.id OR NEW.organization_code IS NOT OLD.organization_code OR NEW.round_id IS NOT OLD.round_id OR NEW.revision IS NOT OLD.revision OR NEW.officer_id IS NOT OLD.officer_id OR NEW.seed IS NOT OLD.seed OR NEW.drawn_at IS NOT OLD.drawn_at OR NEW.basis IS NOT OLD.basis
    OR (NEW.handed_in_at IS NOT NULL AND (NOT EXISTS (SELECT 1 FROM spot_check_item WHERE spot_check_id = NEW.id)
    OR EXISTS (SELECT 1 FROM spot_check_item WHERE spot_check_id = NEW.id AND mark IS NULL))) BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
    """CREATE TRIGGER certified_register_insert BEFORE INSERT ON certified_register
    WHEN NOT EXISTS (SELECT 1 FROM reopening WHERE id = NEW.reopening_id)
    OR EXISTS (
    SELECT 1 FROM certified_register AS other
    WHERE (other.id = NEW.id OR other.reopening_id = NEW.reopening_id)) BEGIN SELECT RAISE(ABORT, 'a register as it was certified is never changed, and goes when the next round has opened'); END""",
    """CREATE TRIGGER certified_register_no_update BEFORE UPDATE ON certified_register BEGIN SELECT RAISE(ABORT, 'a register as it was certified is never changed, and goes when the next round has opened'); END""",
    """CREATE TRIGGER certified_register_delete BEFORE DELETE ON certified_register
    WHEN NOT EXISTS (
    SELECT 1 FROM reopening, round
    WHERE reopening.id = OLD.reopening_id AND round.id > reopening.round_id) BEGIN SELECT RAISE(ABORT, 'a register as it was certified is never changed, and goes when the next round has opened'); END""",
    """CREATE TRIGGER certified_register_last_row BEFORE INSERT ON certified_register
    WHEN (SELECT highest FROM last_row WHERE table_name = 'certified_register') IS NOT (CASE WHEN EXISTS (SELECT 1 FROM certified_register)
    THEN (SELECT rowid FROM certified_register ORDER BY rowid DESC LIMIT 1) ELSE 0 END)
    BEGIN UPDATE last_row SET highest = (CASE WHEN EXISTS (SELECT 1 FROM certified_register)
    THEN (SELECT rowid FROM certified_register ORDER BY rowid DESC LIMIT 1) ELSE 0 END) WHERE table_name = 'certified_register'; END""",
    """CREATE TRIGGER certified_register_new_row AFTER INSERT ON certified_register
    WHEN NOT EXISTS (SELECT 1 FROM last_row WHERE table_name = 'certified_register' AND highest < NEW.rowid)
    BEGIN SELECT RAISE(ABORT, 'a row of certified_register is inserted under a new number only'); END""",
)
# The table whose rows are noted from now on, as the last condition of the trigger that keeps the notes.
NOTED = """(NEW.table_name = 'certified_register' AND NEW.highest = (CASE WHEN EXISTS (SELECT 1 FROM certified_register)
    THEN (SELECT rowid FROM certified_register ORDER BY rowid DESC LIMIT 1) ELSE 0 END))"""
POSTGRESQL_STATEMENTS = (
    """CREATE OR REPLACE FUNCTION {schema}.keep_spot_check() RETURNS trigger LANGUAGE plpgsql SET search_path TO 'pg_catalog', 'pg_temp' AS $function$
BEGIN
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'a spot-check is changed at READ COMMITTED only, where it shows whether it is locked'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF (CASE TG_OP
        WHEN 'INSERT' THEN NEW.handed_in_at IS NOT NULL OR NEW.basis IS NULL
        WHEN 'DELETE' THEN true
        ELSE OLD.handed_in_at IS NOT NULL OR NEW.id IS DISTINCT FROM OLD.id OR NEW.organization_code IS DISTINCT FROM OLD.organization_code OR NEW.round_id IS DISTINCT FROM OLD.round_id OR NEW.revision IS DISTINCT FROM OLD.revision OR NEW.officer_id IS DISTINCT FROM OLD.officer_id OR NEW.seed IS DISTINCT FROM OLD.seed OR NEW.drawn_at IS DISTINCT FROM OLD.drawn_at OR NEW.basis IS DISTINCT FROM OLD.basis
            OR (NEW.handed_in_at IS NOT NULL AND (NOT EXISTS (SELECT 1 FROM {schema}.spot_check_item WHERE spot_check_id = NEW.id)
    OR EXISTS (SELECT 1 FROM {schema}.spot_check_item WHERE spot_check_id = NEW.id AND mark IS NULL))) END)
    THEN
        RAISE EXCEPTION 'a spot-check is drawn once and handed in once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$function$""",
    """CREATE OR REPLACE FUNCTION {schema}.keep_certified_register() RETURNS trigger LANGUAGE plpgsql SET search_path TO 'pg_catalog', 'pg_temp' AS $function$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (
    SELECT 1 FROM {schema}.reopening, {schema}.round
    WHERE reopening.id = OLD.reopening_id AND round.id > reopening.round_id) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'a register as it was certified is never changed, and goes when the next round has opened' USING ERRCODE = 'restrict_violation';
END
$function$""",
    """CREATE TRIGGER certified_register_kept BEFORE DELETE OR UPDATE ON {schema}.certified_register FOR EACH ROW EXECUTE FUNCTION {schema}.keep_certified_register()""",
    """ALTER TABLE {schema}.certified_register ENABLE ALWAYS TRIGGER certified_register_kept""",
    """CREATE TRIGGER certified_register_no_truncate BEFORE TRUNCATE ON {schema}.certified_register FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()""",
    """ALTER TABLE {schema}.certified_register ENABLE ALWAYS TRIGGER certified_register_no_truncate""",
)


def upgrade() -> None:
    op.create_table(
        "certified_register",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reopening_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("by_province", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reopening_id"], ["reopening.id"], name=op.f("fk_certified_register_reopening_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certified_register")),
        sa.UniqueConstraint("reopening_id", name=op.f("uq_certified_register_reopening_id")),
        sqlite_autoincrement=True,
    )
    # A draw that was made before is by rule 1 and has none.
    op.add_column("spot_check", sa.Column("basis", sa.Text(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        for name in OLD_SQLITE_TRIGGERS:
            op.execute(f"DROP TRIGGER IF EXISTS {name}")
        _note_rows()
        for statement in SQLITE_STATEMENTS:
            op.execute(statement)
        return
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    for statement in POSTGRESQL_STATEMENTS:
        op.execute(statement.replace("{schema}", schema))


def _note_rows() -> None:
    """Note the new table's highest row as well: whatever tables are noted already, it comes last."""
    ours = "SELECT name, sql FROM sqlite_master WHERE name IN ('last_row_no_insert', 'last_row_no_other')"
    triggers = {row.name: row.sql for row in op.get_bind().execute(sa.text(ours))}
    for name in triggers:
        op.execute(f"DROP TRIGGER {name}")
    op.execute("INSERT INTO last_row (table_name, highest) VALUES ('certified_register', 0)")
    conditions, refusal = triggers["last_row_no_other"].rsplit(") BEGIN SELECT RAISE", 1)
    triggers["last_row_no_other"] = f"{conditions} OR {NOTED}) BEGIN SELECT RAISE{refusal}"
    for statement in triggers.values():
        op.execute(statement)
