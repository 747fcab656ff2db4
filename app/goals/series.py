"""Use cases of recurring goals: set up, list, change, end, preview."""

from datetime import date, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.calendars.periods import CalendarSettings, DayRange, PeriodError, parse_period
from app.calendars.service import present_settings
from app.core import audit, clock, errands, etags, outbox
from app.core.db import OrganizationId
from app.core.ids import new_id
from app.core.pagination import Key, paginate
from app.core.problems import Conflict, ErrorItem, NotFound, Problem, ValidationFailed
from app.core.snapshots import Snapshots
from app.goals import making, recurring, schemas, service
from app.goals import series_schemas as wire
from app.goals.deciding import state_of_new
from app.goals.models import GoalSeries
from app.goals.series_periods import Every, around, opens_on
from app.goals.tending import TEND_GOALS, begin

LONGEST_PAST = timedelta(days=1100)
"""A series begins at most three years ago: goals of earlier periods are imported."""
DEEPEST = 10
_AT_GOAL = "/goal"


class GoalSeriesNotFound(NotFound):
    """There is no such recurring goal in this organization."""

    code, title = "goal-series-not-found", "Recurring goal not found"


class GoalSeriesEnded(Conflict):
    """The recurring goal makes no goals any more: somebody ended it, or it is over."""

    code, title = "goal-series-ended", "Recurring goal has ended"


async def list_series(
    session: AsyncSession, org_id: OrganizationId, query: wire.GoalSeriesFilters
) -> wire.GoalSeriesPage:
    """Recurring goals, oldest first."""
    wanted = select(GoalSeries).where(GoalSeries.org_id == org_id)
    if query.owner_id is not None:
        wanted = wanted.where((GoalSeries.team_id == query.owner_id) | (GoalSeries.member_id == query.owner_id))
    for flag, column in ((query.has_ended, GoalSeries.ended_at), (query.has_trouble, GoalSeries.trouble)):
        if flag is not None:
            wanted = wanted.where(column.is_not(None) if flag else column.is_(None))
    rows, following = await paginate(session, wanted, [Key(GoalSeries.created_at), Key(GoalSeries.id)], query)
    settings = await present_settings(session, org_id)
    return wire.GoalSeriesPage(items=[_shown(row, settings) for row in rows], next_cursor=following)


async def get_series(session: AsyncSession, org_id: OrganizationId, series_id: UUID) -> wire.GoalSeries:
    """One of them. Raises `GoalSeriesNotFound`."""
    return _shown(await _find(session, org_id, series_id), await present_settings(session, org_id))


async def create_series(
    session: AsyncSession, snapshots: Snapshots, who: Principal, new: wire.GoalSeriesCreate
) -> wire.GoalSeries:
    """Set up a recurring goal; the goal of its first period is opened at once where its day has come.

    The goals of later periods that have begun as well are opened by the errand. Raises `ValidationFailed` as the goals
    themselves would.
    """
    series = await _series_of(session, who, new)
    figures = await _first_figures(snapshots, series)
    series.created_at = await clock.tick(session, who.org_id)
    await _require_rights(session, who, new.goal)
    await _require_parent(session, series, new.parent_series_id)
    await _require_made_of(session, series)
    session.add(series)
    await session.flush()  # its goals refer to it
    await _open_or_try(session, series, figures)
    audit.record(session, who.org_id, who.label, "create", "goal-series", series.id, new.model_dump(mode="json"))
    outbox.publish(session, who.org_id, "goal_series.created", {"series_id": str(series.id), "name": series.name})
    await _look_soon(session, who.org_id)
    await session.flush()  # the answer shows the stored row
    return _shown(series, await present_settings(session, who.org_id))


async def update_series(
    session: AsyncSession, who: Principal, series_id: UUID, change: wire.GoalSeriesUpdate, if_match: str | None
) -> wire.GoalSeries:
    """Change what the goals of later periods are made of; goals that are open stay. Raises `GoalSeriesEnded`."""
    await clock.tick(session, who.org_id)
    series = await _find(session, who.org_id, series_id)
    etags.check(if_match, series.version)
    _require_going_on(series)
    before = _content_of(series)
    await _require_rights(session, who, before)
    wanted = change.model_dump(mode="json", exclude_unset=True)
    for field in ("name", "until", "open_days_before", "growth"):
        if field in wanted:
            setattr(series, field, getattr(change, field))
    if "parent_series_id" in wanted:
        parent_id = cast("UUID | None", change.parent_series_id)
        await _require_parent(session, series, parent_id)
        series.parent_id = parent_id
    after = cast("wire.SeriesGoal", change.goal) if "goal" in wanted else before
    if "goal" in wanted:
        await _require_rights(session, who, after)
        _fill(series, after)
    _require_together(series, after)
    with session.no_autoflush:  # the database would refuse an unknown owner without a word of where it stands
        await _require_made_of(session, series)
    await _try(session, series)
    series.trouble, series.version = None, series.version + 1
    audit.record(session, who.org_id, who.label, "update", "goal-series", series_id, wanted)
    await _look_soon(session, who.org_id)
    await session.flush()  # the answer shows the stored row
    return _shown(series, await present_settings(session, who.org_id))


