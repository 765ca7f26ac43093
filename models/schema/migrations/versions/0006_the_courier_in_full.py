"""The courier in full: what is due by kind, and chats that must wait, cannot be reached, or have moved."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

UTC_TIME = sa.DateTime(timezone=True)
WAITS = "state IN ('pending', 'uncertain')"


def upgrade() -> None:
    op.add_column("conversation", sa.Column("paused_until", UTC_TIME, nullable=True))
    op.add_column("conversation", sa.Column("unreachable_since", UTC_TIME, nullable=True))
    op.add_column("conversation", sa.Column("unreachable_reason", sa.String(300), nullable=True))
    op.add_column("conversation", sa.Column("moved_to", sa.BigInteger(), nullable=True))
    op.drop_index("ix_outbox_due", "outbox")
    op.create_index(
        "ix_outbox_due", "outbox", ["kind", "due_at"], sqlite_where=sa.text(WAITS), postgresql_where=sa.text(WAITS)
    )
