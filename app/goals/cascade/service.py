"""Use cases of the cascade: look at a split, carry it out."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, clock, etags
from app.core.snapshots import Snapshots
from app.goals import queries
from app.goals.cascade import schemas
from app.goals.cascade.planning import plan_split
from app.goals.cascade.plans import Plan, Row
from app.goals.cascade.problems import SplitChanged, SplitOvertaken
from app.goals.cascade.splitting import missing
from app.goals.cascade.writing import Writer
from app.goals.deciding import require
from app.goals.frozen import digest_of, jsonable
from app.goals.models import Goal
from app.goals.service import find_goal

_OF_THE_MOMENT = {"as_of", "known_at", "version", "digest"}


async def preview_split(snapshots: Snapshots, goal_id: UUID, wanted: schemas.SplitInput) -> schemas.Split:
    """What the split would be now; nothing is stored."""
    async with snapshots.at(None) as session:
        return shown(await plan_split(session, snapshots.org_id, goal_id, wanted), wanted)


async def apply_split(
    session: AsyncSession,
    snapshots: Snapshots,
    who: Principal,
    goal_id: UUID,
    wanted: schemas.SplitApply,
    if_match: str | None,
) -> schemas.Split:
    """Carry the split out, all of it or nothing.

    It is computed in a snapshot, before the organization's clock is locked. Raises `SplitChanged` where it is not the
    one that was expected, `SplitOvertaken` where somebody else changed the goal or its parts meanwhile.
    """
    async with snapshots.at(None) as reading:
        planned = await plan_split(reading, who.org_id, goal_id, wanted)
        answer = shown(planned, wanted)
    if wanted.expect is not None and wanted.expect != answer.digest:
        raise SplitChanged("What would be carried out now is not what the preview showed: look at it again.")
    at = await clock.tick(session, who.org_id)
    plan = await _as_stored(session, planned, if_match)
    await require(session, who, plan.goal, "edit", plan.today)
    count = await Writer(session, who, plan, wanted, at).write()
    told = wanted.model_dump(mode="json", exclude_unset=True, exclude={"owners"}) | {"parts": count}
    audit.record(session, who.org_id, who.label, "split", "goal", goal_id, told)
    return answer.model_copy(update={"version": plan.goal.version, "parts": [_shown(row) for row in plan.rows]})


async def _as_stored(session: AsyncSession, plan: Plan, if_match: str | None) -> Plan:
    """The plan upon the goals of this transaction, which nobody else can change any more. Raises `SplitOvertaken`."""
    goal, terms = await find_goal(session, plan.goal.org_id, plan.goal.id)
    etags.check(if_match, goal.version)
    if (goal.version, terms.id) != (plan.goal.version, plan.terms.id):
        raise SplitOvertaken("The goal was changed while the split was computed: look at the preview again.")
    rows = [(row, row.goal, row.terms) for row in _all(plan.rows) if row.goal is not None and row.terms is not None]
    wanted = queries.goals(goal.org_id).where(Goal.id.in_([part.id for _, part, _ in rows]))
    present = {part.id: (part, revision) for part, revision in (await session.execute(wanted)).all()}
    for row, part, revision in rows:
        row.goal, row.terms = present[part.id]
        if (row.goal.version, row.terms.id) != (part.version, revision.id):
            raise SplitOvertaken(f"The part {part.name!r} was changed meanwhile: look at the preview again.")
    plan.goal, plan.terms = goal, terms
    return plan


def _all(rows: list[Row]) -> list[Row]:
    return [each for row in rows for each in (row, *_all(row.parts))]


def shown(plan: Plan, wanted: schemas.SplitInput) -> schemas.Split:
    """The plan as it is answered."""
    is_additive = plan.kpi.is_additive and plan.goal.direction != "maintain"
    parts = [row.part for row in plan.rows]
    lack = missing(plan.terms.value, parts) if is_additive and plan.terms.value is not None else None
    answer = schemas.Split(
        goal_id=plan.goal.id,
        version=plan.goal.version,
        kpi=plan.goal.kpi_key,
        currency=plan.goal.currency,
        counts=wanted.counts or plan.terms.counts,
        is_additive=is_additive,
        as_of=plan.as_of,
        known_at=plan.known_at,
        on=plan.on,
        target=plan.terms.value,
        stretch=plan.terms.stretch,
        unit=plan.unit,
        parts=[_shown(row) for row in plan.rows],
        parts_sum=sum(parts, Decimal(0)) if is_additive else None,
        gap=None if lack is None else max(lack, Decimal(0)),
        over=None if lack is None else max(-lack, Decimal(0)),
        notes=plan.notes,
        digest="",
    )
    content = {key: jsonable(value) for key, value in answer if key not in _OF_THE_MOMENT}
    answer.digest = digest_of(content)
    return answer


def _shown(row: Row) -> schemas.Part:
    return schemas.Part(
        owner=schemas.PartOwner(type=row.owner.kind, id=row.owner.id, name=row.name),
        goal_id=row.made_id or (None if row.goal is None else row.goal.id),
        step=row.step,
        period=row.period.label,
        start=row.period.start,
        end=row.period.end,
        weight=_figure(row.weight.numerator, row.weight.denominator),
        share=_figure(row.share.numerator, row.share.denominator),
        part=row.part,
        old_target=None if row.terms is None else row.terms.value,
        target=row.target,
        low=row.low,
        high=row.high,
        old_stretch=None if row.terms is None else row.terms.stretch,
        stretch=row.stretch,
        why=row.why,
        parts=[_shown(each) for each in row.parts],
        parts_sum=sum((each.part for each in row.parts), Decimal(0)) if row.parts else None,
    )


def _figure(numerator: int, denominator: int) -> Decimal:
    return Decimal(numerator) / Decimal(denominator)
