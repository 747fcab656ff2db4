"""The working time of a goal's owner, and what absences do to it (S31)."""

from datetime import date, time
from decimal import Decimal
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.calendars.periods import DayRange
from app.calendars.service import Calendars
from app.calendars.working import WorkCalendar, WorkInterval
from app.employment.facts import AbsenceDays, Staff, Terms
from app.employment.facts import Days as Spell
from app.goals.schedule import Schedule, Work
from app.goals.work import work_in
from app.kpis.attribution import ALL_TIME, Days

ZONE = ZoneInfo("Europe/Warsaw")
PLAIN = WorkCalendar("Plain", ZONE)
JUNE = DayRange(date(2026, 6, 1), date(2026, 7, 1))
JULY = DayRange(date(2026, 7, 1), date(2026, 8, 1))
HALF = Fraction(1, 2)
ANA, BO = UUID(int=1), UUID(int=2)


def june(day: int) -> date:
    return date(2026, 6, day)


def alone(*work: Work, period: DayRange = JULY) -> Schedule:
    return Schedule(period, work)


def test_golden_8_eight_of_the_working_days_of_july_are_past_by_11_july() -> None:
    assert alone(Work(PLAIN, JULY)).share_before(date(2026, 7, 11)) == Fraction(8, 23)


def test_a_day_is_past_at_its_end_and_weighs_by_part_time() -> None:
    half_fridays = WorkCalendar(
        "Half",
        ZONE,
        {**dict.fromkeys(range(4), (WorkInterval(time(9), time(17)),)), 4: (WorkInterval(time(9), time(13)),)},
    )
    week = DayRange(date(2026, 7, 6), date(2026, 7, 13))
    schedule = alone(Work(half_fridays, week), period=week)
    shares = [schedule.share_before(date(2026, 7, day)) for day in (6, 7, 10, 11)]
    assert shares == [0, Fraction(8, 36), Fraction(32, 36), 1]


def test_nothing_is_expected_before_the_period_and_all_after_it() -> None:
    schedule = alone(Work(PLAIN, JULY))
    assert [schedule.share_before(date(2026, 1, 1)), schedule.share_before(date(2027, 1, 1))] == [0, 1]


def test_a_team_is_expected_what_its_members_days_are() -> None:
    """One works all July, another from 16 July (12 working days)."""
    schedule = alone(Work(PLAIN, JULY), Work(PLAIN, DayRange(date(2026, 7, 16), date(2026, 8, 1))))
    assert schedule.share_before(date(2026, 7, 11)) == Fraction(8, 35)


def test_part_time_weighs_its_part() -> None:
    """Half time from 16 July on."""
    before, after = JULY.until(date(2026, 7, 16)), DayRange(date(2026, 7, 16), JULY.end)
    schedule = alone(Work(PLAIN, before), Work(PLAIN, after, HALF))
    assert schedule.share_before(date(2026, 7, 16)) == Fraction(11, 17)


def test_a_period_without_working_time_counts_days() -> None:
    weekend = DayRange(date(2026, 7, 11), date(2026, 7, 13))
    for work in (Work(PLAIN, weekend), Work(PLAIN, weekend, absence="prorate_target")):
        schedule = alone(work, period=weekend)
        assert [schedule.share_before(date(2026, 7, 12)), schedule.kept] == [HALF, 1]


@settings(max_examples=60)
@given(st.dates(date(2026, 6, 1), date(2026, 9, 1)), st.dates(date(2026, 6, 1), date(2026, 9, 1)))
def test_the_expected_share_never_falls(one: date, other: date) -> None:
    early, late = sorted([one, other])
    schedule = alone(Work(PLAIN, JULY))
    assert 0 <= schedule.share_before(early) <= schedule.share_before(late) <= 1


# -------------------------------------------------------------------------------------------------------- absences


def staff(
    absences: dict[UUID, list[AbsenceDays]] | None = None,
    employments: dict[UUID, list[Spell]] | None = None,
    terms: dict[UUID, list[Terms]] | None = None,
) -> Staff:
    return Staff(terms or {}, employments or {}, absences or {}, Calendars(PLAIN, {}))


HOLIDAYS = AbsenceDays(june(1), june(8), "reschedule")
LEAVE = AbsenceDays(june(15), june(17), "prorate_target")


def of(known: Staff, *members: UUID) -> Schedule:
    return Schedule(JUNE, work_in(JUNE, {member: [ALL_TIME] for member in members}, known))


def test_rescheduled_days_move_the_work_and_prorated_ones_take_their_part_away() -> None:
    """22 working days of June, of them 5 of holidays and 2 of leave: 15 of 17 days of the target are left."""
    schedule = of(staff({ANA: [HOLIDAYS, LEAVE]}), ANA)
    assert schedule.kept == Fraction(15, 17)
    assert schedule.share_before(june(8)) == 0
    assert schedule.share_before(june(13)) == Fraction(5, 15)
    assert schedule.share_before(june(17)) == Fraction(5, 15)


def test_each_kind_of_absence_does_its_own() -> None:
    assert of(staff({ANA: [HOLIDAYS]}), ANA).kept == 1
    leave = of(staff({ANA: [LEAVE]}), ANA)
    assert [leave.kept, leave.share_before(june(13))] == [Fraction(20, 22), Fraction(10, 20)]


def test_of_a_team_the_part_of_those_who_are_absent_is_taken_away() -> None:
    """Two members of 22 days, one of them on leave for 2; then one works half of the time, which is 11 days."""
    assert of(staff({ANA: [LEAVE]}), ANA, BO).kept == Fraction(42, 44)
    half = Terms(None, None, Decimal("0.5"), None, None, None, None)
    known = staff({ANA: [LEAVE]}, terms={BO: [half]})
    assert of(known, ANA, BO).kept == Fraction(31, 33)
    known = staff({BO: [LEAVE]}, terms={BO: [half]})
    assert of(known, ANA, BO).kept == Fraction(32, 33)


def test_absences_outside_of_the_days_in_a_team_or_of_the_employment_do_nothing() -> None:
    known = staff({ANA: [LEAVE]})
    days_in = {ANA: [Days(june(20), date.max)], BO: [ALL_TIME]}
    assert Schedule(JUNE, work_in(JUNE, days_in, known)).kept == 1
    joined = staff({ANA: [LEAVE]}, {ANA: [Spell(june(16), None)]})
    schedule = of(joined, ANA)
    assert [schedule.kept, schedule.share_before(june(16))] == [Fraction(10, 11), 0]


def test_a_whole_period_away_waives_the_target_or_leaves_it_as_it_was_planned() -> None:
    waived = of(staff({ANA: [AbsenceDays(june(1), date(2026, 7, 1), "prorate_target")]}), ANA)
    assert waived.kept == 0
    moved = of(staff({ANA: [AbsenceDays(june(1), date(2026, 7, 1), "reschedule")]}), ANA)
    assert [moved.kept, moved.share_before(june(8))] == [1, Fraction(5, 22)]


@pytest.mark.parametrize("effect", ["reschedule", "prorate_target"])
def test_an_absence_on_a_day_off_does_nothing(effect: str) -> None:
    weekend = AbsenceDays(june(6), june(8), effect)  # type: ignore[arg-type]  # one of two words
    schedule = of(staff({ANA: [weekend]}), ANA)
    assert [schedule.kept, schedule.share_before(june(13))] == [1, Fraction(10, 22)]
