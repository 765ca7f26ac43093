"""Revisions and the record: audit chain, reopenings, remarks, and what certificates keep of both."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

UTC_TIME = sa.DateTime(timezone=True)
BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Of certificates that were made before there was an audit chain.
UNRECORDED = "unrecorded"

OLD_SQLITE_TRIGGERS = (
    "personnel_record_locked_insert",
    "personnel_record_locked_update",
    "personnel_record_locked_delete",
    "roster_locked_insert",
    "roster_locked_update",
    "roster_locked_delete",
    "certification_no_replace",
    "certification_no_update",
    "certification_no_delete",
)
OLD_POSTGRESQL_TRIGGERS = {
    "personnel_record_locked": "personnel_record",
    "personnel_record_locked_truncate": "personnel_record",
    "roster_locked": "roster",
    "roster_locked_truncate": "roster",
    "certification_insert_only": "certification",
    "certification_no_truncate": "certification",
}
OLD_POSTGRESQL_FUNCTIONS = ("refuse_locked_roster", "refuse_roster_truncate", "refuse_certificate_change")

# The texts of models/triggers.py as they were at this revision.
SQLITE_TRIGGERS = (
    """CREATE TRIGGER personnel_record_locked_insert BEFORE INSERT ON personnel_record WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = NEW.organization_code AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)) OR EXISTS (SELECT 1 FROM personnel_record AS other WHERE (other.id = NEW.id OR (other.organization_code = NEW.organization_code AND other.record_no = NEW.record_no)) AND EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = other.organization_code AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision))) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER personnel_record_locked_update BEFORE UPDATE ON personnel_record WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = OLD.organization_code AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)) OR EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = NEW.organization_code AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)) OR EXISTS (SELECT 1 FROM personnel_record AS other WHERE (other.id = NEW.id OR (other.organization_code = NEW.organization_code AND other.record_no = NEW.record_no)) AND EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = other.organization_code AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision))) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER personnel_record_locked_delete BEFORE DELETE ON personnel_record WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = OLD.organization_code AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER roster_locked_insert BEFORE INSERT ON roster WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = NEW.organization_code AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)) OR EXISTS (SELECT 1 FROM roster AS other WHERE (other.organization_code = NEW.organization_code) AND EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = other.organization_code AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision))) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER roster_locked_update BEFORE UPDATE ON roster WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = OLD.organization_code AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)) OR EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = NEW.organization_code AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)) OR EXISTS (SELECT 1 FROM roster AS other WHERE (other.organization_code = NEW.organization_code) AND EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = other.organization_code AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision))) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER roster_locked_delete BEFORE DELETE ON roster WHEN EXISTS (
    SELECT 1 FROM certification
    WHERE certification.organization_code = OLD.organization_code AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)) BEGIN SELECT RAISE(ABORT, 'the roster is certified and locked'); END""",
    """CREATE TRIGGER certification_no_replace BEFORE INSERT ON certification WHEN EXISTS (SELECT 1 FROM certification AS other WHERE other.id = NEW.id OR other.code = NEW.code OR (other.organization_code = NEW.organization_code AND other.round_id = NEW.round_id AND other.revision = NEW.revision AND other.level = NEW.level)) BEGIN SELECT RAISE(ABORT, 'a row of certification is never changed'); END""",
    """CREATE TRIGGER certification_no_update BEFORE UPDATE ON certification BEGIN SELECT RAISE(ABORT, 'a row of certification is never changed'); END""",
    """CREATE TRIGGER certification_no_delete BEFORE DELETE ON certification BEGIN SELECT RAISE(ABORT, 'a row of certification is never changed'); END""",
    """CREATE TRIGGER reopening_no_replace BEFORE INSERT ON reopening WHEN EXISTS (SELECT 1 FROM reopening AS other WHERE other.id = NEW.id OR (other.organization_code = NEW.organization_code AND other.round_id = NEW.round_id AND other.revision = NEW.revision)) BEGIN SELECT RAISE(ABORT, 'a row of reopening is never changed'); END""",
    """CREATE TRIGGER reopening_no_update BEFORE UPDATE ON reopening BEGIN SELECT RAISE(ABORT, 'a row of reopening is never changed'); END""",
    """CREATE TRIGGER reopening_no_delete BEFORE DELETE ON reopening BEGIN SELECT RAISE(ABORT, 'a row of reopening is never changed'); END""",
    """CREATE TRIGGER remark_no_replace BEFORE INSERT ON remark WHEN EXISTS (SELECT 1 FROM remark AS other WHERE other.id = NEW.id OR other.answers_id = NEW.answers_id) BEGIN SELECT RAISE(ABORT, 'a row of remark is never changed'); END""",
    """CREATE TRIGGER remark_no_update BEFORE UPDATE ON remark BEGIN SELECT RAISE(ABORT, 'a row of remark is never changed'); END""",
    """CREATE TRIGGER remark_no_delete BEFORE DELETE ON remark BEGIN SELECT RAISE(ABORT, 'a row of remark is never changed'); END""",
    """CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON audit_event WHEN EXISTS (SELECT 1 FROM audit_event AS other WHERE other.id = NEW.id OR (other.chain = NEW.chain AND other.number = NEW.number)) BEGIN SELECT RAISE(ABORT, 'a row of audit_event is never changed'); END""",
    """CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event BEGIN SELECT RAISE(ABORT, 'a row of audit_event is never changed'); END""",
    """CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event BEGIN SELECT RAISE(ABORT, 'a row of audit_event is never changed'); END""",
    """CREATE TRIGGER round_no_replace BEFORE INSERT ON round WHEN EXISTS (
    SELECT 1 FROM round AS other
    WHERE other.id = NEW.id OR other.fiscal_year = NEW.fiscal_year) BEGIN SELECT RAISE(ABORT, 'a round is never renumbered or removed'); END""",
    """CREATE TRIGGER round_no_renumber BEFORE UPDATE OF id, fiscal_year ON round BEGIN SELECT RAISE(ABORT, 'a round is never renumbered or removed'); END""",
    """CREATE TRIGGER round_no_delete BEFORE DELETE ON round BEGIN SELECT RAISE(ABORT, 'a round is never renumbered or removed'); END""",
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
    WHERE certification.organization_code = touched AND level = 'lao'
      AND certification.round_id = (SELECT max(id) FROM round) AND NOT EXISTS (
        SELECT 1 FROM reopening
        WHERE reopening.organization_code = certification.organization_code
          AND reopening.round_id = certification.round_id AND reopening.revision = certification.revision)) THEN
            RAISE EXCEPTION 'the roster is certified and locked' USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$""",
    """CREATE FUNCTION refuse_roster_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
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
    """CREATE FUNCTION keep_round() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a round is never renumbered or removed' USING ERRCODE = 'restrict_violation';
