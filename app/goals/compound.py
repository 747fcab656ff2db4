"""Compound goals: made in one step, and whether the parts yield the whole (G6)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, or_
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.calendars.periods import DayRange, previous_period
from app.core.db import OrganizationId
from app.core.problems import ValidationFailed
from app.core.snapshots import Snapshots
from app.goals import baselines, queries, schemas, service
from app.goals import compound_schemas as shapes
from app.goals.models import Goal, GoalTarget
from app.goals.pace import Direction
from app.goals.problems import GoalNotFound
from app.goals.smart.past import Asked, Seen, periods_before, seen_at
from app.goals.targets import target_values
from app.goals.work import owner_of
from app.goals.yielding import Yields, needed, read_yields, rounded_away, suggestion_for
from app.goals.yields import require_yields
from app.kpis import service as kpis
from app.kpis.engine import compute
from app.kpis.expressions.syntax import ExpressionError
from app.kpis.formulas import FORMULA
from app.kpis.questions import Cell, Query
from app.kpis.schemas import Kpi

GOOD_WITHIN = Decimal("0.05")
_DAY = timedelta(days=1)
_NOTHING = Cell(None, "no_data")
Part = tuple[Goal, GoalTarget]


# ------------------------------------------------------------------------------------------------------------ making


async def create_compound(
    session: AsyncSession, snapshots: Snapshots, who: Principal, new: shapes.CompoundCreate
) -> shapes.CompoundMade:
    """Make the whole and its parts, or nothing. Raises as making a goal does, with the place in this request."""
    posted = [await _posted(session, who.org_id, part, new.goal) for part in new.parts]
    frozen, *before = await _frozen(snapshots, new.goal, posted)
    with _at("/goal"):
        whole = await service.create_goal(session, who, new.goal, baseline=frozen)
    made = []
    for place, (part, baseline) in enumerate(zip(posted, before, strict=True)):
        with _at(f"/parts/{place}"):
            child = part.model_copy(update={"parent_id": whole.id})
            made.append(await service.create_goal(session, who, child, baseline=baseline))
    return shapes.CompoundMade(goal=whole, parts=made)


async def _posted(
    session: AsyncSession, org_id: OrganizationId, part: shapes.PartCreate, whole: schemas.GoalCreate
) -> schemas.GoalCreate:
    """The part as it would be posted by itself, without its parent, which is not there yet."""
    given = {name: getattr(part, name) for name in shapes.PartCreate.model_fields}
    given |= {"owner": part.owner or whole.owner, "period": part.period or whole.period, "reason": whole.reason}
    if await _is_money(session, org_id, part.kpi):
        given |= {"currency": part.currency or whole.currency, "rate_set": whole.rate_set}
    return schemas.GoalCreate(**given, state=whole.state)


async def _frozen(
    snapshots: Snapshots, whole: schemas.GoalCreate, parts: Sequence[schemas.GoalCreate]
) -> list[schemas.Baseline | None]:
    """The baselines of the whole and its parts, in one snapshot; what none needs takes none."""
    if not any(each.target.change for each in (whole, *parts)):
        return [None, *(None for _ in parts)]
    async with snapshots.at(None) as session:
        with _at("/goal"):
            found = [await baselines.of_draft(session, snapshots.org_id, whole)]
        for place, part in enumerate(parts):
            with _at(f"/parts/{place}"):
                found.append(await baselines.of_draft(session, snapshots.org_id, part))
    return found


async def _is_money(session: AsyncSession, org_id: OrganizationId, key: str) -> bool:
    try:
        return (await kpis.get_kpi(session, org_id, key)).unit.kind == "money"
    except kpis.KpiNotFound:
        return False  # making the goal refuses it, with the place


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Let errors of one goal point to its place in the request."""
    try:
        yield
    except ValidationFailed as failed:
        moved = [item.model_copy(update={"pointer": place + item.pointer}) for item in failed.errors]
        raise ValidationFailed(failed.detail, moved) from None


# ---------------------------------------------------------------------------------------------------------- checking


@dataclass(frozen=True)
class _Figures:
    """The KPIs before and so far."""

    before: Mapping[str, Cell]
    now: Mapping[str, Cell]

    def value(self, cells: Mapping[str, Cell], key: str) -> Decimal | None:
        return cells.get(key, _NOTHING).value


