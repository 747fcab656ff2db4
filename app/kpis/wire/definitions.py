"""A definition, read from its JSON with everything that is wrong with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.core.units import NUMBER, Unit
from app.kpis.definition import Definition, Measure, unit_of
from app.kpis.expressions.checker import infer, parse_filter, read_filter, refuse_zero_divisors
from app.kpis.expressions.parser import parse
from app.kpis.expressions.syntax import Call, ExpressionError, Name, Node, name_text, named_kpis, walk
from app.kpis.expressions.vocabulary import RESERVED_MEASURES
from app.kpis.wire.findings import DefinitionError, Finding, Findings
from app.kpis.wire.measures import MeasureReader
from app.kpis.wire.shapes import DefinitionWire, MeasureWire

_MEASURE_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Another KPI of the organization, to which a formula may refer unless there is a `refusal`, a sentence."""

    unit: Unit
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A definition as read, or None with the findings; `unit` is the one that the formula gives."""

    definition: Definition | None
    unit: Unit | None
    findings: tuple[Finding, ...]


def read_definition(wire: DefinitionWire) -> Definition:
    """The definition of a wire form that was stored, with the KPIs it refers to taken on trust.

    Raises `DefinitionError` with all that is wrong.
    """
    reading = _Reader(wire, None).reading()
    if reading.definition is None:
        raise DefinitionError(reading.findings)
    return reading.definition


def examine(wire: DefinitionWire, others: Mapping[str, Other]) -> Reading:
    """The definition of a wire form with the unit of its formula, or all that is wrong with it.

    `others` are the KPIs of the organization by key; only a formula that refers to one needs them.
    """
    return _Reader(wire, others).reading()


class _Reader:
    """Reads one definition and gathers what is wrong with it; `others` None is trust."""

    def __init__(self, wire: DefinitionWire, others: Mapping[str, Other] | None) -> None:
        self._wire = wire
        self._others = others
        self._findings = Findings()

    def reading(self) -> Reading:
        measures = {name: self._measure(name, measure) for name, measure in self._wire["measures"].items()}
        formula, unit = self._formula(self._wire["formula"], measures)
        declared = self._declared() or unit
        if unit is not None and declared is not None and not self._findings and not unit.fits(declared):
            message = f"The formula gives {unit}, and {declared} is declared."
            self._findings.add("/unit", message, expected=str(unit))
        if self._findings or formula is None or declared is None:
            return Reading(definition=None, unit=unit, findings=self._findings.all())
        whole = {name: measure for name, measure in measures.items() if measure is not None}
        definition = Definition(measures=whole, formula=formula, unit=declared, direction=self._wire["direction"])
        return Reading(definition=definition, unit=unit, findings=())

    def _declared(self) -> Unit | None:
        return Unit.of(self._wire["unit"]["kind"], self._wire["unit"].get("per")) if "unit" in self._wire else None

    def _measure(self, name: str, wire: MeasureWire) -> Measure | None:
        pointer = f"/measures/{name.replace('~', '~0').replace('/', '~1')}"
        before = len(self._findings)
        if not _MEASURE_NAME.fullmatch(name):
            message = "A measure's name has small letters, digits and _, begins with a letter, at most 50."
            self._findings.add(pointer, message)
        elif name in RESERVED_MEASURES:
            message = f"`{name}` is a word of the language: choose another name for the measure."
            self._findings.add(pointer, message)
        filters = read_filter if self._others is None else parse_filter
        measure = MeasureReader(pointer, wire, self._findings, filters).read()
        return measure if len(self._findings) == before else None

    def _formula(self, text: str, measures: Mapping[str, Measure | None]) -> tuple[Node | None, Unit | None]:
        """The tree and its unit; a measure that could not be read mixes like a number, so that no error follows it."""
        try:
            tree = parse(text)
            if self._others is None and named_kpis(tree):
                return tree, None
            units = {name: unit_of(measure) if measure else NUMBER for name, measure in measures.items()}
            unit = infer(tree, units, self._units_of_others(tree))
            if self._others is not None:
                refuse_zero_divisors(tree)
                self._require_something(tree)
        except ExpressionError as error:
            self._findings.add_expression("/formula", error)
            return None, None
        return tree, unit

    def _require_something(self, tree: Node) -> None:
        if not self._wire["measures"] and not any(isinstance(part, Name | Call) for part in walk(tree)):
            message = "A KPI needs a measure, or another KPI that it is computed from: this one is always the same."
            self._findings.add("/measures", message)

    def _units_of_others(self, tree: Node) -> Mapping[str, Unit]:
        others = self._others or {}
        for name in named_kpis(tree):
            refusal = others[name.path[1]].refusal if name.path[1] in others else None
            if refusal:
                message = f"`{name_text(name.path)}` cannot be used here: {refusal}"
                raise ExpressionError(message, name.start, name.end - name.start, expected="another KPI")
        return {key: other.unit for key, other in others.items()}
