"""How the targets of new members grow: shares of the full target by month of service (S33)."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from app.kpis.attribution import Days

FULL = Fraction(1)


@dataclass(frozen=True, slots=True)
class Ramp:
    """The share of the full target in the first month of service, the second …; after the last it is whole."""

    shares: tuple[Fraction, ...]

    def spans(self, spell: Days) -> list[tuple[Fraction, Days]]:
        """The days of a spell of service with the share that holds on each, in order.

        The k-th month of service begins on the day of the month on which the service began, or on the last of a month
        that is shorter. A spell without a beginning is whole: nobody knows when it began.
        """
        if spell.start == date.min:
            return [(FULL, spell)]
        edges = [
            spell.start,
            *(_months_after(spell.start, count) for count in range(1, len(self.shares) + 1)),
            spell.end,
        ]
        runs = zip((*self.shares, FULL), edges, edges[1:], strict=False)
        found = [(share, Days(start, min(end, spell.end))) for share, start, end in runs]
        return [(share, days) for share, days in found if days.start < days.end]


def ramp_of(shares: Sequence[object]) -> Ramp:
    """The ramp by its shares as they are stored: decimals as text."""
    return Ramp(tuple(Fraction(str(share)) for share in shares))


def _months_after(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
