"""A province's work: its filter, who looks at what, spot-checks, remarks about something, and rosters from the chat."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

UTC_TIME = sa.DateTime(timezone=True)
BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# The texts of models/triggers.py for spot-checks as they were at this revision.
SQLITE_TRIGGERS = (
    """CREATE TRIGGER spot_check_insert BEFORE INSERT ON spot_check WHEN NEW.handed_in_at IS NOT NULL OR EXISTS (
    SELECT 1 FROM spot_check AS other
    WHERE other.id = NEW.id OR (other.organization_code = NEW.organization_code
      AND other.round_id = NEW.round_id AND other.revision = NEW.revision)) BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
    """CREATE TRIGGER spot_check_update BEFORE UPDATE ON spot_check WHEN OLD.handed_in_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.organization_code <> OLD.organization_code OR NEW.round_id <> OLD.round_id OR NEW.revision <> OLD.revision OR NEW.officer_id <> OLD.officer_id OR NEW.seed <> OLD.seed OR NEW.drawn_at <> OLD.drawn_at
    OR (NEW.handed_in_at IS NOT NULL AND (NOT EXISTS (SELECT 1 FROM spot_check_item WHERE spot_check_id = NEW.id)
    OR EXISTS (SELECT 1 FROM spot_check_item WHERE spot_check_id = NEW.id AND mark IS NULL))) BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
    """CREATE TRIGGER spot_check_delete BEFORE DELETE ON spot_check BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
    """CREATE TRIGGER spot_check_item_insert BEFORE INSERT ON spot_check_item
    WHEN EXISTS (SELECT 1 FROM spot_check WHERE id = NEW.spot_check_id AND handed_in_at IS NOT NULL) OR EXISTS (
    SELECT 1 FROM spot_check_item AS other WHERE other.spot_check_id = NEW.spot_check_id
      AND (other.place = NEW.place OR other.record_no = NEW.record_no)) BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
    """CREATE TRIGGER spot_check_item_update BEFORE UPDATE ON spot_check_item
    WHEN EXISTS (SELECT 1 FROM spot_check WHERE id = OLD.spot_check_id AND handed_in_at IS NOT NULL) OR NEW.spot_check_id <> OLD.spot_check_id OR NEW.place <> OLD.place OR NEW.record_no <> OLD.record_no BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
    """CREATE TRIGGER spot_check_item_delete BEFORE DELETE ON spot_check_item BEGIN SELECT RAISE(ABORT, 'a spot-check is drawn once and handed in once'); END""",
)

