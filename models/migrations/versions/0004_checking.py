"""A province's work: its filter, who looks at what, spot-checks, remarks about something, and rosters from the chat."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

UTC_TIME = sa.DateTime(timezone=True)
BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("certification", sa.Column("spot_check", sa.Text(), nullable=True))
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