async def check_compound(snapshots: Snapshots, goal_id: UUID, as_of: datetime | None) -> shapes.CompoundCheck:
    """Whether the parts yield the whole, in one snapshot. Raises `GoalNotFound`, before it was recorded too."""
    async with snapshots.at(as_of) as session:
        seen = await seen_at(session, snapshots.org_id, as_of)
        goal, _ = await service.find_goal(session, seen.org_id, goal_id)
        found = await session.execute(queries.target_as_known(seen.org_id, goal_id, seen.known_at))
        target = found.scalar_one_or_none()
        if target is None:
            raise GoalNotFound(f"The goal {goal_id} had not been recorded by then.")
        parts = [cast("Part", tuple(row)) for row in await session.execute(_parts(seen, goal_id))]
        yields, source, problem = await _formula(session, seen, goal, parts)
        keys = dict.fromkeys([goal.kpi_key, *(yields.keys if yields else ()), *(part.kpi_key for part, _ in parts)])
        shown = await _kpis(session, seen.org_id, list(keys))
        days = _baseline_days(goal, target, seen)
        figures = _Figures(
            before=await _cells(session, seen, goal, list(shown), days),
            now=await _cells(session, seen, goal, list(shown), service.period_of(goal)),
        )
    return _told(_Whole(seen, goal, target, parts, shown, yields, figures), source, problem, days)


def _parts(seen: Seen, goal_id: UUID) -> Select[Goal, GoalTarget]:
    """The goals that were its parts by their terms as known, drafts and proposals too, the first made first."""
    return (
        queries.parts_of(seen.org_id, [goal_id], seen.known_at)
        .where(or_(Goal.cancelled_at.is_(None), Goal.cancelled_at > seen.known_at))
        .order_by(Goal.created_at, Goal.id)
    )


async def _formula(
    session: AsyncSession, seen: Seen, goal: Goal, parts: Sequence[Part]
) -> tuple[Yields | None, str, str | None]:
    """The formula, where it comes from, and why the given one cannot be computed any more."""
    known = set((await session.execute(queries.kpi_keys(seen.org_id))).scalars())
    if goal.yields is None:
        suggested = suggestion_for(goal.kpi_key, {part.kpi_key for part, _ in parts} - {goal.kpi_key}, known)
        return (None, "none", None) if suggested is None else (read_yields(suggested), "suggested", None)
    try:
        kpi = await kpis.get_kpi(session, seen.org_id, goal.kpi_key)
        return await require_yields(session, seen.org_id, goal.yields, kpi), "given", None
    except (ValidationFailed, ExpressionError) as problem:
        return None, "given", str(problem)


async def _kpis(session: AsyncSession, org_id: OrganizationId, keys: Sequence[str]) -> dict[str, Kpi]:
    return {key: await kpis.get_kpi(session, org_id, key) for key in keys}


def _baseline_days(goal: Goal, target: GoalTarget, seen: Seen) -> DayRange:
    """Those of the frozen baseline; else the latest period before of the same kind that is over."""
    if target.baseline is not None:
        start, end = (date.fromisoformat(target.baseline[name]) for name in ("start", "end"))
        return DayRange(start, end)
    period = service.period_of(goal)
    return next(iter(periods_before(period, seen)), previous_period(period, seen.cut))


async def _cells(session: AsyncSession, seen: Seen, goal: Goal, keys: Sequence[str], days: DayRange) -> dict[str, Cell]:
    query = Query(
        kpis=keys,
        subjects=[owner_of(goal)],
        period=f"{days.start}..{days.end - _DAY}",
        currency=goal.currency,
        rate_set=goal.rate_set,
        as_of=seen.as_of,
        known_at=seen.as_of,
    )
    answer = await compute(session, seen.org_id, query, targets=target_values)
    return {series.kpi: series.total for series in answer.series}


@dataclass(frozen=True)
class _Whole:
    """All that the answer is made of."""

    seen: Seen
    goal: Goal
    terms: GoalTarget
    parts: Sequence[Part]
    kpis: Mapping[str, Kpi]
    formula: Yields | None
    figures: _Figures

    @property
    def direction(self) -> Direction:
        return cast("Direction", self.goal.direction)

    def before(self, key: str) -> Decimal | None:
        """What a KPI was."""
        return self.figures.before.get(key, _NOTHING).value

    def now(self, key: str) -> Decimal | None:
        """What it is so far."""
        return self.figures.now.get(key, _NOTHING).value

    def on(self, key: str) -> list[Part]:
        """The parts on a KPI."""
        return [each for each in self.parts if each[0].kpi_key == key]

    def aimed(self, key: str) -> Decimal | None:
        """What the parts on a KPI aim at together; without one what it was."""
        parts = self.on(key)
        if not parts:
            return self.before(key)
        values = [(_single(target), target.weight) for _, target in parts]
        known = [(value, weight) for value, weight in values if value is not None]
        if len(known) < len(values) or {part.currency for part, _ in parts} - {None, self.goal.currency}:
            return None
        if self.kpis[key].is_additive:
            return sum((value for value, _ in known), Decimal(0))
        weights = sum((weight for _, weight in known), Decimal(0))
        return FORMULA.divide(sum((FORMULA.multiply(*each) for each in known), Decimal(0)), weights)

    def given_by(self, values: Mapping[str, Decimal | None]) -> Decimal | None:
        """What the formula gives."""
        return None if self.formula is None else self.formula.value(values, self.each(self.before))

    def each(self, of: Any) -> dict[str, Decimal | None]:
        """A figure for each KPI of the formula."""
        return {key: of(key) for key in (self.formula.keys if self.formula else ())}


