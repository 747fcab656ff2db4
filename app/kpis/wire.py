"""From a definition's wire form, as it is posted and stored, to its plain values.

Shapes (types of fields, patterns, sizes) are the schemas' matter; what they let pass is read here, and everything
that is wrong with it is found at once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict

from app.core.units import NUMBER, Unit
from app.kpis.definition import (
    ELAPSED_AGGREGATES,
    EVENT_AGGREGATES,
    Aggregate,
    Credit,
    Definition,
    Direction,
    ElapsedMeasure,
    EventMeasure,
    EventSelection,
    Measure,
    unit_of,
)
from app.kpis.expressions.checker import (
    FIELDS,
    RESERVED_MEASURES,
    THINGS,
    filter_name,
    infer,
    nearest,
    parse_filter,
)
from app.kpis.expressions.parser import parse
from app.kpis.expressions.syntax import ExpressionError, Name, Node

MAX_WITHIN = timedelta(days=3660)
VALUE_FIELDS = ("amount", "quantity", "duration_seconds")

_MEASURE_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,9})S)?)?",
    re.ASCII,
)


class SelectionWire(TypedDict, total=False):
    """One side of a pair."""

    events: Sequence[str]
    where: str | None


# `from` is a word of Python, so this one cannot be written as a class.
ElapsedWire = TypedDict(
    "ElapsedWire",
    {
        "from": SelectionWire,
        "to": SelectionWire,
        "match": str,
        "repeat": Literal["first", "each"],
        "dated_by": Literal["start", "end"],
        "credited_to": Literal["start", "end"],
        "clock": Literal["wall", "working_hours"],
    },
    total=False,
)


class MeasureWire(TypedDict, total=False):
    """A measure; null and absent are the same."""

    aggregate: str
    events: Sequence[str] | None
    value: str | None
    of: str | None
    p: str | Decimal | float | None
    where: str | None
    role: str
    credit: Credit
    elapsed: ElapsedWire | None
    within: str | None


class UnitWire(TypedDict, total=False):
    """A declared unit."""

    kind: str
    per: str | None


class DefinitionWire(TypedDict):
    """What a version holds; only one that is looked at before it is finished lacks the unit."""

    measures: Mapping[str, MeasureWire]
    formula: str
    unit: NotRequired[UnitWire]
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: where in the document, and for expressions where in the text."""

    pointer: str
    message: str
    position: int | None = None
    length: int | None = None
    expected: str | None = None
    suggestion: str | None = None


class DefinitionError(ValueError):
    """A definition that cannot be used, with everything that was found."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("; ".join(f"{finding.pointer}: {finding.message}" for finding in findings))
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A definition as read, or None with the findings; `unit` is the one that the formula gives."""

    definition: Definition | None
    unit: Unit | None
    findings: tuple[Finding, ...]


def read_definition(wire: DefinitionWire) -> Definition:
    """The definition of a wire form; raises `DefinitionError` with all that is wrong."""
    reading = examine(wire)
    if reading.definition is None:
        raise DefinitionError(reading.findings)
    return reading.definition


def examine(wire: DefinitionWire) -> Reading:
    """The definition of a wire form with the unit of its formula, or all that is wrong with it."""
    reader = _Reader()
    measures = {name: reader.measure(name, measure) for name, measure in wire["measures"].items()}
    formula, unit = reader.formula(wire["formula"], measures)
    declared = Unit.of(wire["unit"]["kind"], wire["unit"].get("per")) if "unit" in wire else unit
    if unit is not None and declared is not None and not reader.findings and not unit.fits(declared):
        message = f"The formula gives {unit}, and {declared} is declared."
        reader.findings.append(Finding(pointer="/unit", message=message, expected=str(unit)))
    if reader.findings or formula is None or declared is None:
        return Reading(definition=None, unit=unit, findings=tuple(reader.findings))
    whole = {name: measure for name, measure in measures.items() if measure is not None}
    definition = Definition(measures=whole, formula=formula, unit=declared, direction=wire["direction"])
    return Reading(definition=definition, unit=unit, findings=())


def parse_duration(text: str) -> timedelta:
    """An ISO 8601 duration of weeks to seconds, longer than 0; raises `ValueError` for all else."""
    found = _DURATION.fullmatch(text)
    parts = {unit: int(amount) for unit, amount in found.groupdict().items() if amount} if found else {}
    length = timedelta(**parts)
    if not timedelta() < length <= MAX_WITHIN:
        raise ValueError(f"{text} is no duration such as PT5M, PT1H30M or P2D, longer than 0, of at most 3660 days")
    return length


