"""Wire shapes of a goal's progress."""

from datetime import date
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field

from app.core.schemas import ExactDecimal, Figure, Input, Instant, Output
from app.goals.forecasting.schemas import Forecast
from app.goals.lifecycle import State
from app.goals.pace import Direction, PaceVerdict, Verdict
from app.goals.schemas import Counts, Owner, Target, Terms

Include = Literal["forecast", "curve", "milestones", "contributions", "pipeline", "notes", "none"]
EVERYTHING: tuple[Include, ...] = ("forecast", "curve", "milestones", "contributions", "pipeline", "notes")
STANDING_ALONE: tuple[Include, ...] = ("none",)
Follows = Literal["working_time", "seasonal", "linear"]
Precision = Literal["instant", "day", "week", "month", "quarter", "year"]
MilestoneStatus = Literal["reached", "open", "overdue", "missed"]


class NamedOwner(Owner):
    """Whose goal it is, by name."""

    name: str | None = Field(description="The team's or member's name; null for the organization.", examples=["North"])


class Expected(Output):
    """What is due by now (S31, S32)."""

    share: Figure = Field(
        description="Share of the period that is due by now, 0 to 1: of its working time in whole days past, or as "
        "`follows` says.",
        examples=[0.5],
    )
    value: Figure | None = Field(description="What the KPI is expected to be by now; null for a band.", examples=[50])
    working_days_past: int = Field(description="Working days of the organization's calendar past.", examples=[8])
    working_days_total: int = Field(description="Working days of the period by the same calendar.", examples=[23])
    follows: Follows = Field(
        default="working_time",
        description="What the share follows: working time, the mean course of earlier periods, or whole days (S31).",
    )
    because: str | None = Field(
        default=None, description="Why it follows something else than the goal asks for; null where it does not."
    )
    seasons: list[str] = Field(
        default=[], description="The earlier periods whose course it is the mean of.", examples=[["2026-06", "2026-05"]]
    )


class PaceThresholds(Output):
    """By what the pace was judged (S32); the organization's settings as known then."""

    behind_below: ExactDecimal = Field(description="Below this pace a goal is behind.", examples=["0.9"])
    ahead_above: ExactDecimal = Field(description="Above this pace it is ahead.", examples=["1.1"])
    too_early_before: ExactDecimal = Field(
        description="Before this share of the target is due it is too early to say.", examples=["0.05"]
    )


class StretchStanding(Output):
    """How far the stretch target is reached."""

    value: ExactDecimal = Field(description="The stretch target as it was set.", examples=["120"])
    effective: Figure = Field(
        description="What absences and the ramp leave of it; the others follow this.", examples=[120]
    )
    attainment: Figure | None = Field(description="How far it is reached; 1 is exactly.", examples=[0.333])
    is_reached: bool | None = Field(description="Whether the KPI reaches it now; null without data.")


class Needed(Output):
    """What is left to do, or of a limit: what may still be used, per working day from now on."""

    remaining: Figure | None = Field(
        description="Up to the target, 0 once it is reached; of a limit what may still be used, negative once it is "
        "exceeded.",
        examples=[60],
    )
    working_days_left: int = Field(
        description="Days of the period from today on, with today, on which the owner works: the member, anybody of "
        "the team, or the organization.",
        examples=[15],
    )
    per_working_day: Figure | None = Field(description="What remains over these days.", examples=[4])
    achieved_per_working_day: Figure | None = Field(
        description="The KPI so far over the working days that have ended; null before the first has.", examples=[5]
    )
    because: str | None = Field(
        default=None,
        description="Why there is nothing per day: `not_additive` (averages, ratios and bands are not built up day by "
        "day), `no_data`, `over` (the period has ended), `no_working_days_left`, `waived` (nothing is left of it).",
    )


