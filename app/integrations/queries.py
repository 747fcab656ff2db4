"""Reading of sources, deliveries and records."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Select, Text, and_, bindparam, cast, func, select

from app.core.clock import LedgerClock
from app.core.db import OrganizationId, Ready
from app.events.sources import Source, SourceCounts
from app.integrations.models import CrmRecord, Delivery, RecordField, SourceConnection, SourceCredentials, SourceSecret


def sources(org_id: OrganizationId) -> Select[Source, SourceConnection, list[str] | None]:
    """Sources, each with its connection (null for those that post events themselves) and what it counts for."""
    return (
        select(Source, SourceConnection, SourceCounts.counts)
        .outerjoin(
            SourceConnection,
            and_(
                SourceConnection.org_id == Source.org_id,
                SourceConnection.source_id == Source.id,
                SourceConnection.org_id == org_id,
            ),
        )
        .join(
            SourceCounts,
            and_(
                SourceCounts.org_id == Source.org_id,
                SourceCounts.source_id == Source.id,
                SourceCounts.superseded_at.is_(None),
            ),
        )
        .where(Source.org_id == org_id, SourceCounts.org_id == org_id)
    )


_SECRETS = (
    select(func.array_agg(SourceSecret.secret))
    .where(
        SourceSecret.org_id == bindparam("org_id"),
        SourceSecret.source_id == bindparam("source_id"),
        SourceSecret.retired_at.is_(None),
    )
    .scalar_subquery()
)


def secrets_in_use(org_id: OrganizationId, source_id: UUID) -> ScalarSelect[list[str] | None]:
    """The secrets of a source that are not retired, as one array; null where there is none."""
    return (
        select(func.array_agg(SourceSecret.secret))
        .where(SourceSecret.org_id == org_id, SourceSecret.source_id == source_id, SourceSecret.retired_at.is_(None))
        .scalar_subquery()
    )


def credentials_there(org_id: OrganizationId, source_id: UUID) -> ColumnElement[bool]:
    """Whether the source's system can be asked."""
    return (
        select(SourceCredentials.source_id)
        .where(SourceCredentials.org_id == org_id, SourceCredentials.source_id == source_id)
        .exists()
    )


HOOK = Ready(
    select(
        Source.system,
        cast(SourceConnection.mapping, Text).label("mapping"),
        SourceConnection.signed_url,
        _SECRETS.label("secrets"),
        func.coalesce(LedgerClock.manual_now, func.clock_timestamp()).label("now"),
    )
    .join(
        SourceConnection,
        and_(SourceConnection.org_id == Source.org_id, SourceConnection.source_id == Source.id),
    )
    .join(LedgerClock, LedgerClock.org_id == Source.org_id)
    .where(
        Source.org_id == bindparam("org_id"),
        Source.id == bindparam("source_id"),
        Source.archived_at.is_(None),
        SourceConnection.org_id == bindparam("org_id"),
        LedgerClock.org_id == bindparam("org_id"),
    )
)
"""All that a webhook call is judged by, in one round trip: system, mapping (as text), signed address, secrets (null: no
active one) and clock. No row for a source that takes no webhooks."""


def active_secrets(org_id: OrganizationId, source_ids: list[UUID]) -> Select[Any]:
    """The secrets of these sources that are not retired, the oldest first."""
    return (
        select(SourceSecret)
        .where(
            SourceSecret.org_id == org_id,
            SourceSecret.source_id.in_(source_ids),
            SourceSecret.retired_at.is_(None),
        )
        .order_by(SourceSecret.id)
    )


def deliveries(org_id: OrganizationId, source_id: UUID) -> Select[Any]:
    """The deliveries of a source."""
    return select(Delivery).where(Delivery.org_id == org_id, Delivery.source_id == source_id)


def records(org_id: OrganizationId) -> Select[CrmRecord, Source, str]:
    """All records of the organization, each with its source and that one's account."""
    return (
        select(CrmRecord, Source, SourceConnection.account_id)
        .join(Source, and_(Source.org_id == CrmRecord.org_id, Source.id == CrmRecord.source_id))
        .join(
            SourceConnection,
            and_(SourceConnection.org_id == CrmRecord.org_id, SourceConnection.source_id == CrmRecord.source_id),
        )
        .where(CrmRecord.org_id == org_id, Source.org_id == org_id, SourceConnection.org_id == org_id)
    )


def fields_of(org_id: OrganizationId, record_id: UUID) -> Select[Any]:
    """The histories of a record's fields."""
    return select(RecordField).where(RecordField.org_id == org_id, RecordField.record_id == record_id)
