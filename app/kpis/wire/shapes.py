"""The JSON of a definition, as it is posted and stored; null and absent are the same."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict

from app.kpis.definition import Clock, Credit, Direction, Repeat

Side = Literal["start", "end"]


class SelectionWire(TypedDict, total=False):
    """Events of some types that a filter lets pass."""

    events: Sequence[str]
    where: str | None


# `from` is a word of Python, so these cannot be written as classes.
ElapsedWire = TypedDict(
    "ElapsedWire",
    {
        "from": SelectionWire,
        "to": SelectionWire,
        "match": str,
        "repeat": Repeat,
        "dated_by": Side,
        "credited_to": Side,
        "clock": Clock,
    },
    total=False,
)
ConversionWire = TypedDict(
    "ConversionWire", {"from": SelectionWire, "to": SelectionWire, "match": str}, total=False
)  # fmt: skip
OpenWire = TypedDict(
    "OpenWire",
    {"from": SelectionWire, "to": SelectionWire, "match": str, "at": Side, "repeat": Repeat},
    total=False,
)


class FunnelStepWire(SelectionWire, total=False):
    """A step of a funnel, which has a name."""

    name: str


class FunnelWire(TypedDict, total=False):
    """A funnel; `reached` (absent: the last) and `base` (absent: the first) are names of steps."""

    steps: Sequence[FunnelStepWire]
    match: str
    skipped: Literal["counts_as_passed", "strict"]
    reached: str | None
    base: str | None


class TouchesWire(TypedDict, total=False):
    """Touches after an anchor."""

    anchor: SelectionWire
    events: SelectionWire
    match: str
    until: SelectionWire | None


class CadenceStepWire(SelectionWire, total=False):
    """Something agreed, to be done by then."""

    by: str


class CadenceWire(TypedDict, total=False):
    """Agreed steps after an anchor."""

    anchor: SelectionWire
    match: str
    steps: Sequence[CadenceStepWire]


class MeasureWire(TypedDict, total=False):
    """A measure: exactly one of `events`, `elapsed`, `conversion`, `funnel`, `touches`, `cadence`, `open_at`."""

    aggregate: str
    events: Sequence[str] | None
    elapsed: ElapsedWire | None
    conversion: ConversionWire | None
    funnel: FunnelWire | None
    touches: TouchesWire | None
    cadence: CadenceWire | None
    open_at: OpenWire | None
    value: str | None
    of: str | None
    p: str | Decimal | float | None
    where: str | None
    within: str | None
    at_least: int | None
    over: str | None
    role: str
    credit: Credit


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
