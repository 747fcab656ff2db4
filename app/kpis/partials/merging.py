"""Kept and fresh figures, added up by subject and segment of the windows. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, Overflow, localcontext
from operator import itemgetter
from typing import Any
from uuid import UUID

from app.core.ids import NIL
from app.events.sharding import EVERYBODY
from app.kpis.measures import Audience, CurrencyFactors
from app.kpis.partials.layouts import Layout, Place, Run, Segments, layout, month_of, number_of
from app.kpis.partials.shapes import Shape
from app.rates.conversion import Factor

MONTHS, DAYS, FRESH = 0, 1, 2
"""What the elements of a record's arrays are: months; the days of one month, from the 1st on; single days, named."""

Record = Sequence[Any]
"""kind, measure, identity_id, is_shared, currency, at, and arrays: n, left_out, weight, total, whole, low, high."""

_ZERO = Decimal(0)
_start = itemgetter(0)
# Sums are exact, as PostgreSQL's are: what would have to be rounded is an error and not a figure.
EXACT = Context(prec=1000, Emax=999_999, Emin=-999_999, traps=[Inexact, InvalidOperation, Overflow])
# As many digits behind the point as the ledger's own division keeps, and more than formulas have (S19).
_CONVERTED = Context(prec=100, rounding=ROUND_HALF_EVEN)


@dataclass(slots=True)
class Sums:
    """The numbers of a shape for a subject in each segment; what was never there is None.

    Without `weight` events weigh what they count, without `whole` their values add up to `total`.
    """

    n: list[int]
    left_out: list[int]
    weight: list[Decimal | int] | None = None
    total: list[Decimal] | None = None
    whole: list[Decimal] | None = None
    low: list[Decimal | None] | None = None
    high: list[Decimal | None] | None = None
    identities: set[UUID] = field(default_factory=set)
    """Of shared events: who has a part in any."""

    def count(self, found: Sequence[Place | None], n: Sequence[int], weight: Sequence[Decimal] | None) -> None:
        """Add events that enter, with what they weigh."""
        if weight is not None and self.weight is None:
            self.weight = list(self.n)
        _add(self.n, found, n)
        if self.weight is not None:
            _add(self.weight, found, n if weight is None else weight)

    def amount(
        self, found: Sequence[Place | None], total: Sequence[Decimal | None], whole: Sequence[Decimal | None] | None
    ) -> None:
        """Add values, as they count by shares and whole."""
        if self.total is None:
            self.total = [_ZERO] * len(self.n)
        if whole is not None and self.whole is None:
            self.whole = list(self.total)
        _add(self.total, found, total)
        if self.whole is not None:
            _add(self.whole, found, total if whole is None else whole)

    def bounds(self, name: str) -> list[Decimal | None]:
        """The least or greatest values."""
        found: list[Decimal | None] | None = getattr(self, name)
        if found is None:
            found = [None] * len(self.n)
            setattr(self, name, found)
        return found


@dataclass(frozen=True)
class Standing:
    """What is kept: of whom until which day, and the days (by number) on which something changed since, in order."""

    before: Mapping[UUID, int]
    stale: Mapping[UUID, tuple[int, ...]]
    latest: int
    """The day before which figures are kept of anybody."""


