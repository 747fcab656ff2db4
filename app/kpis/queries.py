"""Reading of KPIs and their versions."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, and_, func, not_, select

from app.core.db import OrganizationId
from app.events.models import Event
from app.kpis.models import KpiRow, KpiVersionRow

MOST_RECENT = 10_000


def kpis(org_id: OrganizationId) -> Select[KpiRow, KpiVersionRow]:
    """Every KPI with its latest version."""
    return (
        select(KpiRow, KpiVersionRow)
        .join(
            KpiVersionRow,
            and_(
                KpiVersionRow.org_id == KpiRow.org_id,
                KpiVersionRow.kpi_id == KpiRow.id,
                KpiVersionRow.number == KpiRow.latest,
            ),
        )
        .where(KpiRow.org_id == org_id, KpiVersionRow.org_id == org_id)
    )


def filtered(
    org_id: OrganizationId, state: str | None, category: str | None, indicator: str | None
) -> Select[KpiRow, KpiVersionRow]:
    """The KPIs of a list; archived ones only where they are asked for."""
    statement = kpis(org_id).where(KpiRow.state == state if state else KpiRow.state != "archived")
    if category:
        statement = statement.where(KpiRow.category == category)
    return statement.where(KpiRow.indicator == indicator) if indicator else statement


def kpi(org_id: OrganizationId, key: str) -> Select[KpiRow, KpiVersionRow]:
    """One KPI with its latest version."""
    return kpis(org_id).where(KpiRow.key == key)


def named(org_id: OrganizationId, keys: Sequence[str]) -> Select[KpiRow]:
    """The KPIs with these keys, without versions."""
    return select(KpiRow).where(KpiRow.org_id == org_id, KpiRow.key.in_(keys))


def versions(org_id: OrganizationId, kpi_id: UUID) -> Select[KpiVersionRow]:
    """All versions of a KPI."""
    return select(KpiVersionRow).where(KpiVersionRow.org_id == org_id, KpiVersionRow.kpi_id == kpi_id)


def versions_as_known(org_id: OrganizationId, kpi_ids: Sequence[UUID], known_at: datetime) -> Select[KpiVersionRow]:
    """The versions of these KPIs that had been recorded by an instant (S5), by number."""
    return (
        select(KpiVersionRow)
        .where(KpiVersionRow.org_id == org_id, KpiVersionRow.kpi_id.in_(kpi_ids), KpiVersionRow.recorded_at <= known_at)
        .order_by(KpiVersionRow.number)
    )


def lacking(
    org_id: OrganizationId, types: Sequence[str], properties: Sequence[str], since: datetime, until: datetime
) -> Select[*tuple[int, ...]]:
    """How many of the newest events of these types there are, and how many of them lack each property."""
    recent = (
        select(Event.properties)
        .where(
            Event.org_id == org_id,
            Event.type.in_(types),
            Event.superseded_at.is_(None),
            not_(Event.retracted),
            Event.occurred_at >= since,
            Event.occurred_at <= until,
        )
        .order_by(Event.occurred_at.desc())
        .limit(MOST_RECENT)
        .subquery()
    )
    missing = [func.count().filter(not_(recent.c.properties.has_key(key))) for key in properties]
    return select(func.count(), *missing).select_from(recent)
