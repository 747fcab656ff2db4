"""Random scripts and queries for hypothesis: small organizations in which much goes wrong in a short time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.reference import steps as do
from tests.reference.days import DAY, Grain, first_instant
from tests.reference.definitions import counted, name
from tests.reference.definitions_random import (
    AIMED,
    KINDS,
    KPIS,
    REFERRING,
    Kind,
    counted_definitions,
    definitions,
    filters,
    referring_definitions,
)
from tests.reference.events_random import IDENTITIES, SOURCES, TYPES, days_near, items
from tests.reference.ledger import Item
from tests.reference.questions import GroupBy, Query
from tests.reference.snapshot import Subject
from tests.reference.steps import Step
from tests.reference.world import Content, Effect, Identity

# A zone, and a day of 2026 near which its clocks are changed (Apia: any day, its clocks are far ahead).
ZONES = {
    "Europe/Warsaw": date(2026, 3, 29),
    "America/New_York": date(2026, 11, 1),
    "Australia/Lord_Howe": date(2026, 4, 5),
    "America/St_Johns": date(2026, 3, 8),
    "Africa/Casablanca": date(2026, 3, 22),
    "Pacific/Apia": date(2026, 7, 1),
    "America/Santiago": date(2026, 9, 6),
}
MEMBERS = ("ana", "bo", "cy", "dee")
TEAMS = ("north", "south", "east", "west")
CALENDARS = ("office", "shifts")
OWNERS = (("organization", ""), ("team", "north"), ("member", "ana"))
RATE_SETS = ("daily", "plan-2026")
_EFFECTS: SearchStrategy[Effect] = st.sampled_from(["prorate_target", "reschedule"])
ROLL_CALL_AT = datetime(2020, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A script, queries about it, and the instant after it at which they are asked."""

    steps: tuple[Step, ...]
    queries: tuple[Query, ...]
    now: datetime


@st.composite
def cases(draw: DrawFn, *, changes: int = 10, queries: int = 4, kinds: tuple[Kind, ...] = KINDS) -> Case:
    """A random script of at most so many changes after its setting up, with at most so many queries."""
    zone, center = draw(st.sampled_from(sorted(ZONES.items())))
    teller = Teller(draw, zone, center, kinds)
    teller.set_up()
    for _ in range(draw(st.integers(min(4, changes), changes))):
        teller.change()
    now = teller.at + draw(st.sampled_from([timedelta(seconds=1), timedelta(hours=7), 3 * DAY, 9 * DAY, 20 * DAY]))
    asked = draw(st.lists(_queries(tuple(teller.steps), center, now), min_size=1, max_size=queries))
    return Case(tuple(teller.steps), tuple(asked), now)


# ----------------------------------------------------------------------------------------------------- scripts


