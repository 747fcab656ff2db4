"""Wire shapes of backfills and of what differed."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from app.core.pagination import PageQuery
from app.core.schemas import Input, Instant, Output, Page, Text
from app.progress.schemas import State

Mode = Literal["backfill", "reconcile"]
DifferenceKind = Literal["missing", "changed", "deleted", "unknown_there"]
ObjectName = Annotated[Text, StringConstraints(min_length=1, max_length=100)]


class BackfillCreate(Input):
    """From when to when the CRM is to be read, and what of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"mode": "backfill", "since": "2024-01-01"},
                {"mode": "reconcile", "objects": ["deal"], "since": "2026-07-01T00:00:00Z", "apply": False},
            ]
        }
    )

    mode: Mode = Field(
        description="`backfill` reads what changed within the time; `reconcile` also asks whether the records that are "
        "known are still there."
    )
    objects: list[ObjectName] | None = Field(
        default=None,
        min_length=1,
        max_length=20,
        description="Which objects, such as `deal` and `lead`; null: all that the CRM can be asked for.",
        examples=[["deal", "lead"]],
    )
    since: Instant | date = Field(
        description="What changed in the CRM from then on; a day begins at midnight of the organization.",
        examples=["2024-01-01"],
    )
    until: Instant | date | None = Field(
        default=None, description="And before that; null: until now.", examples=["2026-07-01"]
    )
    apply: bool = Field(default=True, description="False: only report what differs, and take nothing in.")


class BackfillPart(Output):
    """How far a backfill is with objects of one kind. Records are counted once, as they differed most."""

    object: str = Field(description="The kind.", examples=["deal"])
    state: Literal["waiting", "reading", "asking", "done", "failed"] = Field(
        description="`reading` what changed, then, to reconcile, `asking` for the known records."
    )
    read: int = Field(description="Records that the CRM told of.", examples=[1200])
    unchanged: int = Field(description="Those of which nothing was news.", examples=[1150])
    new: int = Field(description="Those that were not known at all.", examples=[30])
    changed: int = Field(description="Those of which something was not known, or known otherwise.", examples=[18])
    gone: int = Field(description="Those that are not there any more, which was not known.", examples=[2])
    unreadable: int = Field(description="Objects that have not the documented shape: nothing is taken from them.")
    asked: int = Field(description="Known records of which it was asked whether they are still there.")
    differences: int = Field(description="All differences; the first 10,000 are listed.", examples=[61])
    error: str | None = Field(description="What goes wrong, in words; null while nothing does.")


class Backfill(Output):
    """A run through what a source's CRM has of some time, and what it found."""

    id: UUID = Field(description="Identifier, also of its job: see `GET /v1/jobs/{job_id}`.")
    source_id: UUID = Field(description="Its source.")
    mode: Mode = Field(description="What was wanted.")
    apply: bool = Field(description="Whether what it finds is taken in.")
    since: datetime = Field(description="From when changes are read.")
    until: datetime = Field(description="Before when changes are read.")
    state: State = Field(description="`queued`, `running`, or how it ended.")
    error: str | None = Field(description="Why it failed, in words; null unless it did.")
    created_by: str = Field(description="Who began it, as the audit trail names them.")
    created_at: datetime = Field(description="When it was begun.")
    finished_at: datetime | None = Field(description="When it ended; null until then.")
    objects: list[BackfillPart] = Field(description="Each kind of objects, in the order in which they are read.")


class BackfillPage(Page[Backfill]):
    """A page of backfills, the newest first."""


class Difference(Output):
    """Something that was not known, or known otherwise, until the backfill told it."""

    object: str = Field(description="Whose: the kind of record.", examples=["deal"])
    id: str = Field(description="Whose: the id in the CRM.", examples=["19200000001"])
    kind: DifferenceKind = Field(
        description="`missing`: the record was not known. `changed`: a field had another value. `deleted`: the CRM "
        "tells that the record was deleted. `unknown_there`: the CRM does not know the record, or does not show it."
    )
    field: str | None = Field(
        description="The field, by its name in the CRM; `@created`, `@deleted`, `@merged_into` for what happened to "
        "the record as a whole, `@company` and the like for what it is linked to; null where all of it differs.",
        examples=["dealstage"],
    )
    known: str | bool | None = Field(
        description="What had been known of that instant; null: nothing.", examples=["presentation"]
    )
    told: str | bool | None = Field(description="What the CRM says.", examples=["closedwon"])
    at: datetime = Field(description="Since when, by the CRM's clock, as far as it tells.")


class DifferencePage(Page[Difference]):
    """A page of differences, by object, id, field and instant."""


class DifferencesQuery(PageQuery):
    """Which differences."""

    object: ObjectName | None = Field(default=None, description="Only those of this kind of records.")
    kind: DifferenceKind | None = Field(default=None, description="Only those of this kind.")
