"""Wire shapes of retention."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from app.core.schemas import Input, Output, Page

Mode = Literal["archive", "drop"]


class EventArchiveCreate(Input):
    """From which day on the ledger shall keep events, and what becomes of those before."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"before": "2020-01-01", "mode": "archive"}]})

    before: date = Field(
        description="The first local day that stays: the first of a month, not in the future, and later than in every "
        "archive before."
    )
    mode: Mode = Field(
        description="`archive`: every revision is kept, compressed, to be downloaded. `drop`: nothing is kept. In both "
        "the ledger remembers which events it has seen, and no late duplicate comes back to life."
    )


class EventArchive(Output):
    """Events that left the ledger, or are about to."""

    id: UUID = Field(description="Identifier of the archive.")
    before: date = Field(description="Events of local days before it are in no figure any more.")
    mode: Mode = Field(description="Whether they can be downloaded, or are gone.")
    time_zone: str = Field(description="Zone of the local days.", examples=["Europe/Warsaw"])
    state: Literal["waiting", "working", "done"] = Field(
        description="How far the work is; figures and facts that come in heed `before` from the request on."
    )
    progress: float = Field(description="The part of the days that is done.", ge=0, le=1, examples=[0.5])
    first_day: date | None = Field(description="The first day that had events; null: none was found yet.")
    done_until: date | None = Field(description="Of days before it nothing is left in the ledger.")
    events: int = Field(description="How many events have left the ledger.", ge=0)
    revisions: int = Field(description="The same with all their earlier revisions.", ge=0)
    bytes: int = Field(description="How much room they take now, compressed; 0 where they were dropped.", ge=0)
    requested_by: str = Field(
        description="Whose request it was.", examples=["key:01985e2c-0000-7000-8000-000000000000"]
    )
    requested_at: datetime = Field(description="When it was recorded.")
    started_at: datetime | None = Field(description="When the first events left.")
    finished_at: datetime | None = Field(description="When the last ones had left.")


class EventArchivePage(Page[EventArchive]):
    """A page of archives."""


class ArchivedEventsQuery(Input):
    """Which of the archived events."""

    month: str | None = Field(
        default=None,
        pattern=r"^\d{4}-(0[1-9]|1[0-2])$",
        description="Only of local days of this month; absent: all.",
        examples=["2019-12"],
    )
