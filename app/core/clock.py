"""The clock of an organization: what time it is, and in which order its facts were recorded.

Whatever influences figures is written with the instant that `tick` gives. The row lock makes commit
order recorded order, so an answer as of T stays the same for ever (`design.md` section 3).
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, ForeignKey, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, OrganizationId, Tenant

STEP = timedelta(microseconds=1)
BEGINNING = 1
"""The number of changes when an organization has just been made."""


class LedgerClock(Tenant, Base):
    """One row an organization: the last recorded instant, the number of changes, and a clock set by hand."""

    __tablename__ = "ledger_clock"

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    last_at: Mapped[datetime]
    seq: Mapped[int] = mapped_column(BigInteger)
    manual_now: Mapped[datetime | None]


async def database_now(session: AsyncSession) -> datetime:
    """The database's clock, which all machines share."""
    now: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return now.astimezone(UTC)


async def tick(session: AsyncSession, org_id: OrganizationId) -> datetime:
    """The `recorded_at` of this transaction: greater than every earlier one of the organization.

    Locks the organization's clock until the transaction ends; call it after parsing and before the
    first read that decides anything. A second call in the same transaction gives the same instant.
    """
    if (known := session.info.get("recorded_at")) is not None:
        return known  # type: ignore[no-any-return]  # session.info is untyped
    row = (
        await session.execute(
            select(LedgerClock.last_at, LedgerClock.manual_now).where(LedgerClock.org_id == org_id).with_for_update()
        )
    ).one()
    at: datetime = max(row.manual_now or await database_now(session), row.last_at + STEP).astimezone(UTC)
    await session.execute(
        update(LedgerClock).where(LedgerClock.org_id == org_id).values(last_at=at, seq=LedgerClock.seq + 1)
    )
    session.info["recorded_at"] = at
    return at


async def _begin_at(session: AsyncSession, org_id: OrganizationId, at: datetime) -> None:
    """Let everything recorded so far have been recorded at `at`."""
    for table in Base.metadata.sorted_tables:
        if {"recorded_at", "superseded_at"} <= set(table.c.keys()):
            await session.execute(update(table).where(table.c.org_id == org_id).values(recorded_at=at))
    await session.execute(update(LedgerClock).where(LedgerClock.org_id == org_id).values(last_at=at))


async def begin(session: AsyncSession, org_id: OrganizationId, at: datetime, manual_now: datetime | None) -> None:
    """The clock of a new organization, whose beginning is recorded at `at`."""
    await session.execute(insert(LedgerClock).values(org_id=org_id, last_at=at, seq=BEGINNING, manual_now=manual_now))
    session.info["recorded_at"] = at


async def now(session: AsyncSession, org_id: OrganizationId) -> datetime:
    """What time it is for the organization: its manual clock, else the database's."""
    manual = (
        await session.execute(select(LedgerClock.manual_now).where(LedgerClock.org_id == org_id))
    ).scalar_one_or_none()
    return (manual or await database_now(session)).astimezone(UTC)


async def last_recorded(session: AsyncSession, org_id: OrganizationId) -> datetime:
    """The organization's last recorded instant in this transaction's snapshot (`known_at`, S5)."""
    found = await session.execute(select(LedgerClock.last_at).where(LedgerClock.org_id == org_id))
    last: datetime = found.scalar_one()
    return last.astimezone(UTC)


async def advance_to(session: AsyncSession, org_id: OrganizationId, at: datetime) -> None:
    """Move the last recorded instant up to `at`, waiting for running writers.

    In a short write transaction of its own, before an answer as of `at`: nothing can then be recorded
    at or before it any more.
    """
    await session.execute(select(LedgerClock.seq).where(LedgerClock.org_id == org_id).with_for_update())
    await session.execute(
        update(LedgerClock).where(LedgerClock.org_id == org_id, LedgerClock.last_at < at).values(last_at=at)
    )


async def set_manual(session: AsyncSession, org_id: OrganizationId, at: datetime | None) -> None:
    """Set the organization's own clock, or give it back to the database's (`null`).

    While nothing but its beginning is recorded, that moves back with the clock: any past can be tested.
    """
    row = (
        await session.execute(
            select(LedgerClock.last_at, LedgerClock.seq).where(LedgerClock.org_id == org_id).with_for_update()
        )
    ).one()
    if at is not None and at < row.last_at and row.seq == BEGINNING:
        await _begin_at(session, org_id, at)
    await session.execute(update(LedgerClock).where(LedgerClock.org_id == org_id).values(manual_now=at))
