"""Working days and working time (S21, S31)."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calendars.periods import DayRange, first_instant
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


def instants(*written: str) -> list[datetime]:
    return [datetime.fromisoformat(text) for text in written]


def test_the_intervals_of_some_days_are_instants_of_the_calendars_own_zone() -> None:
    """S16. 10 July 2026 is a Friday."""
    days = date(2026, 7, 10), date(2026, 7, 14)
    assert WorkCalendar("Poland", ZONE).intervals_between(*days) == [
        tuple(instants("2026-07-10T07:00Z", "2026-07-10T15:00Z")),
        tuple(instants("2026-07-13T07:00Z", "2026-07-13T15:00Z")),
    ]
    assert WorkCalendar("Japan", ZoneInfo("Asia/Tokyo")).intervals_between(*days)[0] == tuple(
        instants("2026-07-10T00:00Z", "2026-07-10T08:00Z")
    )


def test_intervals_that_meet_are_one_over_midnight_and_in_any_order_of_writing() -> None:
    shifts = (WorkInterval(time(20), time()), WorkInterval(time(), time(4)), WorkInterval(time(4), time(6)))
    nights = WorkCalendar("Nights", ZoneInfo("UTC"), {0: shifts, 1: shifts[1:]})
    assert nights.intervals_between(date(2026, 7, 13), date(2026, 7, 15)) == [
        tuple(instants("2026-07-13T00:00Z", "2026-07-13T06:00Z")),
        tuple(instants("2026-07-13T20:00Z", "2026-07-14T06:00Z")),
    ]
    assert nights.intervals_between(date(2026, 7, 15), date(2026, 7, 13)) == []


@pytest.mark.parametrize(
    ("day", "start", "end", "hours"),
    [
        (date(2026, 3, 29), time(0), time(4), "3"),  # clocks are put forward from 02:00 to 03:00
        (date(2026, 3, 29), time(1), time(2, 30), "1"),
        (date(2026, 3, 29), time(2, 30), time(5), "2"),
        (date(2026, 3, 29), time(2), time(3), "0"),
        (date(2026, 10, 25), time(0), time(4), "5"),  # and back from 03:00 to 02:00
        (date(2026, 10, 25), time(0), time(2, 30), "2.5"),
        (date(2026, 10, 25), time(2, 30), time(4), "2.5"),
        (date(2026, 10, 25), time(9), time(17), "8"),
    ],
)
def test_working_time_is_as_long_as_the_clocks_really_ran(day: date, start: time, end: time, hours: str) -> None:
    """S16, S4: of a clock time that comes twice the first is meant."""
    calendar = WorkCalendar("Sundays", ZONE, {6: (WorkInterval(start, end),)})
    midnights = first_instant(day, ZONE), first_instant(day + timedelta(days=1), ZONE)
    assert calendar.working_seconds(*midnights) == Decimal(hours) * 3600


def test_working_time_between_two_instants_counts_only_what_lies_inside_the_intervals() -> None:
    """From Friday afternoon over a weekend and a holiday to Tuesday morning."""
    calendar = WorkCalendar("Poland", ZONE, holidays=frozenset([date(2026, 7, 13)]))
    start, end = instants("2026-07-10T14:30:00.250000Z", "2026-07-14T07:00:01Z")
    assert calendar.working_seconds(start, end) == Decimal("1800.75")
    assert calendar.working_seconds(end, start) == 0
    assert calendar.working_seconds(*instants("2026-07-11T00:00Z", "2026-07-12T00:00Z")) == 0


@given(
    st.datetimes(datetime(2026, 3, 20), datetime(2026, 4, 5), timezones=st.just(UTC)),
    st.lists(st.timedeltas(timedelta(), timedelta(days=3)), min_size=2, max_size=2),
)
def test_working_time_adds_up_over_any_cut(start: datetime, steps: list[timedelta]) -> None:
    calendar = WorkCalendar("Poland", ZONE)
    middle, end = start + steps[0], start + steps[0] + steps[1]
    parts = calendar.working_seconds(start, middle) + calendar.working_seconds(middle, end)
    assert parts == calendar.working_seconds(start, end)
    minutes = (start + timedelta(minutes=n) for n in range(int((end - start) / timedelta(minutes=1))))
    worked = sum(9 <= (local := minute.astimezone(ZONE)).hour < 17 and local.weekday() < 5 for minute in minutes)
    assert abs(calendar.working_seconds(start, end) - worked * 60) <= 180
