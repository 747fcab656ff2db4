"""Tables of retention: what was archived or dropped of the ledger, and what is kept of it."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Identified, Tenant, tenant_table


class EventArchive(Identified, Base):
    """From `recorded_at` on the ledger keeps nothing of local days before `before`, as `time_zone` cuts them.

    The rows go by and by: of days before `done_until` none is left. `revisions` and `events` (revisions that stood)
    count what has gone, `bytes` what is kept of it, compressed.
    """

    __tablename__ = "event_archive"
    __table_args__ = tenant_table(
        UniqueConstraint("org_id", "before"),
        CheckConstraint("mode IN ('archive', 'drop')", name="mode"),
        CheckConstraint("state IN ('waiting', 'working', 'done')", name="state"),
        CheckConstraint("extract(day FROM before) = 1", name="before"),
    )

    before: Mapped[date]
    mode: Mapped[str]
    time_zone: Mapped[str]
    state: Mapped[str]
    requested_by: Mapped[str]
    recorded_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    first_day: Mapped[date | None]
    done_until: Mapped[date | None]
    events: Mapped[int] = mapped_column(BigInteger)
    revisions: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int]


class EventArchivePart(Tenant, Base):
    """Revisions of one month, each a line of JSON, compressed by gzip; in the order in which they were taken."""

    __tablename__ = "event_archive_part"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "archive_id"], ["event_archive.org_id", "event_archive.id"]),
    )

    archive_id: Mapped[UUID] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    revisions: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)
