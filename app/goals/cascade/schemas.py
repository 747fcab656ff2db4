"""Wire shapes of splits and of the tree of goals."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from app.calendars.schemas import Day
from app.core.schemas import Amount, ExactDecimal, Figure, Input, Instant, Output, Prose, Text
from app.goals.lifecycle import State
from app.goals.schemas import Counts, OwnerInput, OwnerType

Selection = Literal["members", "teams", "level"]
By = Literal["head_count", "fte", "weight", "history", "hand"]
Into = Literal["weeks", "months", "quarters"]
Change = Literal["joined", "left", "moved", "absent", "back", "changed"]
Step = Literal["create", "change", "keep", "replace", "cancel", "none"]
MOST_PARTS = 2_000


class PartInput(Input):
    """One owner of a part."""

    owner: OwnerInput = Field(description="The team or member.")
    weight: Amount | None = Field(default=None, description="By weight: 0 or more.", examples=["2"])
    target: Amount | None = Field(default=None, description="By hand: the part's target, above 0.", examples=["40"])
    stretch: Amount | None = Field(default=None, description="By hand: the part's stretch target.")


class HistoryInput(Input):
    """Which past decides a split by history."""

    periods: int = Field(default=3, ge=1, le=12, description="So many periods of the same kind before this one.")


class SplitInput(Input):
    """How a goal is split: to whom, by what."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"to": "members", "by": "fte"}]})

    mode: Literal["split", "replan"] = Field(
        default="split",
        description="`split` plans the whole period. `replan` leaves what was due before the day `on` as it was "
        "planned, and spreads the rest over those who are there from then on.",
    )
    to: Selection = Field(
        default="level",
        description="`members`: everybody in the team and the teams below it. `teams`: the teams right below. `level`: "
        "the teams right below and the team's own members. The organization's are its top teams, or all members where "
        "it has none.",
        examples=["members"],
    )
    owners: Annotated[list[PartInput], Field(min_length=1, max_length=MOST_PARTS)] | None = Field(
        default=None,
        description="Instead of `to`: these teams and members, in this order, with what each gets. All of them are "
        "inside, and nobody is in two of them for the whole time: their work would count twice.",
    )
    into: Into | None = Field(
        default=None,
        description="Instead of people: the same owner's goals for the weeks, months or quarters of the period, by "
        "working time, or `by: history` as the same ones a year earlier went.",
    )
    by: By = Field(
        default="head_count",
        description="What parts follow. `head_count`: working time in the team, everybody alike; `fte`: also part "
        "time; `weight` and `hand`: what the list says; `history`: what each achieved in past periods.",
    )
    exclude: list[OwnerInput] = Field(default=[], max_length=MOST_PARTS, description="Who gets no part.")
    depth: int = Field(default=1, ge=1, le=6, description="Levels at once: each team's part is split on, by level.")
    history: HistoryInput = Field(default=HistoryInput(), description="By history: which.")
    overassign: Amount = Field(
        default=Decimal(1), ge=1, le=3, description="Parts add up to this many times the target: 1.05 is 105 %."
    )
    round_to: Amount | None = Field(default=None, gt=0, description="Parts are multiples of it, but for a last rest.")
    ramp_id: UUID | None = Field(default=None, description="Ramp of members who are new; their weight grows with it.")
    others: Literal["keep", "cancel"] = Field(
        default="keep", description="What becomes of parts that exist and are not among the owners: they keep theirs."
    )
    allow_gap: bool = Field(default=False, description="By hand: accept parts that do not add up to the target.")
    counts: Counts | None = Field(
        default=None, description="What the goal measures from then on: its own KPI, or the sum of its parts."
    )
    name: Annotated[Text, StringConstraints(min_length=1, max_length=200)] = Field(
        default="{goal}: {owner}", description="Name of new goals; {goal}, {owner} and {period} are put in."
    )
    weight: Amount = Field(default=Decimal(1), gt=0, description="Weight of new goals among those of their owner.")
    milestones: bool = Field(default=False, description="Give the goal's milestones to new parts, as shares.")
    state: Literal["draft", "open"] | None = Field(default=None, description="Of new goals; default: the goal's own.")
    on: Day | None = Field(
        default=None, description="Of a re-plan: the first day that is planned anew; default: today."
    )
    leavers: Literal["pro_rata", "achieved"] = Field(
        default="pro_rata",
        description="What those who left keep: the part of their target until then, or what they achieved by then.",
    )
    reason: Prose = Field(default="", description="Why; kept with the revisions of the targets.")


