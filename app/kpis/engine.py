"""Computes KPI results on demand, from the ledger alone.

A query is planned first (which measures over which days each cell needs), asked in one statement, and
evaluated cell by cell from what came back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import queries as accounts
from app.accounts import service as account_service
from app.calendars import service as calendar_service
from app.calendars.periods import DayRange, PeriodError, first_instant, local_day, parse_period
from app.core import clock
from app.core.db import OrganizationId
from app.core.problems import Problem, ValidationFailed
from app.kpis import formulas, measures
from app.kpis.attribution import Attributor, Days, Subject
from app.kpis.history import KpiHistory
from app.kpis.measures import Audience
from app.kpis.planning import Context, Cut, Part, Place, Plan
from app.kpis.questions import Answer, Cell, Comparison, KpiFace, MembersOf, Query, Series, Status, ToDate
from app.kpis.service import UnknownKpi, load_kpis
from app.teams.facts import Structure
from app.teams.structure import load_structure

MAX_CELLS = 50_000
NOT_RECORDED = Cell(None, "not_recorded_yet")


class QueryTooLarge(Problem):
    """The answer would have more values than one answer may: ask for fewer days, subjects or KPIs."""

    status, code, title = 422, "query-too-large", "Query too large"


async def compute(session: AsyncSession, org_id: OrganizationId, query: Query, *, max_cells: int = MAX_CELLS) -> Answer:
    """The answer to a query, in the snapshot that the session reads.

    Raises `ValidationFailed` at the place in the query that cannot be answered, and `QueryTooLarge`.
    """
    prepared = await prepare(session, org_id, query, max_cells=max_cells)
    series = [
        prepared.figures.series(history, subject) for history in prepared.histories for subject in prepared.subjects
    ]
    return _answer(prepared, series)


@dataclass(frozen=True)
class Prepared:
    """A query, planned and asked."""

    query: Query
    plan: Plan
    histories: Sequence[KpiHistory]
    subjects: Sequence[Subject]
    figures: "Figures"

    @property
    def context(self) -> Context:
        """Everything but events that decides the answer."""
        return self.plan.context


async def prepare(
    session: AsyncSession, org_id: OrganizationId, query: Query, *, max_cells: int = MAX_CELLS
) -> Prepared:
    """Plan a query and ask its one statement. Raises as `compute` does."""
    context = await load_context(session, org_id, query)
    histories = await _histories(session, org_id, query, context.known_at)
    period = _period(query, context)
    subjects = _subjects(query, context, period)
    plan = Plan(context, query, period)
    size = len(histories) * len(subjects) * len(plan.places())
    if size > max_cells:
        raise QueryTooLarge(f"The answer would have {size} values; at most {max_cells} are possible.")
    for history in histories:
        plan.add(history)
    numbered = list(subjects)
    figures = Figures(plan, numbered, await _ask(session, plan, numbered))
    shown = [subject for subject, always in subjects.items() if always or figures.has_any(subject)]
    return Prepared(query, plan, histories, shown, figures)


async def load_context(session: AsyncSession, org_id: OrganizationId, query: Query) -> Context:
    """Settings, calendar and structure as known, and the two instants of the answer (S5)."""
    at = query.as_of or await clock.now(session, org_id)
    known_at = query.known_at or query.as_of or await clock.last_recorded(session, org_id)
    settings = await account_service.settings_as_known(session, org_id, known_at)
    first = (await session.execute(accounts.first_settings(org_id))).scalar_one()
    cut = await calendar_service.calendar_settings(session, org_id, known_at)
    structure = await load_structure(session, org_id, known_at)
    return Context(
        org_id=org_id,
        at=at,
        known_at=known_at,
        earliest_as_of=first.recorded_at,
        is_recorded=settings is not None,
        cut=cut,
        currency=query.currency or (settings or first).currency,
        calendar=await calendar_service.organization_calendar(session, org_id, known_at),
        structure=structure,
        attributor=Attributor(structure, query.attribution, local_day(at, cut.zone)),
    )


async def _histories(
    session: AsyncSession, org_id: OrganizationId, query: Query, known_at: datetime
) -> list[KpiHistory]:
    try:
        found = await load_kpis(session, org_id, query.kpis, known_at)
    except UnknownKpi as unknown:
        place = f"/kpis/{list(query.kpis).index(unknown.key)}"
        raise ValidationFailed.at(place, f"There is no KPI {unknown.key}.", "kpi_unknown") from None
    for key, number in query.versions.items():
        if key not in found:
            raise ValidationFailed.at(f"/versions/{key}", f"The query does not ask for {key}.", "kpi_not_asked")
        if key in found and found[key].versions and found[key].numbered(number) is None:
            raise ValidationFailed.at(f"/versions/{key}", f"{key} has no version {number}.", "kpi_version_unknown")
    return list(found.values())


def _period(query: Query, context: Context) -> DayRange:
    try:
        return parse_period(query.period, local_day(context.at, context.cut.zone), context.cut)
    except PeriodError as error:
        raise ValidationFailed.at("/period", str(error), "period_invalid") from None


def _subjects(query: Query, context: Context, period: DayRange) -> dict[Subject, bool]:
    """The subjects, with each 'members of' opened into its people; and whether each is shown without any event."""
    opened: dict[Subject, bool] = {}
    during = Days(period.start, period.end)
    for place, asked in enumerate(query.subjects):
        if isinstance(asked, MembersOf):
            _require(asked.team_id, context.structure.teams, "team", place)
            people = context.attributor.people_of(asked.team_id, during, whole_person=query.whole_person)
            opened.update({person: was_there or opened.get(person, False) for person, was_there in people.items()})
        else:
            if asked.kind == "team":
                _require(asked.id, context.structure.teams, "team", place)
            if asked.kind == "member":
                _require(asked.id, context.structure.members, "member", place)
            opened[asked] = True
    return opened


def _require(wanted: UUID | None, known: Mapping[UUID, object], what: str, place: int) -> None:
    if wanted not in known:
        raise ValidationFailed.at(f"/subjects/{place}", f"There is no {what} {wanted}.", f"{what}_unknown")


# --------------------------------------------------------------------------------------------------------- asking


async def _ask(session: AsyncSession, plan: Plan, subjects: Sequence[Subject]) -> Iterable[measures.Row]:
    """The rows of the one statement."""
    context = plan.context
    if not plan.windows or not context.is_recorded:
        return []
    audience = audience_of(context, subjects)
    asked = measures.statement(plan.scope, audience, list(plan.windows), list(plan.measures), list(plan.groups))
    return [measures.Row(*row) for row in await session.execute(asked)]


def audience_of(context: Context, subjects: Sequence[Subject]) -> Audience:
    """The subjects, by number, with whose credits they get."""
    return Audience(
        everything=[n for n, subject in enumerate(subjects) if subject.kind == "organization"],
        spans=[(n, span) for n, subject in enumerate(subjects) for span in context.attributor.spans(subject)],
    )


class Figures:
    """Cells, evaluated from the rows that came back."""

    def __init__(self, plan: Plan, subjects: Sequence[Subject], rows: Iterable[measures.Row]) -> None:
        self._plan = plan
        self._numbers = {subject: n for n, subject in enumerate(subjects)}
        self._rows = {(row.kind, row.number, row.subject, row.window): row for row in rows}

    def has_any(self, subject: Subject) -> bool:
        """Whether any event of the period counts for the subject, or would but for its value."""
        number, window = self._numbers[subject], self._plan.windows.get(self._plan.total.days)
        return any((row.subject, row.window) == (number, window) for row in self._rows.values())

    def series(self, history: KpiHistory, subject: Subject) -> Series:
        """The KPI of a subject over all windows, with its comparison."""
        cells = tuple(self.cell(history, subject, place) for place in self._plan.tiles)
        total = self.cell(history, subject, self._plan.total)
        return Series(history.key, subject, cells, total, self._comparison(history, subject))

    def _comparison(self, history: KpiHistory, subject: Subject) -> Comparison | None:
        plan = self._plan
        if plan.before_total is None:
            return None
        to_dates = [self._to_date(history, subject, cut) for cut in plan.cuts]
        return Comparison(
            windows=tuple(place.window if place else None for place in plan.before),
            cells=tuple(
                self.cell(history, subject, place) if place else Cell(None, "no_data") for place in plan.before
            ),
            total=self.cell(history, subject, plan.before_total),
            to_date=to_dates[0],
            to_date_by_window=tuple(to_dates[1:]),
        )

    def _to_date(self, history: KpiHistory, subject: Subject, cut: Cut | None) -> ToDate | None:
        if cut is None:
            return None
        current, previous = (self.cell(history, subject, place) for place in (cut.current, cut.previous))
        return ToDate(cut.working_days, current, previous)

    def cell(self, history: KpiHistory, subject: Subject, place: Place) -> Cell:
        """One figure, with the first status that applies (S12)."""
        if not history.versions or not self._is_recorded(subject):
            return NOT_RECORDED
        parts = self._plan.parts(history, place)
        if parts is None:
            return Cell(None, "mixed_versions")
        values = [formulas.as_figure(self._value(part, subject)) for part in parts]
        value = values[0] if len(values) == 1 else sum((each for each in values if each is not None), Decimal(0))
        enters, left_out, still_open, pending = self._counts(parts, subject)
        status: Status = "no_data" if value is None else "partial" if left_out else "ok"
        version = parts[0].version.number if len({part.version.number for part in parts}) == 1 else None
        return Cell(value, status, enters, version, left_out, still_open, pending)

    def _is_recorded(self, subject: Subject) -> bool:
        context = self._plan.context
        if not context.is_recorded:
            return False
        structure = context.structure
        known = [structure.teams[subject.within].recorded_at] if subject.within else []
        if subject.kind == "team" and subject.id:
            known.append(structure.teams[subject.id].recorded_at)
        if subject.kind == "member" and subject.id:
            known.append(structure.members[subject.id].recorded_at)
        return all(recorded_at <= context.known_at for recorded_at in known)

    def _value(self, part: Part, subject: Subject) -> Decimal | None:
        def measure_at(name: str, windows_back: int) -> Decimal | None:
            return self.measured(part, subject, name, windows_back)

        return formulas.evaluate(part.version.definition.formula, measure_at)

    def measured(self, part: Part, subject: Subject, name: str, windows_back: int = 0) -> Decimal | None:
        """The value of one measure, in the part's days or so many windows before."""
        measure = part.version.definition.measures[name]
        days = part.place.back(windows_back, self._plan.context.cut).days
        row = self._row("measure", self._plan.measures[measure], subject, days)
        return formulas.aggregated(measure, row.a, row.b, row.c) if row else formulas.aggregated(measure, None)

    def _counts(self, parts: Sequence[Part], subject: Subject) -> tuple[int, int, int, int]:
        """Events that entered, were left out (here or in a window before), are open, are pending (S15, S25)."""
        enters = left_out = still_open = pending = 0
        for part in parts:
            for days, used in self._plan.reads(part).items():
                for row in self._counting_rows(used, subject, days):
                    left_out += row.left_out
                    if days == part.place.days:
                        enters += row.enters
                        still_open += row.open
                        pending += row.pending
        return enters, left_out, still_open, pending

    def _counting_rows(self, used: tuple[int, ...], subject: Subject, days: Days) -> list[measures.Row]:
        """The rows that together count each event of these measures once."""
        if used in self._plan.groups:
            rows = [self._row("group", self._plan.groups[used], subject, days)]
        else:
            rows = [self._row("measure", number, subject, days) for number in used]
        return [row for row in rows if row is not None]

    def _row(self, kind: str, number: int, subject: Subject, days: Days) -> measures.Row | None:
        return self._rows.get((kind, number, self._numbers[subject], self._plan.windows[days]))


