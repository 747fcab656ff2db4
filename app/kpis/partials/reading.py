"""Answers from figures kept ready: who may be served by them, and the rows that they give.

A kept figure is used where nothing has changed since it was computed; days on which something has, and days that are
not kept yet, are computed from the ledger in the same snapshot. So an answer is always exact and always fresh, and
whatever cannot be served reads the ledger.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import localcontext
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.ids import NIL
from app.events.sharding import EVERYBODY
from app.kpis.cells import RowFields
from app.kpis.definition import EventMeasure, Measure
from app.kpis.ledger_rows import rows_from_ledger
from app.kpis.measures import Audience
from app.kpis.partials import kept
from app.kpis.partials.kept import ALL_CURRENCIES
from app.kpis.partials.layouts import Segments, day_of, month_of
from app.kpis.partials.merging import EXACT, Merger, Record
from app.kpis.partials.rows import Part, Spans, counts_of, measure_rows, part_of, part_of_ledger, union_row
from app.kpis.partials.shapes import Shape, counts_for, shape_of, union_shape
from app.kpis.partials.states import Concern, State, last_seen
from app.kpis.planning import Plan
from app.kpis.questions import Query

MOST_MONTHS = 2400


@dataclass(frozen=True)
class Wanted:
    """What of a plan could be served: shapes of measures, and what counts the events of unions, by their numbers."""

    measures: Sequence[Measure]
    shapes: Mapping[int, Shape]
    counted_by: Mapping[int, tuple[int, int | None]]
    hidden: Mapping[int, Shape]

    def digests(self) -> list[bytes]:
        """Of all shapes."""
        return list({shape.digest for shape in (*self.shapes.values(), *self.hidden.values())})


@dataclass(frozen=True)
class Served:
    """The rows that kept figures gave, and the measures and unions, by number, that the ledger has to tell."""

    rows: Sequence[RowFields]
    measures: frozenset[int]
    unions: frozenset[int]


async def read(session: AsyncSession, query: Query, plan: Plan, audience: Audience) -> Served:
    """What kept figures say to a plan for an audience, as of the snapshot that the session reads."""
    served = await _served_by(session, query, plan, audience)
    if served is None:
        return Served((), frozenset(range(len(plan.measures))), frozenset(plan.unions.values()))
    reading, rows = served
    unions = frozenset(plan.unions.values())
    return Served(rows, frozenset(range(len(plan.measures))) - reading.measures, unions - reading.unions)


async def _served_by(
    session: AsyncSession, query: Query, plan: Plan, audience: Audience
) -> "tuple[Reading, list[RowFields]] | None":
    """A reading with its rows, where kept figures can tell anything."""
    if not session.info.get("use_partials", True) or not _is_of_the_present(query, plan):
        return None
    wanted = plan.derived("wanted", _wanted)
    segments = plan.derived("segments", _segments)
    if not wanted.shapes or not 0 <= segments.end - segments.first <= MOST_MONTHS * 30:
        return None
    concern = Concern(plan, audience, wanted.digests(), segments)
    if not concern.shards:
        return None
    seen = await last_seen(session, plan)
    expected = concern.expected(seen)
    if expected is not None and (reading := Reading(plan, audience, wanted, segments, expected)).measures:
        records = await reading.at_once(session, concern)
        state = concern.told(records[0])
        if state == expected:
            found = [each[: kept.FIGURE] for each in records if each[0] is not None]
            return reading, await reading.rows(session, found)
    else:
        state = concern.told(await kept.STATE.row(session, **concern.parameters))
    if state is None:
        return None
    seen.note(state)
    reading = Reading(plan, audience, wanted, segments, state)
    return reading, await reading.rows(session, await reading.records(session))


def _is_of_the_present(query: Query, plan: Plan) -> bool:
    """Kept figures know neither the past's knowledge, nor filters on top or groups of events."""
    return query.as_of is None and query.known_at is None and query.where is None and plan.grouping is None


@lru_cache(maxsize=4096)
def _shape(measure: Measure) -> Shape | None:
    return shape_of(measure)


@lru_cache(maxsize=4096)
def _counted(measures: tuple[Measure, ...]) -> tuple[tuple[int, int | None] | None, Shape | None]:
    return counts_for(measures), union_shape(measures)


def _segments(plan: Plan) -> Segments:
    return Segments(list(plan.windows))


