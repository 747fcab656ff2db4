"""Periods, windows and the instants of local days (S1–S4, S21)."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.calendars.periods import (
    CalendarSettings,
    DayRange,
    Grain,
    PeriodError,
    SkippedTimeError,
    Window,
    first_instant,
    local_day,
    parse_period,
    previous_period,
    previous_window,
    resolve_local,
    windows,
)

WARSAW = CalendarSettings(ZoneInfo("Europe/Warsaw"))
SUNDAYS = CalendarSettings(ZoneInfo("America/New_York"), week_starts_on=6)
APRIL = CalendarSettings(ZoneInfo("Europe/London"), fiscal_year_starts=4)
APRIL_STARTS = CalendarSettings(ZoneInfo("Europe/London"), fiscal_year_starts=4, fiscal_year_named_after="starts")
TODAY = date(2026, 7, 14)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-07-14", "2026-07-14", "2026-07-15"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2026-Q3", "2026-07-01", "2026-10-01"),
        ("2026-W01", "2025-12-29", "2026-01-05"),
        ("2026-W53", "2026-12-28", "2027-01-04"),
        ("2026-07-12/P7D", "2026-07-12", "2026-07-19"),
        ("2026", "2026-01-01", "2027-01-01"),
        ("FY2026", "2026-01-01", "2027-01-01"),
        ("2026-07-01..2026-08-15", "2026-07-01", "2026-08-16"),
        ("2024-02-29..2024-02-29", "2024-02-29", "2024-03-01"),
        ("last_30_days", "2026-06-14", "2026-07-14"),
        ("last_1_days", "2026-07-13", "2026-07-14"),
        ("today", "2026-07-14", "2026-07-15"),
        ("yesterday", "2026-07-13", "2026-07-14"),
        ("this_week", "2026-07-13", "2026-07-20"),
        ("last_week", "2026-07-06", "2026-07-13"),
        ("this_month", "2026-07-01", "2026-08-01"),
        ("last_month", "2026-06-01", "2026-07-01"),
        ("this_quarter", "2026-07-01", "2026-10-01"),
        ("last_quarter", "2026-04-01", "2026-07-01"),
        ("this_year", "2026-01-01", "2027-01-01"),
        ("last_year", "2025-01-01", "2026-01-01"),
    ],
)
def test_a_period_stands_for_half_open_local_days(text: str, start: str, end: str) -> None:
    assert parse_period(text, TODAY, WARSAW) == DayRange(date.fromisoformat(start), date.fromisoformat(end))


@pytest.mark.parametrize(
    ("text", "ends_in", "starts_in"),
    [
        ("FY2026", ("2025-04-01", "2026-04-01"), ("2026-04-01", "2027-04-01")),
        ("FY2026-Q4", ("2026-01-01", "2026-04-01"), ("2027-01-01", "2027-04-01")),
        ("FY2026-P07", ("2025-10-01", "2025-11-01"), ("2026-10-01", "2026-11-01")),
    ],
)
def test_a_fiscal_year_is_named_after_its_end_unless_told(
    text: str, ends_in: tuple[str, str], starts_in: tuple[str, str]
) -> None:
    for fiscal, (start, end) in ((APRIL, ends_in), (APRIL_STARTS, starts_in)):
        assert parse_period(text, TODAY, fiscal) == DayRange(date.fromisoformat(start), date.fromisoformat(end))


@pytest.mark.parametrize(
    "text",
    [
        "", " 2026", "2026 ", "2026\n", "2026-7", "2026-13", "2026-00", "2026-02-30", "2025-02-29", "2026-Q0",
        "2025-W53", "2026-W00", "2026-W54", "1969", "2201", "0000", "1969-12-31", "2201-01-01", "FY1969", "FY2026-Q5",
        "FY2026-P13", "FY2026-P00", "FY2026-P7", "FY2026-Q03", "FY2026-", "fy2026", "2026-q3", "2026-08-15..2026-07-01",
        "2026-07-01..", "2026-07..2026-08", "2026-07-01..2026-02-30", "last_0_days", "last_3661_days",
        "last_999999999_days", "last_-1_days", "this_day", "next_month", "tomorrow", "٢٠٢٦", "2026-٠٧", "x" * 10_000,
    ],
)  # fmt: skip
def test_what_is_no_period_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(PeriodError, match=r"[wW]rite|ISO weeks") as refused:
        parse_period(text, TODAY, WARSAW)
    assert len(str(refused.value)) < 400


def test_a_missing_week_says_how_many_there_are() -> None:
    with pytest.raises(PeriodError, match="2025 has the ISO weeks W01 to W52"):
        parse_period("2025-W53", TODAY, WARSAW)


def test_relative_weeks_start_where_the_organizations_weeks_do() -> None:
    assert parse_period("this_week", TODAY, SUNDAYS) == DayRange(date(2026, 7, 12), date(2026, 7, 19))
    assert parse_period("last_week", TODAY, SUNDAYS).text == "2026-07-05/P7D"


def test_relative_periods_are_labeled_by_the_days_they_stand_for() -> None:
    labels = [parse_period(text, TODAY, WARSAW).label for text in ("this_month", "last_week", "last_30_days", "today")]
    assert labels == ["2026-07", "2026-W28", "2026-06-14..2026-07-13", "2026-07-14"]


def test_windows_are_clipped_to_the_period_and_say_so() -> None:
    """S2."""
    assert windows(parse_period("2026-07-10..2026-08-15", TODAY, WARSAW), "month", WARSAW) == [
        Window("2026-07", date(2026, 7, 10), date(2026, 8, 1), is_partial=True),
        Window("2026-08", date(2026, 8, 1), date(2026, 8, 16), is_partial=True),
    ]


@pytest.mark.parametrize(
    ("period", "grain", "calendar", "labels"),
    [
        ("2026-07-14..2026-07-15", "day", WARSAW, ["2026-07-14", "2026-07-15"]),
        ("2026-W29", "week", WARSAW, ["2026-W29"]),
        ("2026-07-12/P7D", "week", SUNDAYS, ["2026-07-12/P7D"]),
        ("2026-Q3", "month", WARSAW, ["2026-07", "2026-08", "2026-09"]),
        ("2026", "quarter", WARSAW, ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"]),
        ("2026", "year", WARSAW, ["2026"]),
        ("2026-Q3", "total", WARSAW, ["2026-Q3"]),
        ("2026-07-01..2026-07-02", "total", WARSAW, ["2026-07-01..2026-07-02"]),
        ("FY2026", "quarter", APRIL, ["FY2026-Q1", "FY2026-Q2", "FY2026-Q3", "FY2026-Q4"]),
        ("FY2026-Q4", "month", APRIL, ["FY2026-P10", "FY2026-P11", "FY2026-P12"]),
        ("FY2026-Q4", "year", APRIL_STARTS, ["FY2026"]),
    ],
)
def test_windows_have_the_label_of_their_kind(
    period: str, grain: Grain, calendar: CalendarSettings, labels: list[str]
) -> None:
    """S2."""
    assert [window.label for window in windows(parse_period(period, TODAY, calendar), grain, calendar)] == labels


CALENDARS = st.builds(
    CalendarSettings,
    zone=st.just(ZoneInfo("Europe/Warsaw")),
    week_starts_on=st.integers(0, 6),
    fiscal_year_starts=st.integers(1, 12),
    fiscal_year_named_after=st.sampled_from(["ends", "starts"]),
)
DAYS = st.dates(date(1970, 1, 1), date(2200, 12, 31))
GRAINS: st.SearchStrategy[Grain] = st.sampled_from(["day", "week", "month", "quarter", "year", "total"])


@st.composite
def periods(draw: st.DrawFn) -> DayRange:
    start = draw(DAYS)
    return DayRange(start, start + timedelta(days=draw(st.integers(1, 800))), draw(st.sampled_from(["", "FY2026"])))


@settings(max_examples=60)
@given(periods(), GRAINS, CALENDARS)
def test_windows_tile_their_period(period: DayRange, grain: Grain, calendar: CalendarSettings) -> None:
    tiles = windows(period, grain, calendar)
    assert (tiles[0].start, tiles[-1].end) == (period.start, period.end)
    assert all(first.end == second.start for first, second in pairwise(tiles))
    assert all(not tile.is_partial for tile in tiles[1:-1])


@settings(max_examples=60)
@given(DAYS, GRAINS, CALENDARS, st.sampled_from(["2026", "FY2026"]))
def test_a_whole_window_is_what_its_label_stands_for(
    day: date, grain: Grain, calendar: CalendarSettings, text: str
) -> None:
    start = date(min(max(day.year, 1972), 2197), day.month, 1)
    for window in windows(DayRange(start, start + timedelta(days=500), text), grain, calendar):
        if not window.is_partial and grain != "total":
            assert parse_period(window.label, TODAY, calendar) == window.days


@settings(max_examples=60)
@given(DAYS, st.sampled_from(["day", "week", "month", "quarter", "year"]), CALENDARS, st.sampled_from(["", "FY2026"]))
def test_the_window_before_a_whole_window_is_its_neighbor(
    day: date, grain: Grain, calendar: CalendarSettings, text: str
) -> None:
    """S21."""
    tiles = windows(DayRange(day, day + timedelta(days=1200), text), grain, calendar)
    for before, window in pairwise(tiles[1:-1]):
        assert previous_window(window, grain, calendar) == before


def test_the_window_before_a_clipped_one_has_as_many_days() -> None:
    """S21."""
    clipped = Window("2026-07", date(2026, 7, 10), date(2026, 8, 1), is_partial=True)
    before = previous_window(clipped, "month", WARSAW)
    assert (before.start, before.end, before.label) == (date(2026, 6, 18), date(2026, 7, 10), "2026-06-18..2026-07-09")


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("2026-07", "2026-06"),
        ("2026-01", "2025-12"),
        ("2026-Q1", "2025-Q4"),
        ("2025", "2024"),
        ("2026-W01", "2025-W52"),
        ("2026-07-12/P7D", "2026-07-05/P7D"),
        ("2026-07-14", "2026-07-13"),
        ("2026-07-01..2026-07-31", "2026-06"),
        ("2026-02-01..2026-04-30", "2025-11-04..2026-01-31"),
        ("2026-07-01..2026-08-15", "2026-05-16..2026-06-30"),
        ("last_30_days", "2026-05-15..2026-06-13"),
        ("FY2026", "FY2025"),
        ("FY2026-Q1", "FY2025-Q4"),
        ("FY2026-Q3", "FY2026-Q2"),
        ("FY2026-P01", "FY2025-P12"),
        ("FY2026-P12", "FY2026-P11"),
    ],
)
def test_the_period_before_is_of_the_same_kind_or_as_many_days(text: str, before: str) -> None:
    """S21."""
    for calendar in (WARSAW, APRIL):
        found = previous_period(parse_period(text, TODAY, calendar), calendar)
        assert found.label == before
        assert found == parse_period(before, TODAY, calendar)
        total = windows(parse_period(text, TODAY, calendar), "total", calendar)[0]
        assert previous_window(total, "total", calendar) == Window(before, found.start, found.end)


def test_golden_1_the_day_of_23_hours_in_warsaw() -> None:
    zone = WARSAW.zone
    assert first_instant(date(2026, 3, 29), zone) == utc("2026-03-28T23:00")
    assert first_instant(date(2026, 3, 30), zone) == utc("2026-03-29T22:00")
    days = [local_day(utc(t), zone).day for t in ("2026-03-28T23:30", "2026-03-29T21:59:59", "2026-03-29T22:00")]
    assert days == [29, 29, 30]


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00"),  # 00:00 becomes 01:00
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00"),
        ("America/Havana", "2024-11-03", "2024-11-03T04:00"),  # 00:00 comes twice
        ("America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00"),  # 24:00 becomes 23:00
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),  # left out
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00"),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00"),
        ("Pacific/Kwajalein", "1993-08-21", "1993-08-21T12:00"),
    ],
)
def test_a_day_begins_at_its_first_instant(zone: str, day: str, begins: str) -> None:
    """S1."""
    assert first_instant(date.fromisoformat(day), ZoneInfo(zone)) == utc(begins)


ZONES = [
    "UTC", "Europe/Warsaw", "America/New_York", "America/Sao_Paulo", "Africa/Cairo", "Asia/Tehran", "Asia/Beirut",
    "Pacific/Apia", "Pacific/Kwajalein", "America/Havana", "Australia/Lord_Howe", "America/Asuncion", "Asia/Kathmandu",
]  # fmt: skip


@settings(max_examples=150)
@given(
    st.sampled_from(ZONES).map(ZoneInfo),
    st.datetimes(datetime(1970, 1, 2), datetime(2040, 1, 1), timezones=st.just(UTC)),
)
def test_every_instant_lies_in_exactly_one_local_day(zone: ZoneInfo, instant: datetime) -> None:
    day = local_day(instant, zone)
    around = [day + timedelta(days=n) for n in (-2, -1, 0, 1, 2)]
    holding = [d for d in around if first_instant(d, zone) <= instant < first_instant(d + timedelta(days=1), zone)]
    assert holding == [day]


def test_an_instant_without_an_offset_has_no_local_day() -> None:
    with pytest.raises(ValueError, match="offset"):
        local_day(datetime(2026, 7, 14, 12), WARSAW.zone)


def test_a_clock_time_in_a_gap_is_refused_and_in_an_overlap_the_first_is_meant() -> None:
    """S4."""
    zone = WARSAW.zone
    with pytest.raises(SkippedTimeError, match="Europe/Warsaw"):
        resolve_local(date(2026, 3, 29), time(2, 30), zone)
    assert resolve_local(date(2026, 3, 29), time(3), zone) == utc("2026-03-29T01:00")
    assert resolve_local(date(2026, 10, 25), time(2, 30), zone) == utc("2026-10-25T00:30")
    assert resolve_local(date(2026, 10, 25), time(2, 30, fold=1), zone) == utc("2026-10-25T00:30")


def test_a_run_of_days_knows_its_days_and_its_part_before_a_day() -> None:
    july = DayRange(date(2026, 7, 1), date(2026, 8, 1))
    assert july.days == len(list(july)) == 31
    assert date(2026, 7, 31) in july
    assert date(2026, 8, 1) not in july
    assert july.until(date(2026, 7, 11)) == DayRange(date(2026, 7, 1), date(2026, 7, 11))
    assert july.until(date(2026, 1, 1)).days == 0
    assert july.until(date(2027, 1, 1)) == july
    with pytest.raises(ValueError, match="backwards"):
        DayRange(date(2026, 8, 1), date(2026, 7, 1))
