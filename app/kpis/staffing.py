"""Working time and members in scope of a subject: what `working_hours()`, `headcount()` and `fte()` are (S23).

Pure: from people's terms as known at an instant. Sums are kept per day as whole numbers, so that hundreds of windows of
hundreds of people cost no more than their days.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from uuid import UUID

from app.calendars.working import WorkCalendar
from app.employment import facts
from app.employment.facts import Staff
from app.kpis.attribution import Days, complement, days_between, intersect, union
from app.kpis.formulas import EXACT, FORMULA, StaffFunction

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_DIGITS_OF_SECONDS = 6

Members = Mapping[UUID, Sequence[Days]]
"""The members in scope, with the days on which they are."""


class Staffing:
    """The staff as known at an instant, seen from T, over the days that a query asks about."""

    def __init__(self, staff: Staff, *, at: datetime, today: date, horizon: Days) -> None:
        self._staff = staff
        self._at = at
        self._today = today
        # A calendar of another zone may be a day ahead of the organization's.
        end = min(horizon.end, today + 2 * _DAY)
        self.horizon = Days(min(horizon.start, end), end)
        parts = [terms.fte for spells in staff.terms.values() for terms in spells]
        self._digits = max((-int(part.as_tuple().exponent) for part in parts), default=0)
        self._working: dict[int, list[int]] = {}

    @property
    def length(self) -> int:
        """How many days are asked about."""
        return (self.horizon.end - self.horizon.start).days

    def roster(self, members: Members) -> "Roster":
        """The sums over these members."""
        heads, parts = [0] * (self.length + 1), [0] * (self.length + 1)
        at_work: dict[int, list[int]] = defaultdict(lambda: [0] * (self.length + 1))
        for member, runs in members.items():
            employed = intersect(intersect(runs, self._employed(member)), [self.horizon])
            for days, part, calendar in self._by_terms(member, intersect(employed, self._present(member))):
                self._add(heads, days, 1)
                self._add(parts, days, part)
                self._add(at_work[self._number(calendar)], days, part)
        return Roster(self, heads, parts, [self._worked(number, added) for number, added in at_work.items()])

    def _employed(self, member: UUID) -> list[Days]:
        spells = self._staff.employments.get(member)
        return _runs(spells) if spells else [Days(date.min, date.max)]

    def _present(self, member: UUID) -> list[Days]:
        return complement(_runs(self._staff.absences.get(member, ())))

    def _by_terms(self, member: UUID, runs: Sequence[Days]) -> list[tuple[Days, int, WorkCalendar]]:
        """The runs cut by the member's assignments, each with the part of a full-time job and the calendar."""
        spells = self._staff.terms.get(member, ())
        cut = [
            (days, self._scaled(terms.fte), self._staff.calendars.of(terms.calendar_id))
            for terms in spells
            for days in intersect(runs, [days_between(terms.start, terms.end)])
        ]
        usual = intersect(runs, complement(_runs(spells)))
        return cut + [(days, self._scaled(facts.FULL_TIME), self._staff.calendars.default) for days in usual]

    def _scaled(self, part: Decimal) -> int:
        return int(part.scaleb(self._digits))

    def _add(self, differences: list[int], days: Days, amount: int) -> None:
        differences[(days.start - self.horizon.start).days] += amount
        differences[(days.end - self.horizon.start).days] -= amount

    def _number(self, calendar: WorkCalendar) -> int:
        """Of a calendar whose working time by day is known from here on."""
        number = id(calendar)
        if number not in self._working:
            days = (self.horizon.start + n * _DAY for n in range(self.length))
            self._working[number] = [self._microseconds(calendar, day) for day in days]
        return number

    def _microseconds(self, calendar: WorkCalendar, day: date) -> int:
        """The working time of one of the calendar's own days, up to T."""
        worked = (min(end, self._at) - start for start, end in calendar.intervals_between(day, day + _DAY))
        return sum(time // _MICROSECOND for time in worked if time > timedelta())

    def _worked(self, number: int, differences: list[int]) -> list[int]:
        return [part * time for part, time in zip(accumulate(differences), self._working[number], strict=False)]

    def exact(self, scaled: int, digits: int = 0) -> Decimal:
        """A sum of parts as a number."""
        return EXACT.scaleb(Decimal(scaled), -self._digits - digits)

    def places(self, days: Days, *, whole_days: bool) -> tuple[int, int]:
        """Where days begin and end among the days asked about; `whole_days` up to and with T's local day."""
        end = min(days.end, self._today + _DAY) if whole_days else days.end
        first = self.horizon.start
        start = min(max((days.start - first).days, 0), self.length)
        return start, min(max((end - first).days, start), self.length)


class Roster:
    """Members in scope, day by day."""

    def __init__(
        self, staffing: Staffing, heads: Sequence[int], parts: Sequence[int], worked: Sequence[Sequence[int]]
    ) -> None:
        self._staffing = staffing
        self._heads = _running(accumulate(heads))
        self._parts = _running(accumulate(parts))
        self._worked = _running(map(sum, zip(*worked, strict=True))) if worked else [0] * (staffing.length + 1)

    def value(self, function: StaffFunction, days: Days) -> Decimal | None:
        """The function's value over these days."""
        return self.working_seconds(days) if function == "working_hours" else self._mean(function, days)

    def working_seconds(self, days: Days) -> Decimal:
        """Working time up to T, exactly: nothing before it began."""
        start, end = self._staffing.places(days, whole_days=False)
        return self._staffing.exact(self._worked[end] - self._worked[start], _DIGITS_OF_SECONDS)

    def _mean(self, function: StaffFunction, days: Days) -> Decimal | None:
        """The mean over the days up to and with T's; no data where they all are to come."""
        start, end = self._staffing.places(days, whole_days=True)
        if start == end:
            return None
        if function == "headcount":
            return FORMULA.divide(Decimal(self._heads[end] - self._heads[start]), Decimal(end - start))
        total = self._staffing.exact(self._parts[end] - self._parts[start])
        return FORMULA.divide(total, Decimal(end - start))


def _running(values: "Sequence[int] | accumulate[int] | map[int]") -> list[int]:
    """Sums of the first n values, from n = 0 on."""
    return [0, *accumulate(values)]


def _runs(spells: Sequence[facts.Days]) -> list[Days]:
    return union(days_between(spell.start, spell.end) for spell in spells)
