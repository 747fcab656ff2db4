"""Wire shapes of notes on goals."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from app.calendars.schemas import Day
from app.core.pagination import PageQuery
from app.core.schemas import Input, Output, Page, Prose


class NoteCreate(Input):
    """Something worth knowing about a goal."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "Trade fair: nobody called.", "on_day": "2026-07-09"}]}
    )

    text: Annotated[Prose, StringConstraints(pattern=r"\S")] = Field(
        description="What there is to know.", examples=["Trade fair: nobody called."]
    )
    on_day: Day | None = Field(
        default=None, description="The day of the period that it is about; null: the whole.", examples=["2026-07-09"]
    )


class Note(Output):
    """What somebody noted of a goal."""

    id: UUID = Field(description="Identifier of the note.")
    text: str = Field(description="What there is to know.", examples=["Trade fair: nobody called."])
    on_day: date | None = Field(description="The day that it is about.", examples=["2026-07-09"])
    written_by: str = Field(description="Who wrote it, as the audit trail names callers.", examples=["key:01985e2c"])
    member_id: UUID | None = Field(description="The member who wrote it.")
    created_at: datetime = Field(description="When it was written.")


class NotePage(Page[Note]):
    """A page of notes."""


class NoteFilters(PageQuery):
    """Which notes to list, and in which order."""

    on_day: Day | None = Field(default=None, description="Only notes about this day.")
    sort: Literal["-created_at", "on_day"] = Field(
        default="-created_at", description="Newest first, or by the day that they are about, the whole period last."
    )
