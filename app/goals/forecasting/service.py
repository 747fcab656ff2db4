"""Use cases of forecasts: of a goal, and of any KPI of any owner."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import isfinite

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange, PeriodError, local_day, parse_period
from app.calendars.service import calendar_settings
from app.core import clock
from app.core.configuration import kept
from app.core.db import OrganizationId
from app.core.problems import ValidationFailed
from app.core.snapshots import Snapshots
from app.goals.forecasting import additive, drawing, schemas
from app.goals.forecasting.days import VALUES_A_ROW
from app.goals.forecasting.drawing import Sums, digest_of
from app.goals.forecasting.ending import Ending
from app.goals.forecasting.history import Asked, History, load, together
from app.goals.forecasting.reasons import LEAST_DAYS_WITH_ANY, LEAST_WORKING_DAYS, LONGEST_AHEAD, Code, Unknown
from app.goals.pace import Direction
from app.goals.schemas import OwnerInput
from app.goals.targets import target_values
from app.kpis.attribution import Subject
from app.kpis.engine import compute, load_context
from app.kpis.history import KpiVersionFacts
from app.kpis.questions import Cell, Query, Status
from app.kpis.service import UnknownKpi, load_kpis

_PLACES = 6
_WITHOUT_VALUE: Mapping[Status, Code] = {
    "not_recorded_yet": "not_recorded_yet",
    "not_retained": "not_retained",
    "mixed_versions": "mixed_versions",
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a forecast is of, and what is aimed at: a target with a stretch, or a band of `low` and `high`.

    `as_of` and `known_at` as in a `Query`: None is the present of the session's snapshot. `so_far` is the figure up to
    then, where it is known and nothing was left out.
    """

    kpi: str
    subject: Subject
    period: DayRange
    direction: Direction = "increase"
    target: Decimal | None = None
    stretch: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    currency: str | None = None
    rate_set: str | None = None
    as_of: datetime | None = None
    known_at: datetime | None = None
    so_far: Decimal | None = None

    @property
    def question(self) -> Query:
        """Its figure over the whole period."""
        days = f"{self.period.start}..{self.period.end - timedelta(days=1)}"
        return Query(
            kpis=[self.kpi],
            subjects=[self.subject],
            period=days,
            currency=self.currency,
            rate_set=self.rate_set,
            as_of=self.as_of,
            known_at=self.known_at,
        )

    @property
    def asked(self) -> Asked:
        """Of which history."""
        return Asked(self.kpi, self.subject, self.currency, self.rate_set, self.as_of, self.known_at)


async def forecast_of(session: AsyncSession, org_id: OrganizationId, wanted: Wanted) -> schemas.Forecast:
    """Where the KPI will end, in the snapshot that the session reads; `unknown` with the reason where nobody can say.

    Raises `ValidationFailed` where KPI, owner or rate set do not exist.
    """
    if (await load_context(session, org_id, wanted.question)).today >= wanted.period.end:
        return await _certain(session, org_id, wanted)
    try:
        history = await load(session, org_id, wanted.asked, wanted.period, so_far=wanted.so_far)
    except Unknown as reason:
        return unknown(wanted, reason, wanted.so_far)
    try:
        sums = history.cut(wanted.period)
        ending = await _ending(session, org_id, wanted, history, sums)
    except Unknown as reason:
        return _told(wanted, history, reason=reason).model_copy(update={"actual": wanted.so_far})
    return _told(wanted, history, sums, ending)


async def forecast_of_sum(
    session: AsyncSession, org_id: OrganizationId, wanted: Wanted, subjects: Sequence[Subject], actual: Decimal
) -> schemas.Forecast:
    """The same of a sum that has come to `actual`, and to which these subjects bring all that is still to come."""
    if not subjects:  # nobody does
        found = _told(wanted, ending=Ending([float(actual)]), actual=float(actual))
        is_over = (await load_context(session, org_id, wanted.question)).today >= wanted.period.end
        ends = dict.fromkeys(("actual", "p10", "p50", "p90"), actual)
        return found.model_copy(update={"is_certain": is_over, **ends})
    try:
        told = [replace(wanted, subject=subject).asked for subject in subjects]
        history = together([await load(session, org_id, asked, wanted.period) for asked in told])
        sums = history.cut(wanted.period)
        ending = ending_of(sums, is_additive=history.is_additive)
    except Unknown as reason:
        return unknown(wanted, reason, actual)
    # What others brought who count no more, less what these brought when they did not count.
    before = round(float(actual) - (sums.so_far() or 0.0), _PLACES)
    shifted = Ending([end + before for end in ending.ends])
    pace = linear_pace(history, wanted.period, history.today, float(actual))
    year_before = None if before else history.year_before(wanted.period)
    baselines = schemas.Baselines(linear_pace=figure(pace), same_period_last_year=figure(year_before))
    return _told(wanted, history, sums, shifted).model_copy(update={"actual": actual, "baselines": baselines})


