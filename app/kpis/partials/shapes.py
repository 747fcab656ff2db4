"""What can be kept ready of a measure: its shape. Measures of different KPIs that look at the same share one."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from app.kpis.definition import Aggregate, EventMeasure, Measure
from app.kpis.expressions.checker import read_filter
from app.kpis.expressions.syntax import Call, Name, Node, name_text, to_text, walk
from app.kpis.wire.terms import value_name

Keeps = Literal["count", "total", "range"]
AMOUNT = Name(("amount",))
_KEEPS: dict[Aggregate, Keeps] = {
    Aggregate.COUNT: "count",
    Aggregate.SUM: "total",
    Aggregate.AVG: "total",
    Aggregate.MIN: "range",
    Aggregate.MAX: "range",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """Events of these types, sorted, that a filter lets pass; with a value, those that have it."""

    events: tuple[str, ...]
    where: Node | None
    value: Name | None

    def encloses(self, other: "Part") -> bool:
        """Whether every event that enters the other enters here too; of two with a value, also what is left out.

        Certain where it says yes; that one filter implies another it does not see.
        """
        return (
            set(self.events) >= set(other.events)
            and self.where in {None, other.where}
            and self.value in {None, other.value}
        )

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "events": list(self.events),
            "where": None if self.where is None else to_text(self.where),
            "value": None if self.value is None else name_text(self.value.path),
        }


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a cell holds. More than one part: how many distinct events are in any of them (S25)."""

    parts: tuple[Part, ...]
    keeps: Keeps

    @property
    def types(self) -> tuple[str, ...]:
        """The types of all events that it looks at, sorted."""
        return tuple(sorted({kind for part in self.parts for kind in part.events}))

    @property
    def is_money(self) -> bool:
        """Whether its cells are kept by currency."""
        return self.parts[0].value == AMOUNT

    @cached_property
    def digest(self) -> bytes:
        """Tells shapes apart: 32 bytes."""
        return hashlib.sha256(json.dumps(self.to_json(), ensure_ascii=False, sort_keys=True).encode()).digest()

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {"parts": [part.to_json() for part in self.parts], "keeps": self.keeps}

    @classmethod
    def from_json(cls, wire: Mapping[str, Any]) -> "Shape":
        """From what `to_json` gave."""
        parts = tuple(
            Part(
                events=tuple(each["events"]),
                where=None if each["where"] is None else read_filter(each["where"]),
                value=None if each["value"] is None else value_name(each["value"]),
            )
            for each in wire["parts"]
        )
        return cls(parts=parts, keeps=wire["keeps"])


def shape_of(measure: Measure) -> Shape | None:
    """The shape of a measure whose figures of days and identities add up; None where they do not.

    Windows, and whether shared events count split or full, make no other shape.
    """
    if not isinstance(measure, EventMeasure) or measure.aggregate not in _KEEPS:
        return None
    if measure.role != "owner" or not _is_told_by_the_event(measure.where):
        return None
    return Shape(parts=(_part(measure),), keeps=_KEEPS[measure.aggregate])


def union_shape(measures: Sequence[Measure]) -> Shape | None:
    """The hidden count of distinct events that are in any of the measures (S25).

    None where it cannot be kept, and where it need not be: `entering` and `leaving_out` tell whose counts stand for it.
    """
    shapes = [shape_of(measure) for measure in measures]
    parts = {part for shape in shapes if shape is not None for part in shape.parts}
    if None in shapes or (counts_for(measures) is not None):
        return None
    if any(part.value == AMOUNT for part in parts):
        return None
    return Shape(parts=tuple(sorted(parts, key=_order)), keeps="count")


def counts_for(measures: Sequence[Measure]) -> tuple[int, int | None] | None:
    """Which of the measures, by place, has all events that enter any of them, and which all that are left out.

    The second is None where none can be left out. None: no measure stands for all, or one of them has no shape.
    """
    parts = [_part(each) for each in measures if isinstance(each, EventMeasure) and shape_of(each) is not None]
    if len(parts) < len(measures):
        return None
    entering = _enclosing(parts, range(len(parts)))
    valued = [place for place, part in enumerate(parts) if part.value is not None]
    leaving_out = _enclosing(parts, valued)
    if entering is None or (valued and leaving_out is None):
        return None
    return entering, leaving_out


def _enclosing(parts: Sequence[Part], among: Sequence[int]) -> int | None:
    return next((one for one in among if all(parts[one].encloses(parts[other]) for other in among)), None)


def _part(measure: EventMeasure) -> Part:
    return Part(events=tuple(sorted(set(measure.events))), where=measure.where, value=measure.value)


def _order(part: Part) -> str:
    return json.dumps(part.to_json(), ensure_ascii=False, sort_keys=True)


def _is_told_by_the_event(where: Node | None) -> bool:
    """Whether the event alone decides: neither other events (`nth`) nor rates (`amount`, converted) do."""
    return where is None or not any(
        node == AMOUNT or (isinstance(node, Call) and node.function == "nth") for node in walk(where)
    )


def distinct_shapes(shapes: Iterable[Shape | None]) -> dict[bytes, Shape]:
    """The shapes by digest, each once."""
    return {shape.digest: shape for shape in shapes if shape is not None}
