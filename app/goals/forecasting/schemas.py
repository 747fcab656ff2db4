"""Wire shapes of forecasts and of their track record."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.core.schemas import Amount, Figure, Input, Instant, Output
from app.goals.forecasting.reasons import Code
from app.goals.schemas import GoalCurrency, KpiKey, Owner, OwnerInput, PeriodText
from app.rates.schemas import SetKey

PeriodKind = Literal["week", "month", "quarter", "year", "fiscal_period", "fiscal_quarter", "fiscal_year"]
Knowledge = Literal["hindsight", "as_of"]
KNOWLEDGE = (
    "`hindsight`: by what is known now of events, people and calendars, cut at each case's day, so that later "
    "corrections are in it; the only way for a history that was loaded afterwards. `as_of`: by what had been recorded "
    "then, of 40 cases at most; before the organization's first record all is unknown."
)
METHOD, VERSION = "weighed_rolling_origins", 1
FORMULA_METHOD = "working_day_bootstrap"
Share = Annotated[Decimal, Field(gt=0, lt=1)]


class Reason(Output):
    """Why there is no forecast."""

    code: Code = Field(description="For programs.", examples=["too_little_history"])
    message: str = Field(description="For people.")


class Probability(Output):
    """How likely the target is reached; of KPIs to decrease, that the limit holds; of bands, to end inside."""

    target: Figure | None = Field(description="Of the target, 0 to 1; null without one.", examples=[0.72])
    stretch: Figure | None = Field(description="Of the stretch target, 0 to 1; null without one.", examples=[0.2])


class Baselines(Output):
    """What simpler ways expect, to compare with."""

    linear_pace: Figure | None = Field(
        description="The figure so far over the share of working time that is past; of ratios and averages the figure "
        "so far. Null before anything is past."
    )
    same_period_last_year: Figure | None = Field(description="What it was a year before; null without that history.")


class HistoryUsed(Output):
    """What the forecast stands on."""

    start: date = Field(description="The first day with anything that the KPI counts, three years back at most.")
    end: date = Field(description="The day after the last whole one.")
    days: int = Field(description="How many whole days these are.", ge=0)
    working_days: int = Field(description="On how many of them the owner works.", ge=0)
    left_out: int = Field(description="Events that could not be used, such as unconverted money.", ge=0)


class Method(Output):
    """How it is computed: the guide of forecasts says what that means."""

    name: Literal["weighed_rolling_origins", "working_day_bootstrap"] = Field(
        description="The first of counts and sums, the second of formulas over them."
    )
    version: int = Field(description="Grows when the same data may give another forecast.", examples=[1])


class Forecast(Output):
    """Where a KPI will end, with the range that holds in 80 % of cases, or the reason why nobody can say."""

    status: Literal["ok", "unknown"] = Field(description="Whether there is a forecast.")
    reason: Reason | None = Field(description="Of `unknown`: why.")
    is_certain: bool = Field(description="The period is over: the figure is what it is.")
    actual: Figure | None = Field(description="The figure up to now.")
    p10: Figure | None = Field(
        description="One of ten ends lies below; none where it is the actual of a KPI that grows."
    )
    p50: Figure | None = Field(description="As many ends lie below as above.")
    p90: Figure | None = Field(
        description="One of ten ends lies above, up to two where none can lie below; p10 to p90 is the 80 % range."
    )
    probability: Probability = Field(description="Of target and stretch.")
    baselines: Baselines = Field(description="What simpler ways expect.")
    history: HistoryUsed | None = Field(description="What it stands on.")
    method: Method = Field(description="How it is computed.")


class ForecastQuery(Input):
    """Where a KPI of an owner will end, with or without a goal."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kpi": "calls_made", "owner": {"type": "organization"}, "period": "this_month", "target": 100}
            ]
        }
    )

    kpi: KpiKey = Field(description="Key of the KPI.", examples=["calls_made"])
    owner: OwnerInput = Field(description="Whose figure.")
    period: PeriodText = Field(description="The period, as of goals.", examples=["2026-07"])
    target: Amount | None = Field(default=None, description="What is to be reached, or not to be exceeded (decrease).")
    stretch: Amount | None = Field(default=None, description="What would be more than asked for.")
    currency: GoalCurrency | None = Field(default=None, description="Of money; the organization's where null.")
    rate_set: SetKey | None = Field(default=None, description="Rates that convert money; null: the default.")
    as_of: Instant | None = Field(default=None, description="As it was at this instant (S5); null: now.")
    known_at: Instant | None = Field(default=None, description="What had been recorded by then; null: by `as_of`.")


