"""Random scripts and queries for hypothesis: small organizations in which much goes wrong in a short time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.reference import steps as do
from tests.reference.days import DAY, Grain, first_instant
from tests.reference.definitions_random import KPIS, definitions, filters
from tests.reference.ledger import Item
from tests.reference.results import Query
from tests.reference.snapshot import Subject
from tests.reference.steps import Step
from tests.reference.world import Content, Credit, Identity, PropertyValue

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
SOURCES = ("api", "phone")
IDENTITIES = tuple(Identity(source, person) for source in SOURCES for person in ("p1", "p2", "p3"))
TYPES = ("call.made", "lead.created", "deal.created", "deal.won", "deal.lost")
OFTEN = (*TYPES, "call.made", "call.made", "lead.created", "deal.won", "deal.won")
SHARES = (("1",), ("0.6", "0.4"), ("0.5", "0.25", "0.25"))
ROLL_CALL_AT = datetime(2020, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A script, queries about it, and the instant after it at which they are asked."""

    steps: tuple[Step, ...]
    queries: tuple[Query, ...]
    now: datetime


@st.composite
def cases(draw: DrawFn, *, changes: int = 10, queries: int = 4) -> Case:
    """A random script of at most so many changes after its setting up, with at most so many queries."""
    zone, center = draw(st.sampled_from(sorted(ZONES.items())))
    teller = _Teller(draw, zone, center)
    teller.set_up()
    for _ in range(draw(st.integers(min(4, changes), changes))):
        teller.change()
    now = teller.at + draw(st.sampled_from([timedelta(seconds=1), timedelta(hours=7), 3 * DAY, 9 * DAY, 20 * DAY]))
    asked = draw(st.lists(_queries(tuple(teller.steps), center, now), min_size=1, max_size=queries))
    return Case(tuple(teller.steps), tuple(asked), now)


# ----------------------------------------------------------------------------------------------------- scripts


class _Teller:
    """Tells a script: knows what stands, so that each step is possible when it comes."""

    def __init__(self, draw: DrawFn, zone: str, center: date) -> None:
        self.draw, self.zone, self.center = draw, zone, center
        week_start = draw(st.sampled_from([0, 0, 6]))
        self.at = first_instant(center + draw(st.sampled_from([-3, 0, 1, 2])) * DAY, zone)
        self.steps: list[Step] = [do.CreateOrganization(at=self.at, time_zone=zone, week_start=week_start)]
        self.memberships: dict[str, do.AddMembership] = {}
        self.mappings: dict[str, do.MapIdentity] = {}
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
        for kpi in KPIS:
            self._then(do.AddKpi(at=self._next(), kpi=kpi, definition=self.draw(definitions())))
        for _ in range(3):
            self.post_events()

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
        ]
        self.draw(st.sampled_from(happenings))()

    def post_events(self) -> None:
        source = self.draw(st.sampled_from(SOURCES))
        items = self.draw(st.lists(_items(source, self.zone, self.center), min_size=4, max_size=10))
        self._then(do.PostEvents(at=self._next(), source=source, items=tuple(items)))

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
        kpi = self.draw(st.sampled_from(KPIS))
        valid_from = self.draw(st.one_of(st.none(), st.just(self._day())))
        definition = self.draw(definitions())
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
        return self.draw(_days(self.center))

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


# ------------------------------------------------------------------------------------------------------ events


def _days(center: date) -> SearchStrategy[date]:
    """Days near the change of the clocks, in the month before, and a few ahead."""
    near = [-40, -31, -30, -8, -7, -3, -2, -2, -1, -1, -1, 0, 0, 0, 1, 1, 2, 7, 30]
    return st.sampled_from([center + n * DAY for n in near])


def _instants(zone: str, center: date) -> SearchStrategy[datetime]:
    """Around midnights and in the hours in which clocks change; often equal."""
    offsets = [
        timedelta(0),
        timedelta(microseconds=-1),
        timedelta(microseconds=1),
        timedelta(minutes=45),
        timedelta(hours=2, minutes=30),
        timedelta(hours=12),
        timedelta(hours=23, minutes=30),
    ]
    return st.builds(lambda day, offset: first_instant(day, zone) + offset, _days(center), st.sampled_from(offsets))


