"""Scripts: what somebody did to an organization, step by step in time, and the world that comes of it.

The same script can be replayed over the HTTP API under a manual clock that stands at `step.at`: each step is one
request, so that what it writes is recorded at exactly that instant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal

from app.kpis.definition import Definition
from tests.reference.ledger import Item, Ledger, Outcome
from tests.reference.world import (
    Absence,
    Assignment,
    Calendar,
    Change,
    Effect,
    Employment,
    Follows,
    Goal,
    GoalSettings,
    Identity,
    IdentityMapping,
    KpiVersion,
    Member,
    Membership,
    Milestone,
    Placement,
    Ramp,
    Rate,
    RateSet,
    Settings,
    Source,
    Team,
    World,
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that was done at an instant; the instants of a script strictly increase."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class CreateOrganization(Step):
    """The first step of every script; it makes the source `api` as well."""

    time_zone: str = "Europe/Warsaw"
    currency: str = "EUR"
    week_start: int = 0


@dataclass(frozen=True, kw_only=True)
class ChangeSettings(Step):
    """All settings from now on, for all windows (S6)."""

    time_zone: str
    currency: str
    week_start: int


@dataclass(frozen=True, kw_only=True)
class AddSource(Step):
    """A source that is authoritative for the types `counts` (None: all)."""

    key: str
    counts: frozenset[str] | None = None


@dataclass(frozen=True, kw_only=True)
class ChangeCounts(Step):
    """What a source is authoritative for, from now on."""

    key: str
    counts: frozenset[str] | None


@dataclass(frozen=True, kw_only=True)
class AddMember(Step):
    """A person."""

    member: str


@dataclass(frozen=True, kw_only=True)
class AddTeam(Step):
    """A team, in its place in the tree since ever."""

    team: str
    parent: str | None = None


@dataclass(frozen=True, kw_only=True)
class MoveTeam(Step):
    """A team moves below another parent from a day on, until the next move that is recorded already."""

    team: str
    parent: str | None
    valid_from: date


@dataclass(frozen=True, kw_only=True)
class AddMembership(Step):
    """A member is in a team; `key` is the script's own name for the membership."""

    key: str
    member: str
    team: str
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, kw_only=True)
class EndMembership(Step):
    """A membership ends on a day after its first."""

    key: str
    valid_to: date


@dataclass(frozen=True, kw_only=True)
class DeleteMembership(Step):
    """A membership was never meant."""

    key: str


@dataclass(frozen=True, kw_only=True)
class MapIdentity(Step):
    """An identity is a member for a span of days, in which it is no other; `key` names the mapping in the script."""

    key: str
    identity: Identity
    member: str
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, kw_only=True)
class EndMapping(Step):
    """A mapping ends on a day after its first."""

    key: str
    valid_to: date


@dataclass(frozen=True, kw_only=True)
class ChangeMapping(Step):
    """A mapping was meant for another member, on all its days."""

    key: str
    member: str


@dataclass(frozen=True, kw_only=True)
class DeleteMapping(Step):
    """A mapping was never meant."""

    key: str


@dataclass(frozen=True, kw_only=True)
class PostEvents(Step):
    """A batch of events of one source."""

    source: str
    items: tuple[Item, ...]


@dataclass(frozen=True, kw_only=True)
class AddKpi(Step):
    """A KPI with its version 1, which is valid for all time."""

    kpi: str
    definition: Definition


@dataclass(frozen=True, kw_only=True)
class AddKpiVersion(Step):
    """The next version of a KPI, from a day on, or for all time."""

    kpi: str
    definition: Definition
    valid_from: date | None


@dataclass(frozen=True, kw_only=True)
class AddCalendar(Step):
    """A working calendar; the default one is the organization's from now on."""

    key: str
    weekdays: Mapping[int, tuple[tuple[time, time], ...]]
    time_zone: str | None = None
    holidays: frozenset[date] = frozenset()
    extra_working_days: frozenset[date] = frozenset()
    is_default: bool = False


@dataclass(frozen=True, kw_only=True)
class AddAssignment(Step):
    """What a member does on some days on which nothing was said yet."""

    member: str
    fte: Decimal = Decimal(1)
    calendar: str | None = None
    revenue_role: str | None = None
    country: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, kw_only=True)
class AddEmployment(Step):
    """A member is employed on some days on which that was not said yet."""

    member: str
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, kw_only=True)
class AddAbsence(Step):
    """A member does not work on some days on which that was not said yet."""

    member: str
    valid_from: date
    valid_to: date
    effect: Effect = "reschedule"


@dataclass(frozen=True, kw_only=True)
class AddRateSet(Step):
    """A named set of exchange rates."""

    key: str
    kind: Literal["daily", "fixed"]


@dataclass(frozen=True, kw_only=True)
class AddRate(Step):
    """A rate; one of the same set, pair and first day is corrected by it."""

    rate_set: str
    base: str
    quote: str
    valid_from: date
    valid_to: date | None = None
    value: Decimal


