"""Wire shapes of imports."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from app.core.pagination import PageQuery
from app.core.schemas import Input, Output, Page, Text
from app.imports.cells import Mark, Order
from app.imports.columns import Kind
from app.imports.tables import Encoding, Format
from app.progress.schemas import State

Delimiter = Literal[",", ";", "|", "tab"]
Key = Annotated[Text, StringConstraints(min_length=1, max_length=200)]

KIND = "What the rows are."
FORMAT = "How the file is written; absent: as its media type says."


class ImportQuery(Input):
    """What is posted, and how its cells are read; what is absent is found out from the file."""

    kind: Kind = Field(description=KIND, examples=["events"])
    format: Format | None = Field(default=None, description=FORMAT)
    dry_run: bool = Field(default=False, description="Only tell what would become of each row; nothing is stored.")
    source: Key | None = Field(
        default=None,
        description="Key of the source: of events one of the system `api` (absent: `api`), of records a connected CRM.",
    )
    name: Key | None = Field(default=None, description="The file's name, to find it again.", examples=["july.csv"])
    delimiter: Delimiter | None = Field(default=None, description="CSV: what parts its cells.")
    encoding: Encoding | None = Field(default=None, description="CSV: its encoding; absent: UTF-8 or UTF-16.")
    decimal: Mark | None = Field(default=None, description="The decimal mark of numbers that are written as text.")
    dates: Order = Field(
        default="ymd", description="How dates with slashes are written; `2026-07-14` and `14.07.2026` are always read."
    )
    sheet: Text | None = Field(default=None, max_length=100, description="XLSX: its sheet; absent: the first shown.")
    unknown_columns: Literal["refuse", "ignore"] = Field(
        default="refuse", description="Whether columns that nobody knows are an error: they may be misspelt."
    )


class ImportsQuery(PageQuery):
    """Which imports."""

    kind: Kind | None = Field(default=None, description="Only those of this kind.")
    state: State | None = Field(default=None, description="Only those in this state.")


class ColumnRead(Output):
    """A column of the file, and what it is read as."""

    header: str = Field(description="Its name in the file.", examples=["Amount"])
    column: str | None = Field(description="The column that it is; null: it is ignored.", examples=["amount"])


class ReadingOfFile(Output):
    """How the file is read: as it was asked for, or found out."""

    encoding: str | None = Field(description="CSV: its encoding.", examples=["utf-8"])
    delimiter: str | None = Field(description="CSV: what parts its cells.", examples=[";"])
    sheet: str | None = Field(description="XLSX: the sheet.")
    decimal: Mark = Field(description="The decimal mark of numbers.", examples=[","])
    dates: Order = Field(description="How dates with slashes are read.")


class RowProblem(Output):
    """One thing that is wrong in a row."""

    row: int = Field(description="The row, as spreadsheets count: the header is mostly 1.", examples=[7])
    column: str | None = Field(description="The column; null where it is no single one.", examples=["occurred_at"])
    message: str = Field(description="What is wrong, and what to write instead.", examples=["must not be empty"])


class Import(Output):
    """A file that is imported; its progress is also the job's of the same id."""

    id: UUID = Field(description="Identifier of the import, and of its job.")
    kind: Kind = Field(description=KIND)
    format: Format = Field(description="How the file is written.")
    dry_run: bool = Field(description="Whether only verdicts are given, and nothing is stored.")
    name: str | None = Field(description="The file's name, if it was told.")
    size: int = Field(description="Its size in bytes.", examples=[18250])
    sha256: str = Field(description="SHA-256 of the file, in hexadecimal.")
    source_id: UUID | None = Field(description="The source that events or records go to.")
    reading: ReadingOfFile = Field(description="How its cells are read.")
    columns: list[ColumnRead] = Field(description="Its columns, in their order.")
    state: State = Field(description="How far it is.", examples=["succeeded"])
    done: int = Field(description="Rows that have a verdict.", examples=[120])
    total: int | None = Field(
        description="Rows below the header that are not empty; null while a long file is looked through, before any "
        "row is taken.",
        examples=[120],
    )
    counts: dict[str, int] = Field(
        description="How many rows had each outcome: of events those of `POST /v1/events/batch`, of records "
        "`accepted`, of others `created`, `updated`, `unchanged`; everywhere `rejected`.",
        examples=[{"accepted": 119, "rejected": 1}],
    )
    doubled_times: int = Field(
        description="Local times that the clocks showed twice, when they were put back: of them the first is meant "
        "(S4), unless an offset says otherwise.",
        examples=[0],
    )
    error: str | None = Field(description="Why it failed; null unless it did.")
    created_at: datetime = Field(description="When it was posted.")
    started_at: datetime | None = Field(description="When its first rows were taken.")
    finished_at: datetime | None = Field(description="When it ended.")
    version: int = Field(description="Grows with each change.", examples=[4])


class ImportDetail(Import):
    """The same, with what is wrong in it."""

    problems: list[RowProblem] = Field(
        description="The first 20 things that are wrong; all of them are in `GET /v1/imports/{import_id}/rejected`."
    )


class ImportPage(Page[Import]):
    """A page of imports, the newest first."""


class ColumnsQuery(Input):
    """Of which kind."""

    kind: Kind = Field(description=KIND, examples=["events"])


class ColumnToWrite(Output):
    """A column that a kind of import reads."""

    name: str = Field(description="Its name in the header; upper and lower case are the same.", examples=["amount"])
    type: str = Field(description="What its cells hold.", examples=["number"])
    meaning: str = Field(description="What it says.")
    example: str = Field(description="A cell; empty where none is needed.", examples=["1250.00"])
    required: bool = Field(description="Whether a file must have it.")


class ImportColumns(Output):
    """The columns of a kind of import."""

    kind: Kind = Field(description=KIND)
    columns: list[ColumnToWrite] = Field(description="The columns; further ones of `about.` and `properties.` alike.")