async def end_series(session: AsyncSession, who: Principal, series_id: UUID, if_match: str | None) -> None:
    """Make no goals any more; those that are there stay. Raises `GoalSeriesEnded`."""
    at = await clock.tick(session, who.org_id)
    series = await _find(session, who.org_id, series_id)
    etags.check(if_match, series.version)
    _require_going_on(series)
    await _require_rights(session, who, _content_of(series))
    series.ended_at, series.trouble, series.version = at, None, series.version + 1
    audit.record(session, who.org_id, who.label, "end", "goal-series", series_id)
    outbox.publish(session, who.org_id, "goal_series.ended", {"series_id": str(series_id), "name": series.name})


async def preview_next(snapshots: Snapshots, series_id: UUID) -> wire.NextGoal:
    """The goal that would be made next, by what stands now. Raises `GoalSeriesEnded` where none will be."""
    async with snapshots.at(None) as session:
        series = await _find(session, snapshots.org_id, series_id)
        period = recurring.period_of(series, await present_settings(session, snapshots.org_id))
        if period is None:
            raise GoalSeriesEnded("The recurring goal makes no goals any more.")
        figures = await recurring.from_history(session, series, period)
        goal = (await _next_goal(session, series, period, figures)).model_dump(mode="json", exclude_none=True)
    return wire.NextGoal(**_next(series, period).model_dump(), goal=goal)


# ------------------------------------------------------------------------------------------------------ what is stored


async def _series_of(session: AsyncSession, who: Principal, new: wire.GoalSeriesCreate) -> GoalSeries:
    series = GoalSeries(
        org_id=who.org_id,
        id=new_id(),
        name=new.name or new.goal.name,
        every=new.every,
        is_fiscal=new.is_fiscal,
        open_days_before=new.open_days_before,
        next_start=await _first_day(session, who.org_id, new),
        until=new.until,
        growth=new.growth,
        parent_id=new.parent_series_id,
        created_by=who.label,
        version=1,
    )
    _fill(series, new.goal)
    return series


def _fill(series: GoalSeries, goal: wire.SeriesGoal) -> None:
    series.team_id = goal.owner.id if goal.owner.type == "team" else None
    series.member_id = goal.owner.id if goal.owner.type == "member" else None
    series.content = goal.model_dump(mode="json", exclude_none=True)


def _content_of(series: GoalSeries) -> wire.SeriesGoal:
    return wire.SeriesGoal.model_validate(series.content)


async def _first_day(session: AsyncSession, org_id: OrganizationId, new: wire.GoalSeriesCreate) -> date:
    today = await service.today_of(session, org_id)
    settings = await present_settings(session, org_id)
    running = around(today, new.every, settings, is_fiscal=new.is_fiscal)
    first = running if new.first is None else _first_named(new, running, today, settings)
    if new.until is not None and new.until < first.start:
        raise ValidationFailed.at("/until", f"It is before the first period, {first.label}.", "until_before_first")
    return first.start


def _first_named(new: wire.GoalSeriesCreate, running: DayRange, today: date, settings: CalendarSettings) -> DayRange:
    try:
        first = parse_period(new.first or "", today, settings)
    except PeriodError as error:
        raise ValidationFailed.at("/first", str(error), "period") from None
    if around(first.start, new.every, settings, is_fiscal=new.is_fiscal) != first:
        message = f"{first.label} is no whole {new.every} of this kind: write one such as {running.label}."
        raise ValidationFailed.at("/first", message, "period_of_another_kind")
    if first.start < today - LONGEST_PAST:
        message = f"A series begins at most {LONGEST_PAST.days} days ago; goals of earlier periods are imported."
        raise ValidationFailed.at("/first", message, "period_too_long_ago")
    return first


# ------------------------------------------------------------------------------------------------------- what is asked


async def _require_rights(session: AsyncSession, who: Principal, goal: wire.SeriesGoal) -> None:
    """Raises `GoalNotYours` unless the caller may set goals of the owner: a series sets them without asking again."""
    await state_of_new(session, who, goal.owner.type, goal.owner.id, "open")


def _require_going_on(series: GoalSeries) -> None:
    if series.ended_at is not None:
        raise GoalSeriesEnded(f"The recurring goal was ended at {series.ended_at.isoformat(timespec='seconds')}.")


def _require_together(series: GoalSeries, goal: wire.SeriesGoal) -> None:
    try:
        wire.check_together(goal, series.growth, series.open_days_before, series.parent_id)
    except ValueError as error:
        raise ValidationFailed.at("", str(error), "value_error") from None


