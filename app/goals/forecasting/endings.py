"""The distribution of what the rest of a period brings: of few events by drawing past days, of many by a gamma."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import exp, log, sqrt
from random import Random
from statistics import NormalDist

DRAWS = 1000
FEW = 15.0
"""Up to so many days with anything are drawn one by one."""
_MOST_DAYS = 2000
_ALMOST_SURE = 1 - 1e-9
_NORMAL = NormalDist()


def few(mean: float, variance: float, happened: Sequence[tuple[float, float]], days: float, seed: int) -> list[float]:
    """Sorted draws of the rest: how many days have anything (negative binomial, binomial), and past ones of them.

    `happened` are the values of past days that had any, with weights; `days` are those to come.
    """
    total = sum(weight for _, weight in happened)
    size = sum(value * weight for value, weight in happened) / total
    of_sizes = sum(weight * (value - size) ** 2 for value, weight in happened) / total
    count = mean / size
    chances = _counts(count, max((variance - count * of_sizes) / size**2, count * max(0.05, 1 - count / days)))
    upto = list(accumulate(weight for _, weight in happened))
    values = [value for value, _ in happened]
    random = Random(seed)  # noqa: S311  # reproducible by purpose: the same data, the same forecast
    drawn = []
    for n in range(DRAWS):
        times = bisect_left(chances, (n + 0.5) / DRAWS)
        drawn.append(sum(random.choices(values, cum_weights=upto, k=times)) if times else 0.0)
    return sorted(drawn)


def _counts(mean: float, variance: float) -> list[float]:
    """Cumulated probabilities of 0, 1, 2 … by a binomial, Poisson or negative binomial of this mean and variance."""
    # All three have chance(k + 1) / chance(k) = (a k + b) / (k + 1) (Panjer 1981).
    if variance > mean * 1.001:
        size = mean * mean / (variance - mean)
        a = mean / (size + mean)
        b, chance = a * size, exp(size * log(size / (size + mean)))
    elif variance < mean * 0.999:
        trials = max(1, round(mean / (1 - variance / mean)))
        p = min(mean / trials, _ALMOST_SURE)
        a = -p / (1 - p)
        b, chance = -a * trials, (1 - p) ** trials
    else:
        a, b, chance = 0.0, mean, exp(-mean)
    found = [chance]
    while found[-1] < 1 - 1 / DRAWS / 4 and len(found) < _MOST_DAYS:
        k = len(found) - 1
        chance *= max(0.0, (a * k + b) / (k + 1))
        found.append(found[-1] + chance)
    found[-1] = 1.0
    return found


def many(mean: float, variance: float) -> list[float]:
    """Sorted draws, evenly spaced in probability: a gamma of this mean and variance (Wilson and Hilferty 1931)."""
    if mean <= 0 or variance <= 0:
        return [mean] * DRAWS
    shape = mean * mean / variance
    spread = sqrt(1 / (9 * shape))
    return [mean * max(0.0, 1 - spread**2 + z * spread) ** 3 for z in _EVEN]


def around(mean: float, variance: float) -> list[float]:
    """As `many`, for figures that may fall: a normal distribution."""
    spread = sqrt(max(variance, 0.0))
    return [mean + z * spread for z in _EVEN]


_EVEN = [_NORMAL.inv_cdf((n + 0.5) / DRAWS) for n in range(DRAWS)]