class Teller:
    """Tells a script: knows what stands, so that each step is possible when it comes."""

    def __init__(self, draw: DrawFn, zone: str, center: date, kinds: tuple[Kind, ...]) -> None:
        self.draw, self.zone, self.center, self.kinds = draw, zone, center, kinds
        week_start = draw(st.sampled_from([0, 0, 6]))
        self.at = first_instant(center + draw(st.sampled_from([-3, 0, 1, 2])) * DAY, zone)
        self.steps: list[Step] = [do.CreateOrganization(at=self.at, time_zone=zone, week_start=week_start)]
        self.memberships: dict[str, do.AddMembership] = {}
        self.mappings: dict[str, do.MapIdentity] = {}
        self.rates: dict[tuple[str, str, str], list[do.AddRate]] = {}
        self.absences: dict[str, list[do.AddAbsence]] = {}
        self.goals: set[tuple[tuple[str, str], date, date]] = set()
        self.keys = 0

    def set_up(self) -> None:
        """People, teams, KPIs; every identity is known by an event of long ago."""
        self._then(do.AddSource(at=self._next(), key="phone", counts=self._counts()))
        for member in MEMBERS:
            self._then(do.AddMember(at=self._next(), member=member))
        for place, team in enumerate(TEAMS):
            parent = self.draw(st.sampled_from([None, *TEAMS[:place]]))
            self._then(do.AddTeam(at=self._next(), team=team, parent=parent))
        for source in SOURCES:
            present = [identity for identity in IDENTITIES if identity.source == source]
            roll_call = tuple(
                Item(
                    external_id=f"roll-call-{identity.external_id}",
                    content=Content(type="training.attended", occurred_at=ROLL_CALL_AT, actor=identity),
                )
                for identity in present
            )
            self._then(do.PostEvents(at=self._next(), source=source, items=roll_call))
        for member in MEMBERS:
            self.add_membership(member)
        for identity in IDENTITIES:
            self.map_identity(identity)
        self.employ()
        for rate_set in RATE_SETS:
            self.add_rate_set(rate_set)
        self.define()
        for _ in range(3):
            self.post_events()

    def define(self) -> None:
        """The KPIs, and what is aimed at."""
        for kpi in KPIS:
            self._then(do.AddKpi(at=self._next(), kpi=kpi, definition=self.draw(definitions(self.kinds))))
        # Only the targets of what adds up have parts.
        aimed = self.draw(st.one_of(st.just(counted("call.made")), counted_definitions()))
        self._then(do.AddKpi(at=self._next(), kpi=AIMED, definition=aimed))
        self._then(do.AddKpi(at=self._next(), kpi=REFERRING, definition=self.draw(referring_definitions())))
        for owner in OWNERS[1:]:
            self.add_rate()
            self.add_goal(owner)
            self.add_absence("ana", self.center + self.draw(st.sampled_from([-4, -1, -20])) * DAY)

    def add_rate_set(self, key: str) -> None:
        """A set of rates, most of the time."""
        if self.draw(st.integers(0, 3)):
            self._then(do.AddRateSet(at=self._next(), key=key, kind="daily" if key == "daily" else "fixed"))
            self.rates |= {(key, "EUR", "USD"): [], (key, "USD", "EUR"): [], (key, "EUR", "GBP"): []}

    def employ(self) -> None:
        """Calendars, and who works by which, how much and since when."""
        for key in self.draw(st.lists(st.sampled_from(CALENDARS), unique=True)):
            self.add_calendar(key)
        known = [step.key for step in self.steps if isinstance(step, do.AddCalendar)]
        for member in MEMBERS[:3]:
            change = self.draw(st.one_of(st.none(), days_near(self.center)))
            spans = [(None, change), (change, None)] if change else [(None, None)]
            for valid_from, valid_to in spans[: self.draw(st.integers(0, 2))]:
                self._then(
                    do.AddAssignment(
                        at=self._next(),
                        member=member,
                        fte=self.draw(st.sampled_from([Decimal(1), Decimal("0.5"), Decimal("0.8")])),
                        calendar=self.draw(st.sampled_from([None, *known])),
                        revenue_role=self.draw(st.sampled_from([None, "seller", "success"])),
                        country=self.draw(st.sampled_from([None, "PL", "DE"])),
                        valid_from=valid_from,
                        valid_to=valid_to,
                    )
                )
        for member in MEMBERS[1:]:
            if self.draw(st.booleans()):
                valid_from, valid_to = self._span()
                self._then(do.AddEmployment(at=self._next(), member=member, valid_from=valid_from, valid_to=valid_to))

    def add_calendar(self, key: str) -> None:
        """One of the office, or one of nights and weekends in another zone."""
        hours = ((time(9), time(12, 30)), (time(13), time(17))) if key == "office" else ((time(0), time(4, 30)),)
        weekdays = range(5) if key == "office" else (0, 5, 6)
        self._then(
            do.AddCalendar(
                at=self._next(),
                key=key,
                weekdays=dict.fromkeys(weekdays, hours),
                time_zone=self.draw(st.sampled_from([None, "Europe/Warsaw", "America/New_York"])),
                holidays=frozenset(self.draw(st.lists(days_near(self.center), max_size=2))),
                extra_working_days=frozenset(self.draw(st.lists(days_near(self.center), max_size=2))),
                is_default=self.draw(st.booleans()),
            )
        )

    def add_rate(self) -> None:
        """A rate, or the correction of one; in a fixed set no two of a pair hold on one day."""
        if not self.rates:
            return
        pair = self.draw(st.sampled_from(sorted(self.rates)))
        first = self._day()
        last = None if pair[0] == "daily" else first + self.draw(st.sampled_from([1, 10, 40])) * DAY
        others = [rate for rate in self.rates[pair] if rate.valid_from != first]
        if last and any(_overlap((first, last), (other.valid_from, other.valid_to)) for other in others):
            return
        step = do.AddRate(
            at=self._next(),
            rate_set=pair[0],
            base=pair[1],
            quote=pair[2],
            valid_from=first,
            valid_to=last,
            value=Decimal(self.draw(st.sampled_from(["1.10", "0.8", "2", "0.3333"]))),
        )
        self.rates[pair] = [*others, step]
        self._then(step)

    def add_goal(self, known: tuple[str, str] | None = None) -> None:
        """A goal for what others aim at: of a month, of some days in it, or of the days around."""
        month = self.center.replace(day=1)
        around = (self.center - 50 * DAY, self.center + 9 * DAY)
        part = (self.center - 3 * DAY, self.center + 2 * DAY)
        before = (month - 20 * DAY, month)
        owner = known or self.draw(st.sampled_from(OWNERS))
        start, end = self.draw(st.sampled_from([(month, (month + 31 * DAY).replace(day=1)), around, part, before]))
        if (owner, start, end) not in self.goals:
            self.goals.add((owner, start, end))
            value = self.draw(st.sampled_from([Decimal(10), Decimal("7.5")]))
            self._then(do.AddGoal(at=self._next(), kpi=AIMED, owner=owner, start=start, end=end, value=value))

    def add_absence(self, known: str | None = None, since: date | None = None) -> None:
        member, first = known or self.draw(st.sampled_from(MEMBERS)), since or self._day()
        last = first + self.draw(st.sampled_from([1, 4, 20])) * DAY
        others = self.absences.setdefault(member, [])
        if not any(_overlap((first, last), (other.valid_from, other.valid_to)) for other in others):
            effect = self.draw(_EFFECTS)
            step = do.AddAbsence(at=self._next(), member=member, valid_from=first, valid_to=last, effect=effect)
            others.append(step)
            self._then(step)

    def change(self) -> None:
        """Anything that may happen to an organization; mostly events."""
        self.at += self.draw(st.sampled_from([timedelta(0), timedelta(minutes=3), timedelta(hours=9), 2 * DAY]))
        happenings: list[Callable[[], None]] = [
            self.post_events,
            self.post_events,
            self.post_events,
            self.post_events,
            self.map_identity,
            self.end_mapping,
            self.change_mapping,
            self.add_membership,
            self.end_membership,
            self.move_team,
            self.add_version,
            self.change_settings,
            self.change_counts,
            self.add_rate,
            self.add_absence,
            self.add_goal,
        ]
        self.draw(st.sampled_from(happenings))()

    def post_events(self) -> None:
        source = self.draw(st.sampled_from(SOURCES))
        posted = self.draw(st.lists(items(source, self.zone, self.center), min_size=4, max_size=10))
        self._then(do.PostEvents(at=self._next(), source=source, items=tuple(posted)))

    def map_identity(self, known: Identity | None = None) -> None:
        identity = known or self.draw(st.sampled_from(IDENTITIES))
        member = self.draw(st.sampled_from(MEMBERS))
        valid_from, valid_to = self._span()
        standing = [mapping for mapping in self.mappings.values() if mapping.identity == identity]
        if any(_overlap((valid_from, valid_to), (other.valid_from, other.valid_to)) for other in standing):
            return
        step = do.MapIdentity(
            at=self._next(),
            key=self._key(),
            identity=identity,
            member=member,
            valid_from=valid_from,
            valid_to=valid_to,
        )
        self.mappings[step.key] = step
        self._then(step)

    def end_mapping(self) -> None:
        """A mapping ends earlier or later than it did (if no other is in the way), or goes."""
        if not self.mappings:
            return
        key = self.draw(st.sampled_from(sorted(self.mappings)))
        mapping = self.mappings.pop(key)
        day = self._day()
        others = [other for other in self.mappings.values() if other.identity == mapping.identity]
        is_in_the_way = any(_overlap((mapping.valid_from, day), (other.valid_from, other.valid_to)) for other in others)
        is_forward = mapping.valid_from is None or mapping.valid_from < day
        if is_forward and not is_in_the_way and self.draw(st.booleans()):
            self.mappings[key] = replace(mapping, valid_to=day)
            self._then(do.EndMapping(at=self._next(), key=key, valid_to=day))
        else:
            self._then(do.DeleteMapping(at=self._next(), key=key))

    def add_membership(self, known: str | None = None) -> None:
        member, team = known or self.draw(st.sampled_from(MEMBERS)), self.draw(st.sampled_from(TEAMS))
        valid_from, valid_to = self._span()
        standing = [other for other in self.memberships.values() if (other.member, other.team) == (member, team)]
        if any(_overlap((valid_from, valid_to), (other.valid_from, other.valid_to)) for other in standing):
            return
        step = do.AddMembership(
            at=self._next(), key=self._key(), member=member, team=team, valid_from=valid_from, valid_to=valid_to
        )
        self.memberships[step.key] = step
        self._then(step)

    def end_membership(self) -> None:
        """An open membership ends, or any goes."""
        if not self.memberships:
            return
        key = self.draw(st.sampled_from(sorted(self.memberships)))
        membership = self.memberships.pop(key)
        day = self._day()
        is_forward = membership.valid_from is None or membership.valid_from < day
        if membership.valid_to is None and is_forward and self.draw(st.booleans()):
            self.memberships[key] = replace(membership, valid_to=day)
            self._then(do.EndMembership(at=self._next(), key=key, valid_to=day))
        else:
            self._then(do.DeleteMembership(at=self._next(), key=key))

    def move_team(self) -> None:
        """Below a team that stands before it in the list, so that no day has a circle."""
        team = self.draw(st.sampled_from(TEAMS))
        parent = self.draw(st.sampled_from([None, *TEAMS[: TEAMS.index(team)]]))
        self._then(do.MoveTeam(at=self._next(), team=team, parent=parent, valid_from=self._day()))

    def change_mapping(self) -> None:
        if self.mappings:
            key, member = self.draw(st.sampled_from(sorted(self.mappings))), self.draw(st.sampled_from(MEMBERS))
            self.mappings[key] = replace(self.mappings[key], member=member)
            self._then(do.ChangeMapping(at=self._next(), key=key, member=member))

    def add_version(self) -> None:
        kpi = self.draw(st.sampled_from([*KPIS, AIMED]))
        valid_from = self.draw(st.one_of(st.none(), st.just(self._day())))
        definition = self.draw(counted_definitions() if kpi == AIMED else definitions(self.kinds))
        self._then(do.AddKpiVersion(at=self._next(), kpi=kpi, definition=definition, valid_from=valid_from))

    def change_settings(self) -> None:
        self._then(
            do.ChangeSettings(
                at=self._next(),
                time_zone=self.draw(st.sampled_from([self.zone, *sorted(ZONES)])),
                currency=self.draw(st.sampled_from(["EUR", "USD"])),
                week_start=self.draw(st.sampled_from([0, 6])),
            )
        )

    def change_counts(self) -> None:
        self._then(do.ChangeCounts(at=self._next(), key="phone", counts=self._counts()))

    def _counts(self) -> frozenset[str] | None:
        return self.draw(st.sampled_from([None, None, None, frozenset({"call.made"}), frozenset(TYPES[1:])]))

    def _span(self) -> tuple[date | None, date | None]:
        valid_from = self.draw(st.one_of(st.none(), st.none(), st.just(self._day())))
        length = self.draw(st.sampled_from([None, None, None, 5, 30]))
        return valid_from, None if length is None else (valid_from or self.center - 20 * DAY) + length * DAY

    def _day(self) -> date:
        return self.draw(days_near(self.center))

    def _key(self) -> str:
        self.keys += 1
        return f"k{self.keys}"

    def _next(self) -> datetime:
        return self.at + timedelta(seconds=1)

    def _then(self, step: Step) -> None:
        self.at = step.at
        self.steps.append(step)


