"""What a query is answered from besides events, as known at one instant: context, definitions, rates, working time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Select, Text, Uuid, bindparam, column, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as account_service
from app.calendars import service as calendar_service
from app.calendars.periods import DayRange, PeriodError, local_day, parse_period
from app.calendars.working import Instants, WorkCalendar
from app.core import clock
from app.core.configuration import kept, remembered
from app.core.db import OrganizationId, Ready
from app.core.problems import ValidationFailed
from app.employment.facts import Staff
from app.events.models import Event
from app.events.retention import retained_from
from app.kpis.attribution import Attribution, Attributor, Days, Subject, days_between, intersect
from app.kpis.definition import (
    ElapsedMeasure,
    EventMeasure,
    Measure,
    looks,
)
from app.kpis.expressions.syntax import Name, Node, references, walk
from app.kpis.history import KpiHistory
from app.kpis.measures import CurrencyFactors, WorkingClock
from app.kpis.planning import Context, Plan
from app.kpis.questions import MembersOf, Query
from app.kpis.service import UnknownKpi, load_kpis_with_references
from app.rates.conversion import RateBook
from app.rates.service import DEFAULT_SET, has_rates, load_rates
from app.teams.structure import load_structure

_DAY = timedelta(days=1)
_AMOUNT = Name(("amount",))


async def load_context(session: AsyncSession, org_id: OrganizationId, query: Query) -> Context:
    """Settings, calendar and structure as known, and the two instants of the answer (S5)."""
    at = query.as_of or await clock.now(session, org_id)
    known_at = query.known_at or query.as_of or await clock.last_recorded(session, org_id)
    place = await kept(session, org_id, known_at)
    if "context" not in place:
        place.put("context", await _context_by_default(session, org_id, at, known_at), weight=0)  # of what is kept too
    found: Context = place["context"]
    today = local_day(at, found.cut.zone)
    return replace(
        found,
        at=at,
        known_at=known_at,
        currency=query.currency or found.home_currency,
        attributor=await attributor_of(session, org_id, known_at, query.attribution, today),
    )


async def _context_by_default(
    session: AsyncSession, org_id: OrganizationId, at: datetime, known_at: datetime
) -> Context:
    settings = await account_service.settings_as_known(session, org_id, known_at)
    first = await account_service.first_settings(session, org_id, known_at)
    cut = await calendar_service.calendar_settings(session, org_id, known_at)
    structure = await load_structure(session, org_id, known_at)
    home = (settings or first).currency
    return Context(
        org_id=org_id,
        at=at,
        known_at=known_at,
        earliest_as_of=first.recorded_at,
        is_recorded=settings is not None,
        cut=cut,
        currency=home,
        home_currency=home,
        calendar=await calendar_service.organization_calendar(session, org_id, known_at),
        structure=structure,
        attributor=await attributor_of(session, org_id, known_at, "at_event", local_day(at, cut.zone)),
        retained_from=await retained_from(session, org_id, cut.zone, known_at),
    )


async def attributor_of(
    session: AsyncSession, org_id: OrganizationId, known_at: datetime, attribution: Attribution, today: date
) -> Attributor:
    """Who gets what, as recorded by `known_at`; `today`, T's local day, matters for `current` alone."""

    async def make() -> Attributor:
        return Attributor(await load_structure(session, org_id, known_at), attribution, today)

    key = ("attributor", attribution, today if attribution == "current" else None)
    return await remembered(session, org_id, known_at, key, make)


# ------------------------------------------------------------------------------------------------------ definitions


async def load_histories(
    session: AsyncSession, org_id: OrganizationId, query: Query, known_at: datetime
) -> dict[str, KpiHistory]:
    """The KPIs that are asked for, in order, and after them all that they refer to.

    Raises `ValidationFailed` at the KPI or version that there is not.
    """
    try:
        found = await load_kpis_with_references(session, org_id, query.kpis, known_at, given=query.definitions)
    except UnknownKpi as unknown:
        raise _unknown(query, unknown.key) from None
    _refuse_circles(found)
    _check_versions(query, found)
    return found


def _unknown(query: Query, key: str) -> ValidationFailed:
    asked = list(query.kpis)
    place = f"/kpis/{asked.index(key)}" if key in asked else "/kpis"
    return ValidationFailed.at(place, f"There is no KPI {key}.", "kpi_unknown")


def _referred(history: KpiHistory) -> set[str]:
    return {key for version in history.versions for key in references(version.definition.formula)}


