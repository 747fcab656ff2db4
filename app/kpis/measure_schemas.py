"""Wire shapes of measures: what a client sends, and what it gets."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.core.schemas import ExactDecimal, Input, Name, Output
from app.kpis.definition import Aggregate
from app.kpis.expressions.parser import MAX_LENGTH

EventType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$", max_length=100)]
EventTypes = Annotated[list[EventType], Field(min_length=1, max_length=50)]
Share = Annotated[ExactDecimal, Field(gt=0, lt=1, max_digits=9, decimal_places=8)]
Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=MAX_LENGTH)]
Term = Annotated[str, StringConstraints(min_length=1, max_length=200)]
StepName = Annotated[Name, Field(max_length=50)]
Side = Literal["start", "end"]
Repeat = Literal["first", "each"]
Clock = Literal["wall", "working_hours"]
Skipped = Literal["counts_as_passed", "strict"]

_FILTER = "Filter: a condition on the event, such as `properties.channel == 'partner'`."
_TYPES = "Types of the events."
_AGGREGATE = "What is done with the events, or with the pairs, things and times that are found in them."
_VALUE = "What is aggregated: `amount`, `quantity`, `duration_seconds` or `properties.<key>`."
_OF = "For count_distinct: a thing the events are about, such as `customer`, or `properties.<key>`."
_P = "For percentile: between 0 and 1, such as 0.9."
_ROLE = "Which credits count."
_CREDIT = "`split`: by the share of the credit; `full`: whole for everybody credited."
_EVENTS = "Types of the events; or one of `elapsed`, `conversion`, `funnel`, `touches`, `cadence`, `open_at` instead."
_ELAPSED = "The time from one event to another about the same thing."
_CONVERSION = "How many things that had one event had another later, of all that had the first."
_FUNNEL = "How many things that took the first step came to a later one."
_TOUCHES = "How many touches things had after their anchor."
_CADENCE = "Which share of agreed steps was done in time."
_OPEN = "What is open at the start or end of the window: begun and not yet ended."
_WITHIN = (
    "Limit: ISO 8601 duration of weeks, days, hours, minutes, seconds. Needed by share_within, and by touches without "
    "`until`; conversions and funnels may have one, measured from their first step."
)
_AT_LEAST = "For share_at_least: how many touches are enough."
_OVER = (
    "Other days than the window's own, up to its end: trailing `P90D`, `P12W`, `P12M`, `P1Y`, or `week_to_date`, "
    "`month_to_date`, `quarter_to_date`, `year_to_date`, `fiscal_quarter_to_date`, `fiscal_year_to_date`."
)
_MATCH = "The thing that the events are about."
_REPEAT = "Of several starts about one thing the first counts, or each."
_DATED_BY = "Whose day decides the window."
_CREDITED_TO = "Whose credits count."
_CLOCK = "`wall`: all time counts. `working_hours`: working time of the calendar of whoever is credited."
_STEP = "What the step is called."
_STEPS = "The steps, in their order."
_SKIPPED = "`counts_as_passed`: whoever reached a later step passed those before. `strict`: each after the one before."
_REACHED = "Name of the step that is counted; absent: the last."
_BASE = "Name of the step that a conversion is a share of; absent: the first."
_ANCHOR = "What begins it: the first such event of a thing."
_TOUCH = "What counts as a touch."
_UNTIL = "What ends it: touches after such an event do not count."
_AT = "At the beginning or the end of the window."
_OPENED_AGAIN = "`first`: once closed it stays closed. `each`: a later start opens it again."
_BY = "By when after the anchor: ISO 8601 duration of weeks, days, hours, minutes, seconds."


class SelectionInput(Input):
    """Events of some types that a filter lets pass."""

    events: EventTypes = Field(description=_TYPES, examples=[["lead.created"]])
    where: Expression | None = Field(default=None, description=_FILTER)


class ElapsedInput(Input):
    """Pairs of a start and its end (S14)."""

    start: SelectionInput = Field(alias="from", description="Where the time starts.")
    end: SelectionInput = Field(alias="to", description="Where it ends: the first such event after the start.")
    match: Term = Field(description=_MATCH, examples=["lead"])
    repeat: Repeat = Field(default="first", description=_REPEAT)
    dated_by: Side = Field(default="start", description=_DATED_BY)
    credited_to: Side = Field(default="end", description=_CREDITED_TO)
    clock: Clock = Field(default="wall", description=_CLOCK)


class ConversionInput(Input):
    """A cohort and what became of it (S17); the limit is the measure's `within`."""

    start: SelectionInput = Field(alias="from", description="What makes the cohort: a thing's first such event.")
    end: SelectionInput = Field(alias="to", description="What converts a thing: another such event, later.")
    match: Term = Field(description=_MATCH, examples=["lead"])


