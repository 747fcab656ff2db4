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
from app.calendars.periods import (
    CalendarSettings,
    DayRange,
    Grain,
    PeriodError,
    Window,
    first_instant,
    local_day,
    parse_period,
    previous_period,
    previous_window,
    windows,
)
from app.calendars.working import WorkCalendar
from app.core import clock
from app.core.db import OrganizationId
from app.core.problems import Problem, ValidationFailed
from app.kpis import formulas, measures
from app.kpis.attribution import Attributor, Days, Subject
from app.kpis.definition import Measure
from app.kpis.history import KpiHistory, KpiVersionFacts, version_on
from app.kpis.measures import Audience, Scope
from app.kpis.questions import Answer, Cell, Comparison, KpiFace, MembersOf, Query, Series, Status, ToDate
from app.kpis.service import UnknownKpi, load_kpis
from app.teams.facts import Structure
from app.teams.structure import load_structure

MAX_CELLS = 50_000
NOT_RECORDED = Cell(None, "not_recorded_yet")


class QueryTooLarge(Problem):
    """The answer would have more values than one answer may: ask for fewer days, subjects or KPIs."""

    status, code, title = 422, "query-too-large", "Query too large"


@dataclass(frozen=True)
class Context:
    """Everything but events that decides an answer, as known at one instant (S5)."""

    org_id: OrganizationId
    at: datetime
    known_at: datetime
    earliest_as_of: datetime
    is_recorded: bool
    cut: CalendarSettings
    currency: str
    calendar: WorkCalendar
    structure: Structure
    attributor: Attributor


@dataclass(frozen=True)
class Place:
    """Days of which a figure is asked, and the kind of window they are (what lies before depends on it, S21)."""

    window: Window
    grain: Grain

    @property
    def days(self) -> Days:
        """The days alone."""
        return Days(self.window.start, self.window.end)

    def back(self, count: int, cut: CalendarSettings) -> "Place":
        """The place so many windows before."""
        if count == 0:
            return self
        return Place(previous_window(self.window, self.grain, cut), self.grain).back(count - 1, cut)


@dataclass(frozen=True)
class Part:
    """Days of a cell on which one version of the KPI is valid (S24)."""

    version: KpiVersionFacts
    place: Place


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
    plan: "Plan"
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


# ------------------------------------------------------------------------------------------------------- planning