class CurvePoint(Output):
    """The burn-up at the end of a local day."""

    on: date = Field(description="The day by whose end it is.", examples=["2026-07-10"])
    actual: Figure | None = Field(
        description="The KPI from the start of the period to the end of this day, for today so far; null for days to "
        "come, and where it has no value.",
        examples=[40],
    )
    expected: Figure | None = Field(
        description="What is expected by the end of this day; null for a band.", examples=[34.8]
    )
    stretch: Figure | None = Field(default=None, description="What the stretch target expects by then.")


class Curve(Output):
    """The burn-up of the KPI beside what is expected. Averages and ratios are those of the period to date."""

    grain: Literal["day", "week", "month", "quarter", "year"] = Field(
        description="How far its points are apart: so that there are at most about a hundred.", examples=["day"]
    )
    points: list[CurvePoint] = Field(description="In time order; today is one of them while the period runs.")


class MilestoneStanding(Output):
    """A place on the way to the target, and when it was reached."""

    key: str = Field(description="Its name in answers and notifications.", examples=["m1"])
    name: str = Field(description="What people call it.", examples=["Half way"])
    value: Figure = Field(description="The KPI's value that reaches it.", examples=[50])
    share: ExactDecimal | None = Field(description="Where it is a share of the target: that share.", examples=["0.5"])
    due_on: date | None = Field(description="The day by whose end it is wanted.")
    status: MilestoneStatus | None = Field(
        description="`overdue`: not reached though it was due, and the period still runs; `missed`: not reached by the "
        "period's end. Of a limit: `reached` if the KPI is not above it by the end of the day it is due on (else of "
        "the period), `missed` if it is. Null where nothing can be said.",
    )
    reached_at: Instant | None = Field(
        description="When the KPI was first there, by present knowledge; null unless reached, and of limits."
    )
    precision: Precision | None = Field(
        default=None,
        description="`instant`: of the event that reached it. Else it held at the end of this day, week … of the "
        "period, and not at the end of one before.",
    )
    is_in_time: bool | None = Field(
        default=None,
        description="Whether it was reached by the end of the day it was due on; null without such a day or if not "
        "reached.",
    )


class OwnGoal(Output):
    """A member's own part of the goal."""

    goal_id: UUID = Field(description="The member's goal.")
    target: Figure | None = Field(description="Its effective target; null for a band, 0 where nothing is left.")
    attainment: Figure | None = Field(description="How far the member's own goal is reached.")


class Contribution(Output):
    """One person's part of the actual value."""

    member_id: UUID | None = Field(description="The member; null for what nobody of them gets.")
    name: str | None = Field(description="Their name.", examples=["Ana"])
    value: Figure | None = Field(description="Of additive KPIs their part of the whole, else their own value.")
    status: str = Field(description="Status of the value (S12).", examples=["ok"])
    sample: int | None = Field(
        description="Events behind it (S25), shared ones in the sample of each; null for what no member gets.",
        examples=[40],
    )
    share: Figure | None = Field(description="The part of the whole; null unless the rows add up to it.")
    goal: OwnGoal | None = Field(default=None, description="Their own goal, where it is a part of this one.")


class Contributions(Output):
    """Who contributed, the most first; those who left stay (S8)."""

    adds_up: bool = Field(
        description="Whether the rows add up to the actual value: of additive KPIs whose credits are split."
    )
    rows: list[Contribution] = Field(description="One for each member; and what no member gets, where there is any.")


class Part(Output):
    """A goal that is a part of this one."""

    goal_id: UUID = Field(description="The part.")
    name: str = Field(description="What people call it.")
    actual: Figure | None = Field(
        description="What its owner achieved within this goal's owner and the part's period; what an earlier part of "
        "the list counts already is not in it again.",
    )
    target: Figure | None = Field(description="The part's target; of a member's what absences and ramp leave.")
    share: Figure = Field(
        description="The share of its owner's working time in the part's period that counts here: in this goal's team, "
        "and in no earlier part of the list (S33).",
        examples=[1],
    )
    target_counted: Figure | None = Field(description="That share of its target.")
    counted_in: list[UUID] = Field(default=[], description="The earlier parts that count some of the same work.")


