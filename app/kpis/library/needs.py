"""What a definition has to find in the ledger, read off the definition itself."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from app.kpis.definition import (
    CadenceMeasure,
    Definition,
    ElapsedMeasure,
    EventMeasure,
    EventSelection,
    FunnelMeasure,
    Measure,
    OpenMeasure,
    TouchesMeasure,
)
from app.kpis.expressions.syntax import Call, Name, Node, Unary, children, walk

Readiness = Literal["ready", "partly", "missing"]

MAY_BE_NONE = frozenset({"customer.churned", "deal.lost", "member.left"})
"""That there are none of these may be good news, and no gap in the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Events of any of these types, and what they have to carry: `amount`, `customer`, `properties.connected` …"""

    events: tuple[str, ...]
    carrying: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How many recent events of a type there are, and how many of them carry what."""

    events: int
    carrying: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A need, how many recent events there are for it, and how many of them lack what."""

    need: Need
    events: int
    lacking: Mapping[str, int]

    @property
    def readiness(self) -> Readiness:
        """`missing` without any such event, or where none carries what is needed; `partly` where most lack it."""
        if self.events == 0:
            return "partly" if set(self.need.events) <= MAY_BE_NONE else "missing"
        worst = max(self.lacking.values(), default=0)
        return "missing" if worst == self.events else "partly" if 2 * worst > self.events else "ready"


def needs_of(definition: Definition) -> tuple[Need, ...]:
    """What each measure looks at, each once."""
    found = (need for measure in definition.measures.values() for need in _of_measure(measure))
    return tuple(dict.fromkeys(found))


def staffing_of(formula: Node) -> tuple[str, ...]:
    """The functions of a formula that ask about people's work: `working_hours`, `headcount`, `fte`."""
    asked = {node.function for node in walk(formula) if isinstance(node, Call)}
    return tuple(sorted(asked & {"fte", "headcount", "working_hours"}))


def targets_of(formula: Node) -> tuple[str, ...]:
    """The KPIs whose targets a formula asks for."""
    calls = (node for node in walk(formula) if isinstance(node, Call) and node.function == "target")
    names = (argument for call in calls for argument in call.arguments if isinstance(argument, Name))
    return tuple(dict.fromkeys(name.path[-1] for name in names))


def compare(need: Need, seen: Mapping[str, Seen]) -> Finding:
    """A need beside what was seen of its types."""
    found = [seen[kind] for kind in need.events if kind in seen]
    events = sum(one.events for one in found)
    lacking = {what: events - sum(one.carrying.get(what, 0) for one in found) for what in need.carrying}
    return Finding(need=need, events=events, lacking={what: count for what, count in lacking.items() if count})


def worst(findings: Iterable[Finding]) -> Readiness:
    """The readiness of the whole: that of its worst part."""
    states = {finding.readiness for finding in findings}
    return "missing" if "missing" in states else "partly" if "partly" in states else "ready"


def _of_measure(measure: Measure) -> Iterator[Need]:
    match measure:
        case EventMeasure():
            extra = [_written(name) for name in (measure.value, measure.of) if name]
            extra += ["duration_seconds"] if measure.aggregate == "covered" else []
            yield _need(EventSelection(events=measure.events, where=measure.where), extra)
        case ElapsedMeasure() | OpenMeasure():
            valued = [_written(measure.value)] if isinstance(measure, OpenMeasure) and measure.value else []
            yield _need(measure.start, [measure.match, *valued])
            yield _need(measure.end, [measure.match])
        case FunnelMeasure():
            yield from (_need(step, [measure.match]) for step in measure.steps)
        case TouchesMeasure():
            yield from (_need(part, [measure.match]) for part in (measure.anchor, measure.touches))
        case CadenceMeasure():
            selections = (measure.anchor, *(step.selection for step in measure.steps))
            yield from (_need(part, [measure.match]) for part in selections)


def _need(selection: EventSelection, extra: Iterable[str]) -> Need:
    filtered = _wanted(selection.where) if selection.where is not None else ()
    return Need(events=selection.events, carrying=tuple(dict.fromkeys([*extra, *filtered])))


def _wanted(node: Node) -> Iterator[str]:
    """What a filter asks for; below `not` its absence is as good."""
    if isinstance(node, Unary) and node.operator == "not":
        return
    if isinstance(node, Name) and node.path[0] in {"about", "properties", "amount", "quantity", "duration_seconds"}:
        yield _written(node)
    for child in children(node):
        yield from _wanted(child)


def _written(name: Name) -> str:
    """As it stands in a definition: a thing by its own name."""
    return name.path[1] if name.path[0] == "about" else ".".join(name.path)