class FunnelStepInput(SelectionInput):
    """A step of a funnel."""

    name: StepName = Field(description=_STEP, examples=["qualified"])


class FunnelInput(Input):
    """Steps that things take one after another (S17); the limit is the measure's `within`."""

    steps: list[FunnelStepInput] = Field(min_length=2, max_length=20, description=_STEPS)
    match: Term = Field(description=_MATCH, examples=["lead"])
    skipped: Skipped = Field(default="counts_as_passed", description=_SKIPPED)
    reached: StepName | None = Field(default=None, description=_REACHED, examples=["won"])
    base: StepName | None = Field(default=None, description=_BASE, examples=["qualified"])


class TouchesInput(Input):
    """Touches of things after their anchor (S18), for `within` or until an event."""

    anchor: SelectionInput = Field(description=_ANCHOR)
    events: SelectionInput = Field(description=_TOUCH)
    match: Term = Field(description=_MATCH, examples=["lead"])
    until: SelectionInput | None = Field(default=None, description=_UNTIL)


class CadenceStepInput(SelectionInput):
    """Something that is to be done by then."""

    by: Term = Field(description=_BY, examples=["P1D"])


class CadenceInput(Input):
    """Agreed steps after an anchor (S18)."""

    anchor: SelectionInput = Field(description=_ANCHOR)
    match: Term = Field(description=_MATCH, examples=["lead"])
    steps: list[CadenceStepInput] = Field(
        min_length=1, max_length=20, description="The steps; of several alike the second needs a second event."
    )


class OpenInput(Input):
    """What is open at a moment (S18a)."""

    start: SelectionInput = Field(alias="from", description="What opens a thing.")
    end: SelectionInput = Field(alias="to", description="What closes it; of other event types.")
    match: Term = Field(description=_MATCH, examples=["deal"])
    at: Side = Field(default="end", description=_AT)
    repeat: Repeat = Field(default="first", description=_OPENED_AGAIN)


class MeasureInput(Input):
    """One aggregate over events, or over what relates them: exactly one of the seven ways to look at events."""

    aggregate: Aggregate = Field(description=_AGGREGATE)
    events: EventTypes | None = Field(default=None, description=_EVENTS, examples=[["deal.won"]])
    elapsed: ElapsedInput | None = Field(default=None, description=_ELAPSED)
    conversion: ConversionInput | None = Field(default=None, description=_CONVERSION)
    funnel: FunnelInput | None = Field(default=None, description=_FUNNEL)
    touches: TouchesInput | None = Field(default=None, description=_TOUCHES)
    cadence: CadenceInput | None = Field(default=None, description=_CADENCE)
    open_at: OpenInput | None = Field(default=None, description=_OPEN)
    value: Term | None = Field(default=None, description=_VALUE, examples=["amount"])
    of: Term | None = Field(default=None, description=_OF, examples=["customer"])
    p: Share | None = Field(default=None, description=_P, examples=["0.9"])
    where: Expression | None = Field(default=None, description=_FILTER)
    within: Term | None = Field(default=None, description=_WITHIN, examples=["PT5M"])
    at_least: int | None = Field(default=None, ge=1, le=10_000, description=_AT_LEAST, examples=[5])
    over: Term | None = Field(default=None, description=_OVER, examples=["P90D"])
    role: Role = Field(default="owner", description=_ROLE)
    credit: Literal["split", "full"] = Field(default="split", description=_CREDIT)


class KpiSelection(Output):
    """Events of some types that a filter lets pass."""

    events: list[str] = Field(description=_TYPES, examples=[["lead.created"]])
    where: str | None = Field(default=None, description=_FILTER)