class SplitApply(SplitInput):
    """A split to carry out."""

    expect: Annotated[Text, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="Digest of the preview: what would come out differently by now is refused."
    )


class PartOwner(Output):
    """Whose part it is."""

    type: OwnerType = Field(description="Whose part it is.", examples=["member"])
    id: UUID | None = Field(description="The team or member; null for the organization.")
    name: str | None = Field(description="Their name.", examples=["Ana"])


class Part(Output):
    """One part of a split: what it is now, what it becomes, and why."""

    owner: PartOwner = Field(description="Whose part it is.")
    goal_id: UUID | None = Field(description="Its goal, where there is one.")
    step: Step = Field(
        description="What is done: a goal is created, its target changed, kept, replaced by one of other days, "
        "cancelled; or nothing.",
        examples=["create"],
    )
    period: str = Field(description="Days of its goal.", examples=["2026-07"])
    start: date = Field(description="First local day.")
    end: date = Field(description="The day after the last.")
    weight: Figure = Field(description="What it weighs among the parts.", examples=[1])
    share: Figure = Field(description="Its share of all parts.", examples=[0.34])
    part: ExactDecimal = Field(description="What it adds to the whole: the parts' sum.", examples=["34"])
    old_target: ExactDecimal | None = Field(description="Target of its goal now.")
    target: ExactDecimal | None = Field(
        description="Target of its goal then; null where it has none. More than the part where absences or a ramp "
        "inside its days take some of the target away.",
        examples=["34"],
    )
    low: ExactDecimal | None = Field(default=None, description="Low edge of a band that every part gets.")
    high: ExactDecimal | None = Field(default=None, description="High edge of a band.")
    old_stretch: ExactDecimal | None = Field(default=None, description="Its stretch target now.")
    stretch: ExactDecimal | None = Field(default=None, description="Its stretch target then.")
    why: str = Field(description="How the part came about, in words and figures.", examples=["1 of 3 heads"])
    parts: "list[Part]" = Field(default=[], description="How it is split on, where several levels are.")
    parts_sum: ExactDecimal | None = Field(default=None, description="Sum of these.")


class Split(Output):
    """A split, as it would be or was carried out."""

    goal_id: UUID = Field(description="The goal that is split.")
    version: int = Field(description="Its version.", examples=[1])
    kpi: str = Field(description="Key of the KPI.", examples=["calls_made"])
    currency: str | None = Field(description="Currency of money.")
    counts: Counts = Field(description="Whether the goal counts its own KPI or the sum of its parts then.")
    is_additive: bool = Field(description="Whether parts add up. If not, each has the target as it is.")
    as_of: Instant = Field(description="The instant T of the plan.")
    known_at: Instant = Field(description="What had been recorded by this instant is in it.")
    on: date | None = Field(description="Of a re-plan: the first day that is planned anew.")
    target: ExactDecimal | None = Field(description="The goal's target.", examples=["100"])
    stretch: ExactDecimal | None = Field(description="The goal's stretch target.")
    unit: ExactDecimal = Field(description="Parts are multiples of it.", examples=["1"])
    parts: list[Part] = Field(description="The parts.")
    parts_sum: ExactDecimal | None = Field(description="Sum of the parts; null where they do not add up.")
    gap: ExactDecimal | None = Field(description="What the parts lack of the target; 0 where nothing.", examples=["0"])
    over: ExactDecimal | None = Field(description="What they are more than the target (over-assignment).")
    notes: list[str] = Field(description="What else to know.")
    digest: str = Field(description="SHA-256 of the plan; give it as `expect` to carry out exactly this one.")


