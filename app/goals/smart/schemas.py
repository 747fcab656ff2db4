"""Wire shapes of the SMART check."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, JsonValue

from app.core.schemas import ExactDecimal, Figure, Input, Instant, Output, Text
from app.goals.schemas import OwnerType
from app.goals.smart.history import Basis
from app.goals.smart.rules import Severity, Verdict

LooseText = Text | None


def _is_writable(value: Decimal) -> Decimal:
    if not -_MOST_DIGITS < value.adjusted() < _MOST_DIGITS:
        raise ValueError("write a number of fewer digits")
    return value


_MOST_DIGITS = 400
DraftDecimal = Annotated[ExactDecimal, AfterValidator(_is_writable)]


class OwnerDraft(Input):
    """Whose goal it is to be, as far as it is known."""

    type: OwnerType | None = Field(default=None, description="Whose goal it is.", examples=["member"])
    id: UUID | None = Field(default=None, description="The team or member.")


class ChangeDraft(Input):
    """A change against a baseline, as far as it is known."""

    by: DraftDecimal | None = Field(default=None, description="As a share of the baseline.")
    amount: DraftDecimal | None = Field(default=None, description="In the KPI's unit.")
    stretch: DraftDecimal | None = Field(default=None, description="The change of the stretch target.")
    on: LooseText = Field(default=None, max_length=1000, description="The baseline.", examples=["previous_period"])


class TargetDraft(Input):
    """What is aimed at, as far as it is known."""

    value: DraftDecimal | None = Field(default=None, description="The value to reach, or not to exceed.")
    low: DraftDecimal | None = Field(default=None, description="Low edge of the band.")
    high: DraftDecimal | None = Field(default=None, description="High edge of the band.")
    change: ChangeDraft | None = Field(default=None, description="A change against a baseline.")
    stretch: DraftDecimal | None = Field(default=None, description="What would be more than asked for.")


class MilestoneDraft(Input):
    """A place on the way, as far as it is known."""

    key: LooseText = Field(default=None, max_length=1000, description="Its name in answers.")
    name: LooseText = Field(default=None, max_length=1000, description="What people call it.")
    value: DraftDecimal | None = Field(default=None, description="The KPI's value that reaches it.")
    share: DraftDecimal | None = Field(default=None, description="Or a share of the target.")
    due_on: LooseText = Field(default=None, max_length=100, description="The day by whose end it is wanted.")


class GoalDraft(Input):
    """A goal before it is saved: what a goal has, and every field may still be absent or wrong."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Calls in July",
                    "owner": {"type": "organization"},
                    "kpi": "calls_made",
                    "period": "2026-07",
                    "target": {"value": "100"},
                }
            ]
        }
    )

    name: LooseText = Field(default=None, max_length=20_000, description="What people call it.")
    description: LooseText = Field(default=None, max_length=20_000, description="What it is for.")
    owner: OwnerDraft | None = Field(default=None, description="Whose goal it is.")
    kpi: LooseText = Field(default=None, max_length=1000, description="Key of the KPI that measures it.")
    period: LooseText = Field(default=None, max_length=1000, description="Its days.", examples=["2026-07"])
    target: TargetDraft | None = Field(default=None, description="What is aimed at.")
    currency: LooseText = Field(default=None, max_length=1000, description="Currency of a money target.")
    rate_set: LooseText = Field(default=None, max_length=1000, description="Rates by which money is converted.")
    yields: LooseText = Field(default=None, max_length=20_000, description="How its parts make the whole.")
    weight: DraftDecimal | None = Field(default=None, description="How much it counts among goals of its owner.")
    parent_id: UUID | None = Field(default=None, description="The goal that it is a part of.")
    counts: LooseText = Field(default=None, max_length=1000, description="Its own KPI, or the sum of its parts.")
    expected: LooseText = Field(default=None, max_length=1000, description="What the share due by now follows.")
    ramp_id: UUID | None = Field(default=None, description="Schedule by which a new member's target grows.")
    milestones: list[MilestoneDraft] | None = Field(default=None, max_length=200, description="Places on the way.")
    state: LooseText = Field(default=None, max_length=1000, description="draft, proposed or open.")
    reason: LooseText = Field(default=None, max_length=20_000, description="Why this target.")

    def told(self) -> dict[str, Any]:
        """What was said, as it would be posted."""
        return self.model_dump(mode="json", exclude_none=True)


