"""Everything that influences figures, as lists of dated facts that were recorded and perhaps superseded (S5)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Literal, NamedTuple, TypeVar

from app.kpis.definition import Definition

PropertyValue = str | Decimal | bool


class Identity(NamedTuple):
    """A person as a source knows them."""

    source: str
    external_id: str


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A fact that holds from when it was recorded until something else superseded it."""

    recorded_at: datetime
    superseded_at: datetime | None = None

    def is_known(self, known_at: datetime) -> bool:
        """Whether this was what had been recorded by an instant (S5)."""
        return self.recorded_at <= known_at and (self.superseded_at is None or known_at < self.superseded_at)


@dataclass(frozen=True, kw_only=True)
class Dated(Recorded):
    """A recorded fact that is true on the local days `[valid_from, valid_to)`; None is without bound."""

    valid_from: date | None = None
    valid_to: date | None = None

    def holds_on(self, day: date) -> bool:
        """Whether the fact is true on a local day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, kw_only=True)
class Settings(Recorded):
    """How an organization counts: its zone, its currency, the weekday its weeks start on (0 is Monday)."""

    time_zone: str
    currency: str
    week_start: int = 0


@dataclass(frozen=True, kw_only=True)
class Source(Recorded):
    """A connected system; `counts` are the event types it is authoritative for, None all of them (S10)."""

    key: str
    counts: frozenset[str] | None = None


@dataclass(frozen=True)
class Credit:
    """A share of an event for somebody in a role (S7)."""

    role: str
    identity: Identity
    share: Decimal


@dataclass(frozen=True, kw_only=True)
class Content:
    """What happened. Credits are as posted: `all_credits` has those that count."""

    type: str
    occurred_at: datetime
    occurred_on: date | None = None
    actor: Identity | None = None
    credits: tuple[Credit, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    amount: Decimal | None = None
    currency: str | None = None
    quantity: Decimal | None = None
    duration_seconds: Decimal | None = None
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)

    @property
    def all_credits(self) -> tuple[Credit, ...]:
        """The credits; where no owner is named, the actor is owner with 1 (S7)."""
        if self.actor is None or any(credit.role == "owner" for credit in self.credits):
            return self.credits
        return (*self.credits, Credit("owner", self.actor, Decimal(1)))

    def canonical(self) -> tuple[object, ...]:
        """The content in the form that is compared: numbers by value, instants as instants, keys without order.

        The order of credits is content: where shares are equal, the first listed may decide (S16).
        """
        properties = frozenset((key, type(value).__name__, value) for key, value in self.properties.items())
        return (
            self.type, self.occurred_at, self.occurred_on, self.actor, self.all_credits,
            frozenset(self.about.items()), self.amount, self.currency, self.quantity, self.duration_seconds, properties,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Event(Recorded):
    """One revision of an event; `content` is None in a retraction."""

    source: str
    external_id: str
    content: Content | None


@dataclass(frozen=True, kw_only=True)
class IdentityMapping(Dated):
    """An identity is a member, for a span of days."""

    identity: Identity
    member: str


@dataclass(frozen=True, kw_only=True)
class Member(Recorded):
    """A person of the sales organization."""

    key: str


@dataclass(frozen=True, kw_only=True)
class Team(Recorded):
    """A team; where it stands in the tree is a `Placement`."""

    key: str


@dataclass(frozen=True, kw_only=True)
class Placement(Dated):
    """A team is directly below a parent, or at the top where that is None."""

    team: str
    parent: str | None


@dataclass(frozen=True, kw_only=True)
class Membership(Dated):
    """A member is in a team."""

    member: str
    team: str


@dataclass(frozen=True, kw_only=True)
class Calendar(Recorded):
    """When people work: from one clock time to another, by weekday (0 is Monday); an end of 00:00 ends the day.

    `time_zone` None is the organization's. An extra working day works by its weekday's times, or by those of the first
    weekday that has some.
    """

    key: str
    weekdays: Mapping[int, tuple[tuple[time, time], ...]]
    time_zone: str | None = None
    holidays: frozenset[date] = frozenset()
    extra_working_days: frozenset[date] = frozenset()
    is_default: bool = False


@dataclass(frozen=True, kw_only=True)
class Assignment(Dated):
    """What a member does, how much, and by which calendar (None: the organization's)."""

    member: str
    fte: Decimal = Decimal(1)
    calendar: str | None = None
    revenue_role: str | None = None
    country: str | None = None


@dataclass(frozen=True, kw_only=True)
class Employment(Dated):
    """A member's time with the organization; who has none is employed on all days."""

    member: str


Effect = Literal["reschedule", "prorate_target"]


@dataclass(frozen=True, kw_only=True)
class Absence(Dated):
    """Days on which a member does not work: other days do it, or nobody asks for it (`prorate_target`)."""

    member: str
    effect: Effect = "reschedule"


@dataclass(frozen=True, kw_only=True)
class RateSet(Recorded):
    """A named set of exchange rates; in a daily one the latest rate holds for a while, in a fixed one as it says."""

    key: str
    kind: Literal["daily", "fixed"]


@dataclass(frozen=True, kw_only=True)
class Rate(Recorded):
    """One unit of the base currency costs `value` of the quote currency from a day on."""

    rate_set: str
    base: str
    quote: str
    valid_from: date
    valid_to: date | None
    value: Decimal


@dataclass(frozen=True)
class Milestone:
    """A place on the way to a target: a value, or a share of the target; wanted by the end of a day."""

    key: str
    value: Decimal | None = None
    share: Decimal | None = None
    due_on: date | None = None


@dataclass(frozen=True)
class Change:
    """A target that is a change against what the KPI was over other days: a share of it, or in the KPI's unit."""

    on: Literal["previous_period", "same_period_last_year"]
    by: Decimal | None = None
    amount: Decimal | None = None


Follows = Literal["working_time", "seasonal", "linear", "auto"]


@dataclass(frozen=True, kw_only=True)
class Goal(Recorded):
    """The terms of a goal on the days `[start, end)`; each change of them is another one with the same `key`.

    The owner is a kind and a key, as of a subject. Aimed at is `value`, a band, or a change against a baseline, which
    was computed when the target was set (`set_at`; None: when it was recorded).
    """

    key: str = ""
    kpi: str
    owner: tuple[str, str]
    start: date
    end: date
    value: Decimal | None
    low: Decimal | None = None
    high: Decimal | None = None
    change: Change | None = None
    set_at: datetime | None = None
    stretch: Decimal | None = None
    currency: str | None = None
    counts: Literal["own", "parts"] = "own"
    parent: str | None = None
    expected: Follows = "working_time"
    ramp: str | None = None
    milestones: tuple[Milestone, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Ramp(Recorded):
    """Which shares of the full target are asked for in the months since joining; all of it afterwards (S33)."""

    key: str
    shares: tuple[Decimal, ...]


@dataclass(frozen=True, kw_only=True)
class GoalSettings(Recorded):
    """By what pace is judged (S32)."""

    behind_below: Decimal = Decimal("0.9")
    ahead_above: Decimal = Decimal("1.1")
    too_early_before: Decimal = Decimal("0.05")


@dataclass(frozen=True, kw_only=True)
class KpiVersion(Recorded):
    """One version of a KPI; `valid_from` None is 'for all time'."""

    kpi: str
    number: int
    valid_from: date | None
    definition: Definition


@dataclass(frozen=True, kw_only=True)
class World:
    """An organization with all of its history; `last_recorded_at` is when the last fact was recorded."""

    settings: tuple[Settings, ...]
    sources: tuple[Source, ...] = ()
    events: tuple[Event, ...] = ()
    mappings: tuple[IdentityMapping, ...] = ()
    members: tuple[Member, ...] = ()
    teams: tuple[Team, ...] = ()
    placements: tuple[Placement, ...] = ()
    memberships: tuple[Membership, ...] = ()
    kpis: tuple[KpiVersion, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    employments: tuple[Employment, ...] = ()
    absences: tuple[Absence, ...] = ()
    rate_sets: tuple[RateSet, ...] = ()
    rates: tuple[Rate, ...] = ()
    goals: tuple[Goal, ...] = ()
    ramps: tuple[Ramp, ...] = ()
    goal_settings: tuple[GoalSettings, ...] = ()
    last_recorded_at: datetime


RecordedT = TypeVar("RecordedT", bound=Recorded)


def known(facts: Iterable[RecordedT], known_at: datetime) -> list[RecordedT]:
    """The facts as they were recorded by an instant (S5)."""
    return [fact for fact in facts if fact.is_known(known_at)]
