"""The columns that each kind of import reads, and what the names in a file's header stand for."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from app.goals.sheet import PROGRESS_COLUMNS

Kind = Literal["events", "members", "records", "targets", "teams"]
Value = Literal[
    "text", "id", "email", "instant", "date", "number", "number_or_none", "share", "integer", "boolean", "json", "any"
]

NUMERIC: frozenset[Value] = frozenset({"number", "number_or_none", "share"})
"""Whose cells have the file's decimal mark."""

MAX_COLUMNS = 300
MAX_CELL = 32_767
PROBLEM_COLUMNS = ("problem_row", "problem_column", "problem")
"""What a report of rejected rows adds; it is ignored when the file comes back."""
IGNORED: dict[Kind, Sequence[str]] = {"targets": PROGRESS_COLUMNS}
"""What else our own files tell beside the columns that are read."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: how its cells are read, and what it says. A name that ends with `.` begins the names of many.

    One that is `required` must be in a file, unless the column is there that says the same (`or_else`).
    """

    name: str
    value: Value
    meaning: str
    example: str
    required: bool = False
    or_else: str = ""


def _column(
    name: str, value: Value, meaning: str, example: str, *, required: bool = False, or_else: str = ""
) -> Column:
    return Column(name, value, meaning, example, required, or_else)


COLUMNS: dict[Kind, Sequence[Column]] = {
    "events": (
        _column("external_id", "id", "The fact's id: the same fact always has the same.", "call-1", required=True),
        _column("version", "integer", "The source's own version: a correction has a higher one.", "1"),
        _column("type", "text", "What happened. Needed unless the event is retracted.", "call.made"),
        _column(
            "occurred_at",
            "instant",
            "When it happened; without an offset in the organization's zone. A date alone is that local day.",
            "2026-07-14T09:31:05",
        ),
        _column("occurred_on", "date", "The local date that decides the day, such as a close date.", "2026-07-14"),
        _column("actor_id", "id", "Who did it, as the source knows them; absent: their e-mail.", "7421"),
        _column("actor_email", "text", "Their address, which helps to find the member.", "ada@example.com"),
        _column("actor_name", "text", "Their name, kept with the identity.", "Ada Nowak"),
        _column("amount", "number", "Money in it.", "1250.00"),
        _column("currency", "text", "ISO 4217; absent: the source's.", "EUR"),
        _column("quantity", "number", "How many.", "1"),
        _column("duration_seconds", "number", "How long it took, in seconds.", "340"),
        _column("retracted", "boolean", "Take the event back.", "false"),
        _column("credits", "json", "Who gets how much of it, as `POST /v1/events` takes it.", ""),
        _column("about.", "id", "A thing that it concerns: about.deal, about.customer …", "D-77"),
        _column(
            "properties.",
            "any",
            "Anything else to filter and group by: properties.region … Cells that are plainly numbers, true or false "
            "are stored so; `properties.zip:text` keeps all of a column as text.",
            "north",
        ),
    ),
    "members": (
        _column("email", "email", "The member's address, by which they are known.", "ada@example.com", required=True),
        _column("name", "text", "What people call them. Needed for a new member.", "Ada Nowak"),
        _column("role", "text", "Their role in selling.", "account_executive"),
        _column("manager", "email", "Address of the member who manages them.", "max@example.com"),
        _column("country", "text", "ISO 3166-1 code of the country they work in.", "PL"),
        _column("fte", "number", "Part of a full-time job, over 0 up to 1.", "1"),
        _column("assigned_from", "date", "First day of role, manager, country and part time.", "2026-01-01"),
        _column("employed_from", "date", "The day on which they joined.", "2024-05-01"),
        _column("employed_to", "date", "The day on which they left: the first no more employed.", ""),
    ),
    "teams": (
        _column("team", "text", "The team's name, by which it is known; made where it is new.", "North", required=True),
        _column("parent", "text", "The team it stands under: of the organization, or of a row before.", "Europe"),
        _column("parent_from", "date", "First day on which it stands there; absent: since ever.", ""),
        _column("member", "email", "Address of a member who is in the team.", "ada@example.com"),
        _column("membership", "text", "member, or lead for who leads the team.", "member"),
        _column("member_from", "date", "First day in the team; absent: since ever.", "2026-01-01"),
        _column("member_to", "date", "The first day no more in the team.", ""),
    ),
    "targets": (
        _column(
            "goal",
            "id",
            "Id of the goal that the row changes; cells that differ from it are the changes. Absent: the goal of the "
            "same owner, KPI and period, or a new one.",
            "",
        ),
        _column("version", "integer", "The goal's version that the row is made from: another one refuses changes.", ""),
        _column("kpi", "text", "Key of the KPI.", "calls_made", required=True, or_else="goal"),
        _column(
            "period", "text", "The goal's days: 2026-07, 2026-Q3, FY2026 …", "2026-07", required=True, or_else="goal"
        ),
        _column("first_day", "date", "First day of the period, to see that it is the one that is meant.", ""),
        _column("last_day", "date", "Last day of the period.", ""),
        _column("member", "text", "The member whose target it is: address, name or id.", ""),
        _column("team", "text", "The team whose target it is: name or id; neither: the organization's.", ""),
        _column("amount", "number", "What is aimed at, in the KPI's unit.", "100"),
        _column("low", "number", "Low edge of the band, for KPIs to maintain.", ""),
        _column("high", "number", "High edge of the band.", ""),
        _column("stretch", "number_or_none", "What would be more than asked for; `none` takes it away.", ""),
        _column("change_by", "share", "Instead of an amount, a change: 10% or 0.10 more than the baseline.", ""),
        _column("change_amount", "number", "Or the change in the KPI's unit.", ""),
        _column(
            "change_on",
            "text",
            "The baseline: previous_period (if absent), same_period_last_year, or a period such as 2026-Q2.",
            "",
        ),
        _column("change_stretch", "share", "The change of the stretch target, as the change itself is written.", ""),
        _column("currency", "text", "ISO 4217; absent: the organization's.", ""),
        _column("rate_set", "text", "Rates by which money is converted; absent: the organization's.", ""),
        _column("weight", "number", "How much it counts among goals of its owner.", ""),
        _column("parent", "text", "Id or name of the goal that it is a part of; `none`: of none.", ""),
        _column("counts", "text", "own or parts: its own KPI, or the sum of its parts.", ""),
        _column("expected", "text", "What is due by now follows working_time, seasonal, linear or auto.", ""),
        _column("ramp", "text", "Name or id of the schedule by which a new member's target grows; `none`: none.", ""),
        _column(
            "milestones", "text", "All places on the way; `none` takes them away.", "Half way=50%@2026-07-15; Last=90"
        ),
        _column("yields", "text", "Formula by which the parts of a compound goal make the whole; `none`: none.", ""),
        _column("name", "text", "What people call the goal.", "Calls in July"),
        _column("description", "text", "What it is for.", ""),
        _column(
            "state",
            "text",
            "draft, proposed or open; absent: as whoever imports may set it. cancelled takes a goal out.",
            "",
        ),
        _column("reason", "text", "Why this target.", ""),
    ),
    "records": (
        _column("object", "text", "The kind of object: deal, lead, contact, call …", "deal", required=True),
        _column("id", "id", "Its id in the CRM.", "508", required=True),
        _column("updated_at", "instant", "When the CRM last changed it.", "2026-07-14T09:31:05Z", required=True),
        _column("", "text", "Any other column is a field of the CRM, by the name that its API uses.", ""),
    ),
}