class Plan:
    """Which measures are needed over which days; numbers them for the statement."""

    def __init__(self, context: Context, query: Query, period: DayRange) -> None:
        self.context = context
        self.query = query
        self.period = Window(period.label, period.start, period.end)
        self.total = Place(self.period, "total")
        self.tiles = [Place(window, query.grain) for window in windows(period, query.grain, context.cut)]
        self.before_total: Place | None = None
        self.before: list[Place | None] = []
        if query.compare_previous:
            self._shift(period)
        self.measures: dict[Measure, int] = {}
        self.windows: dict[Days, int] = {}
        self.groups: dict[tuple[int, ...], int] = {}
        self._parts: dict[tuple[str, Days], list[Part] | None] = {}

    @property
    def scope(self) -> Scope:
        """From which point of view the ledger is read."""
        context = self.context
        return Scope(
            org_id=context.org_id,
            known_at=context.known_at,
            at=context.at,
            time_zone=context.cut.zone.key,
            currency=context.currency,
            where=self.query.where,
        )

    def _shift(self, period: DayRange) -> None:
        """The whole period is shifted, then cut into windows of its own (S21)."""
        shifted = previous_period(period)
        earlier = [Place(window, self.query.grain) for window in windows(shifted, self.query.grain, self.context.cut)]
        self.before_total = Place(Window(shifted.label, shifted.start, shifted.end), "total")
        self.before = [earlier[n] if n < len(earlier) else None for n in range(len(self.tiles))]

    def places(self) -> list[Place]:
        """Every place of which a figure is shown."""
        shown: list[Place | None] = [self.total, *self.tiles, self.before_total, *self.before]
        for now, then in self.pairs():
            shown += self.to_date(now, then)[1:] if self.to_date(now, then) else []
        return [place for place in shown if isinstance(place, Place)]

    def pairs(self) -> list[tuple[Place, Place | None]]:
        """Each place with the one that it is compared with, the total first."""
        if self.before_total is None:
            return []
        return [(self.total, self.before_total), *zip(self.tiles, self.before, strict=True)]

    def to_date(self, now: Place, then: Place | None) -> list[Place] | tuple[()]:
        """Both places cut after the working days that are past; nothing where there is nothing to cut (S21).

        Three places, the first one `now` itself as a mark of which pair it is.
        """
        count = self.working_days_past(now)
        if then is None or count == 0 or self.is_complete(now.window):
            return ()
        return [now, self._cut(now, count), self._cut(then, count)]

    def working_days_past(self, place: Place) -> int:
        """How many working days of the organization's calendar in this place have ended by T."""
        today = local_day(self.context.at, self.context.cut.zone)
        past = DayRange(place.window.start, place.window.end).until(today)
        return self.context.calendar.working_days(past)

    def _cut(self, place: Place, count: int) -> Place:
        end = self.context.calendar.cut_after(DayRange(place.window.start, place.window.end), count)
        return Place(Window("", place.window.start, end, is_partial=True), "day")

    def is_complete(self, window: Window) -> bool:
        """Whether the window's end lies at or before T (S3)."""
        return first_instant(window.end, self.context.cut.zone) <= self.context.at

    def add(self, history: KpiHistory) -> None:
        """Note what the figures of this KPI need."""
        for place in self.places():
            for part in self.parts(history, place) or []:
                for days, used in self.reads(part).items():
                    self._note(days, used)

    def parts(self, history: KpiHistory, place: Place) -> list[Part] | None:
        """The place by the versions that are valid in it; None where they do not add up (`mixed_versions`, S24)."""
        key = (history.key, place.days)
        if key not in self._parts:
            self._parts[key] = _by_version(history, place, self.query.versions.get(history.key))
        return self._parts[key]

    def reads(self, part: Part) -> dict[Days, tuple[int, ...]]:
        """The measures that a part's formula reads, by number, for each run of days that it reads them in."""
        definition = part.version.definition
        found: dict[Days, set[int]] = {}
        for use in formulas.uses(definition.formula):
            number = self.measures.setdefault(definition.measures[use.measure], len(self.measures))
            days = part.place.back(use.windows_back, self.context.cut).days
            found.setdefault(days, set()).add(number)
        return {days: tuple(sorted(numbers)) for days, numbers in found.items()}

    def _note(self, days: Days, used: tuple[int, ...]) -> None:
        self.windows.setdefault(days, len(self.windows))
        if self.shares_events(used):
            self.groups.setdefault(used, len(self.groups))

    def shares_events(self, used: tuple[int, ...]) -> bool:
        """Whether events must be counted over these measures together, for one may be in several."""
        numbered = list(self.measures)
        return measures.may_share_events([numbered[number] for number in used])


def _by_version(history: KpiHistory, place: Place, named: int | None) -> list[Part] | None:
    if not history.versions:
        return []
    if named is not None:
        version = history.numbered(named)
        return [Part(version, place)] if version else []
    start, end = place.days
    edges = sorted({v.valid_from for v in history.versions if v.valid_from and start < v.valid_from < end})
    runs = zip([start, *edges], [*edges, end], strict=True)
    valid = [(version_on(history.versions, first), Days(first, following)) for first, following in runs]
    if len({version.number for version, _ in valid}) == 1:
        return [Part(valid[0][0], place)]
    if not all(version.definition.is_additive for version, _ in valid):
        return None
    return [Part(version, Place(Window("", *days, is_partial=True), "day")) for version, days in valid]


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
        to_dates = [self._to_date(history, subject, now, then) for now, then in plan.pairs()]
        return Comparison(
            windows=tuple(place.window if place else None for place in plan.before),
            cells=tuple(
                self.cell(history, subject, place) if place else Cell(None, "no_data") for place in plan.before
            ),
            total=self.cell(history, subject, plan.before_total),
            to_date=to_dates[0],
            to_date_by_window=tuple(to_dates[1:]),
        )

    def _to_date(self, history: KpiHistory, subject: Subject, now: Place, then: Place | None) -> ToDate | None:
        cut = self._plan.to_date(now, then)
        if not cut:
            return None
        current, previous = (self.cell(history, subject, place) for place in cut[1:])
        return ToDate(self._plan.working_days_past(now), current, previous)

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