def unknown(wanted: Wanted, reason: Unknown, actual: Decimal | None) -> schemas.Forecast:
    """That nobody can say, and why."""
    return _told(wanted, reason=reason).model_copy(update={"actual": actual})


async def _certain(session: AsyncSession, org_id: OrganizationId, wanted: Wanted) -> schemas.Forecast:
    """The period is over: the figure is what it is, of any KPI."""
    cell = await _cell(session, org_id, wanted)
    if cell.value is None:
        return _told(wanted, reason=Unknown(_WITHOUT_VALUE.get(cell.status, "no_data")))
    actual = float(cell.value)
    found = _told(wanted, ending=Ending([actual]), actual=actual)
    return found.model_copy(update={"is_certain": True, **dict.fromkeys(("actual", "p10", "p50", "p90"), cell.value)})


async def _so_far(session: AsyncSession, org_id: OrganizationId, wanted: Wanted) -> Decimal | None:
    """The figure up to now, which is told where nobody can say how it goes on."""
    return (await _cell(session, org_id, wanted)).value


async def _cell(session: AsyncSession, org_id: OrganizationId, wanted: Wanted) -> Cell:
    return (await compute(session, org_id, wanted.question, targets=target_values)).series[0].total


async def _ending(
    session: AsyncSession, org_id: OrganizationId, wanted: Wanted, history: History, sums: Sums
) -> Ending:
    """The ending; that of the same days, if it was asked for last: it takes far longer than all else."""
    if wanted.as_of or wanted.known_at:
        return ending_of(sums, is_additive=history.is_additive)
    place = await kept(session, org_id, history.context.known_at)
    key, digest = ("ending", wanted.asked, wanted.period), digest_of(sums)
    found: tuple[bytes, Ending] | None = place.get(key)
    if found is not None and found[0] == digest:
        return found[1]
    ending = ending_of(sums, is_additive=history.is_additive)
    place.put(key, (digest, ending), weight=0 if found else len(ending.ends) // VALUES_A_ROW)
    return ending


def ending_of(sums: Sums, *, is_additive: bool) -> Ending:
    """Where the period ends. Raises `Unknown` where the history says too little."""
    course = sums.courses[0]
    worked = sum(time > 0 for time in course.work[: course.known]) or course.known
    left = sum(time > 0 for time in course.work[course.known :])
    if worked < LEAST_WORKING_DAYS or left > LONGEST_AHEAD * worked:
        raise Unknown("too_little_history")
    days_with_any = sum(any(day) for day in zip(*(each.values for each in sums.courses), strict=True))
    if days_with_any < LEAST_DAYS_WITH_ANY:
        raise Unknown("too_few_events")
    if not all(isfinite(sum(each.values)) for each in sums.courses):
        raise Unknown("no_data")
    ending = additive.forecast(course) if is_additive else drawing.forecast(sums)
    if ending is None:
        raise Unknown("no_data")
    return ending


def _told(
    wanted: Wanted,
    history: History | None = None,
    sums: Sums | None = None,
    ending: Ending | None = None,
    *,
    actual: float | None = None,
    reason: Unknown | None = None,
) -> schemas.Forecast:
    if sums is not None:
        actual = sums.so_far()
    edges = ending.range if ending is not None else None
    return schemas.Forecast(
        status="ok" if edges else "unknown",
        reason=schemas.Reason.model_validate(reason.reason) if reason else None,
        is_certain=False,
        actual=figure(actual),
        p10=figure(edges.p10) if edges else None,
        p50=figure(edges.p50) if edges else None,
        p90=figure(edges.p90) if edges else None,
        probability=_probability(wanted, ending),
        baselines=_baselines(wanted, history, actual),
        history=_used(history, sums) if history and sums else None,
        method=schemas.Method(
            name=schemas.METHOD if history is None or history.is_additive else schemas.FORMULA_METHOD,
            version=schemas.VERSION,
        ),
    )


def figure(value: float | None) -> Decimal | None:
    """A float as a figure of 15 digits."""
    return None if value is None or not isfinite(value) else Decimal(f"{value:.15g}")


def _probability(wanted: Wanted, ending: Ending | None) -> schemas.Probability:
    def of(aim: Decimal | None) -> Decimal | None:
        if ending is None or aim is None:
            return None
        return figure(ending.at_most(float(aim)) if wanted.direction == "decrease" else ending.at_least(float(aim)))

    if ending is not None and wanted.low is not None and wanted.high is not None:
        return schemas.Probability(target=figure(ending.within(float(wanted.low), float(wanted.high))), stretch=None)
    return schemas.Probability(target=of(wanted.target), stretch=of(wanted.stretch))


def _baselines(wanted: Wanted, history: History | None, actual: float | None) -> schemas.Baselines:
    if history is None:
        return schemas.Baselines(linear_pace=None, same_period_last_year=None)
    return schemas.Baselines(
        linear_pace=figure(linear_pace(history, wanted.period, history.today, actual)),
        same_period_last_year=figure(history.year_before(wanted.period)),
    )


def linear_pace(history: History, period: DayRange, day: date, actual: float | None) -> float | None:
    """What the period so far comes to when all goes on like this; of formulas the figure so far."""
    if actual is None or not history.is_additive:
        return actual
    share = history.share_before(period, day)
    return actual / share if share else None


def _used(history: History, sums: Sums) -> schemas.HistoryUsed:
    course = sums.courses[0]
    return schemas.HistoryUsed(
        start=course.first,
        end=history.today,
        days=course.known,
        working_days=sum(time > 0 for time in course.work[: course.known]),
        left_out=history.left_out,
    )


# -------------------------------------------------------------------------------------------------- without a goal


async def query_forecast(snapshots: Snapshots, query: schemas.ForecastQuery) -> schemas.ForecastAnswer:
    """The forecast of any KPI of any owner. Raises `ValidationFailed`."""
    async with snapshots.at(query.as_of, query.known_at) as session:
        org_id = snapshots.org_id
        at = query.as_of or await clock.now(session, org_id)
        known_at = query.known_at or query.as_of or await clock.last_recorded(session, org_id)
        cut = await calendar_settings(session, org_id, known_at)
        try:
            period = parse_period(query.period, local_day(at, cut.zone), cut)
        except PeriodError as error:
            raise ValidationFailed.at("/period", str(error), "period_invalid") from None
        version = await latest_version(session, org_id, query.kpi, known_at)
        wanted = Wanted(
            kpi=query.kpi,
            subject=subject_of(query.owner),
            period=period,
            direction=version.definition.direction if version else "increase",
            target=query.target,
            stretch=query.stretch,
            currency=query.currency,
            rate_set=query.rate_set,
            as_of=query.as_of,
            known_at=query.known_at,
        )
        with pointing_at("/owner/id"):
            found = await forecast_of(session, org_id, wanted)
            if found.status == "unknown":
                found.actual = await _so_far(session, org_id, wanted)
        return schemas.ForecastAnswer(
            **dict(found),
            kpi=query.kpi,
            unit=version.unit if version else {},
            period=period.label,
            start=period.start,
            end=period.end,
            currency=query.currency,
            as_of=at,
            known_at=known_at,
        )


def subject_of(owner: OwnerInput) -> Subject:
    """The owner as questions name it."""
    return Subject(owner.type, owner.id)


async def latest_version(
    session: AsyncSession, org_id: OrganizationId, kpi: str, known_at: datetime
) -> KpiVersionFacts | None:
    """What the KPI is; None before it was recorded. Raises `ValidationFailed` where there is none."""
    try:
        history = (await load_kpis(session, org_id, [kpi], known_at))[kpi]
    except UnknownKpi:
        raise ValidationFailed.at("/kpi", f"There is no KPI {kpi}.", "kpi_unknown") from None
    return max(history.versions, key=lambda each: each.number, default=None)


@contextmanager
def pointing_at(owner: str) -> Iterator[None]:
    """Let errors of the engine's question point to where the request has what is wrong."""
    places = {"/kpis/0": "/kpi", "/kpis": "/kpi", "/subjects/0": owner}
    try:
        yield
    except ValidationFailed as failed:
        errors = [item.model_copy(update={"pointer": places.get(item.pointer, item.pointer)}) for item in failed.errors]
        raise ValidationFailed(failed.detail, errors) from None