class HeaderError(ValueError):
    """The header does not tell what its columns are: a sentence that names each of them."""


@dataclass(frozen=True, slots=True)
class Heading:
    """One column of a file: its name as it stands there, what it is read as (None: ignored), and how its cells are.

    `name` is the full one: `about.deal`, and for records the field.
    """

    header: str
    name: str | None
    value: Value = "text"


def headings(kind: Kind, header: Sequence[str], *, ignore_unknown: bool = False) -> list[Heading]:
    """What the columns of a file are. Raises `HeaderError` where one is unknown, there twice, or missing."""
    if len(header) > MAX_COLUMNS:
        raise HeaderError(f"The file has {len(header)} columns; at most {MAX_COLUMNS} are read.")
    found = [_heading(kind, name) for name in header]
    unknown = [each.header for each in found if each.name == ""]
    if unknown and not ignore_unknown:
        raise HeaderError(" ".join(_unknown(kind, name) for name in unknown[:10]))
    read = [each if each.name else Heading(each.header, None) for each in found]
    names = [each.name for each in read if each.name]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise HeaderError(f"The column {twice[0]!r} is there more than once.")
    needed = [each for each in COLUMNS[kind] if each.required and each.or_else not in names]
    if missing := [each.name for each in needed if each.name not in names]:
        told = ", ".join(name or "" for name in missing)
        raise HeaderError(f"The column {told} is missing; the first row must name the columns of {kind}.")
    return read


def known_share(kind: Kind, header: Sequence[str]) -> int:
    """How many names of a header are columns of the kind: by which a delimiter is found."""
    return sum(bool(_heading(kind, name).name) for name in header)


def template(kind: Kind) -> Sequence[Column]:
    """The columns of a template, those with a rest to be filled in with an example of one."""
    return [
        Column(_EXAMPLES.get((kind, each.name), each.name), each.value, each.meaning, each.example, each.required)
        for each in COLUMNS[kind]
    ]


_EXAMPLES: dict[tuple[Kind, str], str] = {
    ("events", "about."): "about.deal",
    ("events", "properties."): "properties.region",
    ("records", ""): "amount",
}
_HINT = re.compile(r"(.+):(text|number|boolean)", re.IGNORECASE)
_HINTED: dict[str, Value] = {"text": "text", "number": "number", "boolean": "boolean"}


def _heading(kind: Kind, header: str) -> Heading:
    """One column; its name is empty where nobody knows it."""
    told = header.strip()
    plain = re.sub(r"[\s\-]+", "_", told).lower()
    if not plain or plain in PROBLEM_COLUMNS or plain in IGNORED.get(kind, ()):
        return Heading(header, None)
    for column in COLUMNS[kind]:
        if column.name == plain:
            return Heading(header, plain, column.value)
        if column.name.endswith(".") and plain.startswith(column.name) and len(plain) > len(column.name):
            return _of_many(header, column, told[len(column.name) :].strip())
    if kind == "records":
        return Heading(header, told, "text")
    return Heading(header, "")


def _of_many(header: str, column: Column, rest: str) -> Heading:
    if column.name == "about.":
        return Heading(header, column.name + rest.lower(), column.value)
    hint = _HINT.fullmatch(rest)
    if hint is None:
        return Heading(header, column.name + rest, column.value)
    return Heading(header, column.name + hint[1], _HINTED[hint[2].lower()])


def _unknown(kind: Kind, header: str) -> str:
    names = list(_names(kind))
    near = get_close_matches(header.strip().lower(), names, n=1, cutoff=0.6)
    meant = f"did you mean {near[0]!r}?" if near else f"columns of {kind} are {', '.join(names)}."
    return f"There is no column {header[:100]!r}: {meant}"


def _names(kind: Kind) -> Iterator[str]:
    return (f"{each.name}…" if each.name.endswith(".") else each.name for each in COLUMNS[kind] if each.name)
