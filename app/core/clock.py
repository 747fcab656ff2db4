"""The clock of an organization: what time it is, and in which order its facts were recorded.

Whatever influences figures is written with the instant that `tick` gives. The row lock makes commit
order recorded order, so an answer as of T stays the same for ever (`design.md` section 3).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import TIMESTAMP, BigInteger, ForeignKey, Uuid, bindparam, insert, literal_column, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, OrganizationId, Ready, Tenant

STEP = timedelta(microseconds=1)
BEGINNING = 1
"""The number of changes when an organization has just been made."""


class LedgerClock(Tenant, Base):
    """One row an organization: the last recorded instant, the number of changes, and a clock set by hand.

    `configured` grows with every change to anything but events that decides an answer (`core/configuration.py`).
    """

    __tablename__ = "ledger_clock"

    org_id: Mapped[OrganizationId] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    last_at: Mapped[datetime]
    seq: Mapped[int] = mapped_column(BigInteger)
    manual_now: Mapped[datetime | None]
    configured: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


REAL_NOW = literal_column("clock_timestamp()", TIMESTAMP(timezone=True))


@dataclass(frozen=True, slots=True)
class Present:
    """An organization's clock as one snapshot has it, and what time it was when that was read."""

    last_at: datetime
    configured: int
    manual_now: datetime | None
    real_now: datetime

    @property
    def now(self) -> datetime:
        """What time it is for the organization."""
        return (self.manual_now or self.real_now).astimezone(UTC)


async def database_now(session: AsyncSession) -> datetime:
    """The database's clock, which all machines share."""
    now: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return now.astimezone(UTC)


async def tick(session: AsyncSession, org_id: OrganizationId, *, only_events: bool = False) -> datetime:
    """The `recorded_at` of this transaction: greater than every earlier one of the organization.

    Locks the organization's clock until the transaction ends; call it after parsing and before the
    first read that decides anything. A second call in the same transaction gives the same instant.
    Whoever writes events and nothing else says so: all else changes the number by which configuration is known.
    """
    if (known := session.info.get("recorded_at")) is not None:
        if not only_events:
            await configure(session, org_id)
        return known  # type: ignore[no-any-return]  # session.info is untyped
    row = await _LOCKED.row(session, org=org_id)
    assert row is not None, "every organization has a clock"  # noqa: S101
    last_at, manual_now, real_now = row
    at: datetime = max(manual_now or real_now, last_at + STEP).astimezone(UTC)
    if not only_events:
        session.info["configured"] = True
    await _RECORDED.row(session, org=org_id, at=at, changes=0 if only_events else 1)
    session.info["recorded_at"] = at
    return at


def is_locked(session: AsyncSession) -> bool:
    """Whether this transaction has called `tick`."""
    return "recorded_at" in session.info


_MINE = LedgerClock.org_id == bindparam("org", type_=Uuid())
_LOCKED = Ready(select(LedgerClock.last_at, LedgerClock.manual_now, REAL_NOW).where(_MINE).with_for_update())
_RECORDED = Ready(
    update(LedgerClock)
    .where(_MINE)
    .values(
        last_at=bindparam("at"),
        seq=LedgerClock.seq + literal_column("1"),
        configured=LedgerClock.configured + bindparam("changes"),
    )
    .returning(LedgerClock.org_id)
)


async def configure(session: AsyncSession, org_id: OrganizationId) -> None:
    """Tell that this transaction changes something but events that decides answers, where nothing is recorded anew.

    Locks the organization's clock, so call it before anything else is locked. What was kept of the configuration is
    known by the number that this changes (`core/configuration.py`).
    """
    if session.info.get("configured"):
        return
    session.info["configured"] = True
    await session.execute(
        update(LedgerClock)
        .where(LedgerClock.org_id == org_id)
        .values(configured=LedgerClock.configured + 1)
        .execution_options(synchronize_session=False)
    )


async def _begin_at(session: AsyncSession, org_id: OrganizationId, at: datetime) -> None:
    """Let everything recorded so far have been recorded at `at`."""
    for table in Base.metadata.sorted_tables:
        if {"recorded_at", "superseded_at"} <= set(table.c.keys()):
            await session.execute(update(table).where(table.c.org_id == org_id).values(recorded_at=at))
    await session.execute(update(LedgerClock).where(LedgerClock.org_id == org_id).values(last_at=at))
    await configure(session, org_id)


async def begin(session: AsyncSession, org_id: OrganizationId, at: datetime, manual_now: datetime | None) -> None:
    """The clock of a new organization, whose beginning is recorded at `at`."""
    await session.execute(insert(LedgerClock).values(org_id=org_id, last_at=at, seq=BEGINNING, manual_now=manual_now))
    session.info["recorded_at"] = at
    session.info["configured"] = True  # its beginning


async def now(session: AsyncSession, org_id: OrganizationId) -> datetime:
    """What time it is for the organization: its manual clock, else the database's. In a snapshot it stands still."""
    found = await _read(session, org_id)
    return await database_now(session) if found is None else found.now


async def last_recorded(session: AsyncSession, org_id: OrganizationId) -> datetime:
    """The organization's last recorded instant in this transaction's snapshot (`known_at`, S5)."""
    return (await present(session, org_id)).last_at


async def present(session: AsyncSession, org_id: OrganizationId) -> Present:
    """The organization's clock as this transaction sees it; a snapshot reads it once."""
    found = await _read(session, org_id)
    assert found is not None, "every organization has a clock"  # noqa: S101
    return found


def notice(session: AsyncSession, found: Present) -> None:
    """Remember the clock that was read together with something else, where the session is a snapshot."""
    if "is_snapshot" in session.info:
        session.info["clock"] = found


_CLOCK = select(LedgerClock.last_at, LedgerClock.configured, LedgerClock.manual_now, REAL_NOW)


async def _read(session: AsyncSession, org_id: OrganizationId) -> Present | None:
    known: Present | None = session.info.get("clock")
    if known is not None:
        return known
    row = (await session.execute(_CLOCK.where(LedgerClock.org_id == org_id))).one_or_none()
    if row is None:
        return None
    last_at, configured, manual_now, real_now = row
    found = Present(last_at.astimezone(UTC), configured, manual_now, real_now)
    notice(session, found)
    return found


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