class ForecastAnswer(Forecast):
    """A forecast with what was asked."""

    kpi: str = Field(description="Key of the KPI.")
    unit: dict[str, str] = Field(description="Its unit.", examples=[{"kind": "count"}])
    period: str = Field(description="The period; relative words are resolved.", examples=["2026-07"])
    start: date = Field(description="First local day.")
    end: date = Field(description="The day after the last.")
    currency: str | None = Field(description="Of money.")
    as_of: Instant = Field(description="The instant T.")
    known_at: Instant = Field(description="What had been recorded by then.")


class BacktestQuery(Input):
    """How forecasts would have held in the organization's own closed periods."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kpi": "calls_made", "owners": [{"type": "organization"}], "every": "month", "periods": 6}]
        }
    )

    kpi: KpiKey = Field(description="Key of the KPI.", examples=["calls_made"])
    owners: list[OwnerInput] = Field(
        default_factory=lambda: [OwnerInput(type="organization")],
        min_length=1,
        max_length=10,
        description="Whose figures.",
    )
    every: PeriodKind = Field(default="month", description="The kind of period.")
    periods: int = Field(default=12, ge=1, le=36, description="How many closed ones, the latest.")
    elapsed: list[Share] = Field(
        default=[Decimal("0.25"), Decimal("0.5"), Decimal("0.75")],
        min_length=1,
        max_length=5,
        description="At which shares of a period's working time a forecast is made.",
    )
    knowledge: Knowledge = Field(default="hindsight", description=KNOWLEDGE)
    currency: GoalCurrency | None = Field(default=None, description="Of money; the organization's where null.")
    rate_set: SetKey | None = Field(default=None, description="Rates that convert money; null: the default.")
    as_of: Instant | None = Field(default=None, description="As it was at this instant (S5); null: now.")
    known_at: Instant | None = Field(default=None, description="What had been recorded by then; null: by `as_of`.")


class Interval(Output):
    """Between which shares the true one lies, with 95 % confidence (Wilson 1927).

    As if each case were one of its own: cases of the same period are alike, and tell a little less.
    """

    low: Figure = Field(description="The least.", ge=0, le=1)
    high: Figure = Field(description="The greatest.", ge=0, le=1)


class Case(Output):
    """One forecast that was made at one day of one closed period."""

    owner: Owner = Field(description="Whose.")
    period: str = Field(description="Of which period.", examples=["2026-06"])
    elapsed: Figure = Field(description="The share of its working time that was past.")
    day: date = Field(description="The forecast knows everything before this day.")
    status: Literal["ok", "unknown"] = Field(description="Whether there was a forecast.")
    reason: Reason | None = Field(description="Why there was none.")
    p10: Figure | None = Field(description="10th percentile.")
    p50: Figure | None = Field(description="50th percentile.")
    p90: Figure | None = Field(description="90th percentile.")
    ended: Figure | None = Field(description="What it became.")
    linear_pace: Figure | None = Field(description="What linear pace expected.")
    same_period_last_year: Figure | None = Field(description="What the year before had been.")
    has_held: bool | None = Field(description="Whether the range held, its edges included.")


class Errors(Output):
    """Median absolute errors, in the KPI's unit, over the cases in which both could say something."""

    forecast: Figure | None = Field(description="Of p50.")
    linear_pace: Figure | None = Field(description="Of linear pace.")
    same_period_last_year: Figure | None = Field(description="Of the year before.")
    to_linear_pace: Figure | None = Field(description="The forecast's over linear pace's: below 1 is better.")
    to_same_period_last_year: Figure | None = Field(description="The forecast's over the year before's.")


class Backtest(Output):
    """How often the 80 % range held, and how far off the forecasts were."""

    kpi: str = Field(description="Key of the KPI.")
    every: PeriodKind | None = Field(description="The kind of period; null: as the goal's own.")
    knowledge: Knowledge = Field(description=KNOWLEDGE)
    cases: list[Case] = Field(description="Each forecast, oldest period first.")
    judged: int = Field(description="How many cases had a forecast and an end.", ge=0)
    unknown: int = Field(description="How many had none.", ge=0)
    held: int = Field(description="How often the range held.", ge=0)
    held_share: Figure | None = Field(description="The share of them; 0.8 is meant.")
    held_interval: Interval | None = Field(description="What the share may truly be, by chance alone.")
    below_p10: Figure | None = Field(description="The share that ended below the range; 0.1 is meant.")
    above_p90: Figure | None = Field(description="The share that ended above it; 0.1 is meant.")
    errors: Errors = Field(description="Against simple ways.")
    verdict: str = Field(description="What that means, in a sentence.")
    as_of: Instant = Field(description="The instant T.")
    known_at: Instant = Field(description="What had been recorded by then.")


class RecordQuery(Input):
    """Of which closed periods a goal's track record is."""

    periods: int = Field(default=12, ge=1, le=36, description="How many closed periods before the goal's own.")
