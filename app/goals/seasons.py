"""The courses of a goal's earlier periods, as its KPI took them (S31)."""

from datetime import date
from fractions import Fraction

from app.calendars.periods import FIRST_YEAR, LONGEST_RUN_OF_DAYS, CalendarSettings, DayRange, Window, previous_period
from app.goals.asked import Asking
from app.goals.expecting import MOST_SEASONS, Season, season_of
from app.goals.service import period_of
from app.goals.work import Schedules, owner_of
from app.kpis.questions import Cell


async def seasons_of(asking: Asking, schedules: Schedules, settings: CalendarSettings) -> list[tuple[str, Season]]:
    """The last periods of the same kind in which the KPI added up to something, by their labels, the latest first.

    One question for all of them. Periods of which something is not known (any more) do not count.
    """
    owner = owner_of(asking.goal)
    periods = _periods(period_of(asking.goal), settings)
    if not periods:
        return []
    daily = (await asking.by("day", periods[-1].start, periods[0].end, owner))[owner]
    found = []
    for period in periods:
        schedule = await schedules.over(owner, period)
        days = [(window, cell) for window, cell in daily if window.start in period]
        if (season := _season(days, [schedule.share_before(window.end) for window, _ in days])) is not None:
            found.append((period.label, season))
    return found


def _periods(period: DayRange, settings: CalendarSettings) -> list[DayRange]:
    """The periods before this one, the latest first; together not longer than any run of days may be."""
    found: list[DayRange] = []
    while len(found) < MOST_SEASONS and _is_asked(period, found):
        period = previous_period(period, settings)
        found.append(period)
    return found


def _is_asked(period: DayRange, found: list[DayRange]) -> bool:
    room = LONGEST_RUN_OF_DAYS - sum(each.days for each in found)
    # A fiscal year may be a week longer than the next.
    return period.days + 7 <= room and (period.start - date(FIRST_YEAR, 1, 1)).days >= period.days + 7


def _season(days: list[tuple[Window, Cell]], times: list[Fraction]) -> Season | None:
    values = [cell.value for _, cell in days]
    known = [value for value in values if value is not None]
    return season_of(times, known) if len(known) == len(values) else None
