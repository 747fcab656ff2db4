"""What was known at one instant about the world at another: who gets which event, and what its fields are (S5)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from app.kpis.definition import EventSelection
from app.kpis.expressions.syntax import Node
from tests.reference.days import DAY, local_day
from tests.reference.evaluate import passes
from tests.reference.rates import converted
from tests.reference.working import WorkingTime
from tests.reference.world import Absence, Assignment, Content, Credit, Identity, PropertyValue, World, known

Attribution = Literal["at_event", "current"]
CreditRule = Literal["split", "full"]
Among = Callable[[str | None, date], bool]
ONE, ZERO = Decimal(1), Decimal(0)


@dataclass(frozen=True)
class Subject:
    """Whom a figure is about: `key` is the member's or the team's.

    'members_of' stands for one 'member_in_team' for each person; `team` is the team of such a part.
    """

    kind: Literal["organization", "unassigned", "member", "team", "members_of", "member_in_team"]
    key: str = ""
    team: str = ""


@dataclass(frozen=True)
class Fact:
    """An event as it counts: its current revision, with its local day."""

    source: str
    external_id: str
    content: Content
    day: date

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.external_id

    @property
    def order(self) -> tuple[datetime, str, str]:
        """The one order of events, in which ids of ours have no part (S11)."""
        return self.content.occurred_at, self.source, self.external_id


class Snapshot:
    """The world as known at `known_at`, seen from the instant `at` (T)."""

    def __init__(
        self,
        world: World,
        *,
        known_at: datetime,
        at: datetime,
        currency: str | None = None,
        rate_set: str | None = None,
        attribution: Attribution = "at_event",
    ) -> None:
        self.at = at
        self.known_at = known_at
        settings = known(world.settings, known_at)
        self.has_organization = bool(settings)
        self.settings = settings[-1] if settings else world.settings[0]
        self.zone = self.settings.time_zone
        self.currency = currency or self.settings.currency
        self.attribution = attribution
        self.today = local_day(at, None, self.zone)
        self.mappings = known(world.mappings, known_at)
        self.memberships = known(world.memberships, known_at)
        self.placements = known(world.placements, known_at)
        self.members = [member.key for member in known(world.members, known_at)]
        self.teams = [team.key for team in known(world.teams, known_at)]
        self.kpis = known(world.kpis, known_at)
        self.goals = known(world.goals, known_at)
        self.ramps = known(world.ramps, known_at)
        self.assignments = known(world.assignments, known_at)
        self.employments = known(world.employments, known_at)
        self.absences = known(world.absences, known_at)
        self._set_up_work(world)
        self._set_up_rates(world, rate_set or "daily")
        self.selections: dict[EventSelection, list[Fact]] = {}
        self.facts = self._facts(world)

    def _set_up_work(self, world: World) -> None:
        """The calendars; without a default one the organization works from Monday to Friday, 9 to 17."""
        calendars = known(world.calendars, self.known_at)
        self.work = WorkingTime(next((each for each in calendars if each.is_default), None), self.zone)
        self.work_by = {each.key: WorkingTime(each, self.zone) for each in calendars}
        around = [self.today + n * DAY for n in range(-800, 801)]
        self.working_days = frozenset(day for day in around if self.work.is_working_day(day))

    def _set_up_rates(self, world: World, rate_set: str) -> None:
        """The rates of one set; without that set there are none."""
        chosen = next((each for each in known(world.rate_sets, self.known_at) if each.key == rate_set), None)
        self.is_daily = chosen is not None and chosen.kind == "daily"
        self.rates = [rate for rate in known(world.rates, self.known_at) if chosen and rate.rate_set == chosen.key]

    def _facts(self, world: World) -> list[Fact]:
        """The events that count at all, in their order (S3, S10)."""
        counted_types = {source.key: source.counts for source in known(world.sources, self.known_at)}
        facts = []
        for event in known(world.events, self.known_at):
            content = event.content
            if content is None or content.occurred_at > self.at:
                continue
            types = counted_types.get(event.source)
            if types is not None and content.type not in types:
                continue
            day = local_day(content.occurred_at, content.occurred_on, self.zone)
            facts.append(Fact(event.source, event.external_id, content, day))
        return sorted(facts, key=lambda fact: fact.order)

    # ------------------------------------------------------------------------------------------------- people

    def is_recorded(self, subject: Subject) -> bool:
        """Whether the organization and the subject had been recorded (S5)."""
        if subject.kind in {"member", "member_in_team"}:
            return self.has_organization and subject.key in self.members
        if subject.kind in {"team", "members_of"}:
            return self.has_organization and subject.key in self.teams
        return self.has_organization

    def weight(
        self, subject: Subject, fact: Fact, role: str, rule: CreditRule, among: Among | None = None
    ) -> Decimal | None:
        """With which weight an event counts for a subject; None: it does not (S7, S8, S9).

        `among` takes a part of the subject: only credits of these people (None: of nobody) on the event's day.
        """
        of_role = [credit for credit in fact.content.all_credits if credit.role == role]
        if not of_role and role != "owner":
            return None
        if subject.kind == "organization" and among is None:
            return ONE
        if not of_role:
            is_everybodys = subject.kind in {"organization", "unassigned"}
            return ONE if is_everybodys and (among is None or among(None, fact.day)) else None
        shares = [
            credit.share
            for credit in of_role
            if self.gets(subject, credit, fact.day)
            and (among is None or among(self.member_behind(credit.identity, fact.day), fact.day))
        ]
        if not shares:
            return None
        return sum(shares, ZERO) if rule == "split" else ONE

    def gets(self, subject: Subject, credit: Credit, day: date) -> bool:
        """Whether a subject gets a credit of an event of that day (S8)."""
        member = self.member_behind(credit.identity, day)
        team_day = day if self.attribution == "at_event" else self.today
        match subject.kind:
            case "organization":
                return True
            case "member":
                return member == subject.key
            case "team":
                return member is not None and subject.key in self.teams_of(member, team_day)
            case "member_in_team":
                return member == subject.key and subject.team in self.teams_of(subject.key, team_day)
            case "unassigned":
                return member is None or not self.teams_of(member, team_day)
        raise AssertionError(subject)

    def member_behind(self, identity: Identity, day: date) -> str | None:
        """The member whom an identity is mapped to on a day."""
        for mapping in self.mappings:
            if mapping.identity == identity and mapping.holds_on(day):
                return mapping.member
        return None

    def teams_of(self, member: str, day: date) -> set[str]:
        """The teams that a member is in on a day, and all teams above them."""
        teams: set[str] = set()
        for membership in self.memberships:
            if membership.member == member and membership.holds_on(day):
                teams |= self.line_of(membership.team, day)
        return teams

    def line_of(self, team: str, day: date) -> set[str]:
        """A team and the teams above it on a day."""
        line: set[str] = set()
        above: str | None = team
        while above is not None:
            line.add(above)
            above = self.parent_of(above, day)
        return line

    def parent_of(self, team: str, day: date) -> str | None:
        """The team directly above on a day; None at the top."""
        for placement in self.placements:
            if placement.team == team and placement.holds_on(day):
                return placement.parent
        return None

    def assignment_of(self, member: str, day: date) -> Assignment | None:
        """What a member does on a day."""
        return next((each for each in self.assignments if each.member == member and each.holds_on(day)), None)

    def work_of(self, member: str, day: date) -> WorkingTime:
        """The working time that holds for a member: by their own calendar, else the organization's."""
        assignment = self.assignment_of(member, day)
        if assignment is None or assignment.calendar is None:
            return self.work
        return self.work_by.get(assignment.calendar, self.work)

    def calendar_of_credited(self, fact: Fact, role: str) -> WorkingTime:
        """By whom the time to an event is measured: the largest share's member, then the first listed (S16)."""
        of_role = [credit for credit in fact.content.all_credits if credit.role == role]
        if not of_role:
            return self.work
        foremost = max(of_role, key=lambda credit: credit.share)  # the first of the largest
        member = self.member_behind(foremost.identity, fact.day)
        return self.work if member is None else self.work_of(member, fact.day)

    def is_at_work(self, member: str, day: date) -> bool:
        """Whether a member is employed and not absent (S23)."""
        return self.is_employed(member, day) and self.absence_of(member, day) is None

    def is_employed(self, member: str, day: date) -> bool:
        """Whether a member is with the organization; who has no employment is on all days."""
        employments = [each for each in self.employments if each.member == member]
        return not employments or any(each.holds_on(day) for each in employments)

    def absence_of(self, member: str, day: date) -> Absence | None:
        """The absence that holds for a member on a day."""
        return next((each for each in self.absences if each.member == member and each.holds_on(day)), None)

    # ------------------------------------------------------------------------------------------------- fields

    def passes(self, fact: Fact, where: Node | None) -> bool:
        """Whether an event passes a filter, which may be absent (S13)."""
        return where is None or passes(where, lambda path: self.field(fact, path), lambda of: self.nth(fact, of))

    def field(self, fact: Fact, path: tuple[str, ...]) -> PropertyValue | None:
        """A field of an event by its name in the language; None is missing (S13)."""
        content = fact.content
        named: Mapping[tuple[str, ...], PropertyValue | None] = {
            ("amount",): self.converted(fact),
            ("amount_original",): content.amount,
            ("currency",): content.currency,
            ("quantity",): content.quantity,
            ("duration_seconds",): content.duration_seconds,
            ("type",): content.type,
            ("source",): fact.source,
        }
        if path[0] == "properties":
            return content.properties.get(path[1])
        return content.about.get(path[1]) if path[0] == "about" else named[path]

    def converted(self, fact: Fact) -> Decimal | None:
        """The amount in the query's currency by the rate of the event's day, if there is one (S26, S27)."""
        amount, currency = fact.content.amount, fact.content.currency
        if amount is None or currency is None:
            return None
        return converted(
            amount,
            currency,
            self.currency,
            fact.day,
            rates=self.rates,
            through=self.settings.currency,
            is_daily=self.is_daily,
        )

    def nth(self, fact: Fact, thing: str) -> int | None:
        """The place of an event among those of its type about the same thing; None where it is about none (S13a)."""
        about = fact.content.about.get(thing)
        if about is None:
            return None
        alike = [other for other in self.facts if other.content.type == fact.content.type]
        same = [other for other in alike if other.content.about.get(thing) == about]
        return same.index(fact) + 1
