"""Wire shapes of a member's benchmark."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from app.core.schemas import Figure, Output
from app.kpis.schemas import KpiKey
from app.results.analysis_schemas import KpiOf, Stated
from app.results.schemas import Figures, PeriodText, Point, Subject


class BenchmarkQuery(Point):
    """A member, to be compared with their team and with everybody of the same revenue role."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"member": "{member_id}", "kpis": ["calls_made"], "period": "2026-Q2"}]}
    )

    member: UUID = Field(description="Whom to compare.")
    kpis: list[KpiKey] = Field(min_length=1, max_length=20, description="Keys of the KPIs.")
    period: PeriodText
    minimum_sample: int | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="Events that a value needs behind it to be compared; null: 5, and none for counts and sums, which "
        "are facts however few.",
    )


class Peer(Output):
    """One person of a group, with their own value."""

    member: Subject = Field(description="Who.")
    figure: Figures = Field(description="All that they did in the period, with its sample.")
    rank: int | None = Field(description="Place, 1 the best; ties share the better place (S29). Null: unranked.")
    unranked: Literal["no_data", "not_recorded_yet", "not_retained", "mixed_versions", "sample_too_small"] | None = (
        Field(description="Why the value is not compared; null where it is.")
    )


class Spread(Output):
    """The middle half of the values that are compared."""

    lower_quartile: Figure = Field(description="A quarter of the values are at most so large (S11).")
    median: Figure = Field(description="Half of the values are at most so large.")
    upper_quartile: Figure = Field(description="Three quarters of the values are at most so large.")


class PeerGroup(Output):
    """A member among people they are compared with."""

    kind: Literal["team", "revenue_role"] = Field(description="What the people have in common.")
    team: Subject | None = Field(description="The team; null for a role.")
    revenue_role: str | None = Field(description="The role; null for a team.", examples=["account_executive"])
    verdict: Literal["ok", "too_few", "member_not_compared"] = Field(
        description="`too_few`: fewer than 3 people have a value that can be compared, so there is no middle and no "
        "rank; `member_not_compared`: the member has none, the others have a middle."
    )
    n: int = Field(description="How many people have a value that is compared.", ge=0)
    spread: Spread | None = Field(description="Quartiles and median; null with too few people.")
    rank: int | None = Field(description="The member's place; null where there is none, and for maintain.")
    standing: Literal["better", "same", "worse", "other"] | None = Field(
        description="The member's value against the median, by the KPI's direction; `other` for maintain."
    )
    peers: list[Peer] = Field(description="Everybody of the group, the ranked first, the member too.")


class KpiBenchmark(Output):
    """One KPI of the member, and where it stands."""

    kpi: KpiOf = Field(description="The KPI.")
    minimum_sample: int = Field(description="Events that a value needed to be compared.", ge=0)
    figure: Figures = Field(description="The member's own value.")
    groups: list[PeerGroup] = Field(description="One for each of their teams, and one for their role.")


class Benchmark(Stated):
    """Where a member stands."""

    member: Subject = Field(description="Whom it is about.")
    period: str = Field(description="The days; relative periods are resolved.")
    day: date = Field(
        description="Teams and roles are those of this day: the last of the period, or today where it still runs."
    )
    kpis: list[KpiBenchmark] = Field(description="One for each KPI, as asked.")
    notes: list[str] = Field(description="Why a comparison is missing, such as a member without a role.")
