"""The level that a figure has come to, by many simple methods that are believed as far as they have been right.

Each method looks back from every past day as if it were the present one (rolling origins; Hyndman and Athanasopoulos,
*Forecasting: Principles and Practice*, 2021, 5.10), and is weighed by the likelihood of its errors (Bates and Granger
1969; Hoeting et al. 1999). The errors of the weighed mean say how far off such forecasts are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

MEAN_HALF_LIVES = (6.0, 15.0, 40.0, 100.0, 300.0)
TREND_HALF_LIVES = (40.0, 100.0, 300.0)
"""In working days: after so many a day counts half."""
_MOST_STEPS = 160
_PRIOR: dict[str, float] = {"mean": 1.0, "trend": 0.3}
_LEAST_LEVEL, _MOST_LEVEL = 0.3, 3.0
_LEAST_WEIGHT = 1e-3
_OVERLAP = 1.5
"""Spans that begin on each step tell so many times as much as those that follow each other (Lo and MacKinlay 1988)."""
_BY_CHANCE = 1.25
"""An inflation up to this is what a few spans of steady days may well show."""


@dataclass(frozen=True)
class Level:
    """What the rest of the period is expected to bring, and how uncertain that was in the past.

    `spread` is the variance of what happened over the level, per unit of it and of days that were independent;
    `inflation` by how much the errors of past forecasts were greater.
    """

    rest: float
    spread: float
    inflation: float

    @property
    def mean(self) -> float:
        """The mean of the rest of a figure that cannot fall; `rest` is its middle, by a level that may be off.

        A level is as likely twice too great as twice too small: the mean of such lies above their middle by half the
        relative variance (as of a lognormal). Half of what errors were beyond chance counts as the level's.
        """
        excess = (self.inflation - 1) * self.spread
        return self.rest + min(max(excess, 0.0), self.rest) / 4


def level_of(
    values: Sequence[float], variants: Sequence[Sequence[float]], coming: Sequence[float], *, away: float = 0.0
) -> Level:
    """The level of the rest: `variants` are what was to be expected of each day, `coming` of the rest, by each.

    `away` working days lie between the last known day and the rest.
    """
    step = max(1, -(-len(values) // _MOST_STEPS))
    amounts = _steps(values, step)
    plain = _steps(variants[0], step)
    usual = sum(plain) / len(plain)
    ahead = max(1, min(round((away + coming[0]) / usual) if usual else 1, max(1, len(amounts) // 5)))
    spread = _spread(values, variants[0])
    reference = _reference(amounts, plain, usual)
    methods: list[_Method] = []
    for variant, rest in zip(variants, coming, strict=True):
        expected = _steps(variant, step)
        lead = (away + rest / 2) / (sum(expected) / len(expected) or 1.0)
        methods += [_mean(amounts, expected, rest, half_life / step, ahead) for half_life in MEAN_HALF_LIVES]
        methods += [_trend(amounts, expected, rest, half_life / step, ahead, lead) for half_life in TREND_HALF_LIVES]
    return _weighed(methods, amounts, reference, ahead, spread, (away + coming[0]) / usual if usual else 1.0)


@dataclass
class _Method:
    kind: str
    rest: float
    forecasts: list[float]
    """From each step on for the following ones; before there was enough to go by, nan is never read."""


def _steps(days: Sequence[float], step: int) -> list[float]:
    """Sums of so many days each, the last step whole."""
    start = len(days) % step
    first = [sum(days[:start])] if start else []
    return first + [sum(days[place : place + step]) for place in range(start, len(days), step)]


def _following(steps: Sequence[float], ahead: int) -> list[float]:
    """For each step the sum of those that follow it."""
    total = sum(steps[1 : 1 + ahead])
    found = [total]
    for place in range(1, len(steps) - ahead):
        total += steps[place + ahead] - steps[place]
        found.append(total)
    return found


def _mean(amounts: Sequence[float], expected: Sequence[float], rest: float, half_life: float, ahead: int) -> _Method:
    kept = 0.5 ** (1 / half_life)
    happened = due = 0.0
    rates = []
    for amount, day in zip(amounts, expected, strict=True):
        happened = happened * kept + amount
        due = due * kept + day
        rates.append(happened / due if due > 1e-9 else 0.0)
    following = _following(expected, ahead)
    forecasts = [rate * days for rate, days in zip(rates, following, strict=False)]
    return _Method("mean", rates[-1] * rest, forecasts)


def _trend(
    amounts: Sequence[float], expected: Sequence[float], rest: float, half_life: float, ahead: int, lead: float
) -> _Method:
    """A line through the past in which old days count less (Brown 1963), held within bounds."""
    kept = 0.5 ** (1 / half_life)
    s0 = s1 = s2 = t0 = t1 = 0.0
    lines = []
    for amount, day in zip(amounts, expected, strict=True):
        s2 = kept * (s2 + 2 * s1 + s0)
        s1 = kept * (s1 + s0)
        s0 = kept * s0 + day
        t1 = kept * (t1 + t0)
        t0 = kept * t0 + amount
        lines.append((s0, s1, s2, t0, t1))
    following = _following(expected, ahead)
    middle = (ahead + 1) / 2
    forecasts = [_on_line(line, middle) * days for line, days in zip(lines, following, strict=False)]
    return _Method("trend", _on_line(lines[-1], lead + 0.5) * rest, forecasts)


def _on_line(line: tuple[float, float, float, float, float], lead: float) -> float:
    s0, s1, s2, t0, t1 = line
    if s0 <= 1e-9:
        return 0.0
    mean, determinant = t0 / s0, s0 * s2 - s1 * s1
    if determinant <= 1e-9 * s0 * s0:
        return mean
    slope = (s0 * t1 - s1 * t0) / determinant
    value = mean - slope * (lead + s1 / s0)
    low, high = sorted((_LEAST_LEVEL * mean, _MOST_LEVEL * mean))
    return min(max(value, low), high)


def _spread(values: Sequence[float], expected: Sequence[float]) -> float:
    """The variance of days around their level over that level (a count by chance has 1)."""
    kept = 0.5 ** (1 / 60)
    total = sum(expected[: len(values)])
    overall = sum(values) / total if total else 0.0
    happened, due = overall * 30, 30.0
    squares = means = 0.0
    for value, day in zip(values, expected, strict=False):
        mean = happened / due * day
        squares += (value - mean) ** 2
        means += abs(mean)
        happened, due = happened * kept + value, due * kept + day
    return squares / means if means else 0.0


def _reference(amounts: Sequence[float], expected: Sequence[float], usual: float) -> list[float]:
    """The level at each step by which errors of small and great levels are compared."""
    kept = 0.5 ** (1 / 20)
    overall = sum(amounts) / (sum(expected) or 1.0)
    happened, due = overall * usual * 5, usual * 5
    found = []
    for amount, day in zip(amounts, expected, strict=True):
        happened, due = happened * kept + amount, due * kept + day
        found.append(max(abs(happened / due), 0.2 * abs(overall)) if due > 0 else abs(overall))
    return found


def _weighed(
    methods: Sequence[_Method],
    amounts: Sequence[float],
    reference: Sequence[float],
    ahead: int,
    spread: float,
    wanted: float,
) -> Level:
    """The weighed mean of the methods' forecasts; `wanted` steps lie ahead, of which `ahead` were tried in the past."""
    following = _following(amounts, ahead)
    origins = range(min(max(2, min(len(amounts) // 4, 12)), len(following)), len(following))
    chance = abs(sum(amounts)) / len(amounts) * ahead * spread
    if chance <= 0 or not origins:
        told = [_PRIOR[method.kind] for method in methods]
        rest = sum(weight * method.rest for weight, method in zip(told, methods, strict=True)) / sum(told)
        return Level(rest, spread, 1.0 + wanted / len(amounts))
    usual = sum(reference) / len(reference)
    scales = [(reference[origin] / usual) ** 0.5 if usual else 1.0 for origin in origins]
    errors = [
        [(following[o] - method.forecasts[o]) / scale for o, scale in zip(origins, scales, strict=True)]
        for method in methods
    ]
    weights = _weights(methods, errors, chance, ahead)
    rest = sum(weight * method.rest for weight, method in zip(weights, methods, strict=True))
    return Level(rest, spread, _inflation(weights, errors, chance, ahead, len(amounts), wanted))


def _weights(methods: Sequence[_Method], errors: Sequence[Sequence[float]], chance: float, ahead: int) -> list[float]:
    """How far each method is believed: by the likelihood of its errors, beside a few that chance alone would make."""
    independent = _OVERLAP * len(errors[0]) / ahead
    worth = []
    for method, told in zip(methods, errors, strict=True):
        mean_square = (sum(error * error for error in told) + 2 * ahead * chance) / (len(told) + 2 * ahead)
        worth.append(log(_PRIOR[method.kind]) - independent / 2 * log(mean_square))
    likeliest = max(worth)
    weights = [exp(each - likeliest) for each in worth]
    total = sum(weights)
    return [weight / total for weight in weights]


def _inflation(
    weights: Sequence[float], errors: Sequence[Sequence[float]], chance: float, ahead: int, steps: int, wanted: float
) -> float:
    """By how much the variance of the weighed mean's errors is beyond that of single days."""
    used = [(weight, told) for weight, told in zip(weights, errors, strict=True) if weight > _LEAST_WEIGHT]
    origins = len(errors[0])
    squares = sum(sum(weight * told[n] for weight, told in used) ** 2 for n in range(origins))
    independent = _OVERLAP * origins / ahead
    prior = 1.0 + ahead / steps
    inflation = (prior * 2 + squares / chance / origins * independent) / (2 + independent)
    # What few spans tell of an inflation beyond chance is itself uncertain (as Student's t is wider than the normal).
    inflation += max(0.0, inflation - _BY_CHANCE) * 4 / (1 + independent)
    # A span longer than any that was tried: what moves the level goes on doing so.
    return 1 + max(0.1, inflation - 1) * (wanted / ahead) if wanted > ahead else inflation
