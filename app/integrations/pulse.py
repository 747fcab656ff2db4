"""How often a source is heard of, in the organization's working time: nights and weekends are no silence."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

from app.calendars.periods import local_day
from app.calendars.working import WorkCalendar

ENOUGH = 10
"""So many gaps say what is usual; of fewer nothing is said."""
SHORTEST = timedelta(hours=2)
LONGER = 3
"""A silence is told when it is so many times as long as usual, and at least `SHORTEST`."""
_DAY = timedelta(days=1)
_NONE = timedelta()


class WorkingTime:
    """The working time of a calendar between two instants, asked for many of them."""

    def __init__(self, calendar: WorkCalendar, first: datetime, last: datetime) -> None:
        days = local_day(first, calendar.zone) - _DAY, local_day(last, calendar.zone) + 2 * _DAY
        self._intervals = calendar.intervals_between(*days)
        self._starts = [start for start, _ in self._intervals]
        self._before = list(accumulate((end - start for start, end in self._intervals), initial=_NONE))

    def until(self, at: datetime) -> timedelta:
        """The working time from the first day on until an instant."""
        place = bisect_right(self._starts, at)
        if place == 0:
            return _NONE
        start, end = self._intervals[place - 1]
        return self._before[place - 1] + min(at, end) - start

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time between two instants."""
        return max(_NONE, self.until(end) - self.until(start))


def usual_gap(heard: Sequence[datetime], working: WorkingTime) -> timedelta | None:
    """The 95th percentile (nearest rank) of the working time between moments at which something was heard, in order.

    Of calls that come together one moment is given, so that bursts do not make every pause look long. None: too few.
    """
    gaps = sorted(working.between(*pair) for pair in pairwise(heard))
    if len(gaps) < ENOUGH:
        return None
    return gaps[-(-len(gaps) * 95 // 100) - 1]


def is_too_long(silence: timedelta, usual: timedelta | None) -> bool:
    """Whether a silence, in working time, is longer than a source of this usual gap is ever silent."""
    return usual is not None and silence > max(SHORTEST, LONGER * usual)
