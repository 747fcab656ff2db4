"""Fiscal years of months and of weeks, against years that companies and their trade have published (S2, S21)."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calendars.fiscal import FiscalName, FiscalPattern, FiscalYears
from app.calendars.periods import (
    CalendarSettings,
    Grain,
    PeriodError,
    Window,
    parse_period,
    previous_period,
    previous_window,
    same_period_last_year,
    same_window_last_year,
    windows,
)

ZONE = ZoneInfo("America/New_York")
TODAY = date(2026, 7, 14)
DAY = timedelta(days=1)
GRAINS: dict[str, Grain] = {"": "year", "Q": "quarter", "P": "month"}

RETAIL = CalendarSettings(ZONE, 6, 2, "starts", "4-5-4", "nearest")
"""The calendar of the National Retail Federation: the Saturday nearest to the end of January."""
APPLE = CalendarSettings(ZONE, 6, 10, "ends", "5-4-4", "last")
"""The last Saturday of September."""
CISCO = CalendarSettings(ZONE, 6, 8, "ends", "4-4-5", "last")
"""The last Saturday of July."""
INTEL = CalendarSettings(ZONE, 6, 1, "ends", "4-4-5", "last")
"""The last Saturday of December."""


def years() -> st.SearchStrategy[FiscalYears]:
    return st.builds(
        FiscalYears,
        st.integers(1, 12),
        st.sampled_from(["ends", "starts"]),
        st.sampled_from(["months", "4-4-5", "4-5-4", "5-4-4"]),
        st.sampled_from(["last", "nearest"]),
        st.integers(0, 6),
    )


@pytest.mark.parametrize(
    ("calendar", "text", "first", "last", "weeks"),
    [
        (RETAIL, "FY2022", "2022-01-30", "2023-01-28", 52),
        (RETAIL, "FY2023", "2023-01-29", "2024-02-03", 53),
        (RETAIL, "FY2024", "2024-02-04", "2025-02-01", 52),
        (RETAIL, "FY2017", "2017-01-29", "2018-02-03", 53),
        (APPLE, "FY2022", "2021-09-26", "2022-09-24", 52),
        (APPLE, "FY2023", "2022-09-25", "2023-09-30", 53),
        (APPLE, "FY2024", "2023-10-01", "2024-09-28", 52),
        (CISCO, "FY2023", "2022-07-31", "2023-07-29", 52),
        (CISCO, "FY2024", "2023-07-30", "2024-07-27", 52),
        (INTEL, "FY2022", "2021-12-26", "2022-12-31", 53),
        (INTEL, "FY2023", "2023-01-01", "2023-12-30", 52),
    ],
)
def test_a_fiscal_year_of_weeks_is_the_one_that_was_published(
    calendar: CalendarSettings, text: str, first: str, last: str, weeks: int
) -> None:
    year = parse_period(text, TODAY, calendar)
    assert (year.start.isoformat(), (year.end - DAY).isoformat(), year.days) == (first, last, 7 * weeks)


def test_the_months_of_the_retail_calendar_have_four_five_and_four_weeks_and_the_last_its_53rd() -> None:
    months = windows(parse_period("FY2023", TODAY, RETAIL), "month", RETAIL)
    assert [(month.end - month.start).days // 7 for month in months] == [4, 5, 4] * 3 + [4, 5, 5]
    assert [month.label for month in months] == [f"FY2023-P{n:02}" for n in range(1, 13)]
    assert months[1] == Window("FY2023-P02", date(2023, 2, 26), date(2023, 4, 2))
    quarters = windows(parse_period("FY2023", TODAY, RETAIL), "quarter", RETAIL)
    assert [(each.label, each.days.days) for each in quarters] == [
        ("FY2023-Q1", 91), ("FY2023-Q2", 91), ("FY2023-Q3", 91), ("FY2023-Q4", 98),
    ]  # fmt: skip


@pytest.mark.parametrize(("pattern", "weeks"), [("4-4-5", [4, 4, 5]), ("4-5-4", [4, 5, 4]), ("5-4-4", [5, 4, 4])])
def test_each_pattern_deals_out_its_weeks(pattern: FiscalPattern, weeks: list[int]) -> None:
    calendar = replace(APPLE, fiscal_pattern=pattern)
    months = windows(parse_period("FY2024-Q2", TODAY, calendar), "month", calendar)
    assert [(month.end - month.start).days // 7 for month in months] == weeks
    assert [month.label for month in months] == ["FY2024-P04", "FY2024-P05", "FY2024-P06"]


def test_the_weeks_of_a_fiscal_year_are_whole() -> None:
    weeks = windows(parse_period("FY2023", TODAY, RETAIL), "week", RETAIL)
    assert len(weeks) == 53
    assert not any(week.is_partial for week in weeks)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("FY2024-P12", "2024-06-23", "2024-07-27"),
        ("FY2024-Q1", "2023-07-30", "2023-10-28"),
        ("FY2024-P01", "2023-07-30", "2023-08-26"),
    ],
)
def test_a_part_of_a_fiscal_year_of_weeks_is_found_by_its_label(text: str, first: str, last: str) -> None:
    days = parse_period(text, TODAY, CISCO)
    assert (days.start, days.end - DAY) == (date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("FY2023-P08", "FY2023-P07"),
        ("FY2024-P01", "FY2023-P12"),
        ("FY2024-Q1", "FY2023-Q4"),
        ("FY2024", "FY2023"),
        ("FY2023", "FY2022"),
    ],
)
@pytest.mark.parametrize("named_after", ["ends", "starts"])
def test_before_a_fiscal_part_comes_the_one_before_of_whatever_length(
    text: str, before: str, named_after: FiscalName
) -> None:
    """S21: FY2023 of the retail calendar has 53 weeks."""
    calendar = replace(RETAIL, fiscal_year_named_after=named_after)
    whole = parse_period(text, TODAY, calendar)
    found = previous_period(whole, calendar)
    assert (found, found.text) == (parse_period(before, TODAY, calendar), before)
    grain = GRAINS[text[7:8]]
    assert previous_window(Window(text, whole.start, whole.end), grain, calendar) == Window(
        before, found.start, found.end
    )


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("this_fiscal_year", "FY2026"),
        ("last_fiscal_year", "FY2025"),
        ("this_fiscal_quarter", "FY2026-Q4"),
        ("last_fiscal_quarter", "FY2026-Q3"),
        ("this_fiscal_period", "FY2026-P12"),
        ("last_fiscal_period", "FY2026-P11"),
    ],
)
def test_relative_fiscal_words_mean_the_part_that_today_lies_in(text: str, label: str) -> None:
    """FY2026 of weeks ends on Saturday 25 July 2026, FY2026 of months with July."""
    for calendar in (CISCO, replace(CISCO, fiscal_pattern="months")):
        found = parse_period(text, TODAY, calendar)
        assert (found.text, found) == (label, parse_period(label, TODAY, calendar))
        assert found.is_fiscal


def test_on_the_first_day_of_a_fiscal_year_of_weeks_the_last_period_is_the_one_that_ended_the_day_before() -> None:
    assert parse_period("last_fiscal_period", date(2026, 7, 26), CISCO).text == "FY2026-P12"
    assert parse_period("this_fiscal_year", date(2026, 7, 26), CISCO).text == "FY2027"


@pytest.mark.parametrize("text", ["FY2026-P13", "FY2026-P00", "FY2026-Q5", "FY2026-P1", "this_fiscal_week"])
def test_a_part_that_no_fiscal_year_has_is_refused(text: str) -> None:
    with pytest.raises(PeriodError, match=r"1 to 12|1 to 4|is not a period"):
        parse_period(text, TODAY, RETAIL)


@pytest.mark.parametrize(
    ("text", "counterpart"),
    [
        ("FY2024", "FY2023"),
        ("FY2024-Q4", "FY2023-Q4"),
        ("FY2023-P12", "FY2022-P12"),
        ("FY2024-P12", "FY2023-P12"),
    ],
)
def test_a_fiscal_part_is_compared_with_the_same_part_of_the_year_before(text: str, counterpart: str) -> None:
    """S21: also where one of them has a week more."""
    for calendar in (RETAIL, replace(RETAIL, fiscal_pattern="months")):
        found = same_period_last_year(parse_period(text, TODAY, calendar), calendar)
        assert found is not None
        assert (found.text, found) == (counterpart, parse_period(counterpart, TODAY, calendar))


def test_the_days_of_a_53rd_week_have_no_counterpart_in_a_year_of_52() -> None:
    """S21: what is clipped to some weekdays is compared with the same weekdays of the same part."""
    day = date(2024, 1, 29)
    clipped = Window("FY2023-P12", day, date(2024, 2, 4), is_partial=True)
    assert same_window_last_year(clipped, "month", RETAIL) is None
    clipped = Window("FY2023-P12", date(2024, 1, 22), date(2024, 2, 4), is_partial=True)
    found = same_window_last_year(clipped, "month", RETAIL)
    assert found == Window("2023-01-23..2023-01-28", date(2023, 1, 23), date(2023, 1, 29), is_partial=True)


@given(years(), st.dates(date(1971, 1, 1), date(2199, 12, 31)))
def test_fiscal_years_tile_time_and_every_day_lies_in_one_period(fiscal: FiscalYears, day: date) -> None:
    year, place = fiscal.place_of(day)
    bounds = fiscal.bounds(year)
    assert bounds[place] <= day < bounds[place + 1]
    assert bounds[-1] == fiscal.bounds(year + 1)[0]
    assert all(first < following for first, following in pairwise(bounds))
    assert (bounds[-1] - bounds[0]).days in ({365, 366} if fiscal.pattern == "months" else {364, 371})


@given(years(), st.integers(1971, 2199))
def test_a_fiscal_year_of_weeks_ends_where_its_rule_says(fiscal: FiscalYears, year: int) -> None:
    """Looked for day by day around the end of the last month."""
    fiscal = replace(fiscal, pattern="4-4-5")
    ends_later = fiscal.starts_in > 1 and fiscal.named_after == "starts"
    next_month = date(year + ends_later + (fiscal.starts_in == 1), fiscal.starts_in, 1)
    around = [next_month + n * DAY for n in range(-7, 4)]
    ends = [day for day in around if (day + DAY).weekday() == fiscal.week_starts_on]
    if fiscal.week_rule == "last":
        expected = max(day for day in ends if day < next_month)
    else:
        expected = min(ends, key=lambda day: abs((day - (next_month - DAY)).days))
    assert fiscal.bounds(year)[-1] - DAY == expected


@given(years(), st.integers(1990, 2100), st.sampled_from(["", "-Q1", "-Q3", "-Q4", "-P01", "-P07", "-P12"]))
def test_what_a_label_means_is_labelled_so_again(fiscal: FiscalYears, year: int, part: str) -> None:
    calendar = CalendarSettings(
        ZONE, fiscal.week_starts_on, fiscal.starts_in, fiscal.named_after, fiscal.pattern, fiscal.week_rule
    )
    found = parse_period(f"FY{year}{part}", TODAY, calendar)
    grain = GRAINS[part[1:2]]
    assert windows(found, grain, calendar) == [Window(found.text, found.start, found.end)]
    assert previous_period(found, calendar).end == found.start