@st.composite
def _items(draw: DrawFn, source: str, zone: str, center: date) -> Item:
    """An item as posted: few ids and versions, so that corrections, repetitions and conflicts are many."""
    external_id = f"e{draw(st.integers(0, 24))}"
    version = draw(st.sampled_from([0, 1, 1, 2, 3]))
    is_retraction = draw(st.integers(0, 11)) == 11
    return Item(
        external_id=external_id,
        version=version,
        content=None if is_retraction else draw(_contents(source, zone, center)),
    )


@st.composite
def _contents(draw: DrawFn, source: str, zone: str, center: date) -> Content:
    people = [identity for identity in IDENTITIES if identity.source == source]
    amount = draw(st.sampled_from([None, "0", "99.90", "100", "100", "1250.005"]))
    return Content(
        type=draw(st.sampled_from(OFTEN)),
        occurred_at=draw(_instants(zone, center)),
        occurred_on=draw(st.one_of(st.none(), st.none(), _days(center))),
        actor=draw(st.sampled_from([None, *people])),
        credits=(*draw(_credits("owner", people)), *draw(_credits("sourcer", people))),
        about=draw(_things()),
        amount=None if amount is None else Decimal(amount),
        currency=None if amount is None else draw(st.sampled_from(["EUR", "EUR", "USD", None])),
        quantity=draw(st.sampled_from([None, Decimal(1), Decimal("2.5")])),
        duration_seconds=draw(st.sampled_from([None, Decimal(0), Decimal(340)])),
        properties=draw(_properties()),
    )


@st.composite
def _credits(draw: DrawFn, role: str, people: Sequence[Identity]) -> tuple[Credit, ...]:
    """No credits in the role, or shares that add up to 1 of different people."""
    if draw(st.booleans()):
        return ()
    shares = draw(st.sampled_from(SHARES))
    who = draw(st.permutations(list(people)))
    return tuple(Credit(role, identity, Decimal(share)) for identity, share in zip(who, shares, strict=False))


@st.composite
def _things(draw: DrawFn) -> dict[str, str]:
    """What an event is about: few things, so that events meet."""
    chosen = {
        "lead": draw(st.sampled_from(["L1", "L2", "L3", None])),
        "customer": draw(st.sampled_from(["C1", "C2", None])),
        "deal": draw(st.sampled_from(["D1", "D2", "D3", None])),
    }
    return {thing: key for thing, key in chosen.items() if key is not None}


def _properties() -> SearchStrategy[dict[str, PropertyValue]]:
    """Some missing, some of the wrong type."""
    channel: SearchStrategy[PropertyValue] = st.sampled_from(["partner", "web", "Web", Decimal(3), True])
    score: SearchStrategy[PropertyValue] = st.sampled_from([Decimal(3), Decimal("4.5"), Decimal(-1), "high", False])
    return st.fixed_dictionaries({}, optional={"channel": channel, "score": score})


# ----------------------------------------------------------------------------------------------------- queries


SUBJECTS = (
    *(Subject("member", member) for member in MEMBERS),
    *(Subject("team", team) for team in TEAMS),
    *(Subject("members_of", team) for team in TEAMS),
)
EVERYBODY = (Subject("organization"), Subject("unassigned"))


@st.composite
def _queries(draw: DrawFn, steps: tuple[Step, ...], center: date, now: datetime) -> Query:
    """A query in which days are asked only of short periods, and instants lie between the steps."""
    period, grain = draw(_periods(center))
    all_instants = [step.at + timedelta(milliseconds=500) for step in steps]
    instants = st.one_of(*(st.sampled_from(all_instants[-last:]) for last in (4, 8, 8, len(all_instants))))
    return Query(
        kpis=tuple(draw(st.lists(st.sampled_from(KPIS), min_size=1, max_size=3, unique=True))),
        subjects=(*EVERYBODY, *draw(st.lists(st.sampled_from(SUBJECTS), min_size=2, max_size=5, unique=True))),
        period=period,
        grain=grain,
        attribution=draw(st.sampled_from(["at_event", "current"])),
        where=draw(st.one_of(st.none(), st.none(), st.none(), filters())),
        compare_previous=draw(st.booleans()),
        currency=draw(st.sampled_from([None, None, "EUR", "USD"])),
        versions=draw(st.sampled_from([{}, {}, {}, {KPIS[0]: 1}])),
        whole_person=draw(st.integers(0, 3)) == 3,
        as_of=draw(st.one_of(st.none(), st.none(), instants)),
        known_at=draw(st.one_of(st.none(), st.none(), st.none(), instants)),
    )


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
