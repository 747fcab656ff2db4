"""Where a period may end: equally likely ends, in order, and what is told of them."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

MOST_BELOW = 0.2
"""Where the least possible end is likelier than this, nothing can be below the range; see `Ending.range`."""
_LOWER, _UPPER = 0.1, 0.9
_HELD = 0.82
"""So much is in a range that cannot leave a tenth below: few ends hold it a little less often than computed."""


class Range(NamedTuple):
    """The 10th, 50th and 90th percentile."""

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True)
class Ending:
    """`ends` are sorted and equally likely."""

    ends: Sequence[float]

    def at_least(self, value: float) -> float:
        """The probability of an end of at least a value; what differs by rounding alone is the same."""
        return 1 - bisect_left(self.ends, value - abs(value) * 1e-12) / len(self.ends)

    def at_most(self, value: float) -> float:
        """The probability of an end of at most a value."""
        return bisect_right(self.ends, value + abs(value) * 1e-12) / len(self.ends)

    def within(self, low: float, high: float) -> float:
        """The probability of an end in a band, its edges included."""
        return max(0.0, self.at_most(high) + self.at_least(low) - 1)

    @property
    def range(self) -> Range:
        """The range that holds in 80 % of cases, its edges included.

        Of few possible ends no two are exactly the 10th and the 90th percentile. Each edge is then the end whose
        cumulated probability is nearest to its own; and where nothing more than what is there already is so likely that
        no end can lie below the range, its upper edge leaves more than a tenth above it, since it would hold in nine
        of ten cases otherwise.
        """
        low, middle = self._low(), self._at(0.5)
        high = self._high(min(_UPPER, self._below(low) + _HELD))
        return Range(min(low, middle), middle, max(high, middle))

    def _low(self) -> float:
        least = self.ends[0]
        if self.at_most(least) > MOST_BELOW:
            return least
        edge = self._at(_LOWER)
        if self.at_most(edge) - _LOWER < _LOWER - self._below(edge):
            return self._at(self.at_most(edge))
        return edge

    def _high(self, share: float) -> float:
        edge = self._at(share)
        below = self._below(edge)
        if below > 0 and share - below < self.at_most(edge) - share:
            return self.ends[bisect_left(self.ends, edge) - 1]
        return edge

    def _below(self, value: float) -> float:
        return 1 - self.at_least(value)

    def _at(self, share: float) -> float:
        return self.ends[min(len(self.ends) - 1, int(share * len(self.ends)))]
