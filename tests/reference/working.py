"""Working time, counted out day by day (S16, S23)."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.reference.days import DAY, instant_of
from tests.reference.evaluate import EXACT
from tests.reference.world import Calendar

OFFICE_HOURS = {weekday: ((time(9), time(17)),) for weekday in range(5)}
_MICROSECOND = timedelta(microseconds=1)


@dataclass
class WorkingTime:
    """A calendar in a zone; without one: Monday to Friday from 9 to 17, no holidays."""

    calendar: Calendar | None
    organization_zone: str
    _of_day: dict[date, list[tuple[datetime, datetime]]] = field(default_factory=dict)

    @property
    def zone(self) -> str:
        """The calendar's own, else the organization's."""
        return (self.calendar and self.calendar.time_zone) or self.organization_zone

    def clock_times(self, day: date) -> tuple[tuple[time, time], ...]:
        """From when to when people work on a day."""
        if self.calendar is None:
            return OFFICE_HOURS.get(day.weekday(), ())
        usual = self.calendar.weekdays.get(day.weekday(), ())
        if day in self.calendar.extra_working_days:
            return usual or next(times for _, times in sorted(self.calendar.weekdays.items()) if times)
        return () if day in self.calendar.holidays else usual

    def is_working_day(self, day: date) -> bool:
        """Whether anybody works on it."""
        return bool(self.clock_times(day))

    def intervals(self, day: date) -> list[tuple[datetime, datetime]]:
        """The working time of a day as instants."""
        if day not in self._of_day:
            self._of_day[day] = [
                (instant_of(day, start, self.zone), instant_of(day if end > time() else day + DAY, end, self.zone))
                for start, end in self.clock_times(day)
            ]
        return self._of_day[day]

    def working_seconds(self, start: datetime, end: datetime) -> Decimal:
        """The working time between two instants."""
        zone = ZoneInfo(self.zone)
        day, last = start.astimezone(zone).date() - DAY, end.astimezone(zone).date()
        total = Decimal(0)
        while day <= last:
            total += self.seconds_on(day, start, end)
            day += DAY
        return total

    def seconds_on(self, day: date, since: datetime, until: datetime) -> Decimal:
        """The working time of a day as far as it lies between two instants."""
        met = [(max(start, since), min(end, until)) for start, end in self.intervals(day)]
        total = sum((end - start for start, end in met if start < end), timedelta())
        return EXACT.divide(Decimal(total // _MICROSECOND), Decimal(1_000_000))

    def clock_seconds(self, day: date) -> Decimal:
        """The working time of a day by the clocks on the wall, as a plan has it."""
        return sum(
            (Decimal(_since_midnight(end) or 86_400) - _since_midnight(start) for start, end in self.clock_times(day)),
            Decimal(0),
        )


def _since_midnight(clock: time) -> int:
    return clock.hour * 3600 + clock.minute * 60
