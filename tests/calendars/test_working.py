"""Working days and working time (S21, S31)."""

from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.calendars.periods import DayRange
from app.calendars.working import MONDAY_TO_FRIDAY, OFFICE_HOURS, WorkCalendar, WorkInterval

ZONE = ZoneInfo("Europe/Warsaw")
JULY = DayRange(date(2026, 7, 1), date(2026, 8, 1))
JUNE = DayRange(date(2026, 6, 1), date(2026, 7, 1))


def test_july_2026_has_23_working_days_of_8_hours() -> None:
    plain = WorkCalendar("Plain", ZONE)
    assert plain.working_days(JULY) == 23
    assert plain.working_time(JULY) == timedelta(hours=184)
    assert plain.working_days(JULY.until(date(2026, 7, 11))) == 8


def test_a_holiday_takes_a_day_and_an_extra_working_day_gives_one() -> None:
    holiday, saturday = date(2026, 7, 14), date(2026, 7, 18)
    calendar = WorkCalendar(
        "Holidays", ZONE, holidays=frozenset({holiday, saturday}), extra_working_days=frozenset({saturday})
    )
    assert not calendar.is_working_day(holiday)
    assert calendar.intervals_on(saturday) == OFFICE_HOURS
    assert not calendar.is_working_day(date(2026, 7, 19))
    assert calendar.working_days(JULY) == 23


def test_part_time_and_breaks_count_by_their_hours() -> None:
    friday = (WorkInterval(time(8), time(12)), WorkInterval(time(13), time(14, 30)))
    calendar = WorkCalendar("Short Friday", ZONE, {**MONDAY_TO_FRIDAY, 4: friday})
    assert calendar.working_time(DayRange(date(2026, 7, 6), date(2026, 7, 13))) == timedelta(hours=37.5)


def test_midnight_as_an_end_is_the_end_of_the_day() -> None:
    assert WorkInterval(time(22), time(0)).length == timedelta(hours=2)
    assert WorkInterval(time(0), time(0)).length == timedelta(hours=24)


def test_a_comparison_to_date_is_cut_after_as_many_working_days() -> None:
    """Golden example 14: the first 8 working days of June 2026 end with Wednesday 10 June."""
    plain = WorkCalendar("Plain", ZONE)
    assert plain.cut_after(JUNE, 8) == date(2026, 6, 11)
    assert plain.cut_after(JULY, 8) == date(2026, 7, 11)
    assert plain.cut_after(JUNE, 0) == date(2026, 6, 1)
    assert plain.cut_after(JUNE, 40) == date(2026, 7, 1)


def test_a_calendar_without_working_time_or_with_overlaps_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one weekday"):
        WorkCalendar("Never", ZONE, {0: ()})
    with pytest.raises(ValueError, match="overlap"):
        WorkCalendar("Twice", ZONE, {0: (WorkInterval(time(12), time(18)), WorkInterval(time(9), time(13)))})
    with pytest.raises(ValueError, match="overlap"):
        WorkCalendar("Nights", ZONE, {0: (WorkInterval(time(22), time(0)), WorkInterval(time(23), time(0)))})
    with pytest.raises(ValueError, match="ends before"):
        WorkInterval(time(17), time(9))
    with pytest.raises(ValueError, match="ends before"):
        WorkInterval(time(9), time(9))
