"""The same window and the same period of the year before (S21, worked example 17)."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calendars.periods import (
    CalendarSettings,
    DayRange,
    Grain,
    Window,
    parse_period,
    same_period_last_year,
    same_window_last_year,
    windows,
)

WARSAW = CalendarSettings(ZoneInfo("Europe/Warsaw"))
SUNDAYS = CalendarSettings(ZoneInfo("America/New_York"), week_starts_on=6)
APRIL = CalendarSettings(ZoneInfo("Europe/London"), fiscal_year_starts=4)
TODAY = date(2026, 7, 14)


def last_year(text: str, calendar: CalendarSettings = WARSAW) -> DayRange | None:
    return same_period_last_year(parse_period(text, TODAY, calendar), calendar)


@pytest.mark.parametrize(
    ("text", "counterpart"),
    [
        ("2026-07", "2025-07"),
        ("2024-02", "2023-02"),
        ("2025-02", "2024-02"),
        ("2026-Q3", "2025-Q3"),
        ("2026", "2025"),
        ("2026-W10", "2025-W10"),
        ("2027-W10", "2026-W10"),
        ("2026-W53", None),
        ("2026-03-10", "2025-03-11"),
        ("2024-02-29", "2023-03-02"),
        ("2026-07-12/P7D", "2025-07-13/P7D"),
        ("2026-07-13/P7D", "2025-W29"),
        ("this_month", "2025-07"),
        ("last_week", "2025-W28"),
        ("2026-03-16..2026-05-10", "2025-03-16..2025-05-10"),
        ("2024-02-10..2024-02-29", "2023-02-10..2023-02-28"),
        ("2024-02-29..2024-03-10", "2023-02-28..2023-03-10"),
        ("2025-02-10..2025-03-10", "2024-02-10..2024-03-10"),
        ("2026-07-01..2026-07-31", "2025-07"),
        ("last_30_days", "2025-06-14..2025-07-13"),
        ("FY2026-Q2", "FY2025-Q2"),
        ("FY2026-P12", "FY2025-P12"),
        ("FY2026", "FY2025"),
    ],
)
def test_a_period_is_compared_with_its_counterpart_of_the_year_before(text: str, counterpart: str | None) -> None:
    found = last_year(text)
    assert (None if found is None else found.label) == counterpart
    if found is not None and counterpart is not None:
        assert found == parse_period(counterpart, TODAY, WARSAW)


def test_example_17_of_the_rules_holds() -> None:
    week_53, week_10, tuesday = (parse_period(text, TODAY, WARSAW) for text in ("2026-W53", "2027-W10", "2026-03-10"))
    assert same_period_last_year(week_53, WARSAW) is None
    found = same_period_last_year(week_10, WARSAW)
    assert found is not None
    assert (found.text, (week_10.start - found.start).days) == ("2026-W10", 371)
    found = same_period_last_year(tuesday, WARSAW)
    assert found is not None
    assert (found.text, found.start.weekday()) == ("2025-03-11", 1)


@pytest.mark.parametrize(
    ("period", "grain", "counterparts"),
    [
        ("2026-Q1", "month", ["2025-01", "2025-02", "2025-03"]),
        ("2026", "quarter", ["2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4"]),
        ("FY2026-Q1", "month", ["FY2025-P01", "FY2025-P02", "FY2025-P03"]),
        ("2026-12-21..2027-01-10", "week", ["2025-W52", None, "2026-W01"]),
        ("2026-03-10..2026-03-11", "day", ["2025-03-11", "2025-03-12"]),
        ("2026-07", "total", ["2025-07"]),
        ("2026-W53", "total", [None]),
        ("2026-07-10..2026-08-15", "month", ["2025-07-10..2025-07-31", "2025-08-01..2025-08-15"]),
        ("2024-02-10..2024-03-31", "month", ["2023-02-10..2023-02-28", "2023-03"]),
        ("2026-07-01..2026-07-12", "week", ["2025-07-02..2025-07-06", "2025-W28"]),
    ],
)
def test_each_window_is_compared_by_the_part_of_its_label(
    period: str, grain: Grain, counterparts: list[str | None]
) -> None:
    tiles = windows(parse_period(period, TODAY, APRIL), grain, APRIL)
    found = [same_window_last_year(tile, grain, APRIL) for tile in tiles]
    assert [None if window is None else window.label for window in found] == counterparts
    for tile, window in zip(tiles, found, strict=True):
        assert window is None or window.is_partial == tile.is_partial


def test_weeks_from_sunday_are_counted_by_the_sundays_of_their_year() -> None:
    """2028 has 53 Sundays, and neither 2027 nor 2029 has."""
    weeks = windows(parse_period("2028", TODAY, SUNDAYS), "week", SUNDAYS)
    whole = [week for week in weeks if not week.is_partial and week.start.year == 2028]
    found = [same_window_last_year(week, "week", SUNDAYS) for week in whole]
    assert whole[0] == Window("2028-01-02/P7D", date(2028, 1, 2), date(2028, 1, 9))
    assert found[0] == Window("2027-01-03/P7D", date(2027, 1, 3), date(2027, 1, 10))
    assert all(window is not None for window in found)
    last = Window("2023-12-31/P7D", date(2023, 12, 31), date(2024, 1, 7))
    assert same_window_last_year(last, "week", SUNDAYS) is None


@given(st.dates(date(1980, 1, 1), date(2150, 12, 31)), st.integers(0, 6))
def test_a_week_has_the_same_weekdays_and_number_a_year_before(day: date, week_starts_on: int) -> None:
    calendar = CalendarSettings(ZoneInfo("UTC"), week_starts_on)
    [week] = windows(parse_period("this_week", day, calendar), "week", calendar)
    found = same_window_last_year(week, "week", calendar)
    if found is None:
        assert week.label.endswith("-W53") or week.start.month == 12
        return
    assert (week.start - found.start).days in {364, 371}
    if week_starts_on == 0:
        assert found.label == f"{int(week.label[:4]) - 1}{week.label[4:]}"
    else:
        assert len(starts_until(week.start)) == len(starts_until(found.start))


def starts_until(start: date) -> list[date]:
    """The days of the same weekday in the year, up to this one."""
    days = (date(start.year, 1, 1) + timedelta(n) for n in range(start.timetuple().tm_yday))
    return [day for day in days if day.weekday() == start.weekday()]


@given(
    st.dates(date(1980, 1, 1), date(2150, 12, 31)),
    st.integers(1, 400),
    st.sampled_from(["day", "week", "month", "quarter", "year", "total"]),
)
def test_every_window_has_a_counterpart_of_nearly_its_length_or_none(first: date, days: int, grain: Grain) -> None:
    period = DayRange(first, first + timedelta(days))
    for window in windows(period, grain, SUNDAYS):
        found = same_window_last_year(window, grain, SUNDAYS)
        if found is None:
            assert grain == "week"
            continue
        assert abs(found.days.days - window.days.days) <= 1
        assert 363 <= (window.start - found.start).days <= 371
