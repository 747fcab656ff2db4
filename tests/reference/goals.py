"""How a goal stands at an instant, by the sentences of S30–S34; all in fractions, all days in loops.

A figure that the paper leaves open is not in the answer: whoever compares it asks only what is here.
"""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from app.core.units import COUNT
from app.kpis.definition import EventMeasure
from app.kpis.expressions.syntax import Name
from tests.reference import days, due
from tests.reference.days import DAY, Window, first_instant
from tests.reference.due import WorkDay
from tests.reference.evaluate import OUTPUT, coefficients
from tests.reference.figures import Figures, NoFigureError, Place, Seen
from tests.reference.goal_figures import (
    Aim,
    MilestoneStatus,
    PaceVerdict,
    PartStanding,
    Point,
    Reached,
    Standing,
    Verdict,
)
from tests.reference.questions import Query
from tests.reference.snapshot import Snapshot, Subject
from tests.reference.world import Goal, GoalSettings, KpiVersion, Milestone, World, known


def standing(world: World, key: str, *, as_of: datetime | None, now: datetime) -> Standing | None:
    """A goal as of an instant, or at present (S5, S6); None where it had no terms by then."""
    at = as_of or now
    known_at = as_of or world.last_recorded_at
    terms = [goal for goal in known(world.goals, known_at) if goal.key == key]
    return Judge(world, terms[0], known_at, at).standing() if terms else None


def baseline_of(world: World, goal: Goal) -> Decimal | None:
    """What the KPI was over the days that a relative target is compared with, as it was known then; 15 digits."""
    assert goal.change is not None
    at = goal.set_at or goal.recorded_at
    judge = Judge(world, replace(goal, change=None), at - timedelta(microseconds=1), at)
    window = judge.earlier(goal.change.on)
    value = None if window is None else judge.value(judge.subject, window)
    return None if value is None else OUTPUT.divide(Decimal(value.numerator), Decimal(value.denominator))


