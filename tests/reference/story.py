"""How worked examples are told: scripts, questions and expected figures; whoever computes must agree."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.core.units import MONEY
from tests.reference.definitions import over, single
from tests.reference.groups import Group
from tests.reference.ledger import Item
from tests.reference.questions import Compare, Query, Status
from tests.reference.snapshot import Subject
from tests.reference.steps import AddMember, AddMembership, CreateOrganization, MapIdentity, PostEvents, Step
from tests.reference.world import Content, Identity

ORGANIZATION, UNASSIGNED = Subject("organization"), Subject("unassigned")
REVENUE = single(over("sum", "amount", "deal.won"), MONEY)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One expected figure: of a window by its place, or of the total (None); `subject` as in the answer's series.

    With `comparison` the figure of the other period.
    """

    kpi: str
    subject: Subject = ORGANIZATION
    group: Group | None = None
    comparison: Compare | None = None
    window: int | None = None
    value: str | None
    status: Status = "ok"
    sample: int | None = None
    kpi_version: int | None = 1
    left_out: int = 0
    open: int = 0
    pending: int = 0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A query, the instant at which it is asked, and what it must answer."""

    now: datetime
    query: Query
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Example:
    """A worked example."""

    name: str
    steps: tuple[Step, ...]
    asked: tuple[Asked, ...]


class Story:
    """A script that is told one step after the other, a second apart unless an instant is given."""

    def __init__(self, start: str = "2026-01-01T00:00:00", time_zone: str = "Europe/Warsaw") -> None:
        self.steps: list[Step] = [CreateOrganization(at=utc(start), time_zone=time_zone)]
        self.posted = 0

    def then(self, step: Callable[..., Step], at: str | None = None, /, **fields: object) -> None:
        """The next step."""
        when = self.steps[-1].at + timedelta(seconds=1) if at is None else utc(at)
        self.steps.append(step(at=when, **fields))

    def person(self, member: str, *teams: str) -> None:
        """A member with an identity of the same name, in teams from the beginning."""
        self.then(AddMember, member=member)
        self.post(event("call.received", "2020-01-01T12:00:00", actor=member))
        self.then(MapIdentity, key=f"{member} is", identity=Identity("api", member), member=member)
        for team in teams:
            self.then(AddMembership, key=f"{member} in {team}", member=member, team=team)

    def post(self, *contents: Content, at: str | None = None) -> None:
        """Events that are posted once, in one batch."""
        items = tuple(Item(external_id=f"e{self.posted + n}", content=content) for n, content in enumerate(contents))
        self.posted += len(items)
        self.then(PostEvents, at, source="api", items=items)


def utc(text: str) -> datetime:
    """An instant that is written without its Z."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def event(kind: str, occurred_at: str, *, actor: str | None = None, **fields: Any) -> Content:
    """What happened at an instant in UTC."""
    who = None if actor is None else Identity("api", actor)
    return Content(type=kind, occurred_at=utc(occurred_at), actor=who, **fields)


def member(key: str) -> Subject:
    return Subject("member", key)


def team(key: str) -> Subject:
    return Subject("team", key)


AUGUST = utc("2026-08-01T10:00:00")
