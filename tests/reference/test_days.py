"""The reference's days and windows: worked examples, and agreement with the ones of the service."""

from datetime import UTC, date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.calendars import periods
from tests.reference.days import DAY, Grain, a_year_before, before, first_instant, period, windows
from tests.reference.fiscal import Fiscal

FISCAL_GRAINS: tuple[Literal["month", "quarter", "year"], ...] = ("month", "quarter", "year")
PERIODS = (
    "2026", "2024", "2026-Q1", "2026-Q4", "2026-02", "2026-12", "2026-W01", "2026-W53", "2026-02-28",
    "2026-03-01..2026-03-31", "2026-01-01..2026-06-30", "2026-02-27..2026-04-02", "last_30_days", "this_week",
    "last_week", "this_month", "last_month", "this_quarter", "last_quarter", "this_year", "last_year",
)  # fmt: skip
GRAINS: tuple[Grain, ...] = ("day", "week", "month", "quarter", "year", "total")
ZONES = (
    "Europe/Warsaw",
    "America/Santiago",
    "America/Havana",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Pacific/Apia",
)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(PERIODS),
    st.sampled_from(GRAINS),
    st.integers(0, 6),
    st.dates(date(2023, 1, 1), date(2027, 12, 31)),
)
def test_the_service_cuts_time_as_the_reference_does(text: str, grain: Grain, week_start: int, today: date) -> None:
    """S2, S3, S21: windows, their labels and flags, and what comes before each of them."""
    cut = periods.CalendarSettings(ZoneInfo("Europe/Warsaw"), week_starts_on=week_start)
    whole, expected = periods.parse_period(text, today, cut), period(text, today, week_start)
    assert (whole.start, whole.end) == (expected.start, expected.end)
    previous = periods.previous_period(whole, cut)
    assert (previous.start, previous.end) == (before(expected, week_start).start, before(expected, week_start).end)
    tiles, wanted = periods.windows(whole, grain, cut), windows(expected, grain, week_start)
    if grain != "total":
        shapes = [(tile.label, tile.start, tile.end, tile.is_partial) for tile in tiles]
        assert shapes == [(tile.label, tile.start, tile.end, tile.is_partial) for tile in wanted]
    for tile, window in zip(tiles, wanted, strict=True):
        earlier, want = periods.previous_window(tile, grain, cut), before(window, week_start)
        assert (earlier.start, earlier.end) == (want.start, want.end)
        then, wanted_then = periods.same_window_last_year(tile, grain, cut), a_year_before(window)
        assert (then and (then.start, then.end)) == (wanted_then and (wanted_then.start, wanted_then.end))


@settings(deadline=None, max_examples=40)
@given(
    st.builds(
        Fiscal,
        starts_in=st.integers(1, 12),
        named_after=st.sampled_from(["starts", "ends"]),
        pattern=st.sampled_from(["months", "4-4-5", "4-5-4", "5-4-4"]),
        week_rule=st.sampled_from(["last", "nearest"]),
        week_start=st.integers(0, 6),
    ),
    st.integers(2020, 2030),
    st.sampled_from(FISCAL_GRAINS),
)
def test_the_service_cuts_fiscal_years_as_the_reference_does(
    fiscal: Fiscal, year: int, grain: Literal["month", "quarter", "year"]
) -> None:
    """S2: every day of a fiscal year is in the window of its label, and the days beside it are in no other year's."""
    cut = periods.CalendarSettings(
        ZoneInfo("Europe/Warsaw"),
        week_starts_on=fiscal.week_start,
        fiscal_year_starts=fiscal.starts_in,
        fiscal_year_named_after=fiscal.named_after,
        fiscal_pattern=fiscal.pattern,
        fiscal_week_rule=fiscal.week_rule,
    )
    whole = periods.parse_period(f"FY{year}", date(2026, 7, 1), cut)
    tiles = periods.windows(whole, grain, cut)
    assert len(tiles) == {"month": 12, "quarter": 4, "year": 1}[grain]
    assert [fiscal.label(day, grain) for day in whole] == [tile.label for tile in tiles for _ in tile.days]
    outside = (fiscal.place_of(whole.start - DAY), fiscal.place_of(whole.end))
    assert outside == ((year - 1, 12), (year + 1, 1))


@settings(deadline=None, max_examples=60)
@given(st.dates(date(2005, 1, 1), date(2027, 12, 31)), st.sampled_from(ZONES))
def test_the_service_begins_days_where_the_reference_does(day: date, zone: str) -> None:
    """S1."""
    assert periods.first_instant(day, ZoneInfo(zone)) == first_instant(day, zone)


def test_the_day_of_23_hours_has_these_instants() -> None:
    """Example 1 (S1)."""
    assert first_instant(date(2026, 3, 29), "Europe/Warsaw") == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert first_instant(date(2026, 3, 30), "Europe/Warsaw") == datetime(2026, 3, 29, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "instant"),
    [
        ("America/Santiago", date(2026, 9, 6), datetime(2026, 9, 6, 4, tzinfo=UTC)),  # midnight does not exist
        ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC)),  # midnight comes twice
        ("Pacific/Apia", date(2011, 12, 30), datetime(2011, 12, 30, 10, tzinfo=UTC)),  # the day does not exist
    ],
)
def test_a_day_begins_at_its_first_instant(zone: str, day: date, instant: datetime) -> None:
    """S1."""
    assert first_instant(day, zone) == instant


def test_clipped_windows_are_flagged_and_labeled_by_the_whole() -> None:
    """S2."""
    tiles = windows(period("2026-07-13..2026-08-02", date(2026, 7, 1), 0), "month", 0)
    assert [(tile.label, tile.is_partial, len(tile.days())) for tile in tiles] == [
        ("2026-07", True, 19),
        ("2026-08", True, 2),
    ]
    weeks = windows(period("2026-07", date(2026, 7, 1), 0), "week", 6)
    assert [tile.label for tile in weeks][:2] == ["2026-06-28/P7D", "2026-07-05/P7D"]


def test_before_a_whole_month_is_the_month_and_before_a_clipped_one_as_many_days() -> None:
    """S21."""
    july, clipped = period("2026-07", date(2026, 7, 1), 0), period("2026-07-02..2026-07-11", date(2026, 7, 1), 0)
    assert (before(july, 0).start, before(july, 0).end) == (date(2026, 6, 1), date(2026, 7, 1))
    assert (before(clipped, 0).start, before(clipped, 0).end) == (date(2026, 6, 22), date(2026, 7, 2))
