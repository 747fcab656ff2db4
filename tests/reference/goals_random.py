"""Random scripts about goals: people who come, go, move and are away, targets that change, and instants to ask at."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from app.core.units import COUNT, DURATION, MONEY
from app.kpis.definition import Definition
from tests.reference import steps as do
from tests.reference.days import DAY, Grain
from tests.reference.definitions import count, counted, kpi, name, op, over, ref, single, target_of, win_rate
from tests.reference.events_random import IDENTITIES, items
from tests.reference.questions import Query
from tests.reference.snapshot import Subject
from tests.reference.steps import Step
from tests.reference.world import Follows, Identity, Milestone
from tests.reference.worlds import MEMBERS, OWNERS, TEAMS, ZONES, Teller

_NET = kpi(op(name("won"), "-", name("lost")), COUNT, won=count("deal.won", "call.made"), lost=count("deal.lost"))
KPIS: dict[str, Definition] = {
    "calls": counted("call.made", "deal.created"),
    "lost": replace(counted("deal.lost", "lead.created"), direction="decrease"),
    "revenue": single(over("sum", "amount", "deal.won", "call.made"), MONEY),
    "talked": replace(single(over("sum", "duration_seconds", "call.made"), DURATION), direction="decrease"),
    "net": _NET,
    "both": kpi(op(name("calls"), "+", name("won")), COUNT, calls=count("call.made"), won=count("deal.won")),
    "through": replace(kpi(ref("net"), COUNT), direction="decrease"),
    "rate": win_rate(),
    "length": replace(single(over("avg", "duration_seconds", "call.made"), DURATION), direction="decrease"),
    "steady": replace(win_rate(), direction="maintain"),
    "load": replace(counted("call.made"), direction="maintain"),
}
AIMS = "aims"
_ADDING = ("calls", "lost", "revenue", "talked", "net", "both", "through")
_TARGETS = {"calls": ("4", "9", "25"), "revenue": ("150", "800.50", "3000"), "talked": ("5000", "100000")}
_FOLLOWS: tuple[Follows, ...] = ("working_time", "working_time", "seasonal", "linear", "auto")


@dataclass(frozen=True)
class GoalCase:
    """A script, the names of its goals, a question about targets, and the instants at which they are asked.

    The first steps, of people and KPIs, are of before all these instants: when exactly does not matter.
    """

    beginning: tuple[Step, ...]
    steps: tuple[Step, ...]
    goals: tuple[str, ...]
    aims: Query
    now: datetime
    instants: tuple[datetime, ...]


@st.composite
def goal_cases(draw: DrawFn, *, changes: int = 8) -> GoalCase:
    """A random script with some goals and at most so many changes."""
    zone, center = draw(st.sampled_from(sorted(ZONES.items())))
    teller = GoalTeller(draw, zone, center, ())
    teller.set_up()
    for _ in range(draw(st.integers(2, changes))):
        teller.change()
    now = teller.at + draw(st.sampled_from([timedelta(seconds=1), timedelta(hours=7), 3 * DAY, 9 * DAY, 40 * DAY]))
    between = [step.at + timedelta(milliseconds=500) for step in teller.steps[teller.begun :]]
    instants = draw(st.lists(st.sampled_from(between), min_size=1, max_size=2, unique=True))
    run = f"{center - 4 * DAY}..{center + 3 * DAY}"
    asked_of: list[tuple[str, Grain]] = [(f"{center:%Y-%m}", "week"), (f"{center:%Y-%m}", "total"), (run, "day")]
    period, grain = draw(st.sampled_from(asked_of))
    asked = Query(
        kpis=(AIMS,),
        subjects=(Subject("organization"), Subject("team", "north"), Subject("member", "ana")),
        period=period,
        grain=grain,
        as_of=draw(st.sampled_from([None, *instants])),
    )
    begun = teller.begun
    return GoalCase(
        tuple(teller.steps[:begun]), tuple(teller.steps[begun:]), tuple(teller.aimed), asked, now, tuple(instants)
    )


class GoalTeller(Teller):
    """Tells a script about goals."""

    aimed: dict[str, do.AddGoal]
    begun: int

    def set_up(self) -> None:
        """People, teams, KPIs, events; then goals of everybody and of every kind."""
        self.aimed = {}
        for member in MEMBERS:
            self._then(do.AddMember(at=self._next(), member=member))
        for place, team in enumerate(TEAMS):
            parent = self.draw(st.sampled_from([None, *TEAMS[:place]]))
            self._then(do.AddTeam(at=self._next(), team=team, parent=parent))
        for member in MEMBERS:
            self.add_membership(member)
        for identity in IDENTITIES[:3]:
            self.map_identity(identity)
        self.employ()
        for key, shares in (("slow", ("0", "0.5")), ("slower", ("0.25", "0.5", "0.75"))):
            self._then(do.AddRamp(at=self._next(), key=key, shares=tuple(Decimal(share) for share in shares)))
        for key, definition in KPIS.items():
            self._then(do.AddKpi(at=self._next(), kpi=key, definition=definition))
        aims = replace(single(count("call.made"), COUNT), formula=target_of("calls"), measures={})
        self._then(do.AddKpi(at=self._next(), kpi=AIMS, definition=aims))
        for _ in range(3):
            self.post_events()
        self.begun = len(self.steps)
        self.at += timedelta(seconds=1)
        self.add_absence("ana", self.center + self.draw(st.sampled_from([-4, -1, -20])) * DAY)
        for _ in range(self.draw(st.integers(3, 5))):
            self.aim()
        if self.draw(st.booleans()):
            self.aim_at_parts()

    def change(self) -> None:
        """What may happen to goals and to those whose they are."""
        self.at += self.draw(st.sampled_from([timedelta(0), timedelta(minutes=3), timedelta(hours=9), 2 * DAY]))
        happenings: list[Callable[[], None]] = [
            self.post_events,
            self.post_events,
            self.map_identity,
            self.add_membership,
            self.end_membership,
            self.move_team,
            self.add_absence,
            self.aim,
            self.change_target,
            self.change_terms,
            self.set_goal_settings,
            self.add_day_off,
        ]
        self.draw(st.sampled_from(happenings))()

    def post_events(self) -> None:
        """Of our own API's source alone."""
        posted = self.draw(st.lists(items("api", self.zone, self.center), min_size=5, max_size=12))
        self._then(do.PostEvents(at=self._next(), source="api", items=tuple(posted)))

    def map_identity(self, known: Identity | None = None) -> None:
        """Of our own API's source alone."""
        super().map_identity(known or self.draw(st.sampled_from(IDENTITIES[:3])))

    def move_team(self) -> None:
        """Below a team that stands before it in the list."""
        team = self.draw(st.sampled_from(TEAMS))
        parent = self.draw(st.sampled_from([None, *TEAMS[: TEAMS.index(team)]]))
        self._then(do.MoveTeam(at=self._next(), team=team, parent=parent, valid_from=self._day()))

    def add_membership(self, known: str | None = None) -> None:
        """Most are in one of the first teams."""
        if known is None or self.draw(st.integers(0, 5)):
            super().add_membership(known)

    def add_day_off(self) -> None:
        """Another calendar becomes the organization's."""
        if not any(isinstance(step, do.AddCalendar) and step.key == "new" for step in self.steps):
            self.add_calendar("new")

    # ---------------------------------------------------------------------------------------------------- goals

    def aim(self) -> None:
        """A goal of any kind."""
        owner = self.draw(st.sampled_from([*OWNERS, ("team", "south"), ("member", "bo")]))
        key = self.draw(st.sampled_from([*KPIS, "calls", "calls"]))
        start, end = self.draw(st.sampled_from(self._periods()))
        if self._is_aimed(owner, key, start, end):
            return
        goal = do.AddGoal(
            at=self._next(),
            key=f"g{len(self.aimed) + 1}",
            kpi=key,
            owner=owner,
            start=start,
            end=end,
            value=None,
            currency=self.draw(st.sampled_from([None, "USD"])) if key == "revenue" else None,
        )
        if KPIS[key].direction == "maintain":
            edges = ("0.4", "0.6") if key == "steady" else ("3", "12")
            goal = replace(goal, low=Decimal(edges[0]), high=Decimal(edges[1]))
        else:
            goal = replace(goal, value=self._value(key), stretch=None)
        if key in _ADDING:
            goal = self._with_terms(goal)
        self.aimed[goal.key] = goal
        self._then(goal)

    def _is_aimed(self, owner: tuple[str, str], key: str, start: date, end: date) -> bool:
        """Whether there is a goal for it: of two for the same days either may be told."""
        return any(
            (goal.owner, goal.kpi, goal.start, goal.end) == (owner, key, start, end) for goal in self.aimed.values()
        )

    def _with_terms(self, goal: do.AddGoal) -> do.AddGoal:
        """What only targets that add up may have."""
        expected, ramp, milestones = self._terms(goal)
        factor = Decimal("1.25") if KPIS[goal.kpi].direction == "increase" else Decimal("0.75")
        stretch = None if goal.value is None else self.draw(st.sampled_from([None, goal.value * factor]))
        return replace(goal, stretch=stretch, expected=expected, ramp=ramp, milestones=milestones)

    def _terms(self, goal: do.AddGoal) -> tuple[Follows, str | None, tuple[Milestone, ...]]:
        follows = self.draw(st.sampled_from(_FOLLOWS))
        ramps = (
            [None, None, "slow", "slower"] if goal.owner[0] != "organization" and follows == "working_time" else [None]
        )
        due_on = self.draw(st.sampled_from([None, goal.start + 3 * DAY]))
        milestones = (
            Milestone("half", share=Decimal("0.5"), due_on=due_on),
            Milestone("some", value=Decimal(self.draw(st.sampled_from(["1", "2.5", "400"])))),
        )
        return follows, self.draw(st.sampled_from(ramps)), self.draw(st.sampled_from([(), milestones]))

    def _value(self, key: str) -> Decimal:
        return Decimal(self.draw(st.sampled_from(_TARGETS.get(key, ("0.5", "3", "8")))))

    def _periods(self) -> list[tuple[date, date]]:
        month = self.center.replace(day=1)
        return [
            (month, (month + 31 * DAY).replace(day=1)),
            (self.center - 4 * DAY, self.center + 10 * DAY),
            (self.center - 15 * DAY, self.center + 4 * DAY),
            (self.center - 3 * DAY, self.center + 2 * DAY),
        ]

    def aim_at_parts(self) -> None:
        """A goal that counts its parts: of people, and of a team."""
        owner = self.draw(st.sampled_from([("organization", ""), ("team", "north")]))
        self._part("whole", owner, Decimal(20), None)
        parts = [("member", "ana"), ("member", "bo")]
        if owner[0] == "organization":
            parts += [("team", "north"), ("member", "cy")]
        for part in parts:
            if owner[0] == "organization" or self._is_in_north(part[1]):
                self._part(f"part of {part[1]}", part, Decimal(8), "whole")

    def _part(self, key: str, owner: tuple[str, str], value: Decimal, parent: str | None) -> None:
        start, end = self._days_of_parts()
        goal = do.AddGoal(
            at=self._next(),
            key=key,
            kpi="calls",
            owner=owner,
            start=start,
            end=end,
            value=value,
            parent=parent,
            counts="own" if parent else "parts",
        )
        self.aimed[goal.key] = goal
        self._then(goal)

    def _days_of_parts(self) -> tuple[date, date]:
        return self.center - 6 * DAY, self.center + 9 * DAY

    def _is_in_north(self, member: str) -> bool:
        """Whether they are directly in the team on a day of the parts: else they have no part in its goal."""
        start, end = self._days_of_parts()
        return any(
            (each.member, each.team) == (member, "north")
            and (each.valid_from is None or each.valid_from < end)
            and (each.valid_to is None or each.valid_to > start)
            for each in self.memberships.values()
        )

    def change_target(self) -> None:
        """Another value for a goal that has one."""
        found = [goal for goal in self.aimed.values() if goal.value is not None]
        if found:
            goal = self.draw(st.sampled_from(found))
            self._then(do.ChangeTarget(at=self._next(), key=goal.key, value=self._value(goal.kpi)))

    def change_terms(self) -> None:
        """What the share due by now follows, the ramp and the milestones."""
        found = [goal for goal in self.aimed.values() if goal.kpi in _ADDING and goal.counts == "own"]
        if found:
            goal = self.draw(st.sampled_from(found))
            expected, ramp, milestones = self._terms(goal)
            self._then(
                do.ChangeTerms(at=self._next(), key=goal.key, expected=expected, ramp=ramp, milestones=milestones)
            )

    def set_goal_settings(self) -> None:
        """By what pace is judged."""
        behind, ahead, early = self.draw(
            st.sampled_from([("0.8", "1.2", "0"), ("1", "1", "0.3"), ("0.9", "1.1", "0.05")])
        )
        self._then(
            do.SetGoalSettings(
                at=self._next(),
                behind_below=Decimal(behind),
                ahead_above=Decimal(ahead),
                too_early_before=Decimal(early),
            )
        )