async def _require_parent(session: AsyncSession, series: GoalSeries, parent_id: UUID | None) -> None:
    """Raises `ValidationFailed` unless the parent is there, and is no part of this one itself."""
    seen, above = {series.id}, parent_id
    while above is not None:
        found = await session.execute(
            select(GoalSeries.parent_id).where(GoalSeries.org_id == series.org_id, GoalSeries.id == above)
        )
        row = found.first()
        if row is None:
            raise ValidationFailed.at("/parent_series_id", f"There is no recurring goal {above}.", "parent_unknown")
        if above in seen or len(seen) > DEEPEST:
            message = f"A recurring goal is no part of itself, and at most {DEEPEST} levels deep."
            raise ValidationFailed.at("/parent_series_id", message, "parent_cycle")
        seen.add(above)
        above = row[0]


async def _require_made_of(session: AsyncSession, series: GoalSeries) -> None:
    """Raises `ValidationFailed` unless the next goal's owner, KPI, period and currency go together."""
    period = recurring.period_of(series, await present_settings(session, series.org_id))
    if period is None:
        return
    new = await _next_goal(session, series, period, recurring.NOT_KNOWN_YET)
    try:
        await making.goal_of(session, series.org_id, new)
    except ValidationFailed as problem:
        raise _at_goal(problem) from None


async def _first_figures(snapshots: Snapshots, series: GoalSeries) -> recurring.Figures:
    """What the first goal takes from the ledger, if its day has come."""
    async with snapshots.at(None) as session:
        period = recurring.period_of(series, await present_settings(session, series.org_id))
        today = await service.today_of(session, series.org_id)
        if period is None or opens_on(period, series.open_days_before) > today:
            return recurring.Figures()
        try:
            return await recurring.figures_in(session, series, period)
        except ValidationFailed as problem:
            raise _at_goal(problem) from None


async def _open_or_try(session: AsyncSession, series: GoalSeries, figures: recurring.Figures) -> None:
    try:
        made = await recurring.open_next(session, series, figures)
    except ValidationFailed as problem:
        raise _at_goal(problem) from None
    if made is None:
        await _try(session, series)


async def _try(session: AsyncSession, series: GoalSeries) -> None:
    """See whether the next goal can be made, by making it and taking it back.

    Not of one whose target is computed then: nobody knows the figure yet.
    """
    settings = await present_settings(session, series.org_id)
    if recurring.is_from_ledger(series) or (period := recurring.period_of(series, settings)) is None:
        return
    new = await _next_goal(session, series, period, recurring.Figures())
    try:
        tried = await session.begin_nested()
        try:
            await service.create_goal(session, recurring.caller_of(series), new)
        finally:
            await tried.rollback()
    except ValidationFailed as problem:
        raise _at_goal(problem) from None


async def _next_goal(
    session: AsyncSession, series: GoalSeries, period: DayRange, figures: recurring.Figures
) -> schemas.GoalCreate:
    try:
        return await recurring.next_goal(session, series, period, figures)
    except ValidationFailed as problem:
        raise _at_goal(problem) from None


def _at_goal(problem: Problem) -> ValidationFailed:
    """The problem with a goal, at its place in the series."""
    places = [
        error.model_copy(update={"pointer": "/first" if error.pointer == "/period" else f"{_AT_GOAL}{error.pointer}"})
        for error in problem.errors
    ]
    return ValidationFailed(
        problem.detail, places or [ErrorItem(pointer=_AT_GOAL, message=problem.detail, code="goal")]
    )


async def _find(session: AsyncSession, org_id: OrganizationId, series_id: UUID) -> GoalSeries:
    found = await session.execute(select(GoalSeries).where(GoalSeries.org_id == org_id, GoalSeries.id == series_id))
    series = found.scalar_one_or_none()
    if series is None:
        raise GoalSeriesNotFound(f"No recurring goal {series_id}.")
    return series


async def _look_soon(session: AsyncSession, org_id: OrganizationId) -> None:
    """Periods that have begun are not waited for."""
    await begin(session, org_id)
    await errands.hasten(session, org_id, TEND_GOALS, org_id)


# ------------------------------------------------------------------------------------------------------- what is shown


def _shown(series: GoalSeries, settings: CalendarSettings) -> wire.GoalSeries:
    period = recurring.period_of(series, settings)
    kind = "team" if series.team_id else "member" if series.member_id else "organization"
    return wire.GoalSeries(
        id=series.id,
        name=series.name,
        owner=schemas.Owner(type=kind, id=series.team_id or series.member_id),
        every=cast("Every", series.every),
        is_fiscal=series.is_fiscal,
        open_days_before=series.open_days_before,
        until=series.until,
        growth=series.growth,
        parent_series_id=series.parent_id,
        goal=series.content,
        next=None if period is None else _next(series, period),
        trouble=series.trouble,
        ended_at=series.ended_at,
        version=series.version,
        created_at=series.created_at,
    )


def _next(series: GoalSeries, period: DayRange) -> wire.SeriesPeriod:
    opening = opens_on(period, series.open_days_before)
    return wire.SeriesPeriod(period=period.label, start=period.start, end=period.end, opens_on=opening)