def _overlap(one: tuple[date | None, date | None], other: tuple[date | None, date | None]) -> bool:
    """Whether two half-open spans have a day in common."""
    starts_before_end = one[0] is None or other[1] is None or one[0] < other[1]
    ends_after_start = one[1] is None or other[0] is None or other[0] < one[1]
    return starts_before_end and ends_after_start


# ----------------------------------------------------------------------------------------------------- queries


SUBJECTS = (
    *(Subject("member", member) for member in MEMBERS),
    *(Subject("team", team) for team in TEAMS),
    *(Subject("members_of", team) for team in TEAMS),
)
AIMING = (Subject("team", "north"), Subject("member", "ana"))
EVERYBODY = (Subject("organization"), Subject("unassigned"))


@st.composite
def _queries(draw: DrawFn, steps: tuple[Step, ...], center: date, now: datetime) -> Query:
    """A query in which days are asked only of short periods, and instants lie between the steps."""
    period, grain = draw(_periods(center))
    all_instants = [step.at + timedelta(milliseconds=500) for step in steps]
    kpis = tuple(draw(st.lists(st.sampled_from([*KPIS, REFERRING]), min_size=1, max_size=3, unique=True)))
    subjects = (*EVERYBODY, *draw(st.lists(st.sampled_from(SUBJECTS), min_size=2, max_size=5, unique=True)))
    aiming = AIMING if REFERRING in kpis else ()
    instants = st.one_of(*(st.sampled_from(all_instants[-last:]) for last in (4, 8, 8, len(all_instants))))
    return Query(
        kpis=kpis,
        subjects=tuple(dict.fromkeys((*subjects, *aiming))),
        period=period,
        grain=grain,
        attribution=draw(st.sampled_from(["at_event", "current"])),
        where=draw(st.one_of(st.none(), st.none(), st.none(), filters())),
        group_by=draw(st.one_of(st.none(), st.none(), st.none(), _groupings())),
        compare=draw(st.sampled_from([(), (), ("previous_period",), ("same_period_last_year",)])),
        currency=draw(st.sampled_from([None, None, "EUR", "USD"])),
        rate_set=draw(st.sampled_from([None, None, *_rate_sets(steps)])),
        versions=draw(st.sampled_from([{}, {}, {}, {KPIS[0]: 1}])),
        whole_person=draw(st.integers(0, 3)) == 3,
        as_of=draw(st.one_of(st.none(), st.none(), instants)),
        known_at=draw(st.one_of(st.none(), st.none(), st.none(), instants)),
    )


