"""Seals on the rows that decide. Rows from before have none until `laocert keys seal` gives them one."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

SEALED = ("officer", "account", "invitation", "confirmation", "throttle", "organization", "round")


def upgrade() -> None:
    for table in SEALED:
        op.add_column(table, sa.Column("seal", sa.String(length=80), nullable=True))
    op.add_column("officer", sa.Column("seen_seal", sa.String(length=80), nullable=True))
    condition = sa.text("kind = 'sealed_all'")
    op.create_index(
        "ix_audit_event_sealed_all",
        "audit_event",
        ["key_id"],
        sqlite_where=condition,
        postgresql_where=condition,
    )
