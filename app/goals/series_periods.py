"""The periods of a recurring goal, one after the other."""

from datetime import date, timedelta
from typing import Literal

from app.calendars.periods import CalendarSettings, DayRange, parse_period

Every = Literal["week", "month", "quarter", "year"]


def around(day: date, every: Every, settings: CalendarSettings, *, is_fiscal: bool) -> DayRange:
    """The period that a day lies in."""
    word = every
    if is_fiscal:
        word = "fiscal_period" if every == "month" else f"fiscal_{every}"  # type: ignore[assignment]  # a period's word
    return parse_period(f"this_{word}", day, settings)


def beginning_from(day: date, every: Every, settings: CalendarSettings, *, is_fiscal: bool) -> DayRange:
    """The first period that does not begin before a day: periods do not overlap where the calendar was changed."""
    period = around(day, every, settings, is_fiscal=is_fiscal)
    return period if period.start >= day else around(period.end, every, settings, is_fiscal=is_fiscal)


def opens_on(period: DayRange, days_before: int) -> date:
    """The day on which the period's goal is opened."""
    return period.start - timedelta(days=days_before)
