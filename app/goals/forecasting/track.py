"""What past forecasts were worth: how often their range held, and how far off they were."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

_Z95 = 1.959963984540054
_LEAST_CASES = 10
_MEANT, _NARROW, _WIDE = 0.8, 0.72, 0.88


@dataclass(frozen=True)
class Outcome:
    """A forecast that was made, what it became, and what simple ways said at the same time."""

    p10: float
    p50: float
    p90: float
    ended: float
    linear_pace: float | None = None
    last_year: float | None = None

    @property
    def slack(self) -> float:
        """What differs by rounding alone is the same."""
        return 1e-9 * max(abs(self.ended), abs(self.p10), abs(self.p90))

    @property
    def is_below(self) -> bool:
        """Whether it ended below the range."""
        return self.ended < self.p10 - self.slack

    @property
    def is_above(self) -> bool:
        """Whether it ended above the range."""
        return self.ended > self.p90 + self.slack

    @property
    def held(self) -> bool:
        """Whether the range held, its edges included."""
        return not (self.is_below or self.is_above)


@dataclass(frozen=True)
class Compared:
    """Median absolute errors over the cases in which both had something to say; `ratio` below 1 is better."""

    forecast: float
    other: float

    @property
    def ratio(self) -> float | None:
        """The forecast's error over the other's; 1 where both are 0."""
        if self.other:
            return self.forecast / self.other
        return 1.0 if not self.forecast else None


def share_interval(successes: int, cases: int) -> tuple[float, float]:
    """Between which values a share lies with 95 % confidence (Wilson 1927)."""
    share, square = successes / cases, _Z95 * _Z95 / cases
    middle = (share + square / 2) / (1 + square)
    half = _Z95 / (1 + square) * sqrt(share * (1 - share) / cases + square / cases / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def median_error(outcomes: Sequence[Outcome]) -> float | None:
    """The median of how far p50 was off."""
    return median(abs(each.p50 - each.ended) for each in outcomes) if outcomes else None


def compared(outcomes: Sequence[Outcome], other: str) -> Compared | None:
    """The errors beside those of `linear_pace` or `last_year`."""
    both = [(each, said) for each in outcomes if (said := getattr(each, other)) is not None]
    if not both:
        return None
    return Compared(
        median(abs(each.p50 - each.ended) for each, _ in both), median(abs(said - each.ended) for each, said in both)
    )


def verdict(outcomes: Sequence[Outcome]) -> str:
    """What it all means, in a sentence or two."""
    if len(outcomes) < _LEAST_CASES:
        return f"Too few cases ({len(outcomes)}) to judge; at least {_LEAST_CASES} are wanted."
    held = sum(each.held for each in outcomes)
    low, high = share_interval(held, len(outcomes))
    share = f"The 80 % range held in {held} of {len(outcomes)} cases ({held / len(outcomes):.0%})"
    if low > _MEANT:
        told = f"{share}: wider than it had to be."
    elif high < _MEANT:
        told = f"{share}: too narrow, the future was less certain than it seemed."
    elif _NARROW <= held / len(outcomes) <= _WIDE:
        told = f"{share}, as it should."
    else:
        told = f"{share}, which chance alone can explain with so few cases."
    linear = compared(outcomes, "linear_pace")
    if linear is None or linear.ratio is None:
        return told
    better = "smaller than" if linear.ratio < 0.95 else "greater than" if linear.ratio > 1.05 else "as great as"
    return f"{told} Its median error is {better} that of linear pace ({linear.ratio:.2f} of it)."