END
$$""",
    """CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a row of % is never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$""",
    """CREATE TRIGGER personnel_record_locked BEFORE INSERT OR UPDATE OR DELETE ON personnel_record FOR EACH ROW EXECUTE FUNCTION refuse_locked_roster()""",
    """CREATE TRIGGER personnel_record_locked_truncate BEFORE TRUNCATE ON personnel_record FOR EACH STATEMENT EXECUTE FUNCTION refuse_roster_truncate()""",
    """CREATE TRIGGER roster_locked BEFORE INSERT OR UPDATE OR DELETE ON roster FOR EACH ROW EXECUTE FUNCTION refuse_locked_roster()""",
    """CREATE TRIGGER roster_locked_truncate BEFORE TRUNCATE ON roster FOR EACH STATEMENT EXECUTE FUNCTION refuse_roster_truncate()""",
    """CREATE TRIGGER certification_insert_only BEFORE UPDATE OR DELETE ON certification FOR EACH ROW EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER certification_no_truncate BEFORE TRUNCATE ON certification FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER reopening_insert_only BEFORE UPDATE OR DELETE ON reopening FOR EACH ROW EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER reopening_no_truncate BEFORE TRUNCATE ON reopening FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER remark_insert_only BEFORE UPDATE OR DELETE ON remark FOR EACH ROW EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER remark_no_truncate BEFORE TRUNCATE ON remark FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER audit_event_insert_only BEFORE UPDATE OR DELETE ON audit_event FOR EACH ROW EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER round_no_renumber BEFORE UPDATE OF id, fiscal_year ON round FOR EACH ROW EXECUTE FUNCTION keep_round()""",
    """CREATE TRIGGER round_no_delete BEFORE DELETE ON round FOR EACH ROW EXECUTE FUNCTION keep_round()""",
    """CREATE TRIGGER round_no_truncate BEFORE TRUNCATE ON round FOR EACH STATEMENT EXECUTE FUNCTION keep_round()""",
)


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    _drop_triggers(dialect)
    _create_tables()
    _extend_certificates()
    op.add_column("conversation", sa.Column("draft", sa.Text(), nullable=True))
    if dialect == "sqlite":
        _copy_outbox()
    else:
        op.alter_column("outbox", "certification_id", new_column_name="subject_id")
        op.drop_constraint(op.f("ck_outbox_state"), "outbox", type_="check")
    for statement in SQLITE_TRIGGERS if dialect == "sqlite" else POSTGRESQL_TRIGGERS:
        op.execute(sa.text(statement.replace(":", "\\:")))


def _copy_outbox() -> None:
    """SQLite cannot drop a check: the states now have one more."""
    op.create_table(
        "outbox_copy",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("dedupe_key", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(30), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("due_at", UTC_TIME, nullable=False),
        sa.Column("sent_at", UTC_TIME, nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(300), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_outbox_dedupe_key")),
        sqlite_autoincrement=True,
    )
    columns = "id, dedupe_key, kind, chat_id, {}, state, attempts, created_at, due_at, sent_at, message_id, error"
    op.execute(
        f"INSERT INTO outbox_copy ({columns.format('subject_id')})"
        f" SELECT {columns.format('certification_id')} FROM outbox"
    )
    op.drop_table("outbox")
    op.rename_table("outbox_copy", "outbox")
    op.create_index(
        "ix_outbox_due", "outbox", ["due_at"], sqlite_where=sa.text("state IN ('pending', 'uncertain')")
    )


def _drop_triggers(dialect: str) -> None:
    if dialect == "sqlite":
        for name in OLD_SQLITE_TRIGGERS:
            op.execute(f"DROP TRIGGER {name}")
        return
    for name, table in OLD_POSTGRESQL_TRIGGERS.items():
        op.execute(f"DROP TRIGGER {name} ON {table}")
    for name in OLD_POSTGRESQL_FUNCTIONS:
        op.execute(f"DROP FUNCTION {name}()")


def _extend_certificates() -> None:
    for name, length in (("account_username", 64), ("statement", 40), ("audit_head", 64)):
        op.add_column(
            "certification",
            sa.Column(name, sa.String(length), nullable=False, server_default=UNRECORDED),
        )
    op.execute(
        "UPDATE certification SET account_username = (SELECT username FROM officer"
        " JOIN account ON account.id = officer.account_id WHERE officer.id = certification.officer_id)"
    )


def _create_tables() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("chain", sa.String(20), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(8), nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
        sa.UniqueConstraint("chain", "number", name=op.f("uq_audit_event_chain_number")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "reopening",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("organization_code", sa.String(20), nullable=False),
        sa.Column("round_id", BIG_KEY, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("by_name", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reopened_at", UTC_TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_code"], ["organization.dla_code"], name=op.f("fk_reopening_organization_code")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_reopening_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reopening")),
        sa.UniqueConstraint(
            "organization_code",
            "round_id",
            "revision",
            name=op.f("uq_reopening_organization_code_round_id_revision"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "remark",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("organization_code", sa.String(20), nullable=False),
        sa.Column("round_id", BIG_KEY, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("author", sa.String(400), nullable=False),
        sa.Column("officer_id", BIG_KEY, nullable=True),
        sa.Column("answers_id", BIG_KEY, nullable=True),
        sa.Column("granted", sa.Boolean(), nullable=True),
        sa.Column("made_at", UTC_TIME, nullable=False),
        sa.ForeignKeyConstraint(["answers_id"], ["remark.id"], name=op.f("fk_remark_answers_id")),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_remark_officer_id")),
        sa.ForeignKeyConstraint(
            ["organization_code"], ["organization.dla_code"], name=op.f("fk_remark_organization_code")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_remark_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remark")),
        sa.UniqueConstraint("answers_id", name=op.f("uq_remark_answers_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_remark_organization_code"), "remark", ["organization_code"], unique=False)