class Parts(Output):
    """The parts that make the whole, the widest first."""

    actual: Figure | None = Field(description="Their sum, which is the goal's actual value.")
    target: Figure = Field(description="The sum of their targets, each by its share of time.")
    covers: Figure | None = Field(
        description="That sum over this goal's own target as it was set: below 1 there is a gap, above 1 more is asked "
        "for."
    )
    rows: list[Part] = Field(description="The parts.")


class OpenDeal(Output):
    """An open deal."""

    id: str = Field(description="As events name it in `about`.", examples=["hubspot:deal:77"])
    label: str | None = Field(description="What people call it in the CRM.")
    url: str | None = Field(description="Its page in the CRM.")
    closes_on: date = Field(description="When it is expected to close.")
    amount: Figure | None = Field(description="In the goal's currency; null where it has none or no rate converts it.")


class Pipeline(Output):
    """Open deals that are expected to close from today to the period's end, beside the forecast."""

    count: int | None = Field(description="How many; null where it cannot be told.")
    value: Figure | None = Field(
        description="Of a KPI of money the sum of their amounts in its currency, else their number; null where it "
        "cannot be told."
    )
    unconverted: int = Field(default=0, description="How many have an amount that no rate converts.")
    without_amount: int = Field(default=0, description="How many have no amount.")
    deals: list[OpenDeal] = Field(default=[], description="The ten largest.")
    because: str | None = Field(
        default=None,
        description="Why it cannot be told: `not_of_won_deals` (the KPI neither counts nor sums won deals), "
        "`as_of_past` (records are known as they are now), `over` (the period has ended).",
    )


class ProgressNote(Output):
    """Something that a reader should know beside the figures."""

    code: str = Field(
        description="`target_changed`, `terms_changed`, `definition_changed`, `left_out`, `mixed_versions`, "
        "`not_made_yet`, `not_retained`, `expected_follows_working_time`, `waived`, `restated`, `parts`; "
        "`note`: somebody wrote it.",
        examples=["target_changed"],
    )
    on: date | None = Field(description="The local day that it is about; null for the whole.")
    text: str = Field(description="In words.", examples=["On 2026-07-20 the target was changed from 100 to 120."])
    by: str | None = Field(default=None, description="Who wrote it or decided it, as the audit trail names callers.")