POSTGRESQL_TRIGGERS = (
    """CREATE FUNCTION keep_spot_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (CASE TG_OP
        WHEN 'INSERT' THEN NEW.handed_in_at IS NOT NULL
        WHEN 'DELETE' THEN true
        ELSE OLD.handed_in_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.organization_code <> OLD.organization_code OR NEW.round_id <> OLD.round_id OR NEW.revision <> OLD.revision OR NEW.officer_id <> OLD.officer_id OR NEW.seed <> OLD.seed OR NEW.drawn_at <> OLD.drawn_at
            OR (NEW.handed_in_at IS NOT NULL AND (NOT EXISTS (SELECT 1 FROM spot_check_item WHERE spot_check_id = NEW.id)
    OR EXISTS (SELECT 1 FROM spot_check_item WHERE spot_check_id = NEW.id AND mark IS NULL))) END)
    THEN
        RAISE EXCEPTION 'a spot-check is drawn once and handed in once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$""",
    """CREATE FUNCTION keep_spot_check_item() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM spot_check WHERE id = NEW.spot_check_id AND handed_in_at IS NULL FOR SHARE;
    IF NOT FOUND OR TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND (NEW.spot_check_id <> OLD.spot_check_id OR NEW.place <> OLD.place OR NEW.record_no <> OLD.record_no)) THEN
        RAISE EXCEPTION 'a spot-check is drawn once and handed in once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$""",
    """CREATE TRIGGER spot_check_kept BEFORE INSERT OR UPDATE OR DELETE ON spot_check FOR EACH ROW EXECUTE FUNCTION keep_spot_check()""",
    """CREATE TRIGGER spot_check_no_truncate BEFORE TRUNCATE ON spot_check FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER spot_check_item_kept BEFORE INSERT OR UPDATE OR DELETE ON spot_check_item FOR EACH ROW EXECUTE FUNCTION keep_spot_check_item()""",
    """CREATE TRIGGER spot_check_item_no_truncate BEFORE TRUNCATE ON spot_check_item FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
)


def upgrade() -> None:
    op.add_column("certification", sa.Column("spot_check", sa.Text(), nullable=True))
    op.add_column("throttle", sa.Column("last_update", sa.BigInteger(), nullable=True))
    op.add_column("remark", sa.Column("about", sa.String(80), nullable=True))
    op.add_column("conversation", sa.Column("subject", sa.String(80), nullable=True))
    op.create_table(
        "listing",
        sa.Column("officer_id", BIG_KEY, nullable=False),
        sa.Column("status", sa.String(30), nullable=False),
        sa.Column("type_code", sa.String(40), nullable=True),
        sa.Column("district", sa.String(100), nullable=True),
        sa.Column("with_remarks", sa.Boolean(), nullable=False),
        sa.Column("sorting", sa.String(30), nullable=False),
        sa.Column("words", sa.String(100), nullable=True),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_listing_officer_id")),
        sa.PrimaryKeyConstraint("officer_id", name=op.f("pk_listing")),
    )
    op.create_table(
        "visit",
        sa.Column("organization_code", sa.String(20), nullable=False),
        sa.Column("officer_id", BIG_KEY, nullable=False),
        sa.Column("round_id", BIG_KEY, nullable=False),
        sa.Column("opened_at", UTC_TIME, nullable=False),
        sa.Column("skipped_at", UTC_TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_code"], ["organization.dla_code"], name=op.f("fk_visit_organization_code")
        ),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_visit_officer_id")),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_visit_round_id")),
        sa.PrimaryKeyConstraint("organization_code", "officer_id", name=op.f("pk_visit")),
    )
    op.create_index("ix_visit_officer_id_opened_at", "visit", ["officer_id", "opened_at"], unique=False)
    op.create_table(
        "spot_check",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("organization_code", sa.String(20), nullable=False),
        sa.Column("round_id", BIG_KEY, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("officer_id", BIG_KEY, nullable=False),
        sa.Column("seed", sa.String(64), nullable=False),
        sa.Column("drawn_at", UTC_TIME, nullable=False),
        sa.Column("handed_in_at", UTC_TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_code"], ["organization.dla_code"], name=op.f("fk_spot_check_organization_code")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_spot_check_round_id")),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_spot_check_officer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spot_check")),
        sa.UniqueConstraint(
            "organization_code",
            "round_id",
            "revision",
            name=op.f("uq_spot_check_organization_code_round_id_revision"),
        ),
    )
    op.create_table(
        "spot_check_item",
        sa.Column("spot_check_id", BIG_KEY, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("record_no", sa.String(40), nullable=False),
        sa.Column("mark", sa.String(30), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("marked_at", UTC_TIME, nullable=True),
        sa.Column("officer_id", BIG_KEY, nullable=True),
        sa.ForeignKeyConstraint(
            ["spot_check_id"], ["spot_check.id"], name=op.f("fk_spot_check_item_spot_check_id")
        ),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_spot_check_item_officer_id")),
        sa.PrimaryKeyConstraint("spot_check_id", "place", name=op.f("pk_spot_check_item")),
        sa.UniqueConstraint("spot_check_id", "record_no", name=op.f("uq_spot_check_item_spot_check_id_record_no")),
    )
    op.create_table(
        "roster_draft",
        sa.Column("officer_id", BIG_KEY, nullable=False),
        sa.Column("organization_code", sa.String(20), nullable=False),
        sa.Column("file_name", sa.String(255), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("base_digest", sa.String(64), nullable=False),
        sa.Column("made_at", UTC_TIME, nullable=False),
        sa.ForeignKeyConstraint(["officer_id"], ["officer.id"], name=op.f("fk_roster_draft_officer_id")),
        sa.ForeignKeyConstraint(
            ["organization_code"], ["organization.dla_code"], name=op.f("fk_roster_draft_organization_code")
        ),
        sa.PrimaryKeyConstraint("officer_id", name=op.f("pk_roster_draft")),
    )
    dialect = op.get_bind().dialect.name
    for statement in SQLITE_TRIGGERS if dialect == "sqlite" else POSTGRESQL_TRIGGERS:
        op.execute(sa.text(statement.replace(":", "\\:")))
