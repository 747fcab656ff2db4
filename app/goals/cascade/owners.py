"""Who gets a part of a goal, and for which days."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from uuid import UUID

from app.calendars.periods import DayRange, Grain, windows
from app.core.problems import ValidationFailed
from app.goals.cascade.people import apart
from app.goals.cascade.plans import Candidate, Setting, Whole, is_beyond
from app.goals.cascade.schemas import MOST_PARTS, Into, PartInput
from app.goals.work import Members
from app.kpis.attribution import Days, Subject, intersect

_GRAINS: Mapping[Into, Grain] = {"weeks": "week", "months": "month", "quarters": "quarter"}


class Owners:
    """Finds the owners of parts, level by level. Raises `ValidationFailed` at whoever cannot be one."""

    def __init__(self, setting: Setting) -> None:
        self._of = setting
        self._count = 0

    def candidates(self, whole: Whole, *, is_top: bool) -> list[Candidate]:
        """The owners of the parts of a whole, in order; below the goal itself always the next level."""
        wanted = self._of.wanted
        if wanted.into is not None:
            found = self._windows(whole, wanted.into)
        elif whole.owner.kind == "member":
            raise ValidationFailed.at(
                "/to", "A member's goal is split into shorter periods: write into.", "member_split"
            )
        elif is_top and wanted.owners is not None:
            found = [self._listed(whole, place, each) for place, each in enumerate(wanted.owners)]
            self._refuse_twice(found)
        else:
            owners = self._chosen(whole, wanted.to if is_top else "level")
            found = [Candidate(owner, whole.period) for owner in owners]
        found = [each for each in found if each.owner not in self.excluded]
        self._count += len(found)
        if self._count > MOST_PARTS:
            message = f"That is more than {MOST_PARTS} parts: split level by level."
            raise ValidationFailed.at("/to", message, "too_many_parts")
        return found

    def _windows(self, whole: Whole, into: Into) -> list[Candidate]:
        tiles = windows(whole.period, _GRAINS[into], self._of.cut)
        if len(tiles) == 1:
            raise ValidationFailed.at("/into", f"{whole.period.label} has no shorter {into}.", "period_too_short")
        days = [DayRange(each.start, each.end, "" if each.is_partial else each.label) for each in tiles]
        return [Candidate(whole.owner, each) for each in days]

    def _chosen(self, whole: Whole, selection: str) -> list[Subject]:
        """By name: teams first, then members; who is archived gets none."""
        day = self._of.on if self._of.wanted.mode == "replan" else self._of.today
        on = min(max(day, whole.period.start), whole.period.end - timedelta(days=1))
        teams = [Subject("team", team) for team in self._of.people.teams_below(whole.owner, on)]
        if selection == "members":
            return self._members(whole, self._of.people.members_of(whole.owner))
        if selection == "level":
            if whole.owner.id is not None:
                return [*self._in_use(teams), *self._members(whole, self._of.people.directly_in(whole.owner.id))]
            return self._in_use(teams) or self._members(whole, self._of.people.members_of(whole.owner))
        return self._in_use(teams)

    def _in_use(self, owners: Sequence[Subject]) -> list[Subject]:
        return [owner for owner in owners if owner.id not in self._of.archived]

    def _members(self, whole: Whole, members: Mapping[UUID, Sequence[Days]]) -> list[Subject]:
        """Those who are there, or on leave, on some day of the period; by name."""
        people = self._of.people
        there = [
            member
            for member, runs in members.items()
            if not people.presence({member: runs}, whole.period, whole.period).is_nothing
        ]
        names = people.structure.members
        there.sort(key=lambda member: (names[member].name, str(member)))
        return self._in_use([Subject("member", member) for member in there])

    def _listed(self, whole: Whole, place: int, asked: PartInput) -> Candidate:
        pointer = f"/owners/{place}"
        if asked.owner.type == "organization":
            raise ValidationFailed.at(f"{pointer}/owner", "A part is a team's or a member's.", "owner_outside")
        known = self._of.people.structure.teams if asked.owner.type == "team" else self._of.people.structure.members
        row = known.get(asked.owner.id) if asked.owner.id else None
        if row is None:
            message = f"There is no {asked.owner.type} {asked.owner.id}."
            raise ValidationFailed.at(f"{pointer}/owner/id", message, "owner_unknown")
        owner = Subject(asked.owner.type, row.id)
        if owner.id in self._of.archived:
            message = f"The {owner.kind} {owner.id} is archived."
            raise ValidationFailed.at(f"{pointer}/owner/id", message, "owner_archived")
        if not self._is_inside(owner, whole):
            message = f"The {owner.kind} {owner.id} is not in the goal's team during its period."
            raise ValidationFailed.at(f"{pointer}/owner/id", message, "owner_outside")
        self._check_value(asked, pointer)
        return Candidate(owner, whole.period, asked=asked, pointer=pointer)

    def _is_inside(self, owner: Subject, whole: Whole) -> bool:
        if owner.kind == "team":
            if whole.owner.kind != "team":
                return True
            return owner.id in self._of.people.all_below(whole.owner, whole.period)
        inside = self._of.people.within(owner, whole.owner)
        return not self._of.people.presence(inside, whole.period, whole.period).is_nothing

    def _check_value(self, asked: PartInput, pointer: str) -> None:
        by = self._of.wanted.by
        lacks_target = by == "hand" and self._of.is_additive and asked.target is None
        if lacks_target or (by == "weight" and asked.weight is None):
            name = "target" if lacks_target else "weight"
            raise ValidationFailed.at(f"{pointer}/{name}", f"By {by} each part needs its {name}.", "part_value_missing")
        if asked.weight is not None and asked.weight < 0:
            raise ValidationFailed.at(f"{pointer}/weight", "A weight is 0 or more.", "weight_negative")
        if asked.target is not None and asked.target <= 0:
            raise ValidationFailed.at(f"{pointer}/target", "A target must be above 0.", "target_out_of_range")
        if asked.target is not None and asked.stretch is not None:
            self._check_stretch(asked.target, asked.stretch, f"{pointer}/stretch")

    def _check_stretch(self, target: Decimal, stretch: Decimal, pointer: str) -> None:
        if is_beyond(stretch, target, self._of.goal.direction):
            return
        message = f"A stretch target lies beyond the target of {target:f}, in its direction, above 0."
        raise ValidationFailed.at(pointer, message, "stretch_out_of_range")

    def _refuse_twice(self, found: Sequence[Candidate]) -> None:
        seen: set[Subject] = set()
        for each in found:
            if each.owner in seen:
                message = f"The {each.owner.kind} {each.owner.id} is listed twice."
                raise ValidationFailed.at(f"{each.pointer}/owner", message, "owner_twice")
            seen.add(each.owner)

    @cached_property
    def excluded(self) -> set[Subject]:
        """Who gets no part."""
        found = set()
        for place, owner in enumerate(self._of.wanted.exclude):
            known = self._of.people.structure.teams if owner.type == "team" else self._of.people.structure.members
            row = known.get(owner.id) if owner.id else None
            if row is None:
                message = f"There is no {owner.type} {owner.id} to leave out."
                raise ValidationFailed.at(f"/exclude/{place}", message, "owner_unknown")
            found.add(Subject(owner.type, row.id))
        return found

    def apart(self, found: Sequence[Candidate], others: Sequence[Subject], whole: Whole) -> list[Candidate]:
        """The candidates with their people and days, nobody's day in two of them (S8): the widest have them first.

        `others` are owners of parts that stay as they are. Who is left with nothing gets no part; where they were
        listed that is refused.
        """
        people = self._of.people
        before = [people.within(owner, whole.owner) for owner in others if owner.kind == "team"]
        left: dict[Subject, Members] = {}
        for each in sorted(found, key=lambda each: self._width(each.owner, whole)):
            every = people.within(each.owner, whole.owner)
            left[each.owner] = apart(every, before)
            before.append(every)
            self._tell_apart(each, every, left[each.owner], whole)
        return [
            replace(each, people=left[each.owner], period=self.days_of(each.owner, left[each.owner], whole))
            for each in found
            if left[each.owner] or not people.within(each.owner, whole.owner)
        ]

    def _width(self, owner: Subject, whole: Whole) -> tuple[bool, int]:
        span = [Days(whole.period.start, whole.period.end)]
        members = self._of.people.within(owner, whole.owner).values()
        return owner.kind == "member", -sum(1 for runs in members if intersect(runs, span))

    def _tell_apart(self, each: Candidate, every: Members, left: Members, whole: Whole) -> None:
        people, name = self._of.people, self._of.people.name_of(each.owner)
        all_days, days = (people.days_of(members, whole.period)[0] for members in (every, left))
        if days == all_days and left == every:
            return
        if not days and each.asked is not None:
            message = f"All that {name} does counts in another part already: the one or the other gets a part."
            raise ValidationFailed.at(f"{each.pointer}/owner", message, "counted_twice")
        self._of.note(f"What counts in a wider part does not count in {name}'s again.")

    def days_of(self, owner: Subject, members: Members, whole: Whole) -> DayRange:
        """The days of a part's goal: the whole's, unless the member does other work, or none, in some of them.

        Then those from the first to the last on which it counts: who comes later begins with the first day there.
        """
        if owner.kind != "member" or not self._of.is_additive:
            return whole.period
        if self._of.people.is_all(owner, members, whole.period):
            return whole.period
        return self._of.people.span(members, whole.period)
