"""Plans a split: who gets which part of a goal, level by level, and what becomes of the parts there are (S33, S35).

A plan only reads.
"""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange
from app.core.db import OrganizationId
from app.core.problems import ValidationFailed
from app.goals.cascade import queries
from app.goals.cascade.owners import Owners
from app.goals.cascade.plans import Candidate, Part, Plan, Row, Setting, Whole, is_fixed
from app.goals.cascade.problems import SplitNotPossible
from app.goals.cascade.schemas import SplitInput
from app.goals.cascade.sharing import Sharing
from app.goals.cascade.wishes import check as check_wishes
from app.goals.models import Goal, GoalTarget
from app.goals.service import find_goal, period_of
from app.goals.terms import check as check_terms
from app.goals.work import owner_of
from app.kpis import service as kpis
from app.kpis.attribution import Subject
from app.kpis.schemas import Kpi

_NOT_SPLIT = {"closed": "it is closed", "cancelled": "it is cancelled"}


async def plan_split(session: AsyncSession, org_id: OrganizationId, goal_id: UUID, wanted: SplitInput) -> Plan:
    """The split as it would be now, in the snapshot that the session reads.

    Raises `GoalNotFound`, `SplitNotPossible`, and `ValidationFailed` at what cannot be split so.
    """
    check_wishes(wanted)
    goal, terms = await find_goal(session, org_id, goal_id)
    kpi = await kpis.get_kpi(session, org_id, goal.kpi_key)
    _require_splittable(goal, terms, kpi)
    if wanted.counts == "parts":
        await check_terms(session, goal, kpi, {"counts": "parts"})
    setting = await Setting.known(session, org_id, goal, kpi, wanted)
    whole = Whole(owner_of(goal), period_of(goal), terms.value or Decimal(0), terms.stretch, goal, terms.ramp_id)
    rows = await _Planner(setting).level(whole, wanted.depth, terms)
    return Plan(
        goal,
        terms,
        kpi,
        setting.unit,
        rows,
        as_of=setting.now,
        known_at=setting.known_at,
        today=setting.today,
        on=setting.on if wanted.mode == "replan" else None,
        notes=setting.notes,
    )


def _require_splittable(goal: Goal, terms: GoalTarget, kpi: Kpi) -> None:
    if goal.state in _NOT_SPLIT:
        raise SplitNotPossible(f"The goal cannot be split: {_NOT_SPLIT[goal.state]}.")
    if goal.locked_at is not None:
        raise SplitNotPossible("The goal is locked: unlock it first, at POST /v1/goals/{id}/unlock.")
    if kpi.state == "archived":
        raise SplitNotPossible(f"The KPI {kpi.key} is archived: nobody can aim at it any more.")
    if terms.value is None and kpi.is_additive:
        raise SplitNotPossible("A band of a count or sum has no parts that add up to it: set one target.")


