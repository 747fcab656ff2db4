"""Gathers what a source's checklist looks at, in few statements, each bounded."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, func, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import OrganizationId
from app.events.models import Event
from app.integrations import checklist, checklist_schemas, credentials, queries, source_directory, subscriptions
from app.integrations.checklist import Facts, StageKnown, Told
from app.integrations.clients import CLIENTS
from app.integrations.models import CrmRecord, Delivery
from app.integrations.service import find_source
from app.teams.models import Identity, IdentityMapping

RECENT = timedelta(days=7)
TYPES = (
    "call.made", "call.received", "deal.created", "deal.lost", "deal.stage_entered", "deal.won", "email.received",
    "email.sent", "feedback.received", "lead.converted", "lead.created", "lead.qualified", "meeting.booked",
    "meeting.held", "quote.accepted", "quote.sent",
)  # fmt: skip


async def check(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> checklist_schemas.Checklist:
    """The checklist of a connected source. Raises `SourceNotFound`."""
    source, connection, _ = await find_source(session, org_id, source_id)
    if connection is None:
        return checklist_schemas.Checklist(is_ready=True, items=[])
    now = await clock.now(session, org_id)
    secrets = (await session.execute(queries.active_secrets(org_id, [source_id]))).scalars().all()
    has_credentials, last_failure = await credentials.standing(session, org_id, source_id)
    people, unnamed, unmapped = await _people(session, org_id, source_id)
    records, incomplete = await _records(session, org_id, source_id)
    stages = (await source_directory.list_stages(session, org_id, source_id)).items
    facts = Facts(
        source=source,
        now=now,
        secrets=len(secrets),
        last_received_at=await last_received(session, org_id, source_id),
        verdicts=await _verdicts(session, org_id, source_id, now - RECENT),
        events=await _events(session, org_id, source_id),
        records=records,
        incomplete=incomplete,
        can_be_asked=source.system in CLIENTS,
        has_credentials=has_credentials,
        last_failure=last_failure,
        people=people,
        unnamed=unnamed,
        unmapped=unmapped,
        stages=[StageKnown(s.stage_id, s.name, s.outcome, s.counts_as) for s in stages if s.object == "deal"],
        offers_subscriptions=subscriptions.is_offered(source.system),
        subscriptions=await subscriptions.states(session, org_id, source_id),
    )
    points = checklist.points_of(facts)
    items = [checklist_schemas.Point.model_validate(point) for point in points]
    return checklist_schemas.Checklist(is_ready=all(point.state != "missing" for point in points), items=items)


async def last_received(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> datetime | None:
    """When the last webhook call came."""
    found = await session.execute(
        select(Delivery.received_at)
        .where(Delivery.org_id == org_id, Delivery.source_id == source_id, Delivery.origin == "webhook")
        .order_by(Delivery.id.desc())
        .limit(1)
    )
    return found.scalar_one_or_none()


async def _verdicts(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, since: datetime
) -> Mapping[str, int]:
    """Of the latest calls that came since then, how many had each verdict."""
    recent = (
        select(Delivery.verdict, Delivery.received_at)
        .where(Delivery.org_id == org_id, Delivery.source_id == source_id)
        .order_by(Delivery.id.desc())
        .limit(checklist.MOST)
        .subquery()
    )
    found = await session.execute(
        select(recent.c.verdict, func.count().label("count"))
        .where(recent.c.received_at >= since)
        .group_by(recent.c.verdict)
    )
    return dict(iter(found))


async def _events(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> Mapping[str, Told]:
    latest = [_latest(org_id, source_id, type_) for type_ in TYPES]
    found = await session.execute(union_all(*latest))
    return {row.type: Told(*row[1:]) for row in found if row.total}


def _latest(org_id: OrganizationId, source_id: UUID, type_: str) -> Select[*tuple[Any, ...]]:
    """Of the latest events of a type, how many lack what."""
    recent = (
        select(
            Event.identity_id,
            Event.is_shared,
            Event.amount,
            Event.currency,
            Event.duration_seconds,
            Event.about,
        )
        .where(
            Event.org_id == org_id,
            Event.source_id == source_id,
            Event.type == type_,
            Event.superseded_at.is_(None),
            Event.retracted.is_(False),
        )
        .order_by(Event.occurred_at.desc())
        .limit(checklist.MOST)
        .subquery()
    )
    one = recent.c
    lacks = (
        one.identity_id.is_(None) & ~one.is_shared,
        one.amount.is_(None),
        one.amount.is_not(None) & one.currency.is_(None),
        one.currency == "XXX",
        one.duration_seconds.is_(None),
        ~or_(*(one.about.has_key(thing) for thing in ("deal", "lead", "customer"))),
    )
    names = ("owner", "amount", "currency", "unknown", "duration", "about")
    return select(
        literal(type_).label("type"),
        func.count().label("total"),
        *(func.count(case((lack, 1))).label(name) for lack, name in zip(lacks, names, strict=True)),
    ).select_from(recent)


async def _records(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> tuple[Mapping[str, int], int]:
    """How many records there are of each object, and how many need to be fetched."""
    found = await session.execute(
        select(CrmRecord.object, func.count(), func.count().filter(CrmRecord.needs_fetch & ~CrmRecord.is_deleted))
        .where(CrmRecord.org_id == org_id, CrmRecord.source_id == source_id)
        .group_by(CrmRecord.object)
    )
    rows: Sequence[Any] = found.all()  # Any: rows of three columns
    return {object_: count for object_, count, _ in rows}, sum(lacking for _, _, lacking in rows)


async def _people(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> tuple[int, int, int]:
    """How many people the source has, how many of them without a name, and how many that stand for nobody."""
    is_mapped = (
        select(IdentityMapping.identity_id)
        .where(
            IdentityMapping.org_id == org_id,
            IdentityMapping.identity_id == Identity.id,
            IdentityMapping.superseded_at.is_(None),
        )
        .exists()
    )
    found = await session.execute(
        select(
            func.count(),
            func.count().filter(Identity.name.is_(None) & Identity.email.is_(None)),
            func.count().filter(~is_mapped),
        ).where(Identity.org_id == org_id, Identity.source_id == source_id, Identity.kind == "person")
    )
    total, unnamed, unmapped = found.one()
    return total, unnamed, unmapped
