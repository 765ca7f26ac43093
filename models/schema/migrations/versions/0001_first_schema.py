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
    op.create_table(
        "conversation",
        sa.Column("chat_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "language",
            sa.Enum("th", "en", name="language", native_enum=False, create_constraint=True, length=30),
            nullable=False,
        ),
        sa.Column(
            "awaiting",
            sa.Enum(
                "nothing",
                "username",
                "password",
                "full_name",
                "position",
                name="awaiting",
                native_enum=False,
                length=30,
            ),
            nullable=False,
        ),
        sa.Column("username", sa.String(length=64), nullable=True),
        sa.Column("card_message_id", sa.BigInteger(), nullable=True),
        sa.Column("told_private_only", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("chat_id", name=op.f("pk_conversation")),
    )
    op.create_table(
        "inbox",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("bot_id", sa.BigInteger(), nullable=False),
        sa.Column("update_id", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.BigInteger(), nullable=False),
        sa.Column("received_at", UTC_TIME, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "pending", "done", "set_aside", name="state", native_enum=False, create_constraint=True, length=30
            ),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("finished_at", UTC_TIME, nullable=True),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("bot_id", "update_id", name=op.f("uq_inbox_bot_id_update_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_inbox_pending",
        "inbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("dedupe_key", sa.String(length=100), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "receipt",
                "awaits_province",
                "colleague_certified",
                "province_certified",
                name="kind",
                native_enum=False,
                length=30,
            ),
            nullable=False,
        ),
        sa.Column("chat_id", sa.BigInteger(), nullable=False),
        sa.Column("certification_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "sending",
                "sent",
                "uncertain",
                "dead",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=30,
            ),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("due_at", UTC_TIME, nullable=False),
        sa.Column("sent_at", UTC_TIME, nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_outbox_dedupe_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('pending', 'uncertain')"),
        postgresql_where=sa.text("state IN ('pending', 'uncertain')"),
    )
    op.create_table(
        "province",
        sa.Column("code", sa.String(length=2), nullable=False),
        sa.Column("name_th", sa.String(length=100), nullable=False),
        sa.Column("name_en", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_province")),
    )
    op.create_table(
        "round",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("fiscal_year", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum("open", "closed", name="roundstate", native_enum=False, create_constraint=True, length=30),
            nullable=False,
        ),
        sa.Column("closes_on", sa.Date(), nullable=True),
        sa.Column("opened_at", UTC_TIME, nullable=False),
        sa.Column("closed_at", UTC_TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round")),
        sa.UniqueConstraint("fiscal_year", name=op.f("uq_round_fiscal_year")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_round_open",
        "round",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "organization",
        sa.Column("dla_code", sa.String(length=20), nullable=False),
        sa.Column("type_th", sa.String(length=60), nullable=False),
        sa.Column("type_code", sa.String(length=40), nullable=False),
        sa.Column("name_th", sa.String(length=200), nullable=False),
        sa.Column("district_th", sa.String(length=100), nullable=False),
        sa.Column("province_code", sa.String(length=2), nullable=False),
        sa.Column("sort_key", BINARY_TEXT, nullable=False),
        sa.ForeignKeyConstraint(["province_code"], ["province.code"], name=op.f("fk_organization_province_code")),
        sa.PrimaryKeyConstraint("dla_code", name=op.f("pk_organization")),
    )
    op.create_index("ix_organization_listing", "organization", ["province_code", "sort_key"], unique=False)
    op.create_table(
        "account",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column(
            "role",
            sa.Enum("lao", "province", name="role", native_enum=False, create_constraint=True, length=30),
            nullable=False,
        ),
        sa.Column("organization_code", sa.String(length=20), nullable=True),
        sa.Column("province_code", sa.String(length=2), nullable=True),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("disabled_at", UTC_TIME, nullable=True),
        sa.CheckConstraint(
            "(role = 'lao') = (organization_code IS NOT NULL) AND (role = 'province') = (province_code IS NOT NULL)",
            name=op.f("ck_account_belongs_to_one"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_code"], ["organization.dla_code"], name=op.f("fk_account_organization_code")
        ),
        sa.ForeignKeyConstraint(["province_code"], ["province.code"], name=op.f("fk_account_province_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("username", name=op.f("uq_account_username")),
    )
    op.create_index(op.f("ix_account_organization_code"), "account", ["organization_code"], unique=False)
    op.create_index(op.f("ix_account_province_code"), "account", ["province_code"], unique=False)
    op.create_table(
        "roster",
        sa.Column("organization_code", sa.String(length=20), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("imported_at", UTC_TIME, nullable=False),
        sa.Column("menu_names", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_code"], ["organization.dla_code"], name=op.f("fk_roster_organization_code")
        ),
        sa.PrimaryKeyConstraint("organization_code", name=op.f("pk_roster")),
    )
    op.create_table(
        "officer",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("account_id", BIG_KEY, nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("full_name", sa.String(length=200), nullable=True),
        sa.Column("position", sa.String(length=200), nullable=True),
        sa.Column("linked_at", UTC_TIME, nullable=False),
        sa.Column("unlinked_at", UTC_TIME, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_officer_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officer")),
    )
    op.create_index(op.f("ix_officer_account_id"), "officer", ["account_id"], unique=False)
    op.create_index(
        "uq_officer_active_user",
        "officer",
        ["user_id"],
        unique=True,
        sqlite_where=sa.text("unlinked_at IS NULL"),
        postgresql_where=sa.text("unlinked_at IS NULL"),
    )
    op.create_table(
        "personnel_record",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("organization_code", sa.String(length=20), nullable=False),
        sa.Column("record_no", sa.String(length=40), nullable=False),
        sa.Column("full_name", sa.String(length=200), nullable=False),
        sa.Column(
            "category",
            sa.Enum(
                "official",
                "permanent_employee",
                "contract_employee",
                name="category",
                native_enum=False,
                create_constraint=True,
                length=30,
            ),
            nullable=False,
        ),
        sa.Column("position", sa.String(length=200), nullable=False),
        sa.Column("level", sa.String(length=100), nullable=False),
        sa.Column("menus", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_code"], ["roster.organization_code"], name=op.f("fk_personnel_record_organization_code")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personnel_record")),
        sa.UniqueConstraint(
            "organization_code", "record_no", name=op.f("uq_personnel_record_organization_code_record_no")
        ),
    )
    op.create_table(
        "certification",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("organization_code", sa.String(length=20), nullable=False),
        sa.Column("round_id", BIG_KEY, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column(
            "level",
            sa.Enum("lao", "province", name="level", native_enum=False, create_constraint=True, length=30),
            nullable=False,
        ),
        sa.Column("officials", sa.Integer(), nullable=False),
        sa.Column("permanent_employees", sa.Integer(), nullable=False),
        sa.Column("contract_employees", sa.Integer(), nullable=False),
        sa.Column("with_empty_menus", sa.Integer(), nullable=False),
        sa.Column("roster_digest", sa.String(length=64), nullable=False),
        sa.Column("roster_file", sa.String(length=255), nullable=False),
        sa.Column("roster_imported_at", UTC_TIME, nullable=False),
        sa.Column("officer_id", BIG_KEY, nullable=False),
        sa.Column("officer_name", sa.String(length=200), nullable=False),
        sa.Column("officer_position", sa.String(length=200), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(length=10), nullable=False),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        sa.Column("certified_at", UTC_TIME, nullable=False),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_certification_officer_id")),
        sa.ForeignKeyConstraint(
            ["organization_code"], ["organization.dla_code"], name=op.f("fk_certification_organization_code")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_certification_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certification")),
        sa.UniqueConstraint("code", name=op.f("uq_certification_code")),
        sa.UniqueConstraint(
            "organization_code",
            "round_id",
            "revision",
            "level",
            name=op.f("uq_certification_organization_code_round_id_revision_level"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_certification_round_id"), "certification", ["round_id"], unique=False)
    op.create_table(
        "confirmation",
        sa.Column("nonce", sa.String(length=32), nullable=False),
        sa.Column("officer_id", BIG_KEY, nullable=False),
        sa.Column("organization_code", sa.String(length=20), nullable=False),
        sa.Column("round_id", BIG_KEY, nullable=False),
        sa.Column(
            "level",
            sa.Enum("lao", "province", name="level", native_enum=False, create_constraint=True, length=30),
            nullable=False,
        ),
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("shown_at", UTC_TIME, nullable=False),
        sa.Column("used_at", UTC_TIME, nullable=True),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_confirmation_officer_id")),
        sa.ForeignKeyConstraint(
            ["organization_code"], ["organization.dla_code"], name=op.f("fk_confirmation_organization_code")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_confirmation_round_id")),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_confirmation")),
    )
    dialect = op.get_bind().dialect.name
    for statement in SQLITE_TRIGGERS if dialect == "sqlite" else POSTGRESQL_TRIGGERS:
        op.execute(sa.text(statement.replace(":", "\\:")))
