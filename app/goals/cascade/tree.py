"""The tree of goals below one: at each level what the parts add up to, who has none, and whether to plan anew (G4)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from typing import cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange, local_day
from app.calendars.service import calendar_settings
from app.core import clock
from app.core.db import OrganizationId
from app.core.snapshots import Snapshots
from app.goals import queries as goal_queries
from app.goals.cascade import queries, schemas
from app.goals.cascade.due import Planned, due_of
from app.goals.cascade.people import People
from app.goals.cascade.splitting import missing
from app.goals.lifecycle import Stored, state_on
from app.goals.models import Goal, GoalTarget
from app.goals.pace import part_of
from app.goals.parts import Share, shares_of
from app.goals.problems import GoalNotFound
from app.goals.schemas import Counts
from app.goals.service import find_goal, period_of
from app.goals.work import Schedules, owner_of, schedules_of
from app.kpis import service as kpis
from app.kpis.attribution import Subject
from app.kpis.formulas import FORMULA

MOST_GOALS = 2_000


@dataclass(frozen=True)
class _Entry:
    goal: Goal
    terms: GoalTarget


async def get_cascade(snapshots: Snapshots, goal_id: UUID, query: schemas.CascadeQuery) -> schemas.Cascade:
    """The tree as it stands, or stood at an instant. Raises `GoalNotFound`."""
    async with snapshots.at(query.as_of) as session:
        org_id = snapshots.org_id
        at = query.as_of or await clock.now(session, org_id)
        known_at = query.as_of or await clock.last_recorded(session, org_id)
        root = await _root(session, org_id, goal_id, known_at)
        below, is_cut = await _below(session, org_id, root, known_at, query.depth)
        today = local_day(at, (await calendar_settings(session, org_id, known_at)).zone)
        people = await People.known(session, org_id, known_at)
        tree = _Tree(session, org_id, known_at, people, below, today)
        due = await tree.look_for_changes(root)
        return schemas.Cascade(
            as_of=at,
            known_at=known_at,
            root=await tree.node(root),
            is_cut=is_cut,
            is_replan_due=bool(due),
            due=due,
        )


async def _root(session: AsyncSession, org_id: OrganizationId, goal_id: UUID, known_at: datetime) -> _Entry:
    goal, _ = await find_goal(session, org_id, goal_id)
    terms = (await session.execute(goal_queries.target_as_known(org_id, goal_id, known_at))).scalar_one_or_none()
    if terms is None:
        raise GoalNotFound(f"The goal {goal_id} had not been recorded by then.")
    return _Entry(goal, terms)


async def _below(
    session: AsyncSession, org_id: OrganizationId, root: _Entry, known_at: datetime, depth: int
) -> tuple[Mapping[UUID, list[_Entry]], bool]:
    """The parts of each goal, level by level; and whether some are further below, or too many."""
    found: dict[UUID, list[_Entry]] = {}
    seen, level = {root.goal.id}, [root.goal.id]
    for place in range(depth + 1):
        listed = await session.execute(queries.parts_as_known(org_id, level, known_at).limit(MOST_GOALS + 1))
        rows = [(goal, terms) for goal, terms in listed.all() if goal.id not in seen]
        if not rows or place == depth or len(seen) + len(rows) > MOST_GOALS:
            return found, bool(rows)
        for goal, terms in rows:
            found.setdefault(cast("UUID", terms.parent_id), []).append(_Entry(goal, terms))
        level = [goal.id for goal, _ in rows]
        seen.update(level)
    return found, False


class _Tree:
    """Works out the figures of one tree."""

    def __init__(
        self,
        session: AsyncSession,
        org_id: OrganizationId,
        known_at: datetime,
        people: People,
        below: Mapping[UUID, list[_Entry]],
        today: date,
    ) -> None:
        self._session, self._org_id, self._known_at = session, org_id, known_at
        self._people, self._below, self._today = people, below, today
        self._schedules: Schedules = schedules_of(session, org_id, known_at)
        self._adds_up: dict[str, bool] = {}
        self._due: Mapping[UUID, list[schemas.Due]] = {}
        self._not_looked_at: set[UUID] = set()

    async def node(self, entry: _Entry, above: _Entry | None = None, share: Share | None = None) -> schemas.Node:
        """A goal with all below it; `share` is what of it counts in the goal above, None where it does not add up."""
        goal, terms = entry.goal, entry.terms
        parts = self._below.get(goal.id, [])
        shares = await self._shares(entry, parts)
        return schemas.Node(
            goal_id=goal.id,
            name=goal.name,
            owner=self._owner(owner_of(goal)),
            kpi=goal.kpi_key,
            currency=goal.currency,
            period=goal.period,
            state=state_on(cast("Stored", goal.state), period_of(goal), self._today),
            counts=cast("Counts", terms.counts),
            is_locked=goal.locked_at is not None,
            target=terms.value,
            effective_target=await self._effective(entry),
            counted_share=Decimal(1) if share is None else _share_of(share, terms),
            counted=None if share is None else share.target_counted,
            counted_in=[] if share is None else list(share.counted_in),
            difference=_difference(entry, above) if above is not None and share is None else None,
            check=await self._check(entry, parts, list(shares.values())),
            is_replan_due=None if goal.id in self._not_looked_at else bool(self._due.get(goal.id)),
            parts=[await self.node(part, entry, shares.get(part.goal.id)) for part in parts],
        )

    async def _shares(self, entry: _Entry, parts: Sequence[_Entry]) -> Mapping[UUID, Share]:
        """What of the parts counts that add up to the goal, by the rule by which progress adds them up."""
        added = [part for part in parts if part.terms.value is not None and await self._is_added(part.goal, entry.goal)]
        shares = await shares_of(entry.goal, [(part.goal, part.terms) for part in added], self._schedules)
        return {share.goal.id: share for share in shares}

    async def _is_additive(self, key: str) -> bool:
        if key not in self._adds_up:
            self._adds_up[key] = (await kpis.get_kpi(self._session, self._org_id, key)).is_additive
        return self._adds_up[key]

    async def _is_added(self, goal: Goal, above: Goal) -> bool:
        return _is_like(goal, above) and goal.direction != "maintain" and await self._is_additive(goal.kpi_key)

    async def _effective(self, entry: _Entry) -> Decimal | None:
        """What absences and ramp leave of the target, of what adds up."""
        goal, value = entry.goal, entry.terms.value
        if value is None or goal.direction == "maintain" or not await self._is_additive(goal.kpi_key):
            return value
        return part_of(value, await self._schedules.kept(goal, entry.terms.ramp_id))

    # ------------------------------------------------------------------------------------------------ the check

    async def _check(self, entry: _Entry, parts: Sequence[_Entry], shares: Sequence[Share]) -> schemas.Check | None:
        goal, target = entry.goal, entry.terms.value
        if not parts and goal.member_id is not None:
            return None
        same_owner = [part for part in parts if owner_of(part.goal) == owner_of(goal)]
        check = schemas.Check(
            parts_sum=None,
            gap=None,
            gap_share=None,
            over=None,
            over_share=None,
            status="compared" if parts else "no_parts",
            missing=[] if not parts or same_owner else self._missing(goal, parts),
            left_out=[part.goal.id for part in parts if not _is_like(part.goal, goal)],
        )
        if target is not None and shares:
            total = reduce(FORMULA.add, (share.target_counted or Decimal(0) for share in shares), Decimal(0))
            lack = missing(target, [total])
            check.parts_sum, check.gap, check.over = total, max(lack, Decimal(0)), max(-lack, Decimal(0))
            check.gap_share, check.over_share = check.gap / target, check.over / target
            check.status = "gap" if lack > 0 else "over" if lack < 0 else "exact"
        return check

    def _missing(self, goal: Goal, parts: Sequence[_Entry]) -> list[schemas.PartOwner]:
        """Teams right below of which nobody has a part, and members there from today on who are in none."""
        above, period = owner_of(goal), period_of(goal)
        covered: set[UUID] = set()
        for part in parts:
            covered.update(self._people.members_of(owner_of(part.goal)))
        rest = self._rest(period)
        there = {
            member
            for member, runs in self._people.members_of(above).items()
            if self._people.presence({member: runs}, rest, period).heads
        }
        found: list[Subject] = []
        for team in self._people.teams_below(above, rest.start):
            subject = Subject("team", team)
            inside = set(self._people.members_of(subject)) & there
            if inside and not inside & covered:
                found.append(subject)
                there -= inside
        if above.kind == "organization" and any(part.goal.team_id is not None for part in parts):
            there = set()  # teams make up the organization; who is in none of them is in no cascade
        found += [Subject("member", member) for member in there - covered]
        named = [self._owner(subject) for subject in found]
        return sorted(named, key=lambda each: (each.type == "member", each.name or "", str(each.id)))

    def _rest(self, period: DayRange) -> DayRange:
        """The days of a running period from today on; of one that is over all."""
        return DayRange(self._today, period.end) if self._today in period else period

    # ---------------------------------------------------------------------------------------------- planned anew

    async def look_for_changes(self, root: _Entry) -> list[schemas.Due]:
        """Why parts of any of the goals should be planned anew, from the top down (G4)."""
        planned = [
            Planned(entry.goal, [(part.goal, part.terms) for part in parts])
            for entry in self._from_the_top(root)
            if (parts := self._below.get(entry.goal.id)) and self._today < entry.goal.end_on
            if all(owner_of(part.goal) != owner_of(entry.goal) for part in parts)
        ]
        self._due = await due_of(self._session, self._org_id, self._known_at, self._people, planned)
        self._not_looked_at = {each.goal.id for each in planned} - self._due.keys()
        return [due for found in self._due.values() for due in found]

    def _from_the_top(self, root: _Entry) -> Iterator[_Entry]:
        level = [root]
        while level:
            yield from level
            level = [part for entry in level for part in self._below.get(entry.goal.id, ())]

    def _owner(self, owner: Subject) -> schemas.PartOwner:
        return schemas.PartOwner(type=owner.kind, id=owner.id, name=self._people.name_of(owner))


def _is_like(goal: Goal, other: Goal) -> bool:
    return (goal.kpi_key, goal.currency) == (other.kpi_key, other.currency)


def _difference(part: _Entry, above: _Entry) -> Decimal | None:
    mine, other = part.terms.value, above.terms.value
    return mine - other if mine is not None and other is not None and _is_like(part.goal, above.goal) else None


def _share_of(share: Share, terms: GoalTarget) -> Decimal:
    """What counts above, as a share of the target as it was set."""
    if share.target is None or not terms.value:
        return Decimal(1)
    return part_of(FORMULA.divide(share.target, terms.value), share.time)