class KpiElapsed(Output):
    """Pairs of a start and its end (S14)."""

    start: KpiSelection = Field(alias="from", description="Where the time starts.")
    end: KpiSelection = Field(alias="to", description="Where it ends.")
    match: str = Field(description=_MATCH, examples=["lead"])
    repeat: str = Field(description=_REPEAT, examples=["first"])
    dated_by: str = Field(description=_DATED_BY, examples=["start"])
    credited_to: str = Field(description=_CREDITED_TO, examples=["end"])
    clock: str = Field(description=_CLOCK, examples=["wall"])


class KpiConversion(Output):
    """A cohort and what became of it (S17)."""

    start: KpiSelection = Field(alias="from", description="What makes the cohort.")
    end: KpiSelection = Field(alias="to", description="What converts a thing.")
    match: str = Field(description=_MATCH, examples=["lead"])


class KpiFunnelStep(Output):
    """A step of a funnel."""

    name: str = Field(description=_STEP, examples=["qualified"])
    events: list[str] = Field(description=_TYPES, examples=[["lead.qualified"]])
    where: str | None = Field(default=None, description=_FILTER)


class KpiFunnel(Output):
    """Steps that things take one after another (S17)."""

    steps: list[KpiFunnelStep] = Field(description=_STEPS)
    match: str = Field(description=_MATCH, examples=["lead"])
    skipped: str = Field(description=_SKIPPED, examples=["counts_as_passed"])
    reached: str | None = Field(default=None, description=_REACHED, examples=["won"])
    base: str | None = Field(default=None, description=_BASE, examples=["qualified"])


class KpiTouches(Output):
    """Touches of things after their anchor (S18)."""

    anchor: KpiSelection = Field(description=_ANCHOR)
    events: KpiSelection = Field(description=_TOUCH)
    match: str = Field(description=_MATCH, examples=["lead"])
    until: KpiSelection | None = Field(default=None, description=_UNTIL)


class KpiCadenceStep(Output):
    """Something that is to be done by then."""

    events: list[str] = Field(description=_TYPES, examples=[["call.made"]])
    where: str | None = Field(default=None, description=_FILTER)
    by: str = Field(description=_BY, examples=["P1D"])


class KpiCadence(Output):
    """Agreed steps after an anchor (S18)."""

    anchor: KpiSelection = Field(description=_ANCHOR)
    match: str = Field(description=_MATCH, examples=["lead"])
    steps: list[KpiCadenceStep] = Field(description=_STEPS)


class KpiOpen(Output):
    """What is open at a moment (S18a)."""

    start: KpiSelection = Field(alias="from", description="What opens a thing.")
    end: KpiSelection = Field(alias="to", description="What closes it.")
    match: str = Field(description=_MATCH, examples=["deal"])
    at: str = Field(description=_AT, examples=["end"])
    repeat: str = Field(description=_OPENED_AGAIN, examples=["first"])


class KpiMeasure(Output):
    """One aggregate over events, or over what relates them."""

    aggregate: Aggregate = Field(description=_AGGREGATE)
    events: list[str] | None = Field(default=None, description=_EVENTS, examples=[["deal.won"]])
    elapsed: KpiElapsed | None = Field(default=None, description=_ELAPSED)
    conversion: KpiConversion | None = Field(default=None, description=_CONVERSION)
    funnel: KpiFunnel | None = Field(default=None, description=_FUNNEL)
    touches: KpiTouches | None = Field(default=None, description=_TOUCHES)
    cadence: KpiCadence | None = Field(default=None, description=_CADENCE)
    open_at: KpiOpen | None = Field(default=None, description=_OPEN)
    value: str | None = Field(default=None, description=_VALUE, examples=["amount"])
    of: str | None = Field(default=None, description=_OF, examples=["customer"])
    p: ExactDecimal | None = Field(default=None, description=_P, examples=["0.9"])
    where: str | None = Field(default=None, description=_FILTER)
    within: str | None = Field(default=None, description=_WITHIN, examples=["PT5M"])
    at_least: int | None = Field(default=None, description=_AT_LEAST, examples=[5])
    over: str | None = Field(default=None, description=_OVER, examples=["P90D"])
    role: str = Field(description=_ROLE, examples=["owner"])
    credit: str = Field(description=_CREDIT, examples=["split"])
