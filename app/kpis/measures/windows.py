"""Which windows hold a day, by bisection, however the windows overlap.

A join on ranges would compare every event with every window: 6 s for the days of a year over 75,000 events, where
this takes 0.3 s.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Date, Integer, Subquery, and_, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from app.kpis.attribution import Days
from app.kpis.definition import Measure, OpenMeasure
from app.kpis.measures.bound import bucket, named_array


class Chain:
    """Runs of days whose starts and ends only grow: those that hold a row are neighbors. Bound by names."""

    def __init__(self, name: str, days: Sequence[Days]) -> None:
        self.values = {f"{name}_starts": [each.start for each in days], f"{name}_ends": [each.end for each in days]}
        self._starts, self._ends = (named_array(key, dates, Date()) for key, dates in self.values.items())

    def holding(self, measure: Measure, rows: Any) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """How many runs come before the ones that hold a row of a measure's, and how many through the last of those.

        An open thing is there from its `day` until `until_day`: at the start or end of a run that comes after the one
        and not after the other (S18a). All else is there on its `day` alone; a row with `after`, which is earlier or
        NULL, is in no run that holds that day too.
        """
        if isinstance(measure, OpenMeasure):
            moments = self._starts if measure.at == "start" else self._ends
            return bucket(rows.c.day, moments), bucket(rows.c.until_day, moments)
        ended = bucket(rows.c.day, self._ends)
        if "after" in rows.c:
            ended = func.greatest(ended, bucket(rows.c.after, self._starts))
        return ended, bucket(rows.c.day, self._starts)

    def first_holds(self, measure: Measure, rows: Any) -> ColumnElement[bool]:
        """Whether the first run holds a row without `after`: of the only one told with less work than by `holding`."""
        start, end = self._starts[1], self._ends[1]
        if isinstance(measure, OpenMeasure):
            moment = start if measure.at == "start" else end
            return and_(rows.c.day < moment, rows.c.until_day >= moment)
        return and_(rows.c.day >= start, rows.c.day < end)


class Windows:
    """The windows of a query, by number, bound by names to `values`.

    How many chains there are, which the keys of these tell, and whether there is one window alone decide the SQL.
    """

    def __init__(self, windows: Sequence[Days], name: str = "") -> None:
        self.days = Days(min(days.start for days in windows), max(days.end for days in windows))
        self.values: dict[str, Sequence[Any]] = {}
        self.is_one = len(windows) == 1
        self._chains = []
        for place, numbers in enumerate(_chains(windows)):
            chain, key = (
                Chain(f"{name}chain_{place}", [windows[number] for number in numbers]),
                f"{name}windows_{place}",
            )
            self.values |= {key: numbers, **chain.values}
            self._chains.append((named_array(key, numbers, Integer()), chain))

    def holding(self, measure: Measure, rows: Any) -> Subquery:
        """The rows of a measure, once for each window that holds them, with its number as `window`."""
        found = []
        if self.is_one:
            [(numbers, chain)] = self._chains
            only = select(rows, numbers[1].label("window"))
            return only.where(chain.first_holds(measure, rows)).subquery("held")
        for numbers, chain in self._chains:
            before, through = chain.holding(measure, rows)
            found.append(numbers[before + 1 : through])
        held = found[0]
        for more in found[1:]:
            held = func.array_cat(held, more, type_=ARRAY(Integer()))
        # Among the columns: as a table joined to each row it takes three times as long.
        return select(rows, func.unnest(held, type_=Integer()).label("window")).subquery("held")


def _chains(windows: Sequence[Days]) -> list[list[int]]:
    """The windows' numbers in as few chains as they need: each window joins the one that ended last before it."""
    chains: list[list[int]] = []
    last_ends: list[Any] = []
    for number in sorted(range(len(windows)), key=lambda n: windows[n]):
        end = windows[number].end
        place = bisect_right(last_ends, end) - 1
        if place < 0:
            chains.insert(0, [number])
            last_ends.insert(0, end)
        else:
            chains[place].append(number)
            last_ends[place] = end
    return chains