def _refuse_circles(histories: Mapping[str, KpiHistory]) -> None:
    """What is stored has none; a definition that is only tried out may."""
    done: set[str] = set()

    def visit(key: str, above: tuple[str, ...]) -> None:
        if key in above:
            message = f"The KPIs refer to each other in a circle: {' → '.join((*above, key))}."
            raise ValidationFailed.at("/kpis", message, "kpi_circular")
        if key not in done:
            for referred in sorted(_referred(histories[key])):
                visit(referred, (*above, key))
            done.add(key)

    for key in histories:
        visit(key, ())


def _check_versions(query: Query, found: Mapping[str, KpiHistory]) -> None:
    for key, number in query.versions.items():
        if key not in found:
            raise ValidationFailed.at(f"/versions/{key}", f"The query does not ask for {key}.", "kpi_not_asked")
        if found[key].versions and found[key].numbered(number) is None:
            raise ValidationFailed.at(f"/versions/{key}", f"{key} has no version {number}.", "kpi_version_unknown")


# -------------------------------------------------------------------------------------------------- when, and of whom


def period_of(query: Query, context: Context) -> DayRange:
    """The days that the query's period means at T. Raises `ValidationFailed`."""
    try:
        return parse_period(query.period, context.today, context.cut)
    except PeriodError as error:
        raise ValidationFailed.at("/period", str(error), "period_invalid") from None


def subjects_of(query: Query, context: Context, during: Days) -> dict[Subject, tuple[Subject, ...]]:
    """The subjects, with each 'members of' opened into its people; and whose events each is shown for: none, always."""
    opened: dict[Subject, tuple[Subject, ...]] = {}
    for place, asked in enumerate(query.subjects):
        if isinstance(asked, MembersOf):
            _require(asked.team_id, context.structure.teams, "team", place)
            people = context.attributor.people_of(asked.team_id, during, whole_person=query.whole_person)
            for person, parts in people.items():
                known = opened.get(person)
                opened[person] = (*(known or ()), *parts) if parts and known != () else ()
        else:
            opened[_known(asked, context, place)] = ()
    return opened


def _known(asked: Subject, context: Context, place: int) -> Subject:
    """The subject by the ids of the structure, which are compared far more quickly than those of a request."""
    teams, members = context.structure.teams, context.structure.members
    subject = asked
    if asked.id is not None:
        known = teams.get(asked.id) if asked.kind == "team" else members.get(asked.id)
        if known is None:
            message = f"There is no {asked.kind} {asked.id}."
            raise ValidationFailed.at(f"/subjects/{place}", message, f"{asked.kind}_unknown")
        subject = Subject(asked.kind, known.id, asked.within)
    if asked.within is not None and asked.within not in teams:
        raise ValidationFailed.at("/within_team", f"There is no team {asked.within}.", "team_unknown")
    return subject


def _require(wanted: UUID | None, known: Mapping[UUID, object], what: str, place: int) -> None:
    if wanted not in known:
        raise ValidationFailed.at(f"/subjects/{place}", f"There is no {what} {wanted}.", f"{what}_unknown")


# ------------------------------------------------------------------------------------------------------------ money


async def load_factors(
    session: AsyncSession, plan: Plan, asked: str | None
) -> tuple[list[CurrencyFactors], str | None]:
    """How the currencies that occur become the query's, on the days that are looked at, and by which set (S26).

    Raises `ValidationFailed` at `/rate_set`.
    """
    context = plan.context
    valued = [measure for measure in plan.measures if _reads_money(measure, plan.query.where)]
    if not valued or not plan.windows:
        in_use = await has_rates(session, context.org_id, asked, context.known_at)
        return [], asked or (DEFAULT_SET if in_use else None)
    book = await load_rates(session, context.org_id, asked, context.known_at)
    factors = await _factors(session, plan, valued, book) if book.held else []
    return factors, asked or (DEFAULT_SET if book.held else None)


async def _factors(
    session: AsyncSession, plan: Plan, valued: Sequence[Measure], book: RateBook
) -> list[CurrencyFactors]:
    context = plan.context
    last = max(*(days.end for days in plan.windows), context.today + 2 * _DAY)
    # What relates events looks at all of them, whenever they happened.
    is_bounded = all(isinstance(measure, EventMeasure) for measure in valued)
    first = min(days.start for days in plan.windows) if is_bounded else date.min
    found = []
    for currency in await _currencies(session, context.org_id, context.currency):
        spans = book.spans(currency, context.currency, first, last, context.home_currency)
        if spans:
            factors = [(span.first_day, span.next_day, span.multiply, span.divide) for span in spans]
            found.append(CurrencyFactors(currency, factors))
    return found


