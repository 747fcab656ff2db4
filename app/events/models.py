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
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, Identified, Recorded, Tenant, tenant_table
from app.core.ids import new_id
from app.core.problems import Conflict, constraint_problem
from app.events.archive_models import EventArchive, EventArchivePart
from app.events.sources import Source, SourceCounts

__all__ = [
    "CloudEventSource",
    "Event",
    "EventArchive",
    "EventArchivePart",
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
        # What held at an earlier instant and was superseded since: of the present there is none.
        Index("ix_event_past", "org_id", "superseded_at", postgresql_where=text("superseded_at IS NOT NULL")),
        Index(
            "ix_event_shared",
            "org_id",
            "type",
            "occurred_at",
            postgresql_where=text("is_shared AND superseded_at IS NULL"),
        ),
        # The events of somebody: figures, their number, and the cells that a stale marker names. Those with a day of
        # their own also for when the ones of some days happened, whosever they are.
        Index("ix_event_identity_type", "org_id", "identity_id", "type", "occurred_at", postgresql_where=_CURRENT),
        Index(
            "ix_event_type_dated",
            "org_id",
            "type",
            "identity_id",
            "occurred_on",
            "occurred_at",
            postgresql_where=text("occurred_on IS NOT NULL AND superseded_at IS NULL"),
        ),
        # Each currency is found by looking for the one after it.
        # Deals that say when they are expected to close: few events, of those who post such at all.
        Index(
            "ix_event_closing",
            "org_id",
            "type",
            "occurred_at",
            postgresql_where=text("properties ?| ARRAY['close_date', 'expected_close_on']"),
        ),
        Index("ix_event_currency", "org_id", "currency", postgresql_where=text("currency IS NOT NULL")),
        Index("ix_event_search", "org_id", "occurred_at", "row_id", postgresql_where=_CURRENT),
        # What goes with days that are not kept any more: beside `ix_event_search` what was superseded, and whatever
        # has a day of its own.
        Index(
            "ix_event_superseded",
            "org_id",
            "occurred_at",
            "row_id",
            postgresql_where=text("superseded_at IS NOT NULL"),
        ),
        Index(
            "ix_event_dated",
            "org_id",
            "occurred_on",
            "row_id",
            postgresql_where=text("occurred_on IS NOT NULL"),
        ),
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
    """One credit of a shared event's revision, in the order in which they were listed (S7).

    `type`, `occurred_at` and `occurred_on` are the event's; null where a server of a version before wrote the row.
    """

    __tablename__ = "event_credit"
    __table_args__ = tenant_table(
        ForeignKeyConstraint(["org_id", "row_id"], ["event.org_id", "event.row_id"]),
        _to_identity("identity_id", "fk_event_credit_identity"),
        # The shared events of somebody's days, without a look at the others.
        Index("ix_event_credit_identity", "org_id", "identity_id", "occurred_at"),
        Index(
            "ix_event_credit_dated",
            "org_id",
            "identity_id",
            "occurred_on",
            postgresql_where=text("occurred_on IS NOT NULL"),
        ),
    )

    row_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str]
    identity_id: Mapped[UUID]
    share: Mapped[Decimal]
    occurred_at: Mapped[datetime | None]
    occurred_on: Mapped[date | None]
    type: Mapped[str | None]


class StaleMarker(Identified, Base):
    """Something about this identity changed at this time: figures kept ready must look again.

    Appended by every write for the old and the new state, never merged; the nil UUID stands for nobody, EVERYBODY for
    all who share the event. `shard` is the identity's and `type` the event's: what looks at other types need not look
    again. Both are null where a server of the version before wrote the row, `type` also where it may be any.
    """

    __tablename__ = "stale_marker"
    __table_args__ = tenant_table(Index("ix_stale_marker_shard", "org_id", "shard", "identity_id", "occurred_at"))

    identity_id: Mapped[UUID]
    occurred_at: Mapped[datetime]
    occurred_on: Mapped[date | None]
    shard: Mapped[int | None] = mapped_column(SmallInteger)
    type: Mapped[str | None]


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
