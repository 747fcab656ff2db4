"""What a check says: a verdict, the figures behind it, the things found, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["ok", "problem", "unknown"]
Name = Literal[
    "clear_goals",
    "own_goals",
    "kpis_used_rightly",
    "right_tools",
    "regular_meetings",
    "open_communication",
    "counted_once",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found: what is wrong with it, and what it is."""

    kind: str
    id: str | None
    name: str | None
    detail: str
    examples: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something to do, as a call of this API where there is one."""

    sentence: str
    method: str | None = None
    path: str | None = None
    body: Mapping[str, Any] | None = None  # Any: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One of the mistakes, looked for in the organization's own data."""

    check: Name
    mistake: str
    verdict: Verdict
    sentence: str
    figures: Mapping[str, int] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    steps: Sequence[Step] = ()


def number(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: '1 member', '2 members'."""
    return f"{count} {one if count == 1 else many or one + 's'}"
