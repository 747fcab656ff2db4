"""Goals for many owners of one template: planned row by row, previewed, made together or not at all."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as accounts
from app.accounts.access import Principal
from app.calendars.periods import DayRange, PeriodError, parse_period
from app.core.problems import Conflict, ErrorItem, Problem, ValidationFailed
from app.core.rehearsals import Rehearsal
from app.core.snapshots import Snapshots
from app.employment.loading import load_staff
from app.goals import baselines, making, schemas
from app.goals import service as goals
from app.goals.smart import rules
from app.goals.smart.history import rounded
from app.goals.smart.past import Asked, Seen, prepare, seen_at
from app.goals.smart.roles import library_role
from app.goals.smart.service import checked_as
from app.goals.smart.suggesting import target_from_history
from app.goals.templates import queries, service
from app.goals.templates import schemas as shapes
from app.goals.work import owner_of
from app.kpis import service as kpis
from app.kpis.attribution import Subject
from app.teams.structure import load_structure

MOST_ROWS = 200


class GoalsExist(Conflict):
    """Some owners have a goal on the same KPI and days already: leave these out with `skip_existing`."""

    code, title = "goals-exist", "Goals exist already"


@dataclass
class Row:
    """A goal that is to be made, or why it cannot be."""

    owner: Subject
    owner_name: str | None
    place: int
    item: shapes.TemplateItem
    existing: list[UUID]
    new: schemas.GoalCreate | None = None
    baseline: schemas.Baseline | None = None
    problems: list[ErrorItem] = field(default_factory=list)
    made: schemas.Goal | None = None

    def refuse(self, problem: Problem) -> None:
        """Keep what was wrong, with its place in the template."""
        items = problem.errors or [ErrorItem(pointer="", message=problem.detail, code=problem.code)]
        self.problems += [item.model_copy(update={"pointer": f"/items/{self.place}{item.pointer}"}) for item in items]


@dataclass(frozen=True)
class Plan:
    """The rows of one application."""

    seen: Seen
    period: DayRange
    rows: Sequence[Row]


async def preview(
    snapshots: Snapshots, who: Principal, template_id: UUID, wanted: shapes.ApplyInput
) -> shapes.TemplatePreview:
    """Each goal that would be made, with its problems and the SMART check; nothing is stored."""

    async def act(rehearsal: Rehearsal) -> tuple[Plan, list[shapes.PlannedGoal]]:
        session = rehearsal.session
        plan = await _planned(session, snapshots, template_id, wanted)
        for row in plan.rows:
            if row.new is not None and not row.problems and not row.existing:
                try:
                    async with session.begin_nested():
                        row.made = await goals.create_goal(session, who, row.new, baseline=row.baseline)
                except Problem as problem:
                    row.refuse(problem)
        return plan, [await _told(session, plan.seen, row) for row in plan.rows]

    plan, planned = await snapshots.rehearse(act)
    return shapes.TemplatePreview(
        period=plan.period.label,
        start=plan.period.start,
        end=plan.period.end,
        rows=planned,
        counts=Counter(row.outcome for row in planned),
        verdicts=Counter(row.smart.verdict for row in planned if row.smart is not None),
    )


async def apply(
    session: AsyncSession, snapshots: Snapshots, who: Principal, template_id: UUID, wanted: shapes.ApplyInput
) -> shapes.TemplateApplied:
    """Make all goals, or none. Raises `GoalsExist`, and `ValidationFailed` with the place in the template."""
    async with snapshots.at(None) as reading:
        plan = await _planned(reading, snapshots, template_id, wanted)
    existing = [goal for row in plan.rows for goal in row.existing]
    if existing and not wanted.skip_existing:
        raise GoalsExist(
            f"{len(existing)} goals on the same KPI and days exist already.",
            [
                ErrorItem(
                    pointer=f"/items/{row.place}",
                    message=f"{row.owner_name or 'The organization'} has the goal {row.existing[0]} on {row.item.kpi}.",
                    code="goal_exists",
                )
                for row in plan.rows
                if row.existing
            ][:50],
        )
    for row in plan.rows:
        if row.existing or row.new is None or row.problems:
            continue
        try:
            row.made = await goals.create_goal(session, who, row.new, baseline=row.baseline)
        except ValidationFailed as problem:
            row.refuse(problem)
    _require_sound([row for row in plan.rows if not row.existing])
    return shapes.TemplateApplied(goals=[row.made for row in plan.rows if row.made is not None], skipped=existing)


def _require_sound(rows: Sequence[Row]) -> None:
    items = [
        item.model_copy(update={"message": f"{row.owner_name or 'The organization'}: {item.message}"})
        for row in rows
        for item in row.problems
    ]
    if items:
        raise ValidationFailed(f"No goal was made: {len(items)} things are wrong. {items[0].message}", items[:50])


# ---------------------------------------------------------------------------------------------------------- planning


async def _planned(session: AsyncSession, snapshots: Snapshots, template_id: UUID, wanted: shapes.ApplyInput) -> Plan:
    seen = await seen_at(session, snapshots.org_id, None)
    row = await service.find_template(session, seen.org_id, template_id)
    service.require_in_use(row)
    template = service.shown(row)
    for key in wanted.targets:
        if key not in {item.kpi for item in template.items}:
            raise ValidationFailed.at(f"/targets/{key}", f"No goal of the template is on {key}.", "kpi_unknown")
    try:
        period = parse_period(wanted.period, seen.today, seen.cut)
    except PeriodError as error:
        raise ValidationFailed.at("/period", str(error), "period") from None
    owners = await _owners(session, seen, wanted, period)
    if len(owners) * len(template.items) > MOST_ROWS:
        message = f"That would be {len(owners) * len(template.items)} goals; at most {MOST_ROWS} are made at once."
        raise ValidationFailed.at("", message, "too_many_goals")
    found = await session.execute(queries.existing(seen.org_id, [item.kpi for item in template.items], period))
    there: dict[tuple[Subject, str], list[UUID]] = {}
    for goal in found.scalars():
        there.setdefault((owner_of(goal), goal.kpi_key), []).append(goal.id)
    rows = [
        Row(owner, name, place, item, there.get((owner, item.kpi), []))
        for owner, name in owners.items()
        for place, item in enumerate(template.items)
    ]
    await _prepare(session, seen, [row for row in rows if not row.existing], period)
    for each in rows:
        if not each.existing:
            await _fill(session, seen, each, wanted, period)
    return Plan(seen, period, rows)


async def _prepare(session: AsyncSession, seen: Seen, rows: Sequence[Row], period: DayRange) -> None:
    """What history has of all owners, KPI by KPI: asked one by one it takes a second each."""
    owners: dict[int, list[Subject]] = {}
    items = {row.place: row.item for row in rows}
    for row in rows:
        owners.setdefault(row.place, []).append(row.owner)
    for place, subjects in owners.items():
        try:
            asked = await _asked(session, seen, items[place], subjects[0], period)
        except ValidationFailed:
            continue  # each row tells it
        await prepare(session, seen, asked, subjects)


async def _asked(
    session: AsyncSession, seen: Seen, item: shapes.TemplateItem, owner: Subject, period: DayRange
) -> Asked:
    try:
        kpi = await kpis.get_kpi(session, seen.org_id, item.kpi)
    except kpis.KpiNotFound as problem:
        raise ValidationFailed.at("/kpi", problem.detail, "kpi_unknown") from None
    if kpi.unit.kind != "money":
        return Asked(kpi, owner, period, None, None, item.ramp_id)
    currency = item.currency or (await accounts.get_organization(session, seen.org_id)).currency
    return Asked(kpi, owner, period, currency, None, item.ramp_id)


async def _owners(
    session: AsyncSession, seen: Seen, wanted: shapes.ApplyInput, period: DayRange
) -> dict[Subject, str | None]:
    """Whose goals they are, each once, with their names. Raises `ValidationFailed`."""
    structure = await load_structure(session, seen.org_id, seen.known_at)
    day = max(period.start, min(seen.today, period.end))
    found: dict[Subject, str | None] = {Subject("organization"): None} if wanted.organization else {}
    for place, team in enumerate(wanted.teams):
        if team not in structure.teams:
            raise ValidationFailed.at(f"/teams/{place}", f"There is no team {team}.", "team_unknown")
        found[Subject("team", team)] = structure.teams[team].name
    for place, member in enumerate(wanted.members):
        if member not in structure.members:
            raise ValidationFailed.at(f"/members/{place}", f"There is no member {member}.", "member_unknown")
    members = list(wanted.members)
    if wanted.members_of is not None:
        if wanted.members_of not in structure.teams:
            message = f"There is no team {wanted.members_of}."
            raise ValidationFailed.at("/members_of", message, "team_unknown")
        within = await seen.schedules.members(Subject("team", wanted.members_of))
        members += _by_name(
            structure, [id_ for id_, runs in within.items() if any(run.start <= day < run.end for run in runs)]
        )
    if wanted.revenue_role is not None:
        members += await _with_role(session, seen, wanted.revenue_role, period)
    for member in members:
        found[Subject("member", member)] = structure.members[member].name
    if not found:
        raise ValidationFailed.at("", "Nobody is in that team or has that role on the first day.", "nobody")
    return found


async def _with_role(session: AsyncSession, seen: Seen, role: str, period: DayRange) -> list[UUID]:
    staff = await load_staff(session, seen.org_id, seen.known_at)
    structure = await load_structure(session, seen.org_id, seen.known_at)
    day = max(period.start, min(seen.today, period.end))
    held = {member: staff.terms_on(member, day) for member in staff.terms}
    return _by_name(
        structure,
        [
            member
            for member, terms in held.items()
            if terms is not None
            and terms.revenue_role is not None
            and role in {terms.revenue_role, library_role(terms.revenue_role)}
            and staff.is_employed(member, day)
        ],
    )


def _by_name(structure: Any, members: Sequence[UUID]) -> list[UUID]:
    known = [member for member in members if member in structure.members]
    return sorted(known, key=lambda member: (structure.members[member].name, str(member)))


async def _fill(session: AsyncSession, seen: Seen, row: Row, wanted: shapes.ApplyInput, period: DayRange) -> None:
    """The goal as it would be posted, its target in figures."""
    item = row.item
    try:
        target = await _target(session, seen, row, wanted, period)
        given = {name: getattr(item, name) for name in _SAME} | {"target": target, "period": wanted.period}
        owner = schemas.OwnerInput(type=cast("Any", row.owner.kind), id=row.owner.id)
        row.new = schemas.GoalCreate(**given, owner=owner, state=wanted.state, reason=wanted.reason)
        if row.new.target.change is not None:
            goal, _ = await making.goal_of(session, seen.org_id, row.new)
            row.baseline = await baselines.frozen(session, goal, row.new.target.change)
    except ValidationFailed as problem:
        row.refuse(problem)
    except ValidationError as error:  # a target that scaling made too large, or too fine
        first = error.errors()[0]
        row.refuse(ValidationFailed.at("/target", str(first["msg"]), str(first["type"])))


_SAME = ("name", "description", "kpi", "currency", "weight", "counts", "expected", "ramp_id", "milestones")


async def _target(
    session: AsyncSession, seen: Seen, row: Row, wanted: shapes.ApplyInput, period: DayRange
) -> dict[str, Any]:  # Any: the fields of a target
    target = wanted.targets.get(row.item.kpi, row.item.target)
    asked = await _asked(session, seen, row.item, row.owner, period)
    if not (target.realistic or target.ambitious):
        return _scaled(target, wanted.scale, asked.decimals)
    is_ambitious = bool(target.ambitious)
    return dict(await target_from_history(session, seen, asked, is_ambitious=is_ambitious, scale=wanted.scale))


def _scaled(target: shapes.TemplateTarget, scale: Decimal, decimals: int) -> dict[str, Any]:  # Any: as above
    """The figures times the scale, as targets of the KPI are written; unscaled ones stay as they are."""

    def times(value: Decimal | None) -> Decimal | None:
        return value if value is None or scale == 1 else rounded(value * scale, decimals)

    told: dict[str, Any] = {name: times(getattr(target, name)) for name in ("value", "low", "high", "stretch")}
    change = target.change
    if change is not None and change.amount is not None:
        change = change.model_copy(update={"amount": times(change.amount), "stretch": times(change.stretch)})
    return told | {"change": change}


async def _told(session: AsyncSession, seen: Seen, row: Row) -> shapes.PlannedGoal:
    smart = None
    if row.made is not None:
        found = await checked_as(session, seen, row.made)
        verdicts = {name: getattr(found, name).verdict for name in rules.CRITERIA}
        smart = shapes.SmartSummary(verdict=found.verdict, **verdicts)
    return shapes.PlannedGoal(
        owner=schemas.Owner(type=cast("Any", row.owner.kind), id=row.owner.id),
        owner_name=row.owner_name,
        item=row.place,
        name=row.item.name,
        kpi=row.item.kpi,
        outcome="exists" if row.existing else "invalid" if row.problems else "new",
        target=None if row.made is None else row.made.target,
        existing=row.existing,
        problems=row.problems,
        smart=smart,
    )
