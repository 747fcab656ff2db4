"""Goals as rows of a sheet: the columns, and milestones in one cell."""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

COLUMNS = (
    "goal", "version", "name", "description", "member", "team", "kpi", "period", "first_day", "last_day", "amount",
    "low", "high", "stretch", "change_by", "change_amount", "change_on",
    "change_stretch", "currency", "rate_set", "weight", "parent",
    "counts", "expected", "ramp", "milestones", "yields", "state", "reason",
)  # fmt: skip
"""What an export writes and an import of targets reads, by the same names."""

PROGRESS_COLUMNS = ("as_of", "actual", "attainment", "pace", "pace_verdict", "verdict")
"""How goals stood when they were exported; an import does not look at them."""

NONE = "none"
"""The cell that takes something away: an empty one leaves it as it is."""

_MILESTONE = re.compile(
    r"(?P<name>[^;=@\[\"][^;=@]*)=\s*(?P<number>\d{1,18}(\.\d{1,6})?)\s*(?P<percent>%?)\s*(@\s*(?P<due>\S+)\s*)?",
    re.ASCII,
)
_MILESTONES = 'write for example "Half way=50%@2026-07-15; Last=1200", with decimal points'


def milestones_cell(milestones: Sequence[Mapping[str, Any]]) -> str:  # Any: JSON, as milestones are stored
    """All milestones in words, `Half way=50%@2026-07-15; Last=1200`; as JSON where a name or key cannot be told so."""
    if not milestones:
        return ""
    told = "; ".join(_told(each) for each in milestones)
    try:
        is_same = [_plain(each) for each in read_milestones(told)] == [
            _plain({name: value for name, value in each.items() if name != "key" or value != f"m{n}"})
            for n, each in enumerate(milestones, 1)
        ]
    except ValueError:
        is_same = False
    return told if is_same else json.dumps(list(milestones), ensure_ascii=False)


def read_milestones(cell: str) -> list[dict[str, Any]]:
    """The milestones of a cell, as they are posted. Raises `ValueError` with what to write."""
    if cell.lstrip().startswith("["):
        return _of_json(cell)
    return [_of_words(part) for part in cell.split(";") if part.strip()]


def _of_words(part: str) -> dict[str, Any]:
    found = _MILESTONE.fullmatch(part.strip())
    if found is None:
        raise ValueError(f"{part.strip()[:60]!r} is no milestone: {_MILESTONES}")
    number = Decimal(found["number"])
    size = {"share": str(number / 100)} if found["percent"] else {"value": str(number)}
    return {"name": found["name"].strip(), **size} | ({"due_on": found["due"]} if found["due"] else {})


def _of_json(cell: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(cell, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise ValueError(f"the milestones begin as JSON and are none: {_MILESTONES}") from None
    if not all(isinstance(each, dict) for each in found):
        raise ValueError(f"each milestone must be an object: or {_MILESTONES}")
    return list(found)


def _told(milestone: Mapping[str, Any]) -> str:
    share, due = milestone.get("share"), milestone.get("due_on")
    number = milestone.get("value") if share is None else format((Decimal(share) * 100).normalize(), "f") + "%"
    return f"{milestone['name']}={number}" + (f"@{due}" if due else "")


def _plain(milestone: Mapping[str, Any]) -> dict[str, Any]:
    """The milestone without what it does not say, its numbers by their value."""
    numbers = {name: Decimal(milestone[name]) for name in ("value", "share") if milestone.get(name) is not None}
    return {name: value for name, value in milestone.items() if value is not None} | numbers