@dataclass(frozen=True, kw_only=True)
class AddGoal(Step):
    """A goal of an owner on the days `[start, end)`; `key` is the script's own name for it.

    Aimed at is `value`, the band from `low` to `high`, or a `change` against a baseline.
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
    stretch: Decimal | None = None
    currency: str | None = None
    counts: Literal["own", "parts"] = "own"
    parent: str | None = None
    expected: Follows = "working_time"
    ramp: str | None = None
    milestones: tuple[Milestone, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ChangeTarget(Step):
    """Another value to aim at, from now on."""

    key: str
    value: Decimal
    stretch: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class ChangeTerms(Step):
    """What the share due by now follows, the ramp and the milestones, from now on."""

    key: str
    expected: Follows
    ramp: str | None
    milestones: tuple[Milestone, ...]


@dataclass(frozen=True, kw_only=True)
class AddRamp(Step):
    """Shares of the full target by month since joining."""

    key: str
    shares: tuple[Decimal, ...]


@dataclass(frozen=True, kw_only=True)
class SetGoalSettings(Step):
    """By what pace is judged from now on."""

    behind_below: Decimal
    ahead_above: Decimal
    too_early_before: Decimal


def build(steps: Sequence[Step]) -> World:
    """The world after a script."""
    return play(steps)[0]


def play(steps: Sequence[Step]) -> tuple[World, list[list[Outcome]]]:
    """The world after a script, and the outcomes of each of its batches of events."""
    script = _Script()
    for earlier, later in pairwise(steps):
        assert earlier.at < later.at
    for step in steps:
        script.do(step)
    return script.world(steps[-1].at), script.outcomes


class _Script:
    """The lists of a world, on which each step supersedes what it ends and adds what it begins."""

    def __init__(self) -> None:
        self.settings: list[Settings] = []
        self.sources: list[Source] = []
        self.ledger = Ledger()
        self.outcomes: list[list[Outcome]] = []
        self.mappings: dict[str, list[IdentityMapping]] = {}
        self.memberships: dict[str, list[Membership]] = {}
        self.placements: list[Placement] = []
        self.members: list[Member] = []
        self.teams: list[Team] = []
        self.kpis: list[KpiVersion] = []
        self.calendars: list[Calendar] = []
        self.assignments: list[Assignment] = []
        self.employments: list[Employment] = []
        self.absences: list[Absence] = []
        self.rate_sets: list[RateSet] = []
        self.rates: list[Rate] = []
        self.goals: list[Goal] = []
        self.ramps: list[Ramp] = []
        self.goal_settings: list[GoalSettings] = []

    def world(self, last: datetime) -> World:
        return World(
            settings=tuple(self.settings),
            sources=tuple(self.sources),
            events=tuple(self.ledger.revisions),
            mappings=tuple(revision for revisions in self.mappings.values() for revision in revisions),
            members=tuple(self.members),
            teams=tuple(self.teams),
            placements=tuple(self.placements),
            memberships=tuple(revision for revisions in self.memberships.values() for revision in revisions),
            kpis=tuple(self.kpis),
            calendars=tuple(self.calendars),
            assignments=tuple(self.assignments),
            employments=tuple(self.employments),
            absences=tuple(self.absences),
            rate_sets=tuple(self.rate_sets),
            rates=tuple(self.rates),
            goals=tuple(self.goals),
            ramps=tuple(self.ramps),
            goal_settings=tuple(self.goal_settings),
            last_recorded_at=last,
        )

    def do(self, step: Step) -> None:  # noqa: C901 - a case for each kind of step
        at = step.at
        match step:
            case CreateOrganization():
                self._set(at, step.time_zone, step.currency, step.week_start)
                self.sources.append(Source(key="api", recorded_at=at))
            case ChangeSettings():
                self._set(at, step.time_zone, step.currency, step.week_start)
            case AddSource():
                self.sources.append(Source(key=step.key, counts=step.counts, recorded_at=at))
            case ChangeCounts():
                self.sources = [
                    replace(source, superseded_at=at) if source.key == step.key and not source.superseded_at else source
                    for source in self.sources
                ]
                self.sources.append(Source(key=step.key, counts=step.counts, recorded_at=at))
            case AddMember():
                self.members.append(Member(key=step.member, recorded_at=at))
            case AddTeam():
                self.teams.append(Team(key=step.team, recorded_at=at))
                self.placements.append(Placement(team=step.team, parent=step.parent, recorded_at=at))
            case MoveTeam():
                self._move(step)
            case AddMembership(member=member, team=team, valid_from=valid_from, valid_to=valid_to):
                self.memberships[step.key] = [
                    Membership(member=member, team=team, valid_from=valid_from, valid_to=valid_to, recorded_at=at)
                ]
            case EndMembership():
                was_in = self.memberships[step.key].pop()
                is_in = replace(was_in, recorded_at=at, valid_to=step.valid_to)
                self.memberships[step.key] += [replace(was_in, superseded_at=at), is_in]
            case DeleteMembership():
                self.memberships[step.key].append(replace(self.memberships[step.key].pop(), superseded_at=at))
            case MapIdentity(identity=identity, member=member, valid_from=valid_from, valid_to=valid_to):
                self.mappings[step.key] = [
                    IdentityMapping(
                        identity=identity, member=member, valid_from=valid_from, valid_to=valid_to, recorded_at=at
                    )
                ]
            case EndMapping() | ChangeMapping():
                was = self.mappings[step.key].pop()
                change = {"valid_to": step.valid_to} if isinstance(step, EndMapping) else {"member": step.member}
                now_is = replace(was, recorded_at=at, **change)
                self.mappings[step.key] += [replace(was, superseded_at=at), now_is]
            case DeleteMapping():
                self.mappings[step.key].append(replace(self.mappings[step.key].pop(), superseded_at=at))
            case PostEvents():
                self.outcomes.append(self.ledger.post_all(step.source, step.items, at))
            case AddKpi():
                self._version(at, step.kpi, None, step.definition)
            case AddKpiVersion():
                self._version(at, step.kpi, step.valid_from, step.definition)
            case AddCalendar():
                self._add_calendar(step)
            case AddAssignment():
                self.assignments.append(Assignment(**_content(step)))
            case AddEmployment():
                self.employments.append(Employment(**_content(step)))
            case AddAbsence():
                self.absences.append(Absence(**_content(step)))
            case AddRateSet():
                self.rate_sets.append(RateSet(**_content(step)))
            case AddRate():
                self._add_rate(step)
            case AddGoal():
                self.goals.append(Goal(**_content(step)))
            case _:
                self._do_of_goals(step)

    def _do_of_goals(self, step: Step) -> None:
        match step:
            case ChangeTarget():
                self._revise(step, value=step.value, stretch=step.stretch, change=None, set_at=step.at)
            case ChangeTerms():
                self._revise(step, expected=step.expected, ramp=step.ramp, milestones=step.milestones)
            case AddRamp():
                self.ramps.append(Ramp(**_content(step)))
            case SetGoalSettings():
                if self.goal_settings:
                    self.goal_settings[-1] = replace(self.goal_settings[-1], superseded_at=step.at)
                self.goal_settings.append(GoalSettings(**_content(step)))
            case _:
                raise AssertionError(step)

    def _revise(self, step: ChangeTarget | ChangeTerms, **terms: Any) -> None:
        """What holds is superseded by other terms."""
        for number, goal in enumerate(self.goals):
            if goal.key == step.key and goal.superseded_at is None:
                self.goals[number] = replace(goal, superseded_at=step.at)
                terms = {"set_at": goal.set_at or goal.recorded_at, **terms}
                self.goals.append(replace(goal, recorded_at=step.at, **terms))
                return
        raise AssertionError(step)

    def _set(self, at: datetime, time_zone: str, currency: str, week_start: int) -> None:
        if self.settings:
            self.settings[-1] = replace(self.settings[-1], superseded_at=at)
        self.settings.append(Settings(time_zone=time_zone, currency=currency, week_start=week_start, recorded_at=at))

    def _move(self, step: MoveTeam) -> None:
        """The place that holds on the day ends there, unless it began there: then it is replaced."""
        for number, place in enumerate(self.placements):
            is_current = place.team == step.team and place.superseded_at is None
            if is_current and place.holds_on(step.valid_from):
                # Its end stays: that is where the next move, if there is one, begins.
                moved = replace(place, parent=step.parent, valid_from=step.valid_from, recorded_at=step.at)
                self.placements[number] = replace(place, superseded_at=step.at)
                if place.valid_from != step.valid_from:
                    self.placements.append(replace(place, recorded_at=step.at, valid_to=step.valid_from))
                self.placements.append(moved)
                return
        raise AssertionError("a team has a place on every day")

    def _add_calendar(self, step: AddCalendar) -> None:
        """The default of before is a calendar like others from now on."""
        for number, other in enumerate(self.calendars):
            if step.is_default and other.is_default and other.superseded_at is None:
                self.calendars[number] = replace(other, superseded_at=step.at)
                self.calendars.append(replace(other, is_default=False, recorded_at=step.at))
        self.calendars.append(Calendar(**_content(step)))

    def _add_rate(self, step: AddRate) -> None:
        added = Rate(**_content(step))
        for number, other in enumerate(self.rates):
            is_same_place = replace(other, value=added.value, valid_to=added.valid_to, recorded_at=step.at) == added
            if is_same_place:
                self.rates[number] = replace(other, superseded_at=step.at)
        self.rates.append(added)

    def _version(self, at: datetime, kpi: str, valid_from: date | None, definition: Definition) -> None:
        number = 1 + sum(version.kpi == kpi for version in self.kpis)
        self.kpis.append(
            KpiVersion(kpi=kpi, number=number, valid_from=valid_from, definition=definition, recorded_at=at)
        )


def _content(step: Step) -> dict[str, Any]:
    """What a step says, as the fields of the fact that it makes."""
    said = {field.name: getattr(step, field.name) for field in fields(step) if field.name != "at"}
    return {"recorded_at": step.at, **said}
