"""One live card for each officer of a province, and what officers have chosen about notices."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

UTC_TIME = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "notice_preference",
        sa.Column("officer_id", NUMBER, sa.ForeignKey("officer.id"), primary_key=True),
        sa.Column("rhythm", sa.String(30), nullable=False),
        sa.Column("quiet", sa.String(30), nullable=False),
        sa.Column("skips_days_off", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "province_card",
        sa.Column("officer_id", NUMBER, sa.ForeignKey("officer.id"), primary_key=True),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.BigInteger()),
        sa.Column("rung_at", UTC_TIME),
        sa.Column("edited_at", UTC_TIME),
        sa.Column("shows_waiting", sa.Boolean(), nullable=False),
        sa.Column("new_from", sa.BigInteger()),
        sa.Column("telling_from", sa.BigInteger()),
        sa.Column("ring_at", UTC_TIME),
    )
    _replace_notices()


def _replace_notices() -> None:
    """The notice of each certificate is the officer's one card from now on: what was not sent goes, and each linked
    officer of a province gets its card where something waits. What was sent keeps its message: it is blanked when
    the link ends.
    """
    op.execute("DELETE FROM outbox WHERE kind = 'awaits_province' AND state <> 'sent'")
    op.execute("UPDATE outbox SET kind = 'waiting' WHERE kind = 'awaits_province'")
    linked = (
        "FROM officer JOIN account ON account.id = officer.account_id WHERE account.province_code IS NOT NULL"
        " AND officer.unlinked_at IS NULL AND officer.position IS NOT NULL"
    )
    op.execute(
        "INSERT INTO province_card (officer_id, changes, shows_waiting, new_from)"
        f" SELECT officer.id, 1, false, 0 {linked}"
    )
    queue = sa.text(
        "INSERT INTO outbox (dedupe_key, kind, chat_id, subject_id, state, attempts, created_at, due_at)"
        " SELECT 'refresh:' || officer.id || ':' || officer.user_id || ':' || 1, 'refresh', officer.user_id, officer.id,"
        f" 'pending', 0, :now, :now {linked}"
    )
    op.get_bind().execute(queue.bindparams(sa.bindparam("now", datetime.now(UTC), UTC_TIME)))