def _single(target: GoalTarget) -> Decimal | None:
    """The target's one value; of a band its middle."""
    if target.value is not None:
        return target.value
    if target.low is None or target.high is None:
        return None
    return FORMULA.divide(FORMULA.add(target.low, target.high), 2)


def _told(whole: _Whole, source: Any, problem: str | None, days: DayRange) -> shapes.CompoundCheck:
    goal = whole.goal
    reached = _yielded(whole)
    named = whole.formula.keys if whole.formula else ()
    ordered = dict.fromkeys([*named, *(part.kpi_key for part, _ in whole.parts)])
    return shapes.CompoundCheck(
        goal_id=goal.id,
        as_of=whole.seen.at,
        known_at=whole.seen.known_at,
        kpi=goal.kpi_key,
        currency=goal.currency,
        formula=goal.yields if whole.formula is None else whole.formula.text,
        source=source,
        problem=problem,
        baseline_start=days.start,
        baseline_end=days.end,
        factors=[_factor(whole, key, reached) for key in ordered],
        explains=_explained(whole),
        yields=reached,
        so_far=_so_far(whole),
    )


def _factor(whole: _Whole, key: str, reached: shapes.Yielded) -> shapes.Factor:
    before, aimed = whole.before(key), whole.aimed(key)
    parts = whole.on(key)
    alone = None
    if whole.formula is not None and reached.is_sufficient is False and reached.target is not None:
        alone = needed(whole.formula, whole.each(whole.aimed), whole.each(whole.before), key, reached.target)
    asked = Asked(whole.kpis[key], owner_of(whole.goal), service.period_of(whole.goal), _currency(whole, key))
    return shapes.Factor(
        kpi=key,
        name=whole.kpis[key].name,
        is_in_formula=whole.formula is not None and key in whole.formula.keys,
        source="parts" if parts else "baseline",
        parts=[part.id for part, _ in parts],
        baseline=before,
        baseline_status=whole.figures.before.get(key, _NOTHING).status,
        target=aimed,
        change=_error(aimed, before),
        actual=whole.now(key),
        actual_status=whole.figures.now.get(key, _NOTHING).status,
        needed=None if alone is None else rounded_away(alone, aimed or Decimal(0), asked.decimals),
    )


def _currency(whole: _Whole, key: str) -> str | None:
    return whole.goal.currency if whole.kpis[key].unit.kind == "money" else None


def _explained(whole: _Whole) -> shapes.Explained:
    value, actual = whole.given_by(whole.each(whole.before)), whole.before(whole.goal.kpi_key)
    error = _error(value, actual)
    verdict = "unknown" if error is None else "good" if abs(error) <= GOOD_WITHIN else "poor"
    return shapes.Explained(value=value, actual=actual, error=error, verdict=cast("Any", verdict))


def _so_far(whole: _Whole) -> shapes.SoFar:
    value, actual = whole.given_by(whole.each(whole.now)), whole.now(whole.goal.kpi_key)
    return shapes.SoFar(value=value, actual=actual, error=_error(value, actual))


def _yielded(whole: _Whole) -> shapes.Yielded:
    value, terms = whole.given_by(whole.each(whole.aimed)), whole.terms
    target = terms.value
    is_limit = whole.direction == "decrease"
    if whole.direction == "maintain" and value is not None:
        is_limit = terms.high is not None and value > terms.high
        target = terms.high if is_limit else terms.low
    if value is None or target is None:
        return shapes.Yielded(target=target, value=value, gap=None, surplus=None, is_sufficient=None)
    over = FORMULA.subtract(target, value) if is_limit else FORMULA.subtract(value, target)
    zero = Decimal(0)
    return shapes.Yielded(
        target=target, value=value, gap=max(-over, zero), surplus=max(over, zero), is_sufficient=over >= 0
    )


def _error(value: Decimal | None, against: Decimal | None) -> Decimal | None:
    """The difference as a share."""
    if value is None or not against:
        return None
    return FORMULA.divide(FORMULA.subtract(value, against), abs(against))
