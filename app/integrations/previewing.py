"""What a change of a source's mapping would change: all of its records translated by it, in steps that are undone.

The steps are those by which the change would be applied (`refolding.py`). Where it reads more than the records hold,
what stored deliveries say of that is looked up first, and learnt in each step as far as the step needs it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.accounts.permissions import Permission
from app.core import audit, errands
from app.core.db import Database, OrganizationId
from app.core.errands import Errand
from app.core.jobs import MAX_ATTEMPTS, Work
from app.core.problems import NotFound, ValidationFailed
from app.core.rehearsals import Rehearsal, rehearse
from app.events.comparing import Change, changes_of
from app.integrations import histories, refolding, retelling, translation
from app.integrations import preview_schemas as schemas
from app.integrations.folding import FieldChange, Key, LinkChange
from app.integrations.mapping import changed, mapping_of
from app.integrations.models import MappingPreview, SourceConnection
from app.integrations.neighborhood import reach
from app.integrations.refolding import REFOLD, RETELL, TOLD
from app.integrations.service import find_source
from app.integrations.translation import Connected, Read
from app.progress import schemas as job_schemas
from app.progress import service as long_jobs
from app.progress.service import Reporter

PREVIEW = "preview-mapping"
EXAMPLES = 3
"""So many of each type and outcome."""
MOST_EXAMPLES = 60
MOST_SAID = 500_000
"""So much of what deliveries say beyond the records is held in memory."""


class PreviewNotFound(NotFound):
    """The source has no such preview."""

    code, title = "preview-not-found", "Preview not found"


async def ask(
    session: AsyncSession, who: Principal, source_id: UUID, tried: schemas.MappingPreviewCreate
) -> job_schemas.Job:
    """Have it found out what a change of the mapping would change, as a job. Raises `SourceNotFound`."""
    source, connection, _ = await find_source(session, who.org_id, source_id)
    if connection is None:
        raise ValidationFailed.at("/mapping", "A source of system api has no mapping.")
    job_id = await long_jobs.begin(
        session,
        who.org_id,
        kind=PREVIEW,
        subject={"type": "source", "id": str(source_id), "name": source.name},
        permission=Permission.SOURCES_WRITE,
        created_by=who.label,
    )
    mapping = tried.mapping.model_dump(mode="json", exclude_unset=True)
    session.add(
        MappingPreview(org_id=who.org_id, job_id=job_id, source_id=source_id, mapping=mapping, by_type={}, examples=[])
    )
    await errands.want(session, who.org_id, PREVIEW, job_id, {"job_id": str(job_id)})
    audit.record(session, who.org_id, who.label, "preview-mapping", "source", source_id)
    return await long_jobs.get_job(session, who, job_id)


async def get(session: AsyncSession, who: Principal, source_id: UUID, job_id: UUID) -> schemas.MappingPreview:
    """A preview, as far as it is. Raises `PreviewNotFound`."""
    found = await session.execute(
        select(MappingPreview).where(
            MappingPreview.org_id == who.org_id,
            MappingPreview.source_id == source_id,
            MappingPreview.job_id == job_id,
        )
    )
    preview = found.scalar_one_or_none()
    if preview is None:
        raise PreviewNotFound(f"No preview {job_id} of this source.")
    return schemas.MappingPreview(
        job=await long_jobs.get_job(session, who, job_id),
        mapping=preview.mapping,
        by_type=[
            schemas.ChangedType(type=kind, **{outcome: counts.get(outcome, 0) for outcome in TOLD.values()})
            for kind, counts in sorted(preview.by_type.items())
        ],
        examples=[schemas.EventChange.model_validate(each) for each in preview.examples],
    )


def shown(change: Change) -> schemas.EventChange:
    """A change as people are told of it."""
    told = {"outcome": TOLD[change.outcome.outcome], "fields": change.fields}
    return schemas.EventChange.model_validate(told | {"before": change.before, "after": change.after})


# ------------------------------------------------------------------------------------------------------- the errand


@dataclass
class _Found:
    """What would change, as far as it is known."""

    done: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    by_type: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    examples: list[dict[str, Any]] = field(default_factory=list)  # Any: JSON

    def add(self, step: "_Step") -> None:
        self.done += step.records
        self.counts += step.counts
        for change in step.changes:
            kind, outcome = change.after.type or "", TOLD[change.outcome.outcome]
            self.by_type[kind][outcome] += 1
            if self.by_type[kind][outcome] <= EXAMPLES and len(self.examples) < MOST_EXAMPLES:
                self.examples.append(shown(change).model_dump(mode="json"))


@dataclass(frozen=True)
class _Step:
    """What some records would change, and the last of them (None: there were none)."""

    records: int
    last: UUID | None
    counts: Counter[str]
    changes: Sequence[Change]


@dataclass
class _Unlearnt:
    """What deliveries say that no record holds, because the mapping did not read it."""

    fields: dict[Key, set[FieldChange]] = field(default_factory=lambda: defaultdict(set))
    links: dict[Key, set[LinkChange]] = field(default_factory=lambda: defaultdict(set))
    size: int = 0

    def add(self, more: Read, known: Read) -> None:
        """Take what `more` has beyond what is `known`."""
        for change in set(more.fields) - set(known.fields):
            self.fields[change.object, change.id].add(change)
            self.size += 1
        for link in set(more.links) - set(known.links):
            for end in link.ends:
                self.links[end].add(link)
            self.size += 1

    def about(self, keys: AbstractSet[Key]) -> Read:
        """What is said of these records."""
        return Read(
            [change for key in keys for change in self.fields.get(key, ())],
            list({link for key in keys for link in self.links.get(key, ())}),
        )

    def keys(self) -> set[Key]:
        """The records that there would be, or are, by what is said of them."""
        return set(self.fields)


@dataclass(frozen=True)
class _Trial:
    """A mapping that is tried on a source."""

    database: Database
    org_id: OrganizationId
    source_id: UUID
    mapping: Mapping[str, Any]
    unlearnt: _Unlearnt = field(default_factory=_Unlearnt)

    async def step(self, after: UUID | None) -> _Step:
        """Translate the next records, and undo it."""

        async def act(rehearsal: Rehearsal) -> _Step:
            source = await self._source(rehearsal.session)
            keys, last = await refolding.records_after(rehearsal.session, source, after)
            return await self._settle(rehearsal, source, keys, last)

        return await rehearse(self.database, self.org_id, act)

    async def step_of(self, keys: Sequence[Key]) -> _Step:
        """Translate records that are not there yet, and undo it."""

        async def act(rehearsal: Rehearsal) -> _Step:
            return await self._settle(rehearsal, await self._source(rehearsal.session), keys, None)

        return await rehearse(self.database, self.org_id, act)

    async def _source(self, session: AsyncSession) -> Connected:
        return await translation.connected(session, self.org_id, self.source_id, self.mapping)

    async def _settle(self, rehearsal: Rehearsal, source: Connected, keys: Collection[Key], last: UUID | None) -> _Step:
        session = rehearsal.session
        if self.unlearnt.size:
            await self._learn(rehearsal, source, set(keys))
        known = await histories.load(session, self.org_id, self.source_id, keys)
        settled = await translation.settle(session, source, keys, rehearsal.at, known)
        changes = await changes_of(session, self.org_id, rehearsal.at, settled.written)
        return _Step(len(keys), last, refolding.counted(settled), changes)

    async def _learn(self, rehearsal: Rehearsal, source: Connected, keys: set[Key]) -> None:
        """Learn what is said of these records and of all that their translations look at."""
        learnt: set[Key] = set()
        wanted = keys
        while new := wanted - learnt:
            learnt |= new
            said = self.unlearnt.about(new)
            if said.fields or said.links:
                await translation.learn(rehearsal.session, source, said, rehearsal.at)
            wanted = await reach(rehearsal.session, self.org_id, self.source_id, keys)

    async def read_deliveries(self, reporter: Reporter) -> int | None:
        """Find what stored deliveries say beyond the records; gives how many there were, None: too much, or stopped."""
        done, after = 0, None
        while True:
            async with self.database.read(self.org_id) as session:
                deliveries = await retelling.following(session, self.org_id, self.source_id, after)
                if not deliveries:
                    return done
                told = [each for each in deliveries if each.processed_at is not None and each.verdict != "failed"]
                after, done = deliveries[-1].id, done + len(deliveries)
                now = await translation.connected(session, self.org_id, self.source_id)
                tried = await self._source(session)
                for each in told:
                    read = (translation.read_deliveries(source, [each]) for source in (tried, now))
                    self.unlearnt.add(*read)
            if self.unlearnt.size > MOST_SAID:
                await reporter.fail(
                    "The stored deliveries say more than a preview can hold. Try fewer new fields at a time."
                )
                return None
            if not await reporter.advance(done=done):
                return None


async def _preview(database: Database, org_id: OrganizationId, work: Work) -> None:
    """Find out what the change would do, and keep it; nothing happens where somebody stopped it."""
    job_id = UUID(work.payload["job_id"])
    reporter = Reporter(database, org_id, job_id)
    trial, kind, total = await _trial(database, org_id, job_id)
    found = _Found()
    if not await reporter.advance(done=0, total=total):
        return
    if kind == RETELL:
        read = await trial.read_deliveries(reporter)
        if read is None:
            return
        found.done = read
    last: UUID | None = None
    while (step := await trial.step(last)).last is not None:
        last = step.last
        found.add(step)
        if not await reporter.advance(done=found.done, counts=found.counts):
            return
    for some in histories.batches(await _not_there(trial)):
        found.add(await trial.step_of(some))
    await _keep(database, org_id, job_id, found)


async def _trial(database: Database, org_id: OrganizationId, job_id: UUID) -> tuple[_Trial, str, int]:
    """What is tried, by which job it would be applied, and how much there is to do."""
    async with database.read(org_id) as session:
        found = await session.execute(
            select(MappingPreview, SourceConnection.mapping)
            .join(
                SourceConnection,
                and_(
                    SourceConnection.org_id == MappingPreview.org_id,
                    SourceConnection.source_id == MappingPreview.source_id,
                ),
            )
            .where(MappingPreview.org_id == org_id, SourceConnection.org_id == org_id, MappingPreview.job_id == job_id)
        )
        preview, configured = found.one()
        now, then = (mapping_of(each, {}, "UTC") for each in (configured, changed(configured, preview.mapping)))
        kind = RETELL if then.reads_more_than(now) else REFOLD
        total = await refolding.total_of(session, org_id, preview.source_id, kind)
        return _Trial(database, org_id, preview.source_id, preview.mapping), kind, total


async def _not_there(trial: _Trial) -> list[Key]:
    """The records that there would be, and are not there yet."""
    said = trial.unlearnt.keys()
    if not said:
        return []
    async with trial.database.read(trial.org_id) as session:
        return sorted(said - await histories.existing(session, trial.org_id, trial.source_id, said))


async def _keep(database: Database, org_id: OrganizationId, job_id: UUID, found: _Found) -> None:
    async with database.write(org_id) as session:
        await session.execute(
            update(MappingPreview)
            .where(MappingPreview.org_id == org_id, MappingPreview.job_id == job_id)
            .values(by_type={kind: dict(counts) for kind, counts in found.by_type.items()}, examples=found.examples)
        )
        await long_jobs.advance(session, org_id, job_id, done=found.done, total=found.done)
        await long_jobs.finish(session, org_id, job_id, found.counts)


async def _failed(session: AsyncSession, org_id: OrganizationId, work: Work, error: str) -> None:
    if work.attempts + 1 >= MAX_ATTEMPTS:
        reason = f"What would change could not be found out ({error})."
        await long_jobs.fail(session, org_id, UUID(work.payload["job_id"]), reason)


ERRAND = Errand(_preview, failed=_failed)
"""What does the errands of the kind `PREVIEW`."""