class Progress(Output):
    """How a goal stands at an instant (S30–S34)."""

    goal_id: UUID = Field(description="The goal.")
    name: str | None = Field(default=None, description="What people call it.", examples=["Calls in July"])
    owner: NamedOwner | None = Field(default=None, description="Whose goal it is.")
    period: str | None = Field(default=None, description="Its days as written.", examples=["2026-07"])
    start: date | None = Field(default=None, description="First local day.", examples=["2026-07-01"])
    end: date | None = Field(default=None, description="The day after the last.", examples=["2026-08-01"])
    state: State | None = Field(
        default="closed", description="Its state then; null: it had not been made yet.", examples=["active"]
    )
    as_of: Instant = Field(description="The instant T of the answer: what is past, and what happened by then (S5).")
    known_at: Instant = Field(description="What had been recorded by this instant is in the figures (S5).")
    kpi: str = Field(description="Key of the KPI.", examples=["calls_made"])
    direction: Direction = Field(description="Which way the KPI should go.")
    unit: dict[str, str | None] = Field(description="Unit of actual, target and expected value.")
    currency: str | None = Field(description="Currency of money.")
    counts: Counts = Field(
        default="own", description="Whether `actual` is the owner's own KPI, or the sum of the goal's parts."
    )
    target: Target | None = Field(description="The target as known then; null where none was.")
    terms: Terms | None = Field(default=None, description="All terms as known then, the target among them.")
    effective_target: Figure | None = Field(
        default=None,
        description=(
            "What is left of the target after absences that take their part of it away (`prorate_target`), and by the "
            "ramp of new members; null where all is. Expected, attainment, pace and verdict follow it. 0 where nothing "
            "is left: nothing is judged then."
        ),
        examples=[132.35],
    )
    ramp_share: Figure | None = Field(
        default=None, description="What the ramp asks for of the full target in this period; null without a ramp (S33)."
    )
    actual: Figure | None = Field(description="The KPI over the period so far.", examples=[40])
    status: str = Field(description="Status of the actual value (S12).", examples=["ok"])
    sample: int = Field(
        description="Events behind the actual value (S25); of a sum of parts those of each part, so that an event that "
        "two parts share counts in both.",
        examples=[40],
    )
    kpi_version: int | None = Field(description="The KPI's version; null where several were used (S24).", examples=[1])
    attainment: Figure | None = Field(
        default=None, description="How far the target is reached; 1 is exactly.", examples=[0.4]
    )
    change_attainment: Figure | None = Field(
        default=None,
        description="Of a target that is a change: how much of the way from the baseline to it is gone (S30).",
    )
    stretch: StretchStanding | None = Field(default=None, description="How far the stretch target is reached.")
    expected: Expected | None = Field(default=None, description="What is due by now.")
    pace: Figure | None = Field(
        default=None, description="Attainment against what is due by now; 1 is on pace.", examples=[1.15]
    )
    pace_verdict: PaceVerdict | None = Field(default=None, description="What the pace means.", examples=["ahead"])
    thresholds: PaceThresholds | None = Field(default=None, description="By what the pace was judged.")
    verdict: Verdict | None = Field(default=None, description="Attained, on course or missed; null while open.")
    needed: Needed | None = Field(default=None, description="What is needed per working day from now on.")
    parts: Parts | None = Field(default=None, description="Of a goal that counts its parts: what each gave.")
    forecast: Forecast | None = Field(
        default=None,
        description="Where the KPI will end, with its range, and how likely target and stretch are; null of a "
        "closed goal.",
    )
    curve: Curve | None = Field(default=None, description="The burn-up beside what is expected.")
    milestones: list[MilestoneStanding] | None = Field(
        default=None, description="The places on the way, and when they were reached."
    )
    contributions: Contributions | None = Field(
        default=None,
        description="Who contributed, of goals of teams and the organization; null for keys without `results:read`.",
    )
    pipeline: Pipeline | None = Field(
        default=None, description="Open deals expected to close in the period; null for keys without `results:read`."
    )
    notes: list[ProgressNote] | None = Field(default=None, description="What a reader should know beside the figures.")
    frozen_at: Instant | None = Field(default=None, description="When a closed goal's figures were frozen.")
    digest: str | None = Field(default=None, description="SHA-256 over the RFC 8785 JSON of the frozen figures.")
    restated_since: bool | None = Field(
        default=None,
        description="Of a closed goal: whether present knowledge gives another actual value; null where that cannot be "
        "told, since events that it came from were archived or dropped since.",
    )
    difference: Figure | None = Field(
        default=None,
        description="Of a closed goal: what present knowledge adds to the frozen actual value; null where one of them "
        "has no value.",
    )


def _written(value: Any) -> Any:
    """Several by commas, or the parameter written several times."""
    if not isinstance(value, list | tuple):
        return value
    return [word for each in value for word in (each.split(",") if isinstance(each, str) else [each])]


def _none_alone(value: list[Include]) -> list[Include]:
    if "none" in value and len(set(value)) > 1:
        raise ValueError("none is the standing alone: write it without others, or leave it out")
    return value


class ProgressQuery(Input):
    """As of when, and how much."""

    as_of: Instant | None = Field(default=None, description="As known, and as far as past, at this instant (S5).")
    include: Annotated[list[Include], BeforeValidator(_written), AfterValidator(_none_alone)] = Field(
        default=list(EVERYTHING),
        max_length=len(get_args(Include)),
        description="What to answer beside the standing, several by commas; `none` is the standing alone. "
        "Default: everything.",
        examples=[["forecast", "curve"]],
    )