class CascadeQuery(Input):
    """As of when, and how deep."""

    as_of: Instant | None = Field(default=None, description="As known, and as far as past, at this instant (S5).")
    depth: int = Field(default=6, ge=1, le=12, description="Levels below the goal.")


class Check(Output):
    """Whether the parts yield the whole."""

    parts_sum: Figure | None = Field(
        description="Sum of what the parts' targets count, as in the goal's progress: a member's after absences and "
        "ramp, by working time in the team, nobody's work twice (S8, S33); null where the KPI does not add up."
    )
    gap: Figure | None = Field(description="What they lack of the target; 0 where nothing.", examples=[0])
    gap_share: Figure | None = Field(description="As a share of the target.", examples=[0])
    over: Figure | None = Field(description="What they are more (over-assignment).", examples=[5])
    over_share: Figure | None = Field(description="As a share of the target.", examples=[0.05])
    status: Literal["exact", "gap", "over", "no_parts", "compared"] = Field(
        description="`compared`: the KPI does not add up; each part stands beside the target.", examples=["exact"]
    )
    missing: list[PartOwner] = Field(description="Teams and members of the owner who have no part.")
    left_out: list[UUID] = Field(description="Goals below it in another KPI or currency: they are not added.")


class Node(Output):
    """A goal with all below it."""

    goal_id: UUID = Field(description="The goal.")
    name: str = Field(description="What people call it.")
    owner: PartOwner = Field(description="Whose goal it is.")
    kpi: str = Field(description="Key of its KPI.")
    currency: str | None = Field(description="Currency of money.")
    period: str = Field(description="Its days.", examples=["2026-07"])
    state: State = Field(description="Its state.", examples=["active"])
    counts: Counts = Field(description="Whether it counts its own KPI or the sum of its parts.")
    is_locked: bool = Field(description="Whether it is locked.")
    target: ExactDecimal | None = Field(description="Its target; null for a band.")
    effective_target: Figure | None = Field(description="What absences and ramp leave of it.")
    counted_share: Figure = Field(description="Share of it that counts in the goal above (S33); 1 at the top.")
    counted: Figure | None = Field(description="What it adds to the goal above; null where it adds nothing.")
    counted_in: list[UUID] = Field(
        default=[], description="Wider parts of the same goal that count some of the same work: it counts once (S8)."
    )
    difference: Figure | None = Field(
        default=None, description="Where the KPI does not add up: its target minus that of the goal above."
    )
    check: Check | None = Field(description="Whether its parts yield it; null for a goal without parts at the bottom.")
    is_replan_due: bool | None = Field(
        description="Whether its parts should be planned anew; null where that was not looked at: of goals that were "
        "planned at different instants only the first eight are."
    )
    parts: "list[Node]" = Field(description="The goals right below it.")


class Due(Output):
    """Why the parts of a goal should be planned anew."""

    goal_id: UUID = Field(description="The goal whose parts it is about.")
    owner: PartOwner = Field(description="Whom it is about.")
    within: PartOwner = Field(description="In whose team: that of the goal, or of one of its parts.")
    what: Change = Field(description="What changed since the parts were planned.", examples=["left"])
    start: date = Field(description="First of the days that are others.")
    end: date = Field(description="The day after the last of them.")
    planned: Figure = Field(description="Presence as it was known at the last plan, 1 is the whole period.")
    present: Figure = Field(description="Presence as it is known now.")
    why: str = Field(
        description="The same in words.", examples=["Bo left North for South; the last day was 2026-07-21."]
    )


class Cascade(Output):
    """The tree of goals below one."""

    as_of: Instant = Field(description="The instant T of the answer.")
    known_at: Instant = Field(description="What had been recorded by this instant is in it.")
    root: Node = Field(description="The goal, with all below it.")
    is_cut: bool = Field(description="Whether goals further below are not shown.")
    is_replan_due: bool = Field(description="Whether the parts of any of these goals should be planned anew.")
    due: list[Due] = Field(description="Why, goal by goal from the top.")
