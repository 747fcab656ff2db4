"""Wire shapes of employments and absences."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import MISSING, Field, StringConstraints

from app.calendars.schemas import Day
from app.core.pagination import PageQuery
from app.core.schemas import Input, Page, Text
from app.employment.facts import Effect
from app.teams.schemas import FROM, TO, VERSION, Span, examples

Reason = Annotated[Text, StringConstraints(min_length=1, max_length=200)]

EFFECT = (
    "What the absence does to the member's targets: `reschedule` leaves them and moves the work to other days, as a "
    "holiday does; `prorate_target` takes its part away, as a long leave does (S31)."
)
REASON = "Why, if that shall be kept, such as `parental leave`."
LAST = "The first day back: the first that does not belong to the absence any more."


class EmploymentCreate(Input):
    """Since when a member is with the organization."""

    model_config = examples({"valid_from": "2026-02-01"}, {"valid_from": "2024-05-01", "valid_to": "2025-11-01"})

    valid_from: Day | None = Field(default=None, description=f"{FROM} On this day the member *joined*.")
    valid_to: Day | None = Field(default=None, description=f"{TO} On this day the member *left*.")


class EmploymentUpdate(Input):
    """What changes; absent fields stay, null clears."""

    model_config = examples({"valid_to": "2026-10-01"})

    valid_from: Day | MISSING | None = Field(default=MISSING, description=FROM)
    valid_to: Day | MISSING | None = Field(default=MISSING, description=TO)


class Employment(Span):
    """A member's time with the organization; one at a time."""

    member_id: UUID = Field(description="The member.")
    version: int = Field(description=VERSION, examples=[1])


class EmploymentPage(Page[Employment]):
    """A page of employments, in time order."""


class AbsenceCreate(Input):
    """Days on which a member does not work."""

    model_config = examples(
        {"valid_from": "2026-08-03", "valid_to": "2026-08-17", "effect": "reschedule", "reason": "holidays"},
        {"valid_from": "2026-09-01", "valid_to": "2027-03-01", "effect": "prorate_target"},
    )

    valid_from: Day = Field(description="The first day of the absence.")
    valid_to: Day = Field(description=LAST)
    effect: Effect = Field(description=EFFECT)
    reason: Reason | None = Field(default=None, description=REASON)


class AbsenceUpdate(Input):
    """What changes; absent fields stay, and null clears the reason."""

    model_config = examples({"valid_to": "2026-08-24"})

    valid_from: Day | MISSING = Field(default=MISSING, description="The first day of the absence.")
    valid_to: Day | MISSING = Field(default=MISSING, description=LAST)
    effect: Effect | MISSING = Field(default=MISSING, description=EFFECT)
    reason: Reason | MISSING | None = Field(default=MISSING, description=REASON)


class Absence(Span):
    """Days on which a member does not work; one absence at a time."""

    valid_from: date = Field(description="The first day of the absence.", examples=["2026-08-03"])
    valid_to: date = Field(description=LAST, examples=["2026-08-17"])
    member_id: UUID = Field(description="The member.")
    effect: Effect = Field(description=EFFECT)
    reason: str | None = Field(description=REASON, examples=["holidays"])
    version: int = Field(description=VERSION, examples=[1])


class AbsencesQuery(PageQuery):
    """Which absences."""

    on: Day | None = Field(default=None, description="Only the one that holds on this day.")


class AbsencePage(Page[Absence]):
    """A page of absences, in time order."""
