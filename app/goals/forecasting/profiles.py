"""Recurring shapes of the past: how weekdays, months of the year and places in a period differ from the mean.

A factor is believed as far as it repeats itself (empirical Bayes, Efron and Morris 1975): the mean of what the past
turns said is drawn to 1 by the part of its differences that is chance, so that noise is never taken for a shape.
"""

from collections.abc import Sequence
from math import fsum

Table = Sequence[Sequence[tuple[float, float]]]
"""For each past turn (a year, a period) and each bin what happened in it, and what was to be expected."""

_LEAST_BELIEVED = 0.1


class Profile:
    """Factors by bin, mean 1; `without(turn)` are those that the other turns give, by which that turn is judged."""

    def __init__(self, table: Table) -> None:
        self._ratios = [[_ratio(cell, turn) for cell in turn] for turn in table]
        self._weights = [[cell[1] for cell in turn] for turn in table]
        bins = len(table[0]) if table else 0
        self._sums = [
            (
                fsum(
                    ratios[place] * weights[place] for ratios, weights in zip(self._ratios, self._weights, strict=True)
                ),
                fsum(weights[place] for weights in self._weights),
            )
            for place in range(bins)
        ]
        self.belief = self._believed(bins)
        self.factors = self._shrunk(bins, None)
        self._without = [self._shrunk(bins, turn) for turn in range(len(table))]

    @property
    def is_flat(self) -> bool:
        """Whether nothing repeats itself enough to go by."""
        return self.belief < _LEAST_BELIEVED

    def without(self, turn: int) -> Sequence[float]:
        """The factors by all turns but one; by all where it is none of them."""
        return self._without[turn] if 0 <= turn < len(self._without) else self.factors

    def _mean(self, place: int, left_out: int | None) -> float:
        happened, total = self._sums[place]
        if left_out is not None:
            weight = self._weights[left_out][place]
            happened, total = happened - self._ratios[left_out][place] * weight, total - weight
        return happened / total if total > 0 else 1.0

    def _believed(self, bins: int) -> float:
        """The part of the differences between bins that is not chance."""
        if len(self._ratios) < 2 or bins < 2:
            return 0.0
        means = [self._mean(place, None) for place in range(bins)]
        squares = [
            (ratios[place] - means[place]) ** 2
            for ratios, weights in zip(self._ratios, self._weights, strict=True)
            for place in range(bins)
            if weights[place] > 0
        ]
        freedom = len(squares) - bins
        if freedom < 1:
            return 0.0
        noise = fsum(squares) / freedom / len(self._ratios)
        spread = fsum((mean - 1) ** 2 for mean in means) / (bins - 1)
        return max(0.0, 1 - noise / spread) if spread > 0 else 0.0

    def _shrunk(self, bins: int, left_out: int | None) -> list[float]:
        turns = len(self._ratios)
        belief = self.belief
        if left_out is not None and turns > 1:
            # One turn less tells less: its noise weighs more.
            belief = belief / (belief + (1 - belief) * turns / (turns - 1)) if belief else 0.0
        return [max(0.05, 1 + belief * (self._mean(place, left_out) - 1)) for place in range(bins)]


def _ratio(cell: tuple[float, float], turn: Sequence[tuple[float, float]]) -> float:
    happened, expected = fsum(each for each, _ in turn), fsum(each for _, each in turn)
    if happened <= 0 or cell[1] <= 0:
        return 1.0
    return cell[0] / cell[1] * expected / happened
