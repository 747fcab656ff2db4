"""Wire shapes of long jobs."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.core.pagination import PageQuery
from app.core.schemas import Output, Page, Text

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class JobSubject(Output):
    """What a job works on."""

    type: str = Field(description="What kind of thing it is.", examples=["import"])
    id: UUID | None = Field(default=None, description="Which one; null where it has no id.")
    name: str | None = Field(default=None, description="What people call it.", examples=["calls-2025.csv"])


class Job(Output):
    """Long work, and how far it is."""

    id: UUID = Field(description="Identifier of the job.")
    kind: str = Field(description="What is done.", examples=["import"])
    state: State = Field(description="`queued`, `running`, or how it ended.", examples=["running"])
    subject: JobSubject = Field(description="What it works on.")
    done: int = Field(description="How much is done, in items of the job (rows, records …).", examples=[4000])
    total: int | None = Field(description="How much there is to do; null while that is not known.", examples=[12000])
    counts: dict[str, int] = Field(
        description="How many items had each outcome so far.", examples=[{"accepted": 3990, "rejected": 10}]
    )
    error: str | None = Field(description="Why it failed, as a sentence that says what to do; null unless it failed.")
    created_by: str = Field(description="Who began it, as the audit trail names them.")
    created_at: datetime = Field(description="When it was handed over.")
    started_at: datetime | None = Field(description="When work on it began; null while it waits.")
    finished_at: datetime | None = Field(description="When it ended; null until then.")
    version: int = Field(description="Grows with each change, also of the progress.", examples=[3])


class JobPage(Page[Job]):
    """A page of jobs, the newest first."""


class JobsQuery(PageQuery):
    """Which jobs."""

    kind: Text | None = Field(default=None, max_length=100, description="Only those of this kind.", examples=["import"])
    state: State | None = Field(default=None, description="Only those in this state.")
