"""Wire shapes of the scores that people give (K12)."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from app.calendars.schemas import Day
from app.core.pagination import PageQuery
from app.core.schemas import ExactDecimal, Input, Output, Page, Text
from app.kpis.schemas import Every, Giver

_MEMBER = "Who is scored."
_GIVER = "Who gave the score."
_ON = "Local day for which the score is given; it decides the window of the figure."
_PERIOD = "The period of the KPI's `every` in which a giver has one score about a member; else the day."
_AS = "What the giver is to the member on that day, of the KPI's givers."
_COMMENT = "Why. It is kept with the event: whoever may see the score reads it there."


class ScoreGive(Input):
    """A score that somebody gives about a member."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"member_id": "{member_id}", "value": "4", "giver_id": "{giver_id}"}]}
    )

    member_id: UUID = Field(description=_MEMBER)
    value: Annotated[ExactDecimal, Field(max_digits=12, decimal_places=4)] = Field(
        description="The score, on the KPI's scale.", examples=["4"]
    )
    on: Day | None = Field(default=None, description=f"{_ON} Absent: today; no later day.")
    comment: Annotated[Text, StringConstraints(min_length=1, max_length=2000)] | None = Field(
        default=None, description=_COMMENT, examples=["Answers within the hour, and asks back."]
    )
    giver_id: UUID | None = Field(
        default=None, description=f"{_GIVER} Only for keys that stand for no member: others give their own scores."
    )


class Score(Output):
    """A score that somebody gave, as it stands."""

    id: UUID = Field(description="Identifier of the score, which is that of its event.")
    kpi: str = Field(description="Key of the KPI.", examples=["communication"])
    member_id: UUID = Field(description=_MEMBER)
    giver_id: UUID = Field(description=_GIVER)
    given_as: Giver = Field(description=_AS, examples=["manager"])
    value: ExactDecimal = Field(description="The score.", examples=["4"])
    on: date = Field(description=_ON)
    period: str = Field(description=_PERIOD, examples=["2026-Q3"])
    comment: str | None = Field(description=_COMMENT)
    revision: int = Field(description="1, and one more with each correction.", examples=[1])
    recorded_at: datetime = Field(description="When it was recorded as it stands.")


class ScoreGiven(Score):
    """A score that was just given."""

    outcome: Literal["given", "corrected", "unchanged"] = Field(
        description="given: the first of this giver about this member in the period. corrected: it takes the place of "
        "the one before. unchanged: it says what that said."
    )


class ScorePage(Page[Score]):
    """A page of scores, the latest day first."""


class ScoresQuery(PageQuery):
    """Which scores."""

    member_id: UUID | None = Field(default=None, description="Only those about this member.")
    giver_id: UUID | None = Field(default=None, description="Only those given by this member.")
    begins_from: Day | None = Field(default=None, alias="from", description="Only those of this day or later.")
    begins_before: Day | None = Field(default=None, alias="to", description="Only those of an earlier day.")


class DueQuery(Input):
    """Whose scores are due."""

    giver_id: UUID | None = Field(
        default=None,
        description="Who is to give scores; absent: the caller. Members ask for themselves only.",
    )


class DueScore(Output):
    """A member about whom a score is still to be given."""

    member_id: UUID = Field(description=_MEMBER)
    name: str = Field(description="Their name.", examples=["Ada Nowak"])
    give_as: Giver = Field(description=_AS, examples=["manager"])


class DueScores(Output):
    """Whom a giver should still score in the current period."""

    kpi: str = Field(description="Key of the KPI.", examples=["communication"])
    giver_id: UUID | None = Field(
        description="Who is to give the scores; null where the caller's key stands for no member and named nobody."
    )
    every: Every | None = Field(description="How often a score is expected; null: never, and nothing is due.")
    period: str | None = Field(description="The current period; null where nothing is ever due.", examples=["2026-Q3"])
    end: date | None = Field(description="First day that does not belong to the period any more.")
    members: list[DueScore] = Field(description="Whom to score still, by name.")
    given: int = Field(description="How many of those whom the giver should score have been.", examples=[3])
