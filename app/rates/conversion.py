"""What an amount is worth in another currency on a local day, by the rates of one set (S26).

Factors are kept as a product and a divisor and never as their quotient: an inverse such as 1/1.1 has no exact
decimal, so the one division is left to the end (S19).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import groupby, pairwise
from typing import Literal

Kind = Literal["daily", "fixed"]
Pair = tuple[str, str]

HOLDS_FOR = timedelta(days=30)
"""How long a daily rate holds that no later one follows: on its own day and the 29 after it."""

ONE = Decimal(1)
_RESULT = Context(prec=34, rounding=ROUND_HALF_EVEN)
_EXACT = Context(prec=200)  # holds the product of an amount and two rates of the most digits


@dataclass(frozen=True, slots=True)
class Rate:
    """One unit of `base` costs `rate` units of `quote` on the days `[valid_from, valid_to)`; None is open."""

    base: str
    quote: str
    valid_from: date
    valid_to: date | None
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Factor:
    """An amount converts as `amount * multiply / divide`; `path` tells by which rates, one step each."""

    multiply: Decimal
    divide: Decimal
    path: tuple[str, ...] = ()

    def convert(self, amount: Decimal) -> Decimal:
        """The amount in the other currency, to 34 digits half-even (S19)."""
        return _RESULT.divide(_EXACT.multiply(amount, self.multiply), self.divide)


@dataclass(frozen=True, slots=True)
class FactorSpan:
    """The factor of all days `[first_day, next_day)`."""

    first_day: date
    next_day: date
    multiply: Decimal
    divide: Decimal


SAME = Factor(ONE, ONE)


@dataclass(frozen=True, slots=True)
class _Held:
    """A rate with the days on which it counts; `until` None is open."""

    rate: Rate
    until: date | None

    def counts_on(self, day: date) -> bool:
        return self.until is None or day < self.until


@dataclass(frozen=True)
class RateBook:
    """The rates of one set as known; the empty book converts nothing but a currency into itself."""

    held: Mapping[Pair, Sequence[_Held]] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: Kind, rates: Iterable[Rate]) -> "RateBook":
        """The book of a set of this kind."""
        ordered = sorted(rates, key=lambda rate: (rate.base, rate.quote, rate.valid_from))
        pairs = groupby(ordered, key=lambda rate: (rate.base, rate.quote))
        return cls({pair: tuple(_daily(rates) if kind == "daily" else _fixed(rates)) for pair, rates in pairs})

    @property
    def currencies(self) -> frozenset[str]:
        """All currencies that a rate names."""
        return frozenset(currency for pair in self.held for currency in pair)

    def factor(self, currency: str, to: str, day: date, through: str) -> Factor | None:
        """How `currency` becomes `to` on a local day; None: it is unconverted.

        The direct pair, else the inverse, else the cross through the organization's currency (`through`), each leg
        of it direct or inverse.
        """
        if currency == to:
            return SAME
        if (step := self._step(currency, to, day)) is not None:
            return step
        if through in {currency, to}:
            return None
        first, second = self._step(currency, through, day), self._step(through, to, day)
        if first is None or second is None:
            return None
        multiply = _EXACT.multiply(first.multiply, second.multiply)
        return Factor(multiply, _EXACT.multiply(first.divide, second.divide), first.path + second.path)

    def spans(self, currency: str, to: str, first: date, end: date, through: str) -> list[FactorSpan]:
        """The factors of all local days of `[first, end)` that have one: disjoint, in order."""
        found: list[FactorSpan] = []
        for start, stop in pairwise(self._changes(currency, to, first, end, through)):
            factor = self.factor(currency, to, start, through)
            if factor is None:
                continue
            last = found[-1] if found else None
            span = FactorSpan(start, stop, factor.multiply, factor.divide)
            if last and (last.next_day, last.multiply, last.divide) == (start, span.multiply, span.divide):
                found[-1] = FactorSpan(last.first_day, stop, last.multiply, last.divide)
            else:
                found.append(span)
        return found

    def _step(self, currency: str, to: str, day: date) -> Factor | None:
        if (direct := self._on(currency, to, day)) is not None:
            return Factor(direct.rate, ONE, (_told(direct),))
        if (inverse := self._on(to, currency, day)) is not None:
            return Factor(ONE, inverse.rate, (f"{_told(inverse)}, inverse",))
        return None

    def _on(self, base: str, quote: str, day: date) -> Rate | None:
        held = self.held.get((base, quote), ())
        place = bisect_right(held, day, key=lambda each: each.rate.valid_from)
        latest = held[place - 1] if place else None
        return latest.rate if latest and latest.counts_on(day) else None

    def _changes(self, currency: str, to: str, first: date, end: date, through: str) -> list[date]:
        """The days of `[first, end)` on which another factor may begin, and both bounds."""
        if first >= end:
            return []
        legs = [(currency, to), (currency, through), (through, to)]
        days = {first, end}
        for pair in (*legs, *((quote, base) for base, quote in legs)):
            for held in self.held.get(pair, ()):
                days.update(day for day in (held.rate.valid_from, held.until) if day and first < day < end)
        return sorted(days)


EMPTY = RateBook()


def _daily(rates: Iterable[Rate]) -> Iterator[_Held]:
    """Each until the next, for 30 days at most, or until the end it was given."""
    known = list(rates)
    for rate, following in zip(known, [*known[1:], None], strict=True):
        ends = [rate.valid_from + HOLDS_FOR, rate.valid_to, following.valid_from if following else None]
        yield _Held(rate, min(end for end in ends if end is not None))


def _fixed(rates: Iterable[Rate]) -> Iterator[_Held]:
    """Each as long as it says; the store lets no two of a pair overlap."""
    return (_Held(rate, rate.valid_to) for rate in rates)


def quoted(base: str, quote: str, rate: Decimal) -> str:
    """A rate as one writes it, with two decimals at least: EUR/USD 1.10."""
    bare = rate.normalize(_EXACT)
    exponent = bare.as_tuple().exponent
    is_short = isinstance(exponent, int) and exponent > -2
    return f"{base}/{quote} {bare:.2f}" if is_short else f"{base}/{quote} {bare:f}"


def _told(rate: Rate) -> str:
    return f"{quoted(rate.base, rate.quote, rate.rate)} of {rate.valid_from}"
