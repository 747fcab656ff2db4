"""When a customer's silence is no longer their habit (V7): "their habits change before they leave".

A customer's rhythm is the median gap between the days on which something happened with them; how much the gaps vary
is told by the median absolute deviation (MAD). A silence is unusual beyond the median + 3 · 1.4826 · MAD, the limit
for outliers of C. Leys et al., "Detecting outliers: Do not use standard deviation around the mean, use absolute
deviation around the median" (2013), and never before it is twice the median gap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from app.results.benchmark import quantile

LEAST_GAPS = 5
_MAD_TO_DEVIATION = Decimal("1.4826")
_FAR = 3
_HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A customer's usual gap and the present silence, in days; `gaps` is how many there were to tell from."""

    gaps: int
    usual: Decimal
    limit: Decimal
    silence: int

    @property
    def is_broken(self) -> bool:
        """Whether the silence is longer than the customer's own habits explain."""
        return self.silence > self.limit


def rhythm(days: Sequence[date], today: date) -> Rhythm | None:
    """The rhythm of different days in order, seen on a day that is not before them; None of fewer than 5 gaps."""
    gaps = sorted(Decimal((after - before).days) for before, after in pairwise(days))
    if len(gaps) < LEAST_GAPS:
        return None
    usual = quantile(gaps, _HALF)
    deviation = quantile(sorted(abs(gap - usual) for gap in gaps), _HALF)
    limit = max(2 * usual, usual + _FAR * _MAD_TO_DEVIATION * deviation)
    return Rhythm(len(gaps), usual, limit, (today - days[-1]).days)