class SmartFinding(Output):
    """One thing that speaks for or against the goal."""

    code: str = Field(description="A stable code of the kind of finding.", examples=["beyond_best"])
    severity: Severity = Field(
        description="`error` fails the criterion, `warning` warns, `unknown` cannot be told, `info` speaks against "
        "nothing."
    )
    message: str = Field(description="A sentence for people.", examples=["The goal is a part of no other one."])
    pointer: str = Field(description="JSON pointer into the goal; empty for the whole.", examples=["/target"])
    suggestion: dict[str, JsonValue] | None = Field(
        description="Fields of the goal that would mend it, whole as they are posted.", examples=[{"parent_id": None}]
    )
    evidence: dict[str, JsonValue] = Field(description="The figures behind it.", examples=[{"periods": 12}])


class SmartCriterion(Output):
    """The verdict on one criterion: the worst of its findings."""

    verdict: Verdict = Field(description="pass, warn, fail, or unknown where it cannot be told.", examples=["pass"])
    findings: list[SmartFinding] = Field(description="What it was made of.")


class PastPeriod(Output):
    """A period that the goal is compared with."""

    period: str = Field(description="Its label.", examples=["2026-06"])
    start: date = Field(description="First local day.")
    end: date = Field(description="The day after the last.")
    member_id: UUID | None = Field(description="The colleague whose it is; null for the owner's own.")
    actual: Figure = Field(description="What came of it.", examples=[91])
    value: Figure = Field(
        description="As it would be in the goal's period: sums and counts by working time (S31); months that stand for "
        "a longer one nearer to their median, by the root of how many it has.",
        examples=[95.13],
    )


class SuggestedTargets(Output):
    """Targets from history: what half, and what one in five, of the past periods reached (P50, P80)."""

    basis: Basis = Field(
        description="The owner's own periods of the same kind; their months, for a longer period; those of colleagues "
        "in the same role; or `none`: there are fewer than 6 of each."
    )
    reason: str | None = Field(description="Why there is none.")
    values: int = Field(description="How many periods it comes from; at most 12 of each person.", examples=[12])
    people: int = Field(description="How many colleagues they are of; 0 for own ones.", examples=[0])
    realistic: ExactDecimal | None = Field(description="`p50` as a target is set: of three digits.", examples=["96"])
    ambitious: ExactDecimal | None = Field(description="`p80` as a target is set: of three digits.", examples=["110"])
    p50: Figure | None = Field(description="The median of the periods, exactly.", examples=[95.7])
    p80: Figure | None = Field(description="Their 80th percentile; of a limit the 20th.", examples=[110.25])
    low: ExactDecimal | None = Field(description="Of a band: the 20th percentile, of three digits.")
    high: ExactDecimal | None = Field(description="Of a band: the 80th percentile, of three digits.")
    best: ExactDecimal | None = Field(description="The best of the periods.", examples=["121"])
    reached: int | None = Field(description="In how many of them the goal's target would have been reached.")
    periods: list[PastPeriod] = Field(description="What the percentiles are of, the latest first.")
    likelihood: Figure | None = Field(
        description="How likely the target is reached by the forecast, where the period runs.", examples=[0.62]
    )


class SmartCheck(Output):
    """Whether a goal is specific, measurable, achievable, relevant and bound in time."""

    goal_id: UUID | None = Field(description="The goal; null for a draft.")
    as_of: Instant = Field(description="The instant T of the answer (S5).")
    known_at: Instant = Field(description="What had been recorded by this instant was looked at (S5).")
    verdict: Verdict = Field(description="The worst of the five.", examples=["warn"])
    start: date | None = Field(description="First local day; null where the period cannot be understood.")
    end: date | None = Field(description="The day after the last.")
    target: ExactDecimal | None = Field(description="The target value, of a relative one as computed now.")
    specific: SmartCriterion = Field(description="Is it said who is to reach what, and said once?")
    measurable: SmartCriterion = Field(description="Is there an agreed KPI with data of this owner?")
    achievable: SmartCriterion = Field(description="Was the like of it ever reached?")
    relevant: SmartCriterion = Field(description="Does it serve a greater goal, and fit its owner's work?")
    time_bound: SmartCriterion = Field(description="Do its days lie ahead, and are they enough?")
    suggested: SuggestedTargets = Field(description="Targets that history gives.")


class CheckQuery(Input):
    """As of when."""

    as_of: Instant | None = Field(default=None, description="As known, and as far as past, at this instant (S5).")


def plain(value: Any) -> JsonValue:
    """Evidence as JSON: decimals to 15 digits."""
    if isinstance(value, Decimal):
        is_whole = value == value.to_integral_value() and abs(value) < Decimal(10) ** 15
        return int(value) if is_whole else float(f"{value:.15g}")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