def _reads_money(measure: Measure, on_top: Node | None) -> bool:
    if getattr(measure, "value", None) == _AMOUNT:
        return True
    conditions = [on_top, *(look.where for look in looks(measure))]
    return any(node == _AMOUNT for condition in conditions if condition is not None for node in walk(condition))


async def _currencies(session: AsyncSession, org_id: OrganizationId, to: str) -> list[str]:
    """The other currencies in which anything ever happened."""
    rows = await _CURRENCIES.rows(session, org_id=org_id)
    return [currency for (currency,) in rows if currency and currency != to]


def _currencies_in_use() -> Select[Any]:
    """One after the other, each found by index: to look at all events would take longer with each of them."""
    org_id = bindparam("org_id", type_=Uuid())
    has_one = (Event.org_id == org_id, Event.currency.is_not(None))
    found = select(func.min(Event.currency).label("currency")).where(*has_one).cte("found", recursive=True)
    following = select(func.min(Event.currency)).where(*has_one, Event.currency > found.c.currency).scalar_subquery()
    found = found.union_all(select(following).where(found.c.currency.is_not(None)))
    return select(found.c.currency).where(found.c.currency.is_not(None)).order_by(found.c.currency)


_CURRENCIES = Ready(_currencies_in_use())


# ----------------------------------------------------------------------------------------------------- working time


def on_working_hours(plan: Plan) -> list[ElapsedMeasure]:
    """The measures that count only working time (S16)."""
    return [each for each in plan.measures if isinstance(each, ElapsedMeasure) and each.clock == "working_hours"]


async def load_clock(session: AsyncSession, plan: Plan, staff: Staff) -> WorkingClock:
    """Everybody's working intervals, from the first event that could begin a pair until T (S16)."""
    context = plan.context
    types = sorted({kind for measure in on_working_hours(plan) for kind in measure.start.events})
    is_present = plan.query.as_of is None and plan.query.known_at is None
    row = await _FIRST.row(session, org_id=context.org_id, types=types, with_past=not is_present)
    first: datetime | None = None if row is None else row[0]
    calendars = [staff.calendars.default]
    spans: list[tuple[UUID, date, date, int]] = []
    for mapping in context.structure.mappings:
        for terms in staff.terms.get(mapping.member_id, ()):
            calendar = staff.calendars.of(terms.calendar_id)
            if calendar is calendars[0]:
                continue
            if not any(calendar is known for known in calendars):
                calendars.append(calendar)
            number = next(n for n, known in enumerate(calendars) if known is calendar)
            mapped, held = days_between(mapping.start, mapping.end), days_between(terms.start, terms.end)
            spans += [(mapping.identity_id, *days, number) for days in intersect([mapped], [held])]
    return WorkingClock([_intervals(calendar, first, context.at) for calendar in calendars], spans)


def _first() -> Select[Any]:
    """When the first event of these types happened, by index: as it stands now or, `with_past`, as it ever stood."""
    org_id = bindparam("org_id", type_=Uuid())
    types = func.unnest(bindparam("types", type_=ARRAY(Text()))).table_valued(column("type", Text()), name="types")
    types = types.render_derived()
    first = select(Event.occurred_at).where(Event.org_id == org_id, Event.type == types.c.type)
    first = first.order_by(Event.occurred_at).limit(1)
    stands = first.where(Event.superseded_at.is_(None)).lateral("stands")
    stood = first.where(Event.superseded_at.is_not(None), bindparam("with_past", type_=Boolean())).lateral("stood")
    both = types.outerjoin(stands, true()).outerjoin(stood, true())
    return select(func.min(func.least(stands.c.occurred_at, stood.c.occurred_at))).select_from(both)


_FIRST = Ready(_first())


def _intervals(calendar: WorkCalendar, first: datetime | None, at: datetime) -> list[Instants]:
    """The calendar's working intervals between two instants."""
    if first is None or first > at:
        return []
    days = local_day(first, calendar.zone) - _DAY, local_day(at, calendar.zone) + _DAY
    return [(start, min(end, at)) for start, end in calendar.intervals_between(*days) if start < at]
