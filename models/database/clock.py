"""The database server's clock, which all programs on it share."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def server_time(session: AsyncSession) -> datetime:
    """What the PostgreSQL server's clock says at this moment, not at the beginning of the transaction
    (PostgreSQL, 9.9.5, clock_timestamp). SQLite has no clock but the program's own.
    """
    found: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return found