def _wanted(plan: Plan) -> Wanted:
    measures = list(plan.measures)
    shapes = {number: shape for number, measure in enumerate(measures) if (shape := _shape(measure)) is not None}
    counted_by: dict[int, tuple[int, int | None]] = {}
    hidden: dict[int, Shape] = {}
    for union, number in plan.unions.items():
        numbers = [read for read, _ in union]
        if len({days for _, days in union}) > 1 or not shapes.keys() >= set(numbers):
            continue
        places, shape = _counted(tuple(measures[read] for read in numbers))
        if places is not None:
            entering, leaving_out = places
            counted_by[number] = numbers[entering], None if leaving_out is None else numbers[leaving_out]
        elif shape is not None:
            hidden[number] = shape
    return Wanted(measures, shapes, counted_by, hidden)


# -------------------------------------------------------------------------------------------------------- reading


class Reading:
    """One question to kept figures; `measures` and `unions`, by number, are those that they answer."""

    def __init__(self, plan: Plan, audience: Audience, wanted: Wanted, segments: Segments, state: State) -> None:
        self._plan = plan
        self._audience = audience
        self._wanted = wanted
        self._segments = segments
        self._state = state
        self._standing = state.standing
        self.measures, self.unions = _served(plan, wanted, state.built)
        self._hidden = {number: shape for number, shape in wanted.hidden.items() if number in self.unions}
        shapes = [*(wanted.shapes[number] for number in sorted(self.measures)), *self._hidden.values()]
        self._shapes = tuple({shape.digest: shape for shape in shapes}.values())
        self._places = {shape.digest: place for place, shape in enumerate(self._shapes)}
        self._place = {number: self._places[wanted.shapes[number].digest] for number in self.measures}
        self._ids = [state.built[shape.digest] for shape in self._shapes]
        self._merger = Merger(self._shapes, segments, audience, self._standing, plan.scope.currency, plan.factors)
        self._windows: dict[int, list[int]] = defaultdict(list)
        for kind, number, window in plan.rows:
            if kind == "measure" and number in self.measures:
                self._windows[number].append(window)

    async def rows(self, session: AsyncSession, records: Sequence[Record]) -> list[RowFields]:
        """The rows of everything that kept figures answer, from what was found of identities."""
        if not self.measures:
            return []
        places = {measure: place for place, measure in enumerate(self._ids)}
        self._merger.add(records, places)
        if self._audience.everything:
            self._merger.add_of_all(await self._kept_of_all(session), places)
        crowd = await self._of_crowds(session)
        with localcontext(EXACT):
            return list(self._told(crowd))

    # -------------------------------------------------------------------------------------------------------- asking

    async def at_once(self, session: AsyncSession, concern: Concern) -> Sequence[Record]:
        """What is kept of identities and what is fresh, each beside the state; a row of the state alone without any."""
        days = self._fresh_days()
        asked = kept.at_once(self._shapes, nobody=any(identity == NIL for identity, _, _ in days))
        parameters = concern.parameters | self._of_identities(*self._months_read()) | self._of_days(days)
        return await asked.rows(session, **parameters)

    async def records(self, session: AsyncSession) -> list[Record]:
        """What is kept of identities, and what has to be computed from events."""
        found: list[Record] = []
        whole, cut = self._months_read()
        if self.measures and (whole or cut):
            parameters = {"org_id": self._plan.context.org_id} | self._of_identities(whole, cut)
            months = None if cut else self._merger.added_up()
            if months is None:
                found += await kept.FIGURES.rows(session, **parameters)
            else:
                parameters |= {"first_month": day_of(months[0]), "last_month": day_of(months[1])}
                found += await kept.SUMS.rows(session, **parameters)
        if self.measures and (days := self._fresh_days()):
            found += await self._fresh(session, days)
        return found

    def _months_read(self) -> tuple[set[UUID], set[tuple[UUID, int, str]]]:
        """The identities of whom whole months are read, and the months of identities and currencies read by day."""
        whole: set[UUID] = set()
        cut = {(identity, month, ALL_CURRENCIES) for identity, month in self._stale_months()}
        for identity, currency, layout in self._merger.layouts():
            if layout.whole:
                whole.add(identity)
            cut |= {(identity, month, currency or ALL_CURRENCIES) for month in layout.cut}
        return whole, {each for each in cut if each[2] == ALL_CURRENCIES or (*each[:2], ALL_CURRENCIES) not in cut}

    def _of_identities(self, whole: Collection[UUID], cut: Collection[tuple[UUID, int, str]]) -> dict[str, Any]:
        """The parameters of `kept.FIGURES`, but for the organization."""
        return {
            **self._by_keeps(),
            **self._months(),
            "whole_identities": list(whole),
            "is_apart": self._merger.is_apart,
            "cut_measures": self._ids,
            "cut_identities": [identity for identity, _, _ in cut],
            "cut_months": [day_of(month) for _, month, _ in cut],
            "cut_currencies": [currency for _, _, currency in cut],
        }

    async def _kept_of_all(self, session: AsyncSession) -> Sequence[Record]:
        layouts = self._merger.layouts_of_all()
        stale = self._stale_months()
        cut = layouts[""].cut.keys()
        converted = {month for currency, each in layouts.items() if currency for month in each.cut}
        return await kept.EVERYTHING.rows(
            session,
            org_id=self._plan.context.org_id,
            measures=self._ids,
            **self._by_keeps(),
            **self._months(),
            cut_months=[day_of(month) for month in cut],
            converted=[currency for currency in layouts if currency],
            converted_months=[day_of(month) for month in converted - cut],
            stale_identities=[identity for identity, _ in stale],
            stale_months=[day_of(month) for _, month in stale],
        )

    def _by_keeps(self) -> dict[str, list[UUID]]:
        """The shapes, as kept, by what is read of them."""
        found: dict[str, list[UUID]] = {name: [] for name in kept.KEPT}
        for shape, measure in zip(self._shapes, self._ids, strict=True):
            found[kept.read_as(shape)].append(measure)
        return found

    def _months(self) -> dict[str, date]:
        """The months that figures are looked for in."""
        first, last = month_of(self._segments.first), month_of(self._segments.end - 1)
        return {"first_month": day_of(first), "last_month": day_of(last)}

    def _stale_months(self) -> set[tuple[UUID, int]]:
        """The months of identities that are read apart from everybody's."""
        return self._merger.stale_months if self._audience.everything else set()

    def _fresh_days(self) -> list[tuple[UUID, int, int]]:
        """The days that have to be computed from events: those that are not kept yet, and stale ones."""
        if not self._standing.stale and self._segments.end <= min(self._standing.before.values()):
            return []
        bounds = self._bounds()
        found = []
        for identity, (first, end) in bounds.items():
            before = self._standing.before[identity]
            stale = self._standing.stale.get(identity, ())
            found += [(identity, day, day + 1) for day in stale if first <= day < min(end, before)]
            if before < end:
                found.append((identity, max(before, first), end))
        return found

    def _bounds(self) -> Mapping[UUID, tuple[int, int]]:
        """From when until when events of an identity may count for anybody."""
        if self._audience.everything:
            return dict.fromkeys(self._standing.before, (self._segments.first, self._segments.end))
        return {
            identity: (min(first for _, first, _ in spans), max(end for _, _, end in spans))
            for identity, spans in self._merger.whose.items()
        }

    async def _fresh(self, session: AsyncSession, days: Sequence[tuple[UUID, int, int]]) -> Sequence[Record]:
        identities = {identity for identity, _, _ in days}
        asked = kept.fresh(self._shapes, nobody=NIL in identities, everybody=EVERYBODY in identities)
        context = self._plan.context
        return await asked.rows(session, org_id=context.org_id, zone=context.cut.zone.key, **self._of_days(days))

    def _of_days(self, days: Sequence[tuple[UUID, int, int]]) -> dict[str, Any]:
        """The parameters of `kept.fresh`, but for the organization and its zone."""
        return {
            "measures": self._ids,
            "at": self._plan.context.at,
            "fresh_identities": [identity for identity, _, _ in days],
            "first_days": [day_of(first) for _, first, _ in days],
            "next_days": [day_of(end) for _, _, end in days],
        }

    # ------------------------------------------------------------------------------------------------------- telling

    async def _of_crowds(self, session: AsyncSession) -> "Crowds":
        """What the ledger says of shared events, for subjects of whom several may have a part in the same one.

        Each counts once for a subject, which sums over identities cannot tell.
        """
        crowded = {
            (place, subject)
            for (place, subject, is_shared), sums in self._merger.sums.items()
            if is_shared and len(sums.identities) > 1 and subject not in self._audience.everything
        }
        if not crowded:
            return Crowds({}, {}, crowded)
        places = {place for place, _ in crowded}
        subjects = {subject for _, subject in crowded}
        unions = {number for number, shape in self._hidden.items() if self._places[shape.digest] in places}
        wanted = {number for number in self.measures if self._place[number] in places}
        reads = list(self._plan.unions)
        wanted |= {number for union in unions for number, _ in reads[union]}
        audience = Audience([], [each for each in self._audience.spans if each[0] in subjects])
        of_measures: dict[tuple[int, int], dict[int, RowFields]] = defaultdict(dict)
        of_unions: dict[tuple[int, int], RowFields] = {}
        for row in await rows_from_ledger(session, self._plan, audience, wanted, unions, only_shared=True):
            if row[0] == "union":
                of_unions[row[3], row[2]] = row
            else:
                of_measures[row[1], row[2]][row[3]] = row
        return Crowds(of_measures, of_unions, crowded)

    def _told(self, crowds: "Crowds") -> Iterator[RowFields]:
        subjects = sorted({subject for _, subject, _ in self._merger.sums})
        parts: dict[tuple[int, int], Part] = {}
        for number in sorted(self.measures):
            windows = self._windows[number]
            spans = [self._segments.spans[window] for window in windows]
            for subject in subjects:
                part = self._part(number, subject, spans, crowds)
                if part is not None:
                    parts[number, subject] = part
                    yield from measure_rows(number, subject, windows, part)
        yield from self._of_unions(subjects, parts, crowds)

    def _part(self, number: int, subject: int, spans: Spans, crowds: "Crowds") -> Part | None:
        """What a measure's rows of a subject say, window by window; None: no event takes part."""
        measure, place = self._wanted.measures[number], self._place[number]
        assert isinstance(measure, EventMeasure)  # noqa: S101 - others have no shape
        own = self._merger.sums.get((place, subject, False))
        shared = self._merger.sums.get((place, subject, True))
        found = None if own is None else part_of(measure, own, spans)
        if shared is None:
            return found
        if (place, subject) in crowds.crowded:
            told = part_of_ledger(crowds.of_measures.get((number, subject), {}), self._windows[number])
        else:
            told = part_of(measure, shared, spans)
        return told if found is None else found.joined(told, measure.aggregate)

    def _of_unions(
        self, subjects: Sequence[int], parts: Mapping[tuple[int, int], Part], crowds: "Crowds"
    ) -> Iterator[RowFields]:
        for union, number in self._plan.unions.items():
            if number not in self.unions:
                continue
            window = self._plan.windows[union[0][1]]
            for subject in subjects:
                if number in self._hidden:
                    enters, left_out = self._hidden_counts(number, subject, window, crowds)
                else:
                    enters, left_out = self._counted(number, subject, window, parts)
                if enters or left_out:
                    yield union_row(number, subject, enters, left_out)

    def _counted(self, union: int, subject: int, window: int, parts: Mapping[tuple[int, int], Part]) -> tuple[int, int]:
        """How many events enter and are left out, as the measures that have all of them say."""
        entering, leaving_out = self._wanted.counted_by[union]
        enters = left_out = 0
        if (part := parts.get((entering, subject))) is not None:
            enters = part.enters[self._windows[entering].index(window)]
        if leaving_out is not None and (part := parts.get((leaving_out, subject))) is not None:
            left_out = part.left_out[self._windows[leaving_out].index(window)]
        return enters, left_out

    def _hidden_counts(self, union: int, subject: int, window: int, crowds: "Crowds") -> tuple[int, int]:
        place = self._places[self._hidden[union].digest]
        spans = [self._segments.spans[window]]
        enters = left_out = 0
        for is_shared in (False, True):
            sums = self._merger.sums.get((place, subject, is_shared))
            if is_shared and (place, subject) in crowds.crowded:
                row = crowds.of_unions.get((union, subject))
                enters, left_out = enters + (row[8] if row else 0), left_out + (row[9] if row else 0)
            elif sums is not None:
                [entered], [left] = counts_of(sums, spans)
                enters, left_out = enters + entered, left_out + left
        return enters, left_out


@dataclass(frozen=True)
class Crowds:
    """What the ledger says of shared events: by measure or union and subject; of which shapes and subjects."""

    of_measures: Mapping[tuple[int, int], Mapping[int, RowFields]]
    of_unions: Mapping[tuple[int, int], RowFields]
    crowded: Collection[tuple[int, int]]


def _served(plan: Plan, wanted: Wanted, built: Collection[bytes]) -> tuple[frozenset[int], frozenset[int]]:
    """The measures and unions that kept figures answer: a measure is read from the ledger with any union it is in."""
    measures = {number for number, shape in wanted.shapes.items() if shape.digest in built}
    unions = {
        number
        for number in plan.unions.values()
        if number in wanted.counted_by or (number in wanted.hidden and wanted.hidden[number].digest in built)
    }
    while True:
        for union, number in plan.unions.items():
            if not measures >= {read for read, _ in union}:
                unions.discard(number)
        lost = {read for union, number in plan.unions.items() if number not in unions for read, _ in union} & measures
        if not lost:
            return frozenset(measures), frozenset(unions)
        measures -= lost