class Judge:
    """A goal's terms against one snapshot."""

    def __init__(self, world: World, goal: Goal, known_at: datetime, at: datetime) -> None:
        self.world, self.goal, self.at, self.known_at = world, goal, at, known_at
        self.snapshot = Snapshot(world, known_at=known_at, at=at, currency=goal.currency)
        self.window = Window(goal.start, goal.end)
        self.subject = Subject("organization") if goal.owner[0] == "organization" else _subject(goal.owner)
        self.settings = next(iter(known(world.goal_settings, known_at)), GoalSettings(recorded_at=at))
        self._figures: dict[str, Figures] = {}
        self.baseline: Fraction | None = None
        if goal.change is not None:
            found = baseline_of(world, goal)
            assert found is not None
            self.baseline = Fraction(found)

    # --------------------------------------------------------------------------------------------- the KPI

    def figures(self, kpi: str) -> Figures:
        """The figures of a KPI, computed once."""
        if kpi not in self._figures:
            self._figures[kpi] = Figures(self.snapshot, Query(kpis=(kpi,), period=""), kpi, self.figures)
        return self._figures[kpi]

    def value(self, subject: Subject, window: Window) -> Fraction | None:
        """The KPI over some days, as exactly as it is computed."""
        try:
            found, _ = self.figures(self.goal.kpi).figure(Place(subject, window), Seen())
        except NoFigureError:
            return None
        return None if found is None else Fraction(found)

    @property
    def version(self) -> KpiVersion:
        """The KPI's version that was made last."""
        return self.figures(self.goal.kpi).versions[-1]

    @property
    def is_additive(self) -> bool:
        """Whether values of parts of the period add up to that of the whole (S24)."""
        return self.figures(self.goal.kpi).is_additive(Place(self.subject, self.window))

    @property
    def only_grows(self) -> bool:
        """Whether passing time can only add to the value: counts and sums, of which none is taken away (S34)."""
        return self.is_additive and self._grows(self.goal.kpi)

    def _grows(self, kpi: str) -> bool:
        linear = coefficients(self.figures(kpi).versions[-1].definition.formula)
        return linear is not None and all(
            factor >= 0 and (not name.startswith("kpi.") or self._grows(name.removeprefix("kpi.")))
            for name, factor in linear[0].items()
        )

    @property
    def direction(self) -> Literal["increase", "decrease", "maintain"]:
        """That of the KPI when the goal was made: its first version's, in these tests."""
        direction: Literal["increase", "decrease", "maintain"] = self.version.definition.direction
        return direction

    # ------------------------------------------------------------------------------------------- standing

    def standing(self) -> Standing:
        """All of it."""
        goal = self.goal
        cell = self.figures(goal.kpi).cell(Place(self.subject, self.window))
        parts = self.parts() if goal.counts == "parts" else []
        actual = self.value(self.subject, self.window)
        if goal.counts == "parts":
            actual = sum((part.actual for part in parts), Fraction(0))
        found = Standing(goal, cell, actual, self.aim, self.ramp_share, self.effective, parts=parts)
        found.share, found.follows = self.share_before(self.tomorrow_or_today()), self.follows
        found.expected = self.expected_at(found.share)
        found.working_days = self.working_days()
        if self.aim.value != 0:
            self._judge(found)
        self._count_what_is_left(found)
        found.curve = self.curve()
        found.contributions = self.contributions()
        if self.aim.value != 0 and goal.counts == "own":
            found.milestones = [self.milestone(each) for each in goal.milestones]
        return found

    @property
    def kept(self) -> Fraction:
        """Averages, ratios, bands and the organization's own goals keep their targets."""
        is_touched = self.is_additive and self.goal.owner[0] != "organization" and self.direction != "maintain"
        return due.kept(self.snapshot, self.goal) if is_touched else Fraction(1)

    @property
    def ramp_share(self) -> Fraction | None:
        """What the ramp asks for in this period; None without one."""
        return None if self.goal.ramp is None else due.ramp_share(self.snapshot, self.goal)

    @property
    def target(self) -> Fraction | None:
        """As it was set: what a change makes of its baseline has 15 digits."""
        change = self.goal.change
        if change is None:
            return None if self.goal.value is None else Fraction(self.goal.value)
        assert self.baseline is not None
        exact = (
            self.baseline * (1 + Fraction(change.by))
            if change.by is not None
            else self.baseline + Fraction(change.amount or 0)
        )
        return Fraction(OUTPUT.divide(Decimal(exact.numerator), Decimal(exact.denominator)))

    @property
    def aim(self) -> Aim:
        """What counts of the target: after absences and by the ramp."""
        low, high = (None if edge is None else Fraction(edge) for edge in (self.goal.low, self.goal.high))
        return Aim(self.direction, None if self.target is None else self.target * self.kept, low, high)

    @property
    def effective(self) -> Fraction | None:
        """The effective target, where it is not the target."""
        return self.aim.value if self.kept != 1 else None

    def _judge(self, found: Standing) -> None:
        """Attainment, pace and verdict (S30, S32, S34)."""
        if found.actual is not None:
            found.attainment = self.aim.attainment(found.actual)
            if self.goal.stretch is not None:
                stretch = Aim(self.direction, Fraction(self.goal.stretch) * self.kept)
                found.stretch_attainment = stretch.attainment(found.actual)
            if self.baseline is not None and self.target is not None:
                found.change_attainment = (found.actual - self.baseline) / (self.target - self.baseline)
            found.pace = self.pace(found.actual, found.share)
        found.pace_verdict = self.pace_verdict(found)
        found.verdict = self.verdict(found.actual)

    def pace(self, actual: Fraction, share: Fraction) -> Fraction | None:
        """Attainment against what is due; None where nothing is, or nothing of a limit was used (S32)."""
        aim = self.aim
        if not self.is_additive or aim.direction == "maintain":
            return aim.attainment(actual)
        assert aim.value is not None
        if share == 0:
            return None
        if aim.direction == "increase":
            return aim.attainment(actual) / share
        return None if actual <= 0 else aim.value * share / actual

    def pace_verdict(self, found: Standing) -> PaceVerdict | None:
        """Too early first; then by the thresholds (S32). Nothing is said without data."""
        is_counted = self.version.definition.unit == COUNT
        if found.actual is None:
            return None
        if found.share < Fraction(self.settings.too_early_before):
            return "too_early"
        if is_counted and self.is_additive and found.expected is not None and found.expected < 1:
            return "too_early"
        if found.pace is None or found.pace > Fraction(self.settings.ahead_above):
            return "ahead"
        return "behind" if found.pace < Fraction(self.settings.behind_below) else "on_track"

    def verdict(self, actual: Fraction | None) -> Verdict | None:
        """By S34; before the period there is none."""
        if actual is None or self.at < first_instant(self.goal.start, self.snapshot.zone):
            return None
        is_reached = self.aim.is_reached(actual)
        if self.is_over:
            return "attained" if is_reached else "missed"
        if self.direction == "increase" and is_reached and self.only_grows:
            return "attained"
        if self.direction == "decrease" and not is_reached and self.only_grows:
            return "missed"
        return "on_course" if is_reached else None

    @property
    def is_over(self) -> bool:
        return first_instant(self.goal.end, self.snapshot.zone) <= self.at

    # ------------------------------------------------------------------------------------------ what is due

    def tomorrow_or_today(self) -> date:
        """The first day that is not past: a day is past at its end."""
        day = self.goal.start
        while day < self.goal.end and first_instant(day + DAY, self.snapshot.zone) <= self.at:
            day += DAY
        return day

    def working_days(self) -> tuple[int, int]:
        """Those past, and all of the period, by the organization's calendar."""
        working = [day for day in self.window.days() if self.snapshot.work.is_working_day(day)]
        return sum(day < self.tomorrow_or_today() for day in working), len(working)

    @property
    def follows(self) -> str:
        """What the share due by now follows (S31); what does not add up follows working time."""
        asked = self.goal.expected
        if asked == "linear":
            return "linear"
        enough = {"working_time": 4, "seasonal": 1, "auto": 3}[asked]
        return "seasonal" if self.is_additive and len(self.seasons()) >= enough else "working_time"

    def share_before(self, day: date) -> Fraction:
        """The share due before a day of the period begins."""
        if self.follows == "linear":
            return Fraction((day - self.goal.start).days, (self.goal.end - self.goal.start).days)
        share = due.share_of(self.snapshot, self.goal, lambda each: each < day)
        if self.follows == "working_time":
            return share
        seasons = self.seasons()
        mean = sum((self._season_share(season, share) for season in seasons), Fraction(0)) / len(seasons)
        return max(mean, Fraction(0))

    def seasons(self) -> list[Window]:
        """Those of the three periods of the same kind before in which there was anything."""
        found, earlier = [], _named(self.window)
        for _ in range(3):
            earlier = days.before(earlier, self.snapshot.settings.week_start)
            if (self.value(self.subject, earlier) or 0) > 0:
                found.append(earlier)
        return found

    def _season_share(self, season: Window, share: Fraction) -> Fraction:
        """What of an earlier period's total was there after the same share of its working time.

        In between days by a straight line; where working time stands still (weekends), after the last such day.
        """
        if share in {0, 1}:
            return share
        course = [(Fraction(0), Fraction(0))]
        whole = self.value(self.subject, season) or Fraction(0)
        then = replace(self.goal, start=season.start, end=season.end, ramp=None)
        for day in season.days():
            time = due.share_of(self.snapshot, then, lambda each, last=day: each <= last)  # type: ignore[misc]
            so_far = self.value(self.subject, Window(season.start, day + DAY)) or Fraction(0)
            course.append((time, so_far / whole))
        before = [point for point in course if point[0] <= share][-1]
        after = next(point for point in course if point[0] > share)
        if before[0] == share:
            return before[1]
        return before[1] + (after[1] - before[1]) * (share - before[0]) / (after[0] - before[0])

    def expected_at(self, share: Fraction) -> Fraction | None:
        """What the KPI is expected to be: of the target its share, of what does not add up the target itself."""
        value = self.aim.value
        return value if value is None or not self.is_additive else value * share

    def earlier(self, which: str) -> Window | None:
        """The period before of the same kind, or the one of a year before (S21)."""
        named = _named(self.window)
        if which == "same_period_last_year":
            return days.a_year_before(named)
        return days.before(named, self.snapshot.settings.week_start)

    def _count_what_is_left(self, found: Standing) -> None:
        """Days with today on which the owner works, those that have ended, and what is still to be done in them.

        Of whom absences leave no day, those of the plan; where nobody works at all, every day.
        """
        planned = due.planned(self.snapshot, self.goal.owner, self.window.days())
        worked = {day.day for day in planned if day.absence is None and day.seconds}
        worked = worked or {day.day for day in planned if day.seconds} or set(self.window.days())
        found.working_days_left = 0 if self.is_over else sum(day >= self.snapshot.today for day in worked)
        found.working_days_behind = sum(day < self.tomorrow_or_today() for day in worked)
        value = self.aim.value
        if value is not None and found.actual is not None and self.is_additive:
            left = value - found.actual
            found.remaining = max(left, Fraction(0)) if self.direction == "increase" else left

    # ------------------------------------------------------------------------------------ curve, milestones

    def curve(self) -> list[Point]:
        """A point for each day; the KPI from the beginning to its end, None for days to come.

        Today's is the actual value, with what is dated later though it happened already (S1).
        """
        return [
            Point(day, self._to_date(day), self.expected_at(self.share_before(day + DAY))) for day in self.window.days()
        ]

    def _to_date(self, day: date) -> Fraction | None:
        if first_instant(day, self.snapshot.zone) > self.at:
            return None
        if self.goal.counts == "parts":
            return sum((part.actual for part in self.parts(day + DAY)), Fraction(0))
        if day == self.snapshot.today:
            return self.value(self.subject, self.window)
        return self.value(self.subject, Window(self.goal.start, day + DAY))

    def milestone(self, wanted: Milestone) -> Reached:
        """When the KPI was first there, by present knowledge; of a limit whether it is not above at the end."""
        value = (
            Fraction(wanted.value) if wanted.value is not None else (self.aim.value or 0) * Fraction(wanted.share or 0)
        )
        by = self.goal.end if wanted.due_on is None else wanted.due_on + DAY
        is_due = first_instant(by, self.snapshot.zone) <= self.at
        if self.direction == "decrease":
            return Reached(wanted.key, value, self._kept_below(value, by, is_due=is_due))
        at = self._first_at(value)
        if at is None:
            is_late = is_due and wanted.due_on is not None
            return Reached(wanted.key, value, "missed" if self.is_over else "overdue" if is_late else "open")
        return Reached(wanted.key, value, "reached", at)

    def _kept_below(self, limit: Fraction, by: date, *, is_due: bool) -> MilestoneStatus | None:
        value = self.value(self.subject, Window(self.goal.start, by))
        if value is None:
            return None if is_due else "open"
        if is_due:
            return "reached" if value <= limit else "missed"
        return "missed" if value > limit and self.only_grows else "open"

    def _first_at(self, value: Fraction) -> datetime | None:
        """The instant of the event that made it, where the KPI is one count or sum; else the end of the day, or T."""
        formula, measures = self.version.definition.formula, self.version.definition.measures
        versions = {self.figures(self.goal.kpi).version_on(day).number for day in self.window.days()}
        name = formula.path[0] if isinstance(formula, Name) and len(formula.path) == 1 else None
        if name is not None and isinstance(measures[name], EventMeasure) and self.is_additive and len(versions) == 1:
            return self._instant_at(name, value)
        for day in self.window.days():
            found = self._to_date(day)
            if found is not None and found >= value:
                return min(first_instant(day + DAY, self.snapshot.zone), self.at)
        return None

    def _instant_at(self, name: str, value: Fraction) -> datetime | None:
        version = self.version
        is_count = version.definition.measures[name].aggregate == "count"
        weighted = self.figures(self.goal.kpi).weighted(version, name, Place(self.subject, self.window))
        entering = [(weight, entry) for weight, entry in weighted if entry.state == "enters"]
        for instant in sorted({entry.fact.content.occurred_at for _, entry in entering}):
            total = sum(
                (
                    Fraction(weight) * (1 if is_count else Fraction(entry.value))
                    for weight, entry in entering
                    if entry.fact.content.occurred_at <= instant
                ),
                Fraction(0),
            )
            if total >= value:
                return instant
        return None

    # ------------------------------------------------------------------------------------------------ parts

    def parts(self, until: date | None = None) -> list[PartStanding]:
        """Teams first: of a later part only the days of people whom no earlier one counts (S33).

        What they achieved before a day: of days to come nothing, whatever is dated there already.
        """
        last = until or self.snapshot.today + DAY
        goals = [goal for goal in self.snapshot.goals if goal.parent == self.goal.key]
        counted: set[tuple[str, date]] = set()
        found = []
        for part in sorted(goals, key=lambda goal: goal.owner[0] != "team"):
            judge = Judge(self.world, part, self.known_at, self.at)
            people = self._within(part) - counted
            counted |= people
            own = due.planned(self.snapshot, part.owner, judge.window.days())
            within = [day for day in own if day.member is not None and (day.member, day.day) in people]
            actual = sum(
                (
                    judge.value(Subject("member", member), Window(day, day + DAY)) or Fraction(0)
                    for member, day in people
                    if day < last
                ),
                Fraction(0),
            )
            # A team's target counts as it was set (S33 speaks of members).
            target = judge.aim.value if part.owner[0] == "member" else judge.target
            found.append(PartStanding(part.key, actual, target, _share_within(own, within)))
        return found

    def _within(self, part: Goal) -> set[tuple[str, date]]:
        """Who does a part's work within this goal, and on which days."""
        return {
            (member, day)
            for member in self.snapshot.members
            for day in Window(part.start, part.end).days()
            if self._is_of(part.owner, member, day) and self._is_of(self.goal.owner, member, day)
        }

    def _is_of(self, owner: tuple[str, str], member: str, day: date) -> bool:
        kind, key = owner
        if kind == "team":
            return key in self.snapshot.teams_of(member, day)
        return kind == "organization" or member == key

    def contributions(self) -> dict[str, Fraction]:
        """What each member gave to a team's or the organization's goal on a KPI that adds up; who gave nothing not."""
        kind, key = self.goal.owner
        if kind == "member" or not self.is_additive:
            return {}
        gave = {
            member: self.value(
                Subject("member", member) if kind == "organization" else Subject("member_in_team", member, key),
                self.window,
            )
            for member in self.snapshot.members
        }
        return {member: value for member, value in gave.items() if value}


def _share_within(own: list[WorkDay], within: list[WorkDay]) -> Fraction:
    """The part of the working time of an owner; all of it where there is nobody of whom it would be."""
    if all(day.member is None for day in own):
        return Fraction(1)
    for of_own, of_within in (
        ([day for day in own if day.absence is None], [day for day in within if day.absence is None]),
        (own, within),
    ):
        whole = sum((day.seconds for day in of_own), Fraction(0))
        if whole:
            return sum((day.seconds for day in of_within), Fraction(0)) / whole
    return Fraction(len(within), len(own))


def _subject(owner: tuple[str, str]) -> Subject:
    return Subject("team" if owner[0] == "team" else "member", owner[1])


def _named(window: Window) -> Window:
    """The days as the month, quarter or year that they are."""
    return days.period(f"{window.start}..{window.end - DAY}", window.start, 0)
