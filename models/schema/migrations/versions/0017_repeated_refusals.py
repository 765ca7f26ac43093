"""How often a chat was refused on one day, beyond the first time, which is an event."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "repeated_refusal",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("what", sa.String(length=60), nullable=False),
        sa.Column("chain", sa.String(length=20), nullable=False),
        sa.Column("officer_id", sa.BigInteger(), nullable=True),
        sa.Column("more", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "day", "kind", "what", name=op.f("pk_repeated_refusal")),
    )
