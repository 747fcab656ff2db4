"""Who contributed to a goal of a team or of the organization (S8)."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from functools import reduce
from typing import cast
from uuid import UUID

from app.goals import pace, queries
from app.goals.aims import aim_of
from app.goals.asked import Asking
from app.goals.models import Goal, GoalTarget
from app.goals.pace import Direction
from app.goals.progress_schemas import Contribution, Contributions, OwnGoal
from app.goals.standing import Standing
from app.goals.work import owner_of
from app.kpis.attribution import Subject
from app.kpis.formulas import FORMULA
from app.kpis.questions import Cell, MembersOf
from app.kpis.service import load_kpis_with_references
from app.teams.structure import load_structure


async def contributions_of(standing: Standing) -> Contributions | None:
    """Each person's part of the goal's value, those who left too; None of a member's own goal.

    Of the organization whoever did anything; what nobody of its members gets is a row of its own.
    """
    goal = standing.goal
    if goal.member_id is not None:
        return None
    answer = await standing.asking.whole(*await _asked(standing))
    rows = [
        (series.subject, answer.names[series.subject], series.total)
        for series in answer.series
        if goal.team_id is not None or series.total.sample or series.total.left_out
    ]
    own = await _own_goals(standing)
    whole = standing.answer.series[0].total.value
    # The sum of a goal's parts may be another value than its owner's own.
    adds_up = whole == standing.cell.value and await _adds_up(standing)
    found = [_row(subject.id, name, cell, whole if adds_up else None, own) for subject, name, cell in rows]
    found.sort(key=lambda row: (row.value is None, -(row.value or 0), row.name or "", str(row.member_id)))
    if adds_up and goal.team_id is None and whole is not None:
        found += _of_nobody(standing, whole, found)
    return Contributions(adds_up=adds_up, rows=found)


async def _asked(standing: Standing) -> list[Subject | MembersOf]:
    goal = standing.goal
    if goal.team_id is not None:
        return [MembersOf(goal.team_id)]
    structure = await load_structure(standing.asking.session, goal.org_id, standing.answer.known_at)
    known = (each for each in structure.members.values() if each.recorded_at <= standing.answer.known_at)
    return [Subject("member", member.id) for member in sorted(known, key=lambda each: (each.name, str(each.id)))]


async def _adds_up(standing: Standing) -> bool:
    """Whether members' values add up to the whole: of additive KPIs all of whose credits are split."""
    if standing.aim is None or not standing.aim.is_additive:
        return False
    goal, known_at = standing.goal, standing.answer.known_at
    histories = await load_kpis_with_references(standing.asking.session, goal.org_id, [goal.kpi_key], known_at)
    return all(
        measure.credit == "split"
        for history in histories.values()
        for version in history.versions
        for measure in version.definition.measures.values()
    )


def _row(
    member_id: UUID | None, name: str | None, cell: Cell, whole: Decimal | None, own: dict[UUID, OwnGoal]
) -> Contribution:
    share = FORMULA.divide(cell.value, whole) if whole and cell.value is not None else None
    return Contribution(
        member_id=member_id,
        name=name,
        value=cell.value,
        status=cell.status,
        sample=cell.sample,
        share=share,
        goal=own.get(member_id) if member_id else None,
    )


def _of_nobody(standing: Standing, whole: Decimal, rows: Sequence[Contribution]) -> list[Contribution]:
    """What is left of the whole."""
    rest = FORMULA.subtract(whole, reduce(FORMULA.add, (row.value or Decimal(0) for row in rows), Decimal(0)))
    if not rest:
        return []
    # How many events these are nobody counted: those that members share are in the sample of each.
    return [_row(None, None, Cell(rest, "ok"), whole, {}).model_copy(update={"sample": None})]


async def _own_goals(standing: Standing) -> dict[UUID, OwnGoal]:
    """The members' goals that are parts of this one, with how far each is reached; of several the first."""
    goal, known_at = standing.goal, standing.answer.known_at
    rows = await standing.asking.session.execute(queries.parts_as_known(goal.org_id, goal.id, known_at))
    alike: dict[tuple[object, ...], list[tuple[Goal, GoalTarget]]] = defaultdict(list)
    for part, terms in rows:
        if part.member_id is not None and part.kpi_key == goal.kpi_key:
            alike[part.period, part.start_on, part.end_on, part.currency, part.rate_set].append((part, terms))
    found: dict[UUID, OwnGoal] = {}
    for group in alike.values():
        subjects = dict.fromkeys(owner_of(part) for part, _ in group)
        asking = Asking(standing.asking.session, group[0][0], standing.asking.moment)
        values = {series.subject: series.total.value for series in (await asking.whole(*subjects)).series}
        for part, terms in group:
            member = owner_of(part)
            if member.id is not None and member.id not in found:
                found[member.id] = await _own_goal(standing, part, terms, values.get(member))
    return found


async def _own_goal(standing: Standing, part: Goal, terms: GoalTarget, actual: Decimal | None) -> OwnGoal:
    is_additive = standing.aim is not None and standing.aim.is_additive
    aim = aim_of(cast("Direction", part.direction), terms, is_additive=is_additive).prorated(
        await standing.schedules.kept(part, terms.ramp_id)
    )
    target = None if terms.value is None else Decimal(0) if aim is None else aim.target
    attained = None if aim is None or actual is None else pace.attainment(actual, aim)
    return OwnGoal(goal_id=part.id, target=target, attainment=attained)
