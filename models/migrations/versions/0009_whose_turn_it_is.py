"""Whose turn it is: an index for the question whether an earlier update of a sender waits, and one for what is unsent."""

from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0008"

PENDING = text("state = 'pending'")
UNSENT = text("state NOT IN ('sent', 'dropped')")


def upgrade() -> None:
    op.create_index("ix_inbox_turn", "inbox", ["sender", "id"], sqlite_where=PENDING, postgresql_where=PENDING)
    op.create_index("ix_outbox_unsent", "outbox", ["state"], sqlite_where=UNSENT, postgresql_where=UNSENT)
