"""The plain rules of progress against slow, obvious ones (S30–S33)."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.calendars.periods import DayRange
from app.calendars.service import Calendars
from app.calendars.working import WorkCalendar
from app.employment.facts import AbsenceDays, Staff
from app.employment.facts import Days as Spell
from app.goals.expecting import Linear, Season, Seasonal, season_of
from app.goals.needing import needed
from app.goals.pace import Aim, change_attainment, is_reached, ratio_to
from app.goals.ramping import Ramp, ramp_of
from app.goals.schedule import Schedule
from app.goals.work import work_in
from app.kpis.attribution import ALL_TIME, Days

PLAIN = WorkCalendar("Plain", ZoneInfo("Europe/Warsaw"))
JULY = DayRange(date(2026, 7, 1), date(2026, 8, 1))
DAY = timedelta(days=1)
DATES = st.dates(date(2026, 1, 1), date(2026, 12, 31))
SHARES = st.fractions(0, 1, max_denominator=20)


def months_after(day: date, count: int) -> date:
    """The same day of a later month, or the last of one that is shorter."""
    month = day.month - 1 + count
    year, month = day.year + month // 12, month % 12 + 1
    for number in range(day.day, 0, -1):
        try:
            return date(year, month, number)
        except ValueError:
            continue
    raise AssertionError


def month_of_service(joined: date, day: date) -> int:
    count = 0
    while months_after(joined, count + 1) <= day:
        count += 1
    return count


@settings(max_examples=80)
@given(DATES, st.lists(SHARES, min_size=1, max_size=6))
def test_a_ramp_is_by_months_of_service_day_by_day(joined: date, shares: list[Fraction]) -> None:
    """S33."""
    spans = Ramp(tuple(shares)).spans(Days(joined, date.max))
    for offset in range(0, 300, 7):
        day = joined + offset * DAY
        (found,) = [share for share, days in spans if days.start <= day < days.end]
        month = month_of_service(joined, day)
        assert found == (shares[month] if month < len(shares) else 1)


def test_a_month_of_service_that_has_no_such_day_begins_on_its_last() -> None:
    spans = ramp_of(["0", "0.5"]).spans(Days(date(2026, 1, 31), date.max))
    assert spans == [
        (0, Days(date(2026, 1, 31), date(2026, 2, 28))),
        (Fraction(1, 2), Days(date(2026, 2, 28), date(2026, 3, 31))),
        (1, Days(date(2026, 3, 31), date.max)),
    ]


@settings(max_examples=60)
@given(DATES, st.lists(SHARES, min_size=1, max_size=4), DATES, st.integers(1, 20), st.booleans(), DATES)
def test_a_ramped_schedule_is_the_sum_over_its_days(
    joined: date, shares: list[Fraction], away: date, length: int, is_waived: bool, day: date
) -> None:
    """S31, S33: each working day asks for its share; waived days count for the whole of the target alone."""
    member = "m"
    absence = AbsenceDays(away, away + length * DAY, "prorate_target" if is_waived else "reschedule")
    staff = Staff({}, {member: [Spell(joined, None)]}, {member: [absence]}, Calendars(PLAIN, {}))  # type: ignore[dict-item]
    schedule = Schedule(JULY, work_in(JULY, {member: [ALL_TIME]}, staff, Ramp(tuple(shares))))  # type: ignore[dict-item]
    there, waived, asked, before = 0, 0, Fraction(0), Fraction(0)
    for each in JULY:
        if each < joined or each.weekday() > 4:
            continue
        if each in absence:
            waived += is_waived
            continue
        month = month_of_service(joined, each)
        share = shares[month] if month < len(shares) else Fraction(1)
        there, asked = there + 1, asked + share
        before += share if each < day else 0
    assert schedule.kept == (asked / (there + waived) if there + waived else 1)
    if asked:
        assert schedule.share_before(day) == before / asked
    if there:
        assert schedule.ramp == asked / there
        assert schedule.working_days(JULY) == there


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=20), SHARES)
def test_a_season_is_interpolated_between_whole_days(days: list[tuple[int, int]], share: Fraction) -> None:
    """S31: (working time, value) of each day."""
    time, total = sum(work for work, _ in days), sum(value for _, value in days)
    shares, past = [], 0
    for work, _ in days:
        past += work
        shares.append(Fraction(past, time) if time else Fraction(0))
    season = season_of(shares, [Decimal(value) for _, value in days])
    if not total:
        assert season is None
        return
    assert season is not None
    assert [season.at(Fraction(0)), season.at(Fraction(1))] == [0, 1]
    found = season.at(share)
    reached = [Fraction(0)]
    for _, value in days:
        reached.append(reached[-1] + Fraction(value, total))
    if time and 0 < share < 1:
        # The last day by which no more than the share had passed, and the first by which more had.
        place = max(n for n, at in enumerate([Fraction(0), *shares]) if at <= share)
        low, high = ([Fraction(0), *shares])[place : place + 2]
        expected = reached[place] + (reached[place + 1] - reached[place]) * (share - low) / (high - low)
        if share == low:
            expected = reached[place]
        assert float(found) == pytest.approx(float(expected))


def test_seasons_are_averaged_and_never_below_nothing() -> None:
    half = Fraction(1, 2)
    early = Season(((Fraction(0), Fraction(0)), (half, Fraction(3, 4)), (Fraction(1), Fraction(1))))
    late = Season(((Fraction(0), Fraction(0)), (half, Fraction(-2)), (Fraction(1), Fraction(1))))
    days = DayRange(date(2026, 7, 1), date(2026, 7, 3))
    time = Linear(days)
    assert Seasonal(time, (early,)).share_before(date(2026, 7, 2)) == Fraction(3, 4)
    assert Seasonal(time, (early, late)).share_before(date(2026, 7, 2)) == 0
    assert [Seasonal(time, (early, late)).share_before(day) for day in (days.start, days.end)] == [0, 1]


CALLS = Aim("increase", low=Decimal(100), is_additive=True)
LIMIT = Aim("decrease", high=Decimal(20), is_additive=True)


@pytest.mark.parametrize(
    ("actual", "aim", "left", "is_over", "expected"),
    [
        ("40", CALLS, 15, False, ("60", "4", "5", None)),
        ("140", CALLS, 15, False, ("0", "0", "17.5", None)),
        ("40", CALLS, 0, False, ("60", None, "5", "no_working_days_left")),
        ("40", CALLS, 0, True, ("60", None, "5", "over")),
        ("8", LIMIT, 6, False, ("12", "2", "1", None)),
        ("24", LIMIT, 6, False, ("-4", "0", "3", None)),
        ("1", Aim("increase", low=Decimal("0.4")), 6, False, (None, None, None, "not_additive")),
        (None, CALLS, 6, False, (None, None, None, "no_data")),
        ("1", None, 6, False, (None, None, None, "waived")),
    ],
)
def test_what_is_needed_per_working_day(
    actual: str | None, aim: Aim | None, left: int, is_over: bool, expected: tuple[str | None, ...]
) -> None:
    value = None if actual is None else Decimal(actual)
    found = needed(value, aim, days_past=8, days_left=left, is_over=is_over)
    numbers = [None if each is None else Decimal(each) for each in expected[:3]]
    assert [found.remaining, found.per_working_day, found.achieved_per_working_day] == numbers
    assert found.because == expected[3]


def test_stretch_and_change() -> None:
    """S30."""
    assert (is_reached(Decimal(5), Decimal(5), "decrease"), is_reached(Decimal(6), Decimal(5), "decrease")) == (
        True,
        False,
    )
    assert ratio_to(Decimal(30), Decimal(120), CALLS) == Decimal("0.25")
    assert ratio_to(Decimal(30), Decimal(15), LIMIT) == Decimal("0.5")
    assert change_attainment(Decimal(30), Decimal(20), Decimal(40)) == Decimal("0.5")
    assert change_attainment(Decimal(30), Decimal(40), Decimal(20)) == Decimal("0.5")
    assert change_attainment(Decimal(30), Decimal(20), Decimal(20)) is None
