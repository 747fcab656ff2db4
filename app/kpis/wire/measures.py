"""Each kind of measure, read from its JSON with everything that is wrong with it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal, TypeVar, cast

from app.kpis.definition import (
    CADENCE_AGGREGATES,
    ELAPSED_AGGREGATES,
    EVENT_AGGREGATES,
    FUNNEL_AGGREGATES,
    OPEN_AGGREGATES,
    TOUCHES_AGGREGATES,
    Aggregate,
    CadenceMeasure,
    CadenceStep,
    ElapsedMeasure,
    EventMeasure,
    EventSelection,
    FunnelMeasure,
    Measure,
    OpenMeasure,
    Over,
    TouchesMeasure,
)
from app.kpis.expressions.checker import nearest
from app.kpis.expressions.syntax import ExpressionError, Name, Node
from app.kpis.wire.durations import OVER_EXPECTED, parse_duration, parse_over
from app.kpis.wire.findings import Findings
from app.kpis.wire.shapes import (
    CadenceStepWire,
    CadenceWire,
    ConversionWire,
    ElapsedWire,
    FunnelStepWire,
    FunnelWire,
    MeasureWire,
    OpenWire,
    SelectionWire,
    TouchesWire,
)
from app.kpis.wire.terms import OF_EXPECTED, VALUE_EXPECTED, distinct_name, thing, value_name

Read = TypeVar("Read")
Kind = Literal["events", "elapsed", "conversion", "funnel", "touches", "cadence", "open_at"]

AGGREGATES: dict[Kind, frozenset[Aggregate]] = {
    "events": EVENT_AGGREGATES,
    "elapsed": ELAPSED_AGGREGATES,
    "conversion": FUNNEL_AGGREGATES,
    "funnel": FUNNEL_AGGREGATES,
    "touches": TOUCHES_AGGREGATES,
    "cadence": CADENCE_AGGREGATES,
    "open_at": OPEN_AGGREGATES,
}
_KINDS: tuple[Kind, ...] = tuple(AGGREGATES)
_IN_WORDS: dict[Kind, str] = {
    "events": "a measure of events",
    "elapsed": "a time between events",
    "conversion": "a conversion",
    "funnel": "a funnel",
    "touches": "a measure of touches",
    "cadence": "a cadence",
    "open_at": "what is open at a moment",
}
# Which fields a kind can have, beside `aggregate`, `role` and `credit`, which all have.
_FIELDS: dict[Kind, frozenset[str]] = {
    "events": frozenset({"value", "of", "p", "where", "over"}),
    "elapsed": frozenset({"p", "within", "over"}),
    "conversion": frozenset({"within", "over"}),
    "funnel": frozenset({"within", "over"}),
    "touches": frozenset({"p", "within", "at_least", "over"}),
    "cadence": frozenset({"over"}),
    "open_at": frozenset({"value"}),
}
_REASONS: dict[str, str] = {
    "where": "filters stand beside each of its event types, as `where` inside",
    "of": "only count_distinct of events tells things apart",
    "value": "only an aggregate over numbers of events, or the sum of what is open, takes one",
    "p": "only a percentile takes it",
    "within": "it has no limit of time",
    "at_least": "only share_at_least of touches takes it",
    "over": "what is open is open at one moment, not over days",
}
_WITHOUT_VALUE = frozenset({Aggregate.COUNT, Aggregate.COUNT_DISTINCT, Aggregate.COVERED})
_LIMIT = "a duration such as PT5M, PT1H30M or P2D, longer than 0 and of at most 3660 days"


class MeasureReader:
    """Reads one measure; `filters` parses a filter, so that stored ones are read with the grace they were stored by."""

    def __init__(self, pointer: str, wire: MeasureWire, findings: Findings, filters: Callable[[str], Node]) -> None:
        self._pointer = pointer
        self._wire = wire
        self._findings = findings
        self._filters = filters
        self._is_odd = False  # the aggregate is none of the kind's: what it takes or not nobody can say

    def read(self) -> Measure | None:
        """The measure, or None where something is wrong with it."""
        before = len(self._findings)
        kind = self._kind()
        if kind is None:
            return None
        self._refuse_foreign(kind)
        aggregate = self._aggregate(kind)
        measure = self._of_kind(kind, aggregate)
        return measure if len(self._findings) == before else None

    def _of_kind(self, kind: Kind, aggregate: Aggregate) -> Measure:
        match kind:
            case "events":
                return self._event(aggregate, self._wire.get("events") or ())
            case "elapsed":
                return self._elapsed(aggregate, cast(ElapsedWire, self._wire["elapsed"]))
            case "conversion":
                return self._conversion(aggregate, cast(ConversionWire, self._wire["conversion"]))
            case "funnel":
                return self._funnel(aggregate, cast(FunnelWire, self._wire["funnel"]))
            case "touches":
                return self._touches(aggregate, cast(TouchesWire, self._wire["touches"]))
            case "cadence":
                return self._cadence(aggregate, cast(CadenceWire, self._wire["cadence"]))
            case "open_at":
                return self._open(aggregate, cast(OpenWire, self._wire["open_at"]))

    def _kind(self) -> Kind | None:
        given = [kind for kind in _KINDS if self._given(kind)]
        if not given:
            self._missing_kind()
            return None
        # Whoever relates events says more than `events` does: that is the odd one out then.
        relating = [kind for kind in given if kind != "events"] or given
        fitting = [kind for kind in relating if self._wire["aggregate"] in AGGREGATES[kind]]
        kind = (fitting or relating)[0]
        for other in given:
            if other != kind:
                self._find(f"/{other}", f"`{other}` has no place beside `{kind}`: a measure has one of them.")
        return kind

    def _missing_kind(self) -> None:
        aggregate = Aggregate(self._wire["aggregate"])
        possible = [kind for kind in _KINDS if aggregate in AGGREGATES[kind]]
        what = " or ".join(f"`{kind}`" for kind in possible)
        if possible[0] == "events":
            self._find("/events", "A measure needs the types of the events it is about.", expected=what)
        else:
            self._find(f"/{possible[0]}", f"{aggregate} needs {what}.", expected=what)

    def _refuse_foreign(self, kind: Kind) -> None:
        for field, reason in _REASONS.items():
            if field not in _FIELDS[kind] and self._given(field):
                self._find(f"/{field}", f"`{field}` has no place in {_IN_WORDS[kind]}: {reason}.")

    def _aggregate(self, kind: Kind) -> Aggregate:
        aggregate = Aggregate(self._wire["aggregate"])
        if aggregate in AGGREGATES[kind]:
            return aggregate
        homes = [f"`{home}`" for home in _KINDS if aggregate in AGGREGATES[home]]
        known = ", ".join(sorted(AGGREGATES[kind]))
        message = f"{aggregate} is not possible for {_IN_WORDS[kind]}: it belongs to {' and '.join(homes)}."
        self._find("/aggregate", message, expected=f"one of {known}")
        self._is_odd = True
        return aggregate

    def _event(self, aggregate: Aggregate, events: Sequence[str]) -> EventMeasure:
        calculates = aggregate in EVENT_AGGREGATES - _WITHOUT_VALUE
        return EventMeasure(
            aggregate=aggregate,
            events=tuple(events),
            value=self._value(aggregate, needed=calculates),
            of=self._of(aggregate),
            p=self._p(aggregate),
            where=self._filter("/where", self._wire.get("where")),
            over=self._over(),
            **self._credited(),
        )

    def _elapsed(self, aggregate: Aggregate, wire: ElapsedWire) -> ElapsedMeasure:
        dated_by = wire.get("dated_by", "start")
        if aggregate is Aggregate.SHARE_WITHIN and dated_by == "end":
            message = "A share within a limit counts starts without an end too: it is dated by the start."
            self._find("/elapsed/dated_by", message, expected="start")
        return ElapsedMeasure(
            aggregate=aggregate,
            start=self._selection("/elapsed/from", wire["from"]),
            end=self._selection("/elapsed/to", wire["to"]),
            match=self._thing("/elapsed/match", wire["match"]),
            repeat=wire.get("repeat", "first"),
            dated_by=dated_by,
            credited_to=wire.get("credited_to", "end"),
            clock=wire.get("clock", "wall"),
            within=self._limit_of(aggregate, Aggregate.SHARE_WITHIN),
            p=self._p(aggregate),
            over=self._over(),
            **self._credited(),
        )

    def _conversion(self, aggregate: Aggregate, wire: ConversionWire) -> FunnelMeasure:
        start, end = self._selection("/conversion/from", wire["from"]), self._selection("/conversion/to", wire["to"])
        return FunnelMeasure(
            aggregate=aggregate,
            steps=(start, end),
            names=("from", "to"),
            match=self._thing("/conversion/match", wire["match"]),
            reached=1,
            within=self._duration("/within", self._wire.get("within")),
            over=self._over(),
            **self._credited(),
        )

    def _funnel(self, aggregate: Aggregate, wire: FunnelWire) -> FunnelMeasure:
        names = tuple(step["name"] for step in wire["steps"])
        self._refuse_doubled(names)
        reached = self._step("reached", wire.get("reached"), names, absent=len(names) - 1)
        base = self._step("base", wire.get("base"), names, absent=0)
        if base > reached:
            message = f"The step `{names[base]}` comes after `{names[reached]}`: a share is of an earlier step."
            self._find("/funnel/base", message, expected=f"a step up to {names[reached]}")
        return FunnelMeasure(
            aggregate=aggregate,
            steps=tuple(self._selection(f"/funnel/steps/{n}", step) for n, step in enumerate(wire["steps"])),
            names=names,
            match=self._thing("/funnel/match", wire["match"]),
            reached=reached,
            base=base,
            skipped=wire.get("skipped", "counts_as_passed"),
            within=self._duration("/within", self._wire.get("within")),
            over=self._over(),
            **self._credited(),
        )

    def _refuse_doubled(self, names: Sequence[str]) -> None:
        for number, name in enumerate(names):
            if name in names[:number]:
                self._find(f"/funnel/steps/{number}/name", f"Another step is called `{name}` already.")

    def _step(self, field: Literal["reached", "base"], name: str | None, names: Sequence[str], *, absent: int) -> int:
        if name is None or name in names:
            return absent if name is None else names.index(name)
        expected = f"one of {', '.join(names)}"
        self._find(
            f"/funnel/{field}", f"No step is called `{name}`.", expected=expected, suggestion=nearest(name, names)
        )
        return absent

    def _touches(self, aggregate: Aggregate, wire: TouchesWire) -> TouchesMeasure:
        until = wire.get("until")
        if until is None and not self._given("within"):
            message = "Touches need an end: `within`, a time after the anchor, or `until`, the events that end them."
            self._find("/within", message, expected=_LIMIT)
        return TouchesMeasure(
            aggregate=aggregate,
            anchor=self._selection("/touches/anchor", wire["anchor"]),
            touches=self._selection("/touches/events", wire["events"]),
            match=self._thing("/touches/match", wire["match"]),
            until=None if until is None else self._selection("/touches/until", until),
            within=self._duration("/within", self._wire.get("within")),
            at_least=self._at_least(aggregate),
            p=self._p(aggregate),
            over=self._over(),
            **self._credited(),
        )

    def _cadence(self, aggregate: Aggregate, wire: CadenceWire) -> CadenceMeasure:
        return CadenceMeasure(
            aggregate=aggregate,
            anchor=self._selection("/cadence/anchor", wire["anchor"]),
            steps=tuple(self._cadence_step(f"/cadence/steps/{n}", step) for n, step in enumerate(wire["steps"])),
            match=self._thing("/cadence/match", wire["match"]),
            over=self._over(),
            **self._credited(),
        )

    def _cadence_step(self, pointer: str, wire: CadenceStepWire) -> CadenceStep:
        by = self._duration(f"{pointer}/by", wire["by"])
        return CadenceStep(selection=self._selection(pointer, wire), by=by or timedelta())

    def _open(self, aggregate: Aggregate, wire: OpenWire) -> OpenMeasure:
        start, end = self._selection("/open_at/from", wire["from"]), self._selection("/open_at/to", wire["to"])
        for event in dict.fromkeys(start.events):
            if event in end.events:
                place = f"/open_at/to/events/{end.events.index(event)}"
                self._find(place, f"{event} cannot both open and close a thing: take it from one of the two sides.")
        return OpenMeasure(
            aggregate=aggregate,
            start=start,
            end=end,
            match=self._thing("/open_at/match", wire["match"]),
            at=wire.get("at", "end"),
            repeat=wire.get("repeat", "first"),
            value=self._value(aggregate, needed=aggregate is Aggregate.SUM),
            **self._credited(),
        )

    def _credited(self) -> dict[str, Any]:  # Any: keyword arguments that every kind of measure takes
        return {"role": self._wire.get("role", "owner"), "credit": self._wire.get("credit", "split")}

    def _selection(self, pointer: str, wire: SelectionWire | FunnelStepWire | CadenceStepWire) -> EventSelection:
        where = self._filter(f"{pointer}/where", wire.get("where"))
        return EventSelection(events=tuple(wire["events"]), where=where)

    def _filter(self, pointer: str, text: str | None) -> Node | None:
        return None if text is None else self._expression(pointer, self._filters, text)

    def _value(self, aggregate: Aggregate, *, needed: bool) -> Name | None:
        text = self._wire.get("value")
        if not needed:
            self._refuse("value", f"{aggregate} takes none")
            return None
        if text is None:
            self._find("/value", f"{aggregate} needs `value`: of which number.", expected=VALUE_EXPECTED)
            return None
        return self._expression("/value", value_name, text)

    def _of(self, aggregate: Aggregate) -> Name | None:
        text = self._wire.get("of")
        if aggregate is not Aggregate.COUNT_DISTINCT:
            self._refuse("of", f"{aggregate} takes none")
            return None
        if text is None:
            self._find("/of", f"{aggregate} needs `of`: which different things it counts.", expected=OF_EXPECTED)
            return None
        return self._expression("/of", distinct_name, text)

    def _thing(self, pointer: str, text: str) -> str:
        return self._expression(pointer, thing, text) or text

    def _p(self, aggregate: Aggregate) -> Decimal | None:
        p = self._wire.get("p")
        if aggregate is not Aggregate.PERCENTILE:
            self._refuse("p", "only a percentile takes it")
            return None
        if p is None or not 0 < Decimal(str(p)) < 1:
            self._find("/p", "percentile needs `p`, between 0 and 1 and neither of them.", expected="0.9")
            return None
        return Decimal(str(p))

    def _at_least(self, aggregate: Aggregate) -> int | None:
        at_least = self._wire.get("at_least")
        if aggregate is not Aggregate.SHARE_AT_LEAST:
            self._refuse("at_least", "only share_at_least takes it")
            return None
        if at_least is None:
            self._find("/at_least", "share_at_least needs `at_least`: how many touches are enough.", expected="5")
        return at_least

    def _limit_of(self, aggregate: Aggregate, limited: Aggregate) -> timedelta | None:
        if aggregate is not limited:
            self._refuse("within", f"only {limited} has a limit")
            return None
        if not self._given("within"):
            self._find("/within", f"{limited} needs `within`: {_LIMIT}.", expected="PT5M")
            return None
        return self._duration("/within", self._wire.get("within"))

    def _duration(self, pointer: str, text: str | None) -> timedelta | None:
        if text is None:
            return None
        try:
            return parse_duration(text)
        except ValueError:
            self._find(pointer, f"`{text[:40]}` is not {_LIMIT}.", expected="PT5M")
            return None

    def _over(self) -> Over | None:
        text = self._wire.get("over")
        if text is None:
            return None
        try:
            return parse_over(text)
        except ValueError as error:
            self._find("/over", f"{error}.", expected=OVER_EXPECTED)
            return None

    def _expression(self, pointer: str, read: Callable[[str], Read], text: str) -> Read | None:
        try:
            return read(text)
        except ExpressionError as error:
            self._findings.add_expression(self._place(pointer), error)
            return None

    def _given(self, field: str) -> bool:
        return cast(Mapping[str, object], self._wire).get(field) is not None

    def _refuse(self, field: str, reason: str) -> None:
        place = self._place(f"/{field}")
        already = any(finding.pointer == place for finding in self._findings.all())
        if self._given(field) and not already and not self._is_odd:
            self._findings.add(place, f"`{field}` has no place here: {reason}.")

    def _find(
        self, pointer: str, message: str, *, expected: str | None = None, suggestion: str | None = None
    ) -> None:  # fmt: skip
        self._findings.add(self._place(pointer), message, expected=expected, suggestion=suggestion)

    def _place(self, pointer: str) -> str:
        return f"{self._pointer}{pointer}"