# ------------------------------------------------------------------------------------------------------ answering


def _answer(prepared: Prepared, series: Sequence[Series]) -> Answer:
    context, plan, query = prepared.context, prepared.plan, prepared.query
    tiles = tuple(place.window for place in plan.tiles)
    zone = context.cut.zone
    return Answer(
        as_of=context.at,
        known_at=context.known_at,
        earliest_as_of=context.earliest_as_of,
        time_zone=zone.key,
        currency=context.currency,
        calendar=context.calendar.name,
        period=plan.period,
        windows=tiles,
        instants=tuple((first_instant(tile.start, zone), first_instant(tile.end, zone)) for tile in tiles),
        is_complete=tuple(plan.is_complete(tile) for tile in tiles),
        kpis={history.key: _face(history, query.versions.get(history.key)) for history in prepared.histories},
        names={subject: name_of(subject, context.structure) for subject in prepared.subjects},
        series=tuple(series),
    )


def _face(history: KpiHistory, named: int | None) -> KpiFace:
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
        is_additive=bool(latest and latest.definition.is_additive),
    )


def name_of(subject: Subject, structure: Structure) -> str | None:
    """The name of a team or member."""
    if subject.kind == "team" and subject.id:
        return structure.teams[subject.id].name
    if subject.kind == "member" and subject.id:
        return structure.members[subject.id].name
    return None
