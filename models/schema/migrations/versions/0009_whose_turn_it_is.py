"""Whose turn it is: an index for the question whether an earlier update of a sender waits, and one for messages that are neither sent nor waiting."""

from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0008"

PENDING = text("state = 'pending'")
STOPPED = text("state IN ('sending', 'dead', 'held')")


def upgrade() -> None:
    op.create_index("ix_inbox_turn", "inbox", ["sender", "id"], sqlite_where=PENDING, postgresql_where=PENDING)
    op.create_index("ix_outbox_stopped", "outbox", ["state"], sqlite_where=STOPPED, postgresql_where=STOPPED)
