"""What a new version of a KPI would change, before it is stored: figures, the KPIs computed from it, and goals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.goals import pace
from app.goals import queries as goal_queries
from app.goals.aims import aim_of
from app.goals.models import Goal, GoalTarget
from app.goals.pace import Direction
from app.goals.service import period_of
from app.goals.work import schedules_of
from app.kpis import queries as kpi_queries
from app.kpis.attribution import Subject
from app.kpis.expressions.parser import parse
from app.kpis.expressions.syntax import references
from app.kpis.formulas import FORMULA
from app.kpis.history import KpiHistory
from app.kpis.questions import Answer, Cell, Query
from app.kpis.references import all_from, reversed_graph
from app.kpis.schemas import KpiVersionCreate
from app.kpis.service import drafted_version, load_kpis
from app.results import preview_schemas as schemas
from app.results.asking import Asking, Moment, heading, moment
from app.results.faces import face_of
from app.results.service import figures_out, subject_out, windows_out
from app.teams.structure import load_structure

MONTHS = 12
MOST_TEAMS = 20
MOST_GOALS = 50
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class _Both:
    """The same question, without and with the new version."""

    before: Answer
    after: Answer


async def preview_version(asking: Asking, key: str, new: KpiVersionCreate) -> schemas.KpiPreview:
    """What the version would change, from one snapshot. Raises as adding it would."""
    async with asking.at(None) as session:
        seen = await moment(session, asking.org_id, None)
        version = await drafted_version(session, asking.org_id, key, new, seen.today)
        history = (await load_kpis(session, asking.org_id, [key], seen.known_at))[key]
        changed = {key: replace(history, versions=(*history.versions, version))}
        dependants = await _dependants(session, asking.org_id, key)
        teams = await _top_teams(session, asking.org_id, seen)
        kpis = [key, *dependants]
        both = await _ask(asking, session, changed, _months(seen, kpis, teams[:MOST_TEAMS]))
        goals, left_out = await _goals(session, asking.org_id, kpis)
        moved = [await _goal(asking, session, changed, seen, *each) for each in goals]
    series = _series(both)
    return schemas.KpiPreview(
        **heading(both.before),
        kpi=key,
        number=version.number,
        valid_from=version.valid_from,
        dependants=dependants,
        moves=any(_moves(each) for each in series) or any(goal.actual.moves for goal in moved),
        series=series,
        goals=moved,
        goals_left_out=left_out,
        teams="all" if len(teams) <= MOST_TEAMS else "first_20",
    )


def _moves(series: schemas.MovedSeries) -> bool:
    return series.total.moves or any(window.moves for window in series.windows)


async def _dependants(session: AsyncSession, org_id: OrganizationId, key: str) -> list[str]:
    """Every KPI that some version of which refers to this one, directly or not."""
    graph: dict[str, set[str]] = {}
    for name, formula in (await session.execute(kpi_queries.referring(org_id))).all():
        graph.setdefault(name, set()).update(references(parse(formula)))
    return sorted(all_from(reversed_graph(graph), key) - {key})


async def _top_teams(session: AsyncSession, org_id: OrganizationId, seen: Moment) -> list[Subject]:
    structure = await load_structure(session, org_id, seen.known_at)
    below = {
        place.team_id
        for place in structure.placements
        if place.parent_id is not None
        and (place.start is None or place.start <= seen.today)
        and (place.end is None or place.end > seen.today)
    }
    tops = [team for team in structure.teams.values() if team.id not in below]
    return [Subject("team", team.id) for team in sorted(tops, key=lambda team: (team.name, str(team.id)))]


def _months(seen: Moment, kpis: Sequence[str], teams: Sequence[Subject]) -> Query:
    """The last 12 months, the running one too."""
    this = seen.today.replace(day=1)
    years, month = divmod(this.year * 12 + this.month - MONTHS, 12)
    first = this.replace(year=years, month=month + 1)
    last = (this + 31 * _DAY).replace(day=1) - _DAY
    return Query(
        kpis=kpis,
        subjects=[Subject("organization"), *teams],
        period=f"{first}..{last}",
        grain="month",
        as_of=seen.at,
        known_at=seen.known_at,
    )


async def _ask(asking: Asking, session: AsyncSession, changed: Mapping[str, KpiHistory], query: Query) -> _Both:
    return _Both(
        await asking.compute(session, query),
        await asking.compute(session, replace(query, definitions=changed)),
    )


def _series(both: _Both) -> list[schemas.MovedSeries]:
    windows = windows_out(both.before)
    return [
        schemas.MovedSeries(
            kpi=face_of(both.before, before.kpi),
            subject=subject_out(before.subject, both.before.names[before.subject]),
            windows=[
                schemas.MovedWindow(window=window, **moved_figure(*cells).model_dump())
                for window, *cells in zip(windows, before.cells, after.cells, strict=True)
            ],
            total=moved_figure(before.total, after.total),
        )
        for before, after in zip(both.before.series, both.after.series, strict=True)
    ]


def moved_figure(before: Cell, after: Cell) -> schemas.MovedFigure:
    """A figure beside what it would be."""
    return schemas.MovedFigure(
        before=figures_out(before),
        after=figures_out(after),
        difference=None if before.value is None or after.value is None else FORMULA.subtract(after.value, before.value),
        moves=(before.value, before.status) != (after.value, after.status),
    )


# --------------------------------------------------------------------------------------------------------- goals


async def _goals(
    session: AsyncSession, org_id: OrganizationId, kpis: Iterable[str]
) -> tuple[list[tuple[Goal, GoalTarget]], int]:
    """The open goals on these KPIs, those that end last first, and how many more there are."""
    found = await session.execute(
        goal_queries.goals(org_id)
        .where(Goal.kpi_key.in_(list(kpis)), Goal.state == "open")
        .order_by(Goal.end_on.desc(), Goal.name, Goal.id)
    )
    rows = [(goal, target) for goal, target in found]
    return rows[:MOST_GOALS], max(0, len(rows) - MOST_GOALS)


async def _goal(
    asking: Asking,
    session: AsyncSession,
    changed: Mapping[str, KpiHistory],
    seen: Moment,
    goal: Goal,
    target: GoalTarget,
) -> schemas.MovedGoal:
    subject = _owner(goal)
    period = period_of(goal)
    query = Query(
        kpis=[goal.kpi_key],
        subjects=[subject],
        period=f"{period.start}..{goal.last_day}" if period.is_fiscal else period.label,
        currency=goal.currency,
        rate_set=goal.rate_set,
        as_of=seen.at,
        known_at=seen.known_at,
    )
    both = await _ask(asking, session, changed, query)
    before, after = (answer.series[0].total for answer in (both.before, both.after))
    kept = await schedules_of(session, asking.org_id, seen.known_at).kept(goal, target.ramp_id)
    return schemas.MovedGoal(
        goal_id=goal.id,
        name=goal.name,
        kpi=goal.kpi_key,
        owner=subject_out(subject, both.before.names[subject]),
        period=goal.period,
        target=target.value,
        low=target.low,
        high=target.high,
        actual=moved_figure(before, after),
        attainment_before=_attainment(both.before, goal, target, kept),
        attainment_after=_attainment(both.after, goal, target, kept),
    )


def _owner(goal: Goal) -> Subject:
    if goal.team_id is not None:
        return Subject("team", goal.team_id)
    return Subject("member", goal.member_id) if goal.member_id is not None else Subject("organization")


def _attainment(answer: Answer, goal: Goal, target: GoalTarget, kept: Fraction) -> Decimal | None:
    """Against the target that absences leave (S30, S31), as the goal's progress tells it."""
    value = answer.series[0].total.value
    traits = {"is_additive": answer.kpis[goal.kpi_key].is_additive, "is_counted": False, "only_grows": False}
    aim = aim_of(cast("Direction", goal.direction), target, **traits).prorated(kept)
    return None if value is None or aim is None else pace.attainment(value, aim)
