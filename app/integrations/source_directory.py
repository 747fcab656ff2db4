"""What a source's own settings tell: who owns records, what stages and currencies are called.

It is fetched by the source's client as an errand that people watch as a job, or told by whoever has it.
"""

from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Literal
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.accounts.permissions import Permission
from app.core import audit, clock, errands, jobs
from app.core.db import Database, OrganizationId
from app.core.errands import Errand
from app.core.jobs import Work
from app.integrations import credentials
from app.integrations import directory_schemas as schemas
from app.integrations.adapters import ADAPTERS
from app.integrations.clients.base import Client, ClientError, NotOffered, Overloaded, Person
from app.integrations.clients.base import Stage as ClientStage
from app.integrations.clients.http import Outside
from app.integrations.mapping import Mapping, mapping_of
from app.integrations.models import SourceStage
from app.integrations.refolding import REFOLD
from app.integrations.service import find_source
from app.progress import schemas as job_schemas
from app.progress import service as long_jobs
from app.teams.models import Identity
from app.teams.service import Named, name_identities

FETCH_DIRECTORY = "fetch-directory"


async def list_stages(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> schemas.StageList:
    """The stages that are known, each with what it counts as. Raises `SourceNotFound`."""
    source, connection, _ = await find_source(session, org_id, source_id)
    mapping = None
    if connection is not None:
        mapping = mapping_of(connection.mapping, ADAPTERS[source.system].defaults, "UTC")
    found = await session.execute(
        select(SourceStage)
        .where(SourceStage.org_id == org_id, SourceStage.source_id == source_id)
        .order_by(SourceStage.object, SourceStage.pipeline_id, SourceStage.position, SourceStage.stage_id)
    )
    return schemas.StageList(items=[_shown(row, mapping) for row in found.scalars()])


def _shown(row: SourceStage, mapping: Mapping | None) -> schemas.Stage:
    told = {name: getattr(row, name) for name in schemas.Stage.model_fields if name not in {"counts_as", "pipeline_id"}}
    return schemas.Stage(pipeline_id=row.pipeline_id or None, counts_as=_counts_as(row, mapping), **told)


def _counts_as(row: SourceStage, mapping: Mapping | None) -> Literal["open", "won", "lost"] | None:
    if mapping is None or row.object != "deal":
        return None
    if {row.stage_id, row.name} & mapping.won_stages:
        return "won"
    return "lost" if {row.stage_id, row.name} & mapping.lost_stages else "open"


async def replace_stages(
    session: AsyncSession, who: Principal, source_id: UUID, told: schemas.StagesReplace
) -> schemas.StageList:
    """Take over all stages of a source, as somebody tells them."""
    await find_source(session, who.org_id, source_id, lock=True)
    stages = [
        ClientStage(each.object, each.pipeline_id, each.pipeline, each.stage_id, each.name, each.outcome, place)
        for place, each in enumerate(told.stages)
    ]
    await _store_stages(session, who.org_id, source_id, stages)
    audit.record(session, who.org_id, who.label, "replace-stages", "source", source_id, {"stages": len(stages)})
    return await list_stages(session, who.org_id, source_id)


async def _store_stages(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, stages: Sequence[ClientStage]
) -> None:
    now = await clock.now(session, org_id)
    await session.execute(delete(SourceStage).where(SourceStage.org_id == org_id, SourceStage.source_id == source_id))
    rows = {
        (each.object, each.pipeline_id or "", each.id): {
            "org_id": org_id,
            "source_id": source_id,
            "object": each.object,
            "pipeline_id": each.pipeline_id or "",
            "stage_id": each.id,
            "pipeline": each.pipeline,
            "name": each.name,
            "outcome": each.outcome,
            "position": each.position,
            "updated_at": now,
        }
        for each in stages
    }
    if rows:
        await session.execute(insert(SourceStage).values(list(rows.values())))


async def tell_people(
    session: AsyncSession, who: Principal, source_id: UUID, told: schemas.PeopleTold
) -> schemas.PeopleKnown:
    """Make identities of a source's owners, or bring their names up to date."""
    await find_source(session, who.org_id, source_id)
    people = [Named(each.external_id, each.email, each.name, each.kind) for each in told.people]
    await name_identities(session, who.org_id, source_id, people)
    audit.record(session, who.org_id, who.label, "tell-people", "source", source_id, {"people": len(people)})
    return await _known(session, who.org_id, source_id)


async def _known(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> schemas.PeopleKnown:
    is_person = Identity.kind == "person"
    row = (
        await session.execute(
            select(
                func.count().filter(is_person).label("people"), func.count().filter(~is_person).label("queues")
            ).where(Identity.org_id == org_id, Identity.source_id == source_id)
        )
    ).one()
    return schemas.PeopleKnown(people=row.people, queues=row.queues)


async def fetch(session: AsyncSession, who: Principal, source_id: UUID) -> job_schemas.Job:
    """Have owners, stages and currencies fetched from the source's system, as a job.

    Raises `SystemNotAsked`, `CredentialsMissing`.
    """
    source = await credentials.require(session, who.org_id, source_id)
    job_id = await long_jobs.begin(
        session,
        who.org_id,
        kind=FETCH_DIRECTORY,
        subject={"type": "source", "id": str(source_id), "name": source.name},
        permission=Permission.SOURCES_READ,
        created_by=who.label,
        total=3,
    )
    payload = {"source_id": str(source_id), "job_id": str(job_id)}
    await errands.want(session, who.org_id, FETCH_DIRECTORY, job_id, payload)
    audit.record(session, who.org_id, who.label, "fetch-directory", "source", source_id)
    return await long_jobs.get_job(session, who, job_id)


def errand(outside: Outside) -> Errand:
    """The errand of kind `FETCH_DIRECTORY`."""
    return Errand(partial(_fetch, outside))


async def _fetch(outside: Outside, database: Database, org_id: OrganizationId, work: Work) -> None:
    """Ask for everything, and store it at once; what the system cannot be asked for is left as it is."""
    source_id = UUID(work.payload["source_id"])
    reporter = long_jobs.Reporter(database, org_id, UUID(work.payload["job_id"]))
    if not await reporter.advance(done=0):
        return
    try:
        async with credentials.asking(database, outside, org_id, source_id) as client:
            people, stages = await _people(client), await _stages(client)
            await reporter.advance(done=2)
            currencies = await client.currencies()
    except Overloaded as error:
        raise errands.Later(timedelta(seconds=error.wait)) from None
    except ClientError as error:
        await reporter.fail(f"The system could not be asked: {error}")
        return
    async with database.write(org_id) as session:
        if people:
            named = [Named(each.id, each.email, each.name, each.kind) for each in people]
            await name_identities(session, org_id, source_id, named)
        if stages is not None:
            await _store_stages(session, org_id, source_id, stages)
        await _name_currencies(session, org_id, source_id, currencies)
        counts = {"people": len(people), "stages": len(stages or ()), "currencies": len(currencies)}
        await long_jobs.advance(session, org_id, reporter.job_id, done=3)
        await long_jobs.finish(session, org_id, reporter.job_id, counts)


async def _name_currencies(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, told: Mapped[str, str]
) -> None:
    """Take what the system calls its currencies into the mapping, where that does not say otherwise."""
    _, connection, _ = await find_source(session, org_id, source_id, lock=True)
    if connection is None:
        return
    configured = connection.mapping.get("currencies") or {}
    named = {**told, **configured}
    if named != configured:
        connection.mapping = {**connection.mapping, "currencies": named}
        connection.version += 1
        await jobs.enqueue(session, org_id, REFOLD, [{"source_id": str(source_id)}])


async def _people(client: Client) -> list[Person]:
    try:
        return await client.people()
    except NotOffered:
        return []


async def _stages(client: Client) -> list[ClientStage] | None:
    try:
        return await client.stages()
    except NotOffered:
        return None
