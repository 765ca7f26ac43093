"""Alembic's entry: runs on the connection that models/schema/version.py hands over, in its transaction."""

from alembic import context

from models.base.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
