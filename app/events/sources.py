"""Sources: the systems whose facts stand in the ledger, and for which types each is authoritative."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock
from app.core.db import Base, Identified, OrganizationId, Recorded, Tenant, tenant_table
from app.core.ids import new_id
from app.core.problems import Conflict, constraint_problem

SYSTEMS = ("api", "dynamics365", "fxiaoke", "hubspot", "paceline", "pipedrive", "salesforce", "webhook", "zoho")


class SourceKeyTaken(Conflict):
    """Another source of the organization has this key already: choose another."""

    code, title = "source-key-taken", "Source key taken"


class Source(Identified, Base):
    """A connected system; `key` orders its events beside those of others (S11)."""

    __tablename__ = "source"
    __table_args__ = tenant_table(
        UniqueConstraint("org_id", "key"),
        CheckConstraint(f"system IN {SYSTEMS!r}", name="system"),
    )

    key: Mapped[str]
    name: Mapped[str]
    system: Mapped[str]
    currency: Mapped[str | None]
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    version: Mapped[int]


class SourceCounts(Tenant, Recorded, Base):
    """For which event types a source is authoritative, as recorded; null: for all of them (S10)."""

    __tablename__ = "source_counts"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "source_id"], ["source.org_id", "source.id"]),
        Index(
            "uq_source_counts_current",
            "org_id",
            "source_id",
            unique=True,
            postgresql_where=text("superseded_at IS NULL"),
        ),
    )

    row_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    source_id: Mapped[UUID]
    counts: Mapped[list[str] | None] = mapped_column(ARRAY(Text(collation="C")))


constraint_problem("uq_source_org_id_key", SourceKeyTaken)


async def add_source(
    session: AsyncSession, org_id: OrganizationId, *, key: str, name: str, system: str, currency: str | None = None
) -> Source:
    """A new source, authoritative for everything until told otherwise."""
    at = await clock.tick(session, org_id)
    source = Source(
        org_id=org_id, id=new_id(), key=key, name=name, system=system, currency=currency, created_at=at, version=1
    )
    session.add(source)
    await session.flush()  # its counts refer to it
    session.add(SourceCounts(org_id=org_id, source_id=source.id, counts=None, recorded_at=at))
    return source


async def add_api_source(session: AsyncSession, org_id: OrganizationId) -> None:
    """The source of what is posted to `/v1/events`, which every organization starts with."""
    await add_source(session, org_id, key="api", name="API", system="api")
