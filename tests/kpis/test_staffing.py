"""Working time and members in scope (S23)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from app.calendars.working import WorkCalendar
from app.employment.facts import AbsenceDays, Staff, Terms
from app.employment.facts import Days as Spell
from app.kpis.attribution import ALL_TIME, Days
from app.kpis.staffing import Staffing

WARSAW = WorkCalendar("Warsaw", ZoneInfo("Europe/Warsaw"), holidays=frozenset({date(2026, 7, 8)}))
NEW_YORK = WorkCalendar("New York", ZoneInfo("America/New_York"))
ANA, BO = uuid4(), uuid4()
ABROAD = uuid4()
NOON = datetime(2026, 7, 13, 10, tzinfo=UTC)
JULY = Days(date(2026, 7, 1), date(2026, 8, 1))
HOUR = 3600


@dataclass(frozen=True)
class Books:
    """The organization's calendar and one abroad."""

    default: WorkCalendar = WARSAW

    def of(self, calendar_id: UUID | None) -> WorkCalendar:
        return NEW_YORK if calendar_id == ABROAD else WARSAW


def terms(start: date | None, end: date | None, fte: str, calendar_id: UUID | None = None) -> Terms:
    return Terms(start, end, Decimal(fte), calendar_id, None, None, None)


def staff(*, of: Sequence[Terms] = (), employed: Sequence[Spell] = (), away: Sequence[AbsenceDays] = ()) -> Staff:
    return Staff({ANA: of}, {ANA: employed}, {ANA: away}, Books())


def staffing(known: Staff, at: datetime = NOON, horizon: Days = JULY) -> Staffing:
    return Staffing(known, at=at, today=at.astimezone(WARSAW.zone).date(), horizon=horizon)


def test_working_time_is_exact_to_the_instant_of_the_answer() -> None:
    """Seven working days without the holiday on the 8th, and three hours of Monday 13 July."""
    everybody = staffing(staff()).roster({ANA: [ALL_TIME], BO: [ALL_TIME]})
    assert everybody.working_seconds(JULY) == 2 * (7 * 8 + 3) * HOUR
    assert everybody.working_seconds(Days(date(2026, 7, 13), date(2026, 7, 14))) == 2 * 3 * HOUR
    assert everybody.working_seconds(Days(date(2026, 7, 14), date(2026, 8, 1))) == 0


def test_part_time_absence_and_the_days_in_the_team_count() -> None:
    known = staff(
        of=[terms(date(2026, 7, 6), None, "0.375")],
        away=[AbsenceDays(date(2026, 7, 2), date(2026, 7, 3), "reschedule")],
    )
    in_team = [Days(date(2026, 7, 1), date(2026, 7, 8))]
    ana = staffing(known).roster({ANA: in_team})
    assert ana.working_seconds(JULY) == 2 * 8 * HOUR + 2 * 3 * HOUR  # Wednesday, Friday, then three hours a day
    # Absent on one of the seven days.
    assert ana.value("headcount", Days(date(2026, 7, 1), date(2026, 7, 8))) == Decimal(
        "0.8571428571428571428571428571428571"
    )
    assert ana.value("fte", Days(date(2026, 7, 5), date(2026, 7, 9))) == Decimal("1.75") / 4


def test_nobody_is_counted_on_days_without_employment_or_in_the_future() -> None:
    known = staff(employed=[Spell(date(2026, 7, 10), None)])
    ana = staffing(known).roster({ANA: [ALL_TIME]})
    assert ana.value("headcount", JULY) == Decimal("0.3076923076923076923076923076923077")  # 4 of 13 days
    assert ana.working_seconds(JULY) == (8 + 3) * HOUR
    assert ana.value("headcount", Days(date(2026, 7, 14), date(2026, 7, 20))) is None
    assert ana.value("fte", Days(date(2026, 7, 14), date(2026, 7, 20))) is None


def test_each_works_by_a_calendar_and_clock_of_their_own() -> None:
    """At 12:00 in Warsaw nobody works in New York yet; there the 8th is no holiday."""
    known = staff(of=[terms(None, None, "1", ABROAD)])
    ana = staffing(known).roster({ANA: [ALL_TIME]})
    assert ana.working_seconds(JULY) == 8 * 8 * HOUR


@given(st.lists(st.dates(date(2026, 7, 1), date(2026, 8, 1)), min_size=2, max_size=6))
def test_working_time_of_parts_adds_up(edges: list[date]) -> None:
    known = staff(of=[terms(date(2026, 7, 3), date(2026, 7, 20), "0.333")])
    later = NOON + timedelta(days=12, hours=5, microseconds=7)
    ana = staffing(known, at=later).roster({ANA: [ALL_TIME]})
    ordered = sorted(edges)
    parts = [Days(start, end) for start, end in pairwise(ordered)]
    whole = ana.working_seconds(Days(ordered[0], ordered[-1]))
    assert sum((ana.working_seconds(part) for part in parts), Decimal(0)) == whole
