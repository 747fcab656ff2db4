"""Computes KPI results on demand, from the ledger alone.

A query is planned first (which measures over which days each cell needs), asked in one statement, and
evaluated cell by cell from what came back.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import first_instant
from app.core.configuration import kept
from app.core.db import OrganizationId
from app.core.problems import Problem
from app.employment.loading import load_staff
from app.kpis import loading
from app.kpis.asking import Asked, audience_of
from app.kpis.attribution import Subject
from app.kpis.figures import Figures, Grouped, View
from app.kpis.grouping import find_groups, grouping_of, whole_subjects
from app.kpis.history import KpiHistory, counts_places, is_latest_additive, looking_back
from app.kpis.loading import load_context
from app.kpis.planning import Context, Plan, planned_as
from app.kpis.ports import Targets
from app.kpis.questions import Answer, GroupBy, KpiFace, Query, Series
from app.kpis.slicing import Slices
from app.teams.facts import Structure

__all__ = ["Asked", "Figures", "audience_of", "compute", "load_context", "prepare", "stream"]

MAX_CELLS = 50_000
_T = TypeVar("_T")

CHUNK_CELLS = 10_000
"""About so many values are computed at a time where an answer is streamed."""


class QueryTooLarge(Problem):
    """The answer would have more values than one answer may: ask for fewer days, subjects or KPIs, or stream it."""

    status, code, title = 422, "query-too-large", "Query too large"


async def compute(
    session: AsyncSession,
    org_id: OrganizationId,
    query: Query,
    *,
    max_cells: int = MAX_CELLS,
    targets: Targets | None = None,
) -> Answer:
    """The answer to a query, in the snapshot that the session reads.

    Without `targets` what was aimed at is not known, and `target(kpi.x)` is no data. Raises `ValidationFailed` at the
    place in the query that cannot be answered, and `QueryTooLarge`.
    """
    prepared = await prepare(session, org_id, query, max_cells=max_cells, targets=targets)
    return prepared.answer(list(prepared.series()))


@dataclass(frozen=True)
class Prepared:
    """A query, planned and asked for all its subjects or some of them."""

    asked: Asked
    figures: Figures
    subjects: Sequence[Subject]
    kpis: Sequence[KpiHistory]

    @property
    def query(self) -> Query:
        """What was asked."""
        return self.asked.query

    @property
    def plan(self) -> Plan:
        """What the figures need."""
        return self.asked.plan

    @property
    def histories(self) -> Sequence[KpiHistory]:
        """The KPIs that were asked for."""
        return self.asked.kpis

    @property
    def context(self) -> Context:
        """Everything but events that decides the answer."""
        return self.plan.context

    def name_of(self, subject: Subject) -> str | None:
        """The name of a team or member."""
        return name_of(subject, self.context.structure)

    def each(self) -> Iterator[tuple[KpiHistory, View]]:
        """What the answer has a series of, in order."""
        groups = self._groups()
        views = [self.figures.view(subject, grouped) for subject in self.subjects for grouped in groups]
        return ((history, view) for history in self.kpis for view in views)

    def series(self) -> Iterator[Series]:
        """All series, each computed as it is taken."""
        return (view.series(history) for history, view in self.each())

    def _groups(self) -> list[Grouped | None]:
        """The groups that are shown: the rest only where it was asked for or something is in it."""
        groups = self.asked.groups
        if self.asked.is_cut or self.figures.has_rest:
            return list(groups)
        return [each for each in groups if each is None or each.group.kind != "rest"]

    def answer(self, series: Sequence[Series]) -> Answer:
        """The answer with these series."""
        context, plan, query = self.context, self.plan, self.query
        tiles = tuple(place.window for place in plan.tiles)
        zone = context.cut.zone
        # A tile begins where the one before it ends.
        instants = {day: first_instant(day, zone) for tile in tiles for day in (tile.start, tile.end)}
        looking = _looking_back(plan)
        return Answer(
            as_of=context.at,
            known_at=context.known_at,
            earliest_as_of=context.earliest_as_of,
            retained_from=context.retained_from,
            time_zone=zone.key,
            currency=context.currency,
            rate_set=query.rate_set or self.asked.rate_set,
            calendar=context.calendar.name,
            holidays=context.calendar.holidays - context.calendar.extra_working_days,
            period=plan.period,
            windows=tiles,
            instants=tuple((instants[tile.start], instants[tile.end]) for tile in tiles),
            is_complete=tuple(instants[tile.end] <= context.at for tile in tiles),
            kpis={
                history.key: _face(
                    history, plan.additive, query.versions.get(history.key), looks_back=history.key in looking
                )
                for history in self.histories
            },
            names={subject: name_of(subject, context.structure) for subject in self.subjects},
            series=tuple(series),
        )


async def prepare(
    session: AsyncSession,
    org_id: OrganizationId,
    query: Query,
    *,
    max_cells: int = MAX_CELLS,
    targets: Targets | None = None,
) -> Prepared:
    """Plan a query and ask its one statement. Raises as `compute` does."""
    asked = await plan_query(session, org_id, query, max_cells=max_cells, targets=targets)
    return await _asked_of(session, asked, list(asked.subjects))


async def stream(
    session: AsyncSession, org_id: OrganizationId, query: Query, *, max_cells: int, targets: Targets | None = None
) -> AsyncIterator[Prepared]:
    """The answer in parts, some subjects or KPIs at a time, all in the snapshot that the session reads.

    The first part says everything that holds for all of them. Raises as `compute` does.
    """
    asked = await plan_query(session, org_id, query, max_cells=max_cells, targets=targets)
    at_once = max(1, CHUNK_CELLS // max(1, asked.places))
    for subjects in list(_batched(list(asked.subjects), at_once)) or [[]]:
        for part in _by_kpis(asked, subjects):
            yield replace(await _asked_of(session, part, subjects), asked=asked)


def _batched(items: Sequence[_T], at_once: int) -> Iterator[Sequence[_T]]:
    """The items, so many at a time."""
    return (items[start : start + at_once] for start in range(0, len(items), at_once))


def _by_kpis(asked: Asked, subjects: Sequence[Subject]) -> Iterator[Asked]:
    """The question, or where one subject has too many values for one statement, some of its KPIs at a time.

    Not of a subject that is shown only where any of the KPIs has something.
    """
    each = asked.places // len(asked.kpis)
    if asked.places <= CHUNK_CELLS or any(asked.subjects[subject] for subject in subjects):
        yield asked
        return
    for kpis in _batched(asked.kpis, max(1, CHUNK_CELLS // each)):
        yield replace(asked, kpis=kpis, plan=_plan_of(asked, kpis))


def _plan_of(asked: Asked, kpis: Sequence[KpiHistory], *, only_total: bool = False) -> Plan:
    """Another plan of the same question, for some of its KPIs or over the total alone."""
    whole = asked.plan
    period = loading.period_of(asked.query, asked.context)
    plan = Plan(asked.context, asked.query, period, whole.histories, only_total=only_total)
    for history in kpis:
        plan.add(history)
    plan.factors, plan.clock, plan.grouping = whole.factors, whole.clock, whole.grouping
    return plan


async def _asked_of(session: AsyncSession, asked: Asked, subjects: Sequence[Subject]) -> Prepared:
    # Whoever left before is shown for a part in the team's figure, and not for all else that they did (S8).
    parts = {subject: asked.subjects[subject] for subject in subjects}
    figures = await asked.figures(session, list(dict.fromkeys([*subjects, *chain(*parts.values())])))
    seen = figures.subjects_with_any(asked.kpis) if any(parts.values()) else set()
    shown = [subject for subject, told_by in parts.items() if not told_by or not seen.isdisjoint(told_by)]
    return Prepared(asked, figures, shown, asked.kpis)


# ------------------------------------------------------------------------------------------------------- planning


async def plan_query(
    session: AsyncSession,
    org_id: OrganizationId,
    query: Query,
    *,
    max_cells: int = MAX_CELLS,
    targets: Targets | None = None,
) -> Asked:
    """Everything but the events. Raises as `compute` does."""
    context = await load_context(session, org_id, query)
    place = await kept(session, org_id, context.known_at)
    key = None if query.definitions else ("plan", planned_as(query, context))
    known: Plan | None = place.get(key)
    if known is not None:
        plan = known.seen(context, query)
    else:
        histories = await loading.load_histories(session, org_id, query, context.known_at)
        plan = Plan(context, query, loading.period_of(query, context), histories)
    kpis = [plan.histories[name] for name in dict.fromkeys(query.kpis)]
    asked = Asked(query, plan, kpis, loading.subjects_of(query, context, plan.total.days), targets=targets)
    _require_size(asked, max_cells)
    if known is None:
        for history in kpis:
            plan.add(history)
        if key is not None:
            place.put(key, plan.seen(context, replace(query, subjects=())), plan.weight)
    await _load(session, asked)
    if query.group_by is not None:
        await _group(session, asked, query.group_by)
        _require_size(asked, max_cells)
    return asked


def _require_size(asked: Asked, max_cells: int) -> None:
    size = asked.places * len(asked.subjects)
    if size > max_cells:
        raise QueryTooLarge(
            f"The answer would have {size} values; at most {max_cells} are possible. Ask for fewer windows, subjects, "
            "groups or KPIs."
        )


async def _load(session: AsyncSession, asked: Asked) -> None:
    """What the plan turned out to need: working time, attributes of people, rates."""
    plan, context, by = asked.plan, asked.context, asked.query.group_by
    has_clock = bool(loading.on_working_hours(plan))
    attribute = by.attribute if by is not None else None
    if plan.staff_days or has_clock or attribute:
        asked.staff = await load_staff(session, context.org_id, context.known_at)
        if has_clock:
            plan.clock = await loading.load_clock(session, plan, asked.staff)
        if attribute:
            asked.slices = Slices(context.structure, asked.staff, context.attributor, attribute)
    plan.factors, asked.rate_set = await loading.load_factors(session, plan, asked.query.rate_set)


async def _group(session: AsyncSession, asked: Asked, by: GroupBy) -> None:
    """Find the groups over the total, then group by them."""
    plan = _plan_of(asked, asked.kpis, only_total=True)
    total = Asked(asked.query, plan, asked.kpis, whole_subjects(asked.query), asked.staff, asked.slices)
    asked.groups, asked.is_cut = await find_groups(session, total, by)
    if by.event is not None:
        asked.plan.grouping = grouping_of(by.event, asked.groups)


# ------------------------------------------------------------------------------------------------------ answering


def _looking_back(plan: Plan) -> AbstractSet[str]:
    """The KPIs that events before a window decide; asked only where some of these are gone."""
    if plan.context.retained_from is None:
        return frozenset()
    return set(plan.histories) if counts_places(plan.query.where) else looking_back(plan.histories)


def _face(history: KpiHistory, additive: Mapping[str, bool], named: int | None, *, looks_back: bool) -> KpiFace:
    """As the latest version (or the one named) shows it; before any was recorded, without a unit."""
    version = history.numbered(named) if named else None
    latest = version or max(history.versions, key=lambda each: each.number, default=None)
    return KpiFace(
        key=history.key,
        name=history.name,
        unit=latest.unit if latest else {},
        direction=latest.definition.direction if latest else "increase",
        display=history.display,
        thresholds=history.thresholds,
        is_additive=is_latest_additive(history, additive, named),
        looks_back=looks_back,
    )


def name_of(subject: Subject, structure: Structure) -> str | None:
    """The name of a team or member."""
    if subject.kind == "team" and subject.id:
        return structure.teams[subject.id].name
    if subject.kind == "member" and subject.id:
        return structure.members[subject.id].name
    return None