class _Reader:
    """Reads one definition and gathers what is wrong with it."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def measure(self, name: str, wire: MeasureWire) -> Measure | None:
        pointer = f"/measures/{name.replace('~', '~0').replace('/', '~1')}"
        before = len(self.findings)
        if not _MEASURE_NAME.fullmatch(name):
            self._find(pointer, "A measure's name has small letters, digits and _, begins with a letter, at most 50.")
        elif name in RESERVED_MEASURES:
            self._find(pointer, f"`{name}` is a word of the language: choose another name for the measure.")
        elapsed = wire.get("elapsed")
        measure = self._event_measure(pointer, wire) if elapsed is None else self._elapsed(pointer, wire, elapsed)
        return measure if len(self.findings) == before else None

    def formula(self, text: str, measures: Mapping[str, Measure | None]) -> tuple[Node | None, Unit | None]:
        """The tree and its unit; a measure that could not be read mixes like a number, so that no error follows it."""
        try:
            tree = parse(text)
            unit = infer(tree, {name: unit_of(measure) if measure else NUMBER for name, measure in measures.items()})
        except ExpressionError as error:
            self._find_expression("/formula", error)
            return None, None
        return tree, unit

    def _event_measure(self, pointer: str, wire: MeasureWire) -> EventMeasure:
        aggregate = self._aggregate(pointer, wire, EVENT_AGGREGATES, "share_within needs `elapsed`, from and to.")
        if not wire.get("events"):
            self._find(f"{pointer}/events", "A measure needs the types of the events it is about.")
        self._refuse(pointer, wire, "within", "only share_within of an elapsed measure has a limit.")
        needs_value = aggregate not in {Aggregate.COUNT, Aggregate.COUNT_DISTINCT}
        return EventMeasure(
            aggregate=aggregate,
            events=tuple(wire.get("events") or ()),
            value=self._named(pointer, wire, "value", aggregate, needed=needs_value),
            of=self._named(pointer, wire, "of", aggregate, needed=aggregate is Aggregate.COUNT_DISTINCT),
            p=self._p(pointer, wire, aggregate),
            where=self._filter(f"{pointer}/where", wire.get("where")),
            role=wire.get("role", "owner"),
            credit=wire.get("credit", "split"),
        )

    def _elapsed(self, pointer: str, wire: MeasureWire, elapsed: ElapsedWire) -> ElapsedMeasure:
        known = ", ".join(sorted(ELAPSED_AGGREGATES))
        aggregate = self._aggregate(pointer, wire, ELAPSED_AGGREGATES, f"elapsed has the aggregates {known}.")
        for key in ("events", "value", "of", "where"):
            self._refuse(pointer, wire, key, "an elapsed measure has its events and filters in `from` and `to`.")
        if elapsed.get("clock") == "working_hours":
            self._find(
                f"{pointer}/elapsed/clock", "The clock working_hours comes with work calendars: use wall for now."
            )
        dated_by = elapsed.get("dated_by", "start")
        if aggregate is Aggregate.SHARE_WITHIN and dated_by == "end":
            message = "A share within a limit counts starts without an end too: it is dated by the start."
            self._find(f"{pointer}/elapsed/dated_by", message, expected="start")
        return ElapsedMeasure(
            aggregate=aggregate,
            start=self._selection(f"{pointer}/elapsed/from", elapsed["from"]),
            end=self._selection(f"{pointer}/elapsed/to", elapsed["to"]),
            match=self._thing(f"{pointer}/elapsed/match", elapsed["match"]),
            repeat=elapsed.get("repeat", "first"),
            dated_by=dated_by,
            credited_to=elapsed.get("credited_to", "end"),
            within=self._within(pointer, wire, aggregate),
            p=self._p(pointer, wire, aggregate),
            role=wire.get("role", "owner"),
            credit=wire.get("credit", "split"),
        )

    def _aggregate(self, pointer: str, wire: MeasureWire, known: frozenset[Aggregate], refusal: str) -> Aggregate:
        aggregate = Aggregate(wire["aggregate"])
        if aggregate not in known:
            self._find(f"{pointer}/aggregate", f"{aggregate} is not possible here: {refusal}")
        return aggregate

    def _selection(self, pointer: str, wire: SelectionWire) -> EventSelection:
        return EventSelection(events=tuple(wire["events"]), where=self._filter(f"{pointer}/where", wire.get("where")))

    def _filter(self, pointer: str, text: str | None) -> Node | None:
        if text is None:
            return None
        try:
            return parse_filter(text)
        except ExpressionError as error:
            self._find_expression(pointer, error)
            return None

    def _named(
        self, pointer: str, wire: MeasureWire, key: Literal["value", "of"], aggregate: Aggregate, *, needed: bool
    ) -> Name | None:
        text = wire.get(key)
        if not needed:
            self._refuse(pointer, wire, key, f"{aggregate} takes none.")
            return None
        expected = "one of amount, quantity, duration_seconds, properties.<key>"
        if key == "of":
            expected = "a thing, such as customer, or properties.<key>"
        if text is None:
            self._find(f"{pointer}/{key}", f"{aggregate} needs `{key}`.", expected=expected)
            return None
        try:
            return _value_name(text, expected) if key == "value" else _distinct_name(text, expected)
        except ExpressionError as error:
            self._find_expression(f"{pointer}/{key}", error)
            return None

    def _thing(self, pointer: str, text: str) -> str:
        try:
            name = _distinct_name(text, "a thing, such as lead")
        except ExpressionError as error:
            self._find_expression(pointer, error)
            return text
        if name.path[0] != "about":
            self._find(pointer, "Pairs are matched by a thing that both events are about.", expected="such as lead")
        return name.path[1]

    def _p(self, pointer: str, wire: MeasureWire, aggregate: Aggregate) -> Decimal | None:
        p = wire.get("p")
        if aggregate is not Aggregate.PERCENTILE:
            self._refuse(pointer, wire, "p", "only percentile takes it.")
            return None
        if p is None or not 0 < Decimal(str(p)) < 1:
            self._find(f"{pointer}/p", "percentile needs `p`, between 0 and 1 and neither of them.", expected="0.9")
            return None
        return Decimal(str(p))

    def _within(self, pointer: str, wire: MeasureWire, aggregate: Aggregate) -> timedelta | None:
        text = wire.get("within")
        if aggregate is not Aggregate.SHARE_WITHIN:
            self._refuse(pointer, wire, "within", "only share_within has a limit.")
            return None
        try:
            return parse_duration(text or "")
        except ValueError:
            message = "share_within needs `within`: a duration such as PT5M, PT1H30M or P2D, of at most 3660 days."
            self._find(f"{pointer}/within", message, expected="PT5M")
            return None

    def _refuse(self, pointer: str, wire: MeasureWire, key: str, reason: str) -> None:
        if wire.get(key) is not None:
            self._find(f"{pointer}/{key}", f"`{key}` has no place here: {reason}")

    def _find(self, pointer: str, message: str, *, expected: str | None = None) -> None:
        self.findings.append(Finding(pointer=pointer, message=message, expected=expected))

    def _find_expression(self, pointer: str, error: ExpressionError) -> None:
        self.findings.append(
            Finding(
                pointer=pointer,
                message=error.message,
                position=error.position,
                length=error.length,
                expected=error.expected,
                suggestion=error.suggestion,
            )
        )


def _value_name(text: str, expected: str) -> Name:
    name = _name(text, expected)
    if len(name.path) == 1 and name.path[0] not in VALUE_FIELDS:
        suggestion = nearest(name.path[0], VALUE_FIELDS)
        raise ExpressionError(
            f"`{text}` is no value of an event.", 0, len(text), expected=expected, suggestion=suggestion
        )
    full = filter_name(name)
    if full.path[0] == "about":
        raise ExpressionError(f"`{text}` is no value of an event.", 0, len(text), expected=expected)
    return full


def _distinct_name(text: str, expected: str) -> Name:
    name = _name(text, expected)
    if len(name.path) > 1:
        return filter_name(name)
    if name.path[0] in {*FIELDS, "properties", "about"}:
        suggestion = nearest(name.path[0], THINGS)
        raise ExpressionError(f"`{text}` is no thing.", 0, len(text), expected=expected, suggestion=suggestion)
    return Name(("about", name.path[0]), name.start, name.end)


def _name(text: str, expected: str) -> Name:
    tree = parse(text)
    if not isinstance(tree, Name):
        raise ExpressionError(f"`{text[:80]}` is no name.", 0, len(text), expected=expected)
    return tree