def _rate_sets(steps: Sequence[Step]) -> list[str]:
    return [step.key for step in steps if isinstance(step, do.AddRateSet)]


@cache
def _groupings() -> SearchStrategy[GroupBy]:
    names = ("properties.channel", "properties.score", "about.customer", "type", "source", "currency")
    by_event = st.builds(GroupBy, event=st.sampled_from([name(each) for each in names]), top=_TOPS)
    return st.one_of(
        by_event, by_event, st.builds(GroupBy, attribute=st.sampled_from(["revenue_role", "country"]), top=_TOPS)
    )


_TOPS = st.sampled_from([None, None, 1, 2])


@st.composite
def _periods(draw: DrawFn, center: date) -> tuple[str, Grain]:
    """Mostly such in which something happens; relative ones lie where T is."""
    quarter = f"{center.year}-Q{(center.month + 2) // 3}"
    year, week, _ = center.isocalendar()
    short = [
        f"{center:%Y-%m}",
        f"{center - DAY:%Y-%m}",
        f"{year}-W{week:02}",
        (center - DAY).isoformat(),
        f"{center - 8 * DAY}..{center + 1 * DAY}",
        f"{center - 3 * DAY}..{center + 2 * DAY}",
        draw(st.sampled_from(["this_month", "last_month", "this_week", "last_week", "last_10_days"])),
    ]
    long = [quarter, str(center.year), f"{center - 50 * DAY}..{center + 9 * DAY}"]
    text = draw(st.sampled_from(short + long * 2))
    coarse: list[Grain] = ["total", "year", "quarter", "month", "month"]
    fine: list[Grain] = ["total", "month", "week", "day"]
    return text, draw(st.sampled_from(fine if text in short else coarse))
