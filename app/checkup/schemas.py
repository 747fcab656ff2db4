"""Wire shapes of the set-up check."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field, JsonValue

from app.checkup.checks import Name, Verdict
from app.core.schemas import Input, Output


class CheckQuery(Input):
    """How much is shown."""

    show: int = Field(default=20, ge=0, le=1000, description="Most findings of each check; `findings_total` has all.")


class CheckFinding(Output):
    """One thing that was found."""

    kind: str = Field(description="What is wrong.", examples=["member_without_goal"])
    id: str | None = Field(
        description="What it is: the id of the member, team or source, the key of the KPI, the type of the events.",
        examples=["01985e2c-0000-7000-8000-000000000000"],
    )
    name: str | None = Field(description="What people call it.", examples=["Ada Nowak"])
    detail: str = Field(description="A sentence.", examples=["No goal of their own is open today."])
    examples: list[list[str]] = Field(
        description="For suspected duplicates: pairs of ids of events (`GET /v1/events/{event_id}`)."
    )


class CheckStep(Output):
    """Something to do."""

    sentence: str = Field(description="What to do.", examples=["Set a goal of each member that has none."])
    method: str | None = Field(description="The call that does it, where there is one.", examples=["POST"])
    path: str | None = Field(description="Its path.", examples=["/v1/goals"])
    body: dict[str, JsonValue] | None = Field(description="A body to begin with.")


class SetupVerdict(Output):
    """One of the mistakes, looked for."""

    check: Name = Field(description="Which check.", examples=["own_goals"])
    mistake: str = Field(description="The mistake, in words.", examples=["Members without KPIs of their own"])
    verdict: Verdict = Field(
        description="`ok`; `problem`: it was found; `unknown`: the data do not tell, and the steps say how they would."
    )
    sentence: str = Field(description="What was found, in a sentence.")
    figures: Mapping[str, int] = Field(
        description="The numbers behind it.", examples=[{"members": 9, "members_without_goal": 2}]
    )
    findings: list[CheckFinding] = Field(description="What exactly was found, at most `show` of it.")
    findings_total: int = Field(description="How many findings there are.", examples=[2])
    steps: list[CheckStep] = Field(description="What to do about it.")


class SetupCheck(Output):
    """The set-up of the organization: the six usual mistakes, and what may be counted twice."""

    checked_at: datetime = Field(description="Now, by the organization's clock.", examples=["2026-07-13T10:00:00Z"])
    recent_since: datetime = Field(
        description="Events since then are recent; of many the newest 20,000 are looked at.",
        examples=["2026-04-14T10:00:00Z"],
    )
    counts: Mapping[Verdict, int] = Field(
        description="How many checks ended how.", examples=[{"ok": 4, "problem": 2, "unknown": 1}]
    )
    checks: list[SetupVerdict] = Field(description="Each check.")