class Merger:
    """Adds up the figures of some shapes for the subjects of a question."""

    def __init__(
        self,
        shapes: Sequence[Shape],
        segments: Segments,
        audience: Audience,
        standing: Standing,
        currency: str,
        factors: Sequence[CurrencyFactors],
    ) -> None:
        self._shapes = shapes
        self._segments = segments
        self._everything = audience.everything
        self._standing = standing
        self._currency = currency
        self._runs: dict[str, list[Run]] = {"": segments.runs}
        self._runs |= {each.currency: segments.converted(each) for each in factors if each.spans}
        self.whose = _by_identity(audience, segments)
        self.is_apart = _has_crowds(self.whose)
        """Whether shared events are added up by themselves: somebody may have several parts in one."""
        self.sums: dict[tuple[int, int, bool], Sums] = {}
        self._layouts: dict[tuple[Any, ...], Layout] = {}
        self.stale_months = {(identity, month_of(day)) for identity, days in standing.stale.items() for day in days}

    # -------------------------------------------------------------------------------------------------- what to read

    def layouts(self) -> Iterator[tuple[UUID, str, Layout]]:
        """How the months of each identity with spans are cut: for each currency that is converted, '' for the rest."""
        currencies = self._runs if any(shape.is_money for shape in self._shapes) else [""]
        for identity, spans in self.whose.items():
            for _, first, end in spans:
                for currency in currencies:
                    yield identity, currency, self._layout(currency, identity, first, end)

    def added_up(self) -> tuple[int, int] | None:
        """The first and last of the months of identities, where they all belong to one place, so that their sum does.

        Asked once it is known how months are cut.
        """
        found = list(self._layouts.values())
        if self._segments.count > 1 or len(self._runs) > 1 or not found or not found[0].whole:
            return None
        months = found[0].whole.keys()
        is_alike = all(each.whole.keys() == months and not each.cut for each in found)
        return (min(months), max(months)) if is_alike else None

    def layouts_of_all(self) -> dict[str, Layout]:
        """How the months of everybody together are cut for whoever gets everything; by currency as `layouts`."""
        first, end = self._segments.first, self._segments.end
        currencies = self._runs if any(shape.is_money for shape in self._shapes) else [""]
        return {currency: self._layout(currency, None, first, end) for currency in currencies}

    def _layout(self, currency: str, identity: UUID | None, first: int, end: int) -> Layout:
        standing = self._standing
        before = standing.latest if identity is None else standing.before[identity]
        stale = () if identity is None else standing.stale.get(identity, ())
        key = (currency, before, stale, first, end)
        found = self._layouts.get(key)
        if found is None:
            found = self._layouts[key] = layout(self._runs[currency], first, end, before, stale)
        return found

    # --------------------------------------------------------------------------------------------------------- adding

    def add(self, records: Iterable[Record], places: Mapping[Any, int]) -> None:
        """Add figures of identities to whoever gets a part of them; `places` are the shapes', by what records say."""
        with localcontext(EXACT):
            for record in records:
                kind, measure, identity, is_shared, _, at = record[:6]
                shape = places[measure]
                for subject, first, end in self.whose.get(identity, ()):
                    self._gather(record, shape, subject, self._places(record, identity, first, end))
                is_whole = not is_shared or identity == EVERYBODY
                if self._everything and is_whole and (kind == FRESH or (identity, at[0]) in self.stale_months):
                    self._add_whole(record, shape, identity)

    def add_of_all(self, records: Iterable[Record], places: Mapping[Any, int]) -> None:
        """Add what is kept of everybody together to whoever gets everything."""
        with localcontext(EXACT):
            for record in records:
                self._add_whole(record, places[record[1]], None)

    def _add_whole(self, record: Record, shape: int, identity: UUID | None) -> None:
        found = self._places(record, identity, self._segments.first, self._segments.end)
        for subject in self._everything:
            self._gather(record, shape, subject, found)

    def _places(self, record: Record, identity: UUID | None, first: int, end: int) -> list[Place | None]:
        """Where each element of a record belongs."""
        kind, currency, at = record[0], record[4], record[5]
        converted = currency if currency in self._runs else ""
        if kind == FRESH:
            return self._places_of_days(self._runs[converted], at, first, end)
        if kind == MONTHS:
            whole = self._layout(converted, identity, first, end).whole
            return [whole.get(month) for month in at]
        return self._layout(converted, identity, first, end).cut.get(at[0], [])

    def _places_of_days(self, runs: Sequence[Run], days: Sequence[int], first: int, end: int) -> list[Place | None]:
        found: list[Place | None] = []
        for day in days:
            place = bisect_right(runs, day, key=_start) - 1
            is_there = first <= day < end and place >= 0 and day < runs[place].end
            found.append(runs[place][2:] if is_there else None)
        return found

    def _gather(self, record: Record, shape: int, subject: int, found: Sequence[Place | None]) -> None:
        """Add the elements of a record to the segments where they belong."""
        if not any(found):
            return
        _, _, identity, is_shared, currency, *_ = record
        key = (shape, subject, is_shared and self.is_apart)
        sums = self.sums.get(key)
        if sums is None:
            count = self._segments.count
            sums = self.sums[key] = Sums([0] * count, [0] * count)
        if key[2] and identity != NIL:
            sums.identities.add(identity)
        if self._shapes[shape].is_money and currency != self._currency:
            found, unconverted, record = _in_currency(found, record)
            _add(sums.left_out, unconverted, record[6])
        n, left_out, weight, total, whole, low, high = record[6:]
        sums.count(found, n, weight)
        if left_out is not None:
            _add(sums.left_out, found, left_out)
        if total is not None:
            sums.amount(found, total, whole)
        if low is not None:
            _narrow(sums.bounds("low"), found, low, min)
            _narrow(sums.bounds("high"), found, high, max)


def _by_identity(audience: Audience, segments: Segments) -> dict[UUID, list[tuple[int, int, int]]]:
    """The subjects that get an identity's part, each with first and next day."""
    found: dict[UUID, list[tuple[int, int, int]]] = defaultdict(list)
    for subject, span in audience.spans:
        first = max(number_of(span.days.start), segments.first)
        end = min(number_of(span.days.end), segments.end)
        if first < end:
            found[span.identity_id].append((subject, first, end))
    return found


def _has_crowds(whose: Mapping[UUID, Sequence[tuple[int, int, int]]]) -> bool:
    """Whether any subject gets the parts of several identities."""
    first: dict[int, UUID] = {}
    return any(
        first.setdefault(subject, identity) != identity
        for identity, spans in whose.items()
        if identity != NIL
        for subject, _, _ in spans
    )


def _add(sums: list[Any], found: Sequence[Place | None], values: Sequence[Any]) -> None:
    for place, value in zip(found, values, strict=False):
        if value and place is not None:
            sums[place[0]] += value


def _narrow(bounds: list[Decimal | None], found: Sequence[Place | None], values: Sequence[Any], chosen: Any) -> None:
    for place, value in zip(found, values, strict=False):
        if value is not None and place is not None:
            known = bounds[place[0]]
            bounds[place[0]] = value if known is None else chosen(known, value)


def _in_currency(
    found: Sequence[Place | None], record: Record
) -> tuple[list[Place | None], list[Place | None], Record]:
    """Where amounts are converted, where they are not, and the record with its amounts converted (S26)."""
    factors = [None if place is None else place[1] for place in found]
    inside = [place if factor is not None else None for place, factor in zip(found, factors, strict=True)]
    outside = [place if factor is None else None for place, factor in zip(found, factors, strict=True)]
    amounts = [
        None
        if values is None
        else [
            None if value is None or factor is None else _exchanged(value, factor)
            for value, factor in zip(values, factors, strict=False)
        ]
        for values in record[9:]
    ]
    return inside, outside, [*record[:9], *amounts]


def _exchanged(amount: Decimal, factor: Factor) -> Decimal:
    product = EXACT.multiply(amount, factor.multiply)
    return product if factor.divide == 1 else _CONVERTED.divide(product, factor.divide)
