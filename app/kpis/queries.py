"""Reading of KPIs and their versions."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, and_, func, not_, select

from app.core.db import OrganizationId
from app.events.models import Event
from app.kpis.expressions.vocabulary import KPI
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
    org_id: OrganizationId,
    *,
    state: str | None,
    category: str | None = None,
    indicator: str | None = None,
    nature: str | None = None,
) -> Select[KpiRow, KpiVersionRow]:
    """The KPIs of a list; archived ones only where they are asked for."""
    statement = kpis(org_id).where(KpiRow.state == state if state else KpiRow.state != "archived")
    wanted = ((KpiRow.category, category), (KpiRow.indicator, indicator), (KpiRow.nature, nature))
    return statement.where(*(column == value for column, value in wanted if value))


def kpi(org_id: OrganizationId, key: str) -> Select[KpiRow, KpiVersionRow]:
    """One KPI with its latest version."""
    return kpis(org_id).where(KpiRow.key == key)


def named(org_id: OrganizationId, keys: Sequence[str]) -> Select[KpiRow]:
    """The KPIs with these keys, without versions."""
    return select(KpiRow).where(KpiRow.org_id == org_id, KpiRow.key.in_(keys))


def versions(org_id: OrganizationId, kpi_id: UUID) -> Select[KpiVersionRow]:
    """All versions of a KPI."""
    return select(KpiVersionRow).where(KpiVersionRow.org_id == org_id, KpiVersionRow.kpi_id == kpi_id)


def with_versions(
    org_id: OrganizationId, keys: Sequence[str], known_at: datetime
) -> Select[KpiRow, KpiVersionRow | None]:
    """The KPIs with these keys, each with its versions recorded by an instant (S5), by number; or with none."""
    return (
        select(KpiRow, KpiVersionRow)
        .outerjoin(
            KpiVersionRow,
            and_(
                KpiVersionRow.org_id == KpiRow.org_id,
                KpiVersionRow.org_id == org_id,
                KpiVersionRow.kpi_id == KpiRow.id,
                KpiVersionRow.recorded_at <= known_at,
            ),
        )
        .where(KpiRow.org_id == org_id, KpiRow.key.in_(keys))
        .order_by(KpiVersionRow.number)
    )


def referring(org_id: OrganizationId) -> Select[str, str]:
    """Key and formula of every version that may refer to another KPI."""
    formula = KpiVersionRow.definition["formula"].astext
    return (
        select(KpiRow.key, formula)
        .join(KpiVersionRow, and_(KpiVersionRow.org_id == KpiRow.org_id, KpiVersionRow.kpi_id == KpiRow.id))
        .where(KpiRow.org_id == org_id, KpiVersionRow.org_id == org_id, formula.contains(KPI))
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