class _Planner:
    """Plans the levels of one split."""

    def __init__(self, setting: Setting) -> None:
        self._of = setting
        self._owners, self._sharing = Owners(setting), Sharing(setting)

    async def level(self, whole: Whole, depth: int, terms: GoalTarget | None = None) -> list[Row]:
        """The parts of a whole, and theirs."""
        present = await self._parts_of(whole)
        candidates = self._candidates(whole, present, is_top=terms is not None)
        if not candidates:
            return self._nobody(whole, is_top=terms is not None)
        rows, others = self._rows(whole, candidates, present)
        if self._of.is_additive:
            await self._sharing.share_out(whole, rows, others, {each.owner: each for each in candidates})
        else:
            self._sharing.copy(whole, rows, {each.owner: each for each in candidates}, terms)
        for row in rows if depth > 1 else ():
            if row.owner.kind == "team" and row.target is not None:
                goal = None if row.step == "replace" else row.goal
                row.parts = await self.level(Whole(row.owner, row.period, row.target, row.stretch, goal), depth - 1)
        return [*rows, *others]

    def _candidates(self, whole: Whole, present: Sequence[Part], *, is_top: bool) -> list[Candidate]:
        found = self._owners.candidates(whole, is_top=is_top)
        if self._of.wanted.into is not None or not self._of.is_additive:
            return found
        owners = {each.owner for each in found}
        stay = [
            owner
            for goal, _ in present
            if (owner := owner_of(goal)) not in owners and (is_fixed(goal) or self._of.wanted.others == "keep")
        ]
        return self._owners.apart(found, stay, whole)

    def _nobody(self, whole: Whole, *, is_top: bool) -> list[Row]:
        if is_top:
            raise ValidationFailed.at("/to", "There is nobody in it during the goal's period.", "nobody_there")
        name = self._of.people.name_of(whole.owner)
        self._of.note(f"Nobody is in {name} during the period: its part is not split on.")
        return []

    async def _parts_of(self, whole: Whole) -> list[Part]:
        """The parts there are, in the goal's KPI and currency."""
        if whole.goal is None:
            return []
        found = await self._of.session.execute(queries.parts_of(self._of.goal.org_id, [whole.goal.id]))
        parts = [(goal, terms) for goal, terms in found.all()]
        mine = [
            (goal, terms)
            for goal, terms in parts
            if (goal.kpi_key, goal.currency) == (self._of.goal.kpi_key, self._of.goal.currency)
        ]
        if len(mine) < len(parts):
            self._of.note(
                f"{len(parts) - len(mine)} goals below it are in another KPI or currency: they are left alone."
            )
        return mine

    def _rows(
        self, whole: Whole, candidates: Sequence[Candidate], present: Sequence[Part]
    ) -> tuple[list[Row], list[Row]]:
        """A row for each candidate with the goal that it has, and rows of the other parts, which keep their goals."""
        by_owner: dict[Subject, list[Part]] = defaultdict(list)
        for part in present:
            by_owner[owner_of(part[0])].append(part)
        rows = []
        for each in candidates:
            goal, terms = self._present_goal(each, whole, by_owner[each.owner]) or (None, None)
            name = self._of.people.name_of(each.owner)
            rows.append(Row(each.owner, name, each.period, each.people, goal=goal, terms=terms))
        taken = {row.goal.id for row in rows if row.goal is not None}
        left = [part for part in present if part[0].id not in taken]
        free = [row for row in rows if row.goal is None or not is_fixed(row.goal)]
        others = [self._kept(row.goal, row.terms) for row in rows if row.goal and row.terms and is_fixed(row.goal)]
        for goal, terms in left:
            if self._has_left(goal, whole):
                free.append(self._left(goal, terms, whole))
            else:
                others.append(self._other(goal, terms))
        return free, others

    def _present_goal(self, candidate: Candidate, whole: Whole, mine: Sequence[Part]) -> Part | None:
        """The goal that a candidate's part has already: of its days or of all; a member's only one in any case.

        What an owner has for other days, such as the months of a quarter, stays beside it.
        """
        is_in_time = self._of.wanted.into is not None
        for days in [candidate.period] if is_in_time else [candidate.period, whole.period]:
            for goal, terms in reversed(mine):
                if (goal.start_on, goal.end_on) == (days.start, days.end):
                    return goal, terms
        is_only_one = len(mine) == 1 and candidate.owner.kind == "member" and not is_in_time
        return mine[0] if is_only_one else None

    def _has_left(self, goal: Goal, whole: Whole) -> bool:
        """Whether a re-plan finds that nothing of a part's days is left: its goal ends with what was planned before."""
        owner = owner_of(goal)
        is_asked = self._of.wanted.mode == "replan" and self._of.wanted.into is None
        if not is_asked or is_fixed(goal) or owner in self._owners.excluded:
            return False
        rest = DayRange(self._of.on, whole.period.end)
        return not self._of.people.presence(self._of.people.within(owner, whole.owner), rest, whole.period).heads

    def _left(self, goal: Goal, terms: GoalTarget, whole: Whole) -> Row:
        owner = owner_of(goal)
        people = self._of.people.within(owner, whole.owner)
        period = self._owners.days_of(owner, people, whole)
        return Row(owner, self._of.people.name_of(owner), period, people, goal=goal, terms=terms)

    def _other(self, goal: Goal, terms: GoalTarget) -> Row:
        row = self._kept(goal, terms)
        if self._of.wanted.others == "cancel" and not is_fixed(goal):
            row.step, row.target, row.why = "cancel", None, "is not among the owners any more"
        return row

    def _kept(self, goal: Goal, terms: GoalTarget) -> Row:
        owner = owner_of(goal)
        row = Row(owner, self._of.people.name_of(owner), period_of(goal), goal=goal, terms=terms, step="keep")
        row.target, row.stretch, row.low, row.high = terms.value, terms.stretch, terms.low, terms.high
        because = "is closed" if goal.state == "closed" else "is not among the owners"
        row.why = f"{'is locked' if goal.locked_at else because} and keeps its target"
        return row
