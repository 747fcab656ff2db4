"""Tables of the ledger."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Identified, Recorded, Tenant, tenant_table
from app.core.ids import new_id
from app.core.problems import Conflict, constraint_problem
from app.events.sources import Source, SourceCounts

__all__ = [
    "CloudEventSource",
    "Event",
    "EventCredit",
    "EventHead",
    "EventType",
    "EventTypeTaken",
    "Source",
    "SourceCounts",
    "StaleMarker",
]

_CURRENT = text("superseded_at IS NULL")


def _to_identity(column: str, name: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["org_id", column], ["identity.org_id", "identity.id"], name=name)


class EventTypeTaken(Conflict):
    """The event type is in the catalogue already."""

    code, title = "event-type-taken", "Event type taken"


class EventHead(Tenant, Base):
    """Key, lock and tombstone of an event: its latest version and content, never deleted (`design.md` section 3).

    `revision` 0 is a head whose first facts are being decided in this transaction.
    """

    __tablename__ = "event_head"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "source_id"], ["source.org_id", "source.id"]),
    )

    source_id: Mapped[UUID] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    content_hash: Mapped[bytes]
    event_id: Mapped[UUID]
    revision: Mapped[int]
    retracted: Mapped[bool]


class Event(Tenant, Recorded, Base):
    """One revision of an event. `event_id` stays over all of them, `row_id` is the revision's.

    `identity_id` has the event's only credit (owner, share 1), and is null when nobody is credited or when
    `is_shared`: then the credits stand in `event_credit`. A retraction repeats what it takes back; of an
    event that was never seen it has no type and no time.
    """

    __tablename__ = "event"
    __table_args__ = tenant_table(
        UniqueConstraint("org_id", "event_id", "revision"),
        _to_identity("actor_id", "fk_event_actor"),
        _to_identity("identity_id", "fk_event_identity"),
        CheckConstraint("retracted OR (type IS NOT NULL AND occurred_at IS NOT NULL)", name="told"),
        CheckConstraint("NOT is_shared OR identity_id IS NULL", name="credits"),
        Index("ix_event_current", "org_id", "type", "occurred_at", postgresql_where=_CURRENT),
        Index(
            "ix_event_history",
            "org_id",
            "type",
            "occurred_at",
            postgresql_where=text("superseded_at IS NOT NULL"),
        ),
        Index(
            "ix_event_shared",
            "org_id",
            "type",
            "occurred_at",
            postgresql_where=text("is_shared AND superseded_at IS NULL"),
        ),
        # The events of somebody: their number, and the cells that a stale marker names.
        Index("ix_event_identity", "org_id", "identity_id", "occurred_at", postgresql_where=_CURRENT),
        Index("ix_event_search", "org_id", "occurred_at", "row_id", postgresql_where=_CURRENT),
    )

    row_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    event_id: Mapped[UUID]
    source_id: Mapped[UUID]
    external_id: Mapped[str]
    version: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int]
    type: Mapped[str | None]
    occurred_at: Mapped[datetime | None]
    occurred_on: Mapped[date | None]
    actor_id: Mapped[UUID | None]
    identity_id: Mapped[UUID | None]
    is_shared: Mapped[bool]
    about: Mapped[dict[str, Any]]
    amount: Mapped[Decimal | None]
    currency: Mapped[str | None]
    quantity: Mapped[Decimal | None]
    duration_seconds: Mapped[Decimal | None]
    properties: Mapped[dict[str, Any]]
    origin: Mapped[dict[str, Any]]
    retracted: Mapped[bool]


class EventCredit(Tenant, Base):
    """One credit of a shared event's revision, in the order in which they were listed (S7)."""

    __tablename__ = "event_credit"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "row_id"], ["event.org_id", "event.row_id"]),
        _to_identity("identity_id", "fk_event_credit_identity"),
        Index(None, "org_id", "identity_id"),
    )

    row_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str]
    identity_id: Mapped[UUID]
    share: Mapped[Decimal]


class StaleMarker(Identified, Base):
    """Something about this identity changed at this time: figures kept ready must look again.

    Appended by every write for the old and the new state, never merged; the nil UUID stands for nobody.
    """

    __tablename__ = "stale_marker"

    identity_id: Mapped[UUID]
    occurred_at: Mapped[datetime]
    occurred_on: Mapped[date | None]


class EventType(Tenant, Base):
    """A type that the organization added to the catalogue."""

    __tablename__ = "event_type"

    type: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str]
    created_at: Mapped[datetime]


class CloudEventSource(Identified, Base):
    """Which source the CloudEvents of a `source` URI belong to."""

    __tablename__ = "cloud_event_source"
    __table_args__ = tenant_table(
        UniqueConstraint("org_id", "uri"),
        ForeignKeyConstraint(["org_id", "source_id"], ["source.org_id", "source.id"]),
    )

    uri: Mapped[str]
    source_id: Mapped[UUID]


constraint_problem("pk_event_type", EventTypeTaken)
