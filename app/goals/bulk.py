"""Many goals changed at once: all or none of them, or each that can be."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import MISSING, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.calendars.periods import PeriodError
from app.core import clock
from app.core.db import OrganizationId
from app.core.problems import ErrorItem, PreconditionFailed, Problem, ValidationFailed
from app.core.rehearsals import Rehearsal
from app.core.snapshots import Snapshots
from app.goals import baselines, bulk_schemas, making, queries, schemas, terms
from app.goals.bulk_schemas import MOST, BulkEdit, BulkEdited, EditedGoal, GoalEdit
from app.goals.models import Goal, GoalTarget
from app.goals.precision import unit_of
from app.goals.problems import GoalNotFound
from app.goals.revising import Changes
from app.goals.scaling import scaled, scaled_together

Standing = dict[UUID, tuple[Goal, GoalTarget]]


class BulkEditRefused(Problem):
    """A row was refused, and so nothing was changed: `errors` names each such row; mode `each` changes the others."""

    status, code, title = 422, "bulk-edit-refused", "Bulk edit refused"


@dataclass(frozen=True)
class Edit:
    """What should become of a goal; `pointer` is where the request says so, `at_scale` where it scales the target."""

    goal_id: UUID
    change: GoalEdit
    pointer: str = ""
    version: int | None = None
    at_scale: str | None = None

    def place_of(self, pointer: str) -> str:
        """The place in the request of what a use case found wrong at `pointer` of the goal."""
        if self.at_scale is not None and pointer.startswith("/target"):
            return self.at_scale
        return self.pointer + pointer


async def bulk_edit(session: AsyncSession, snapshots: Snapshots, who: Principal, wanted: BulkEdit) -> BulkEdited:
    """Change the goals. Raises `BulkEditRefused` where a row is refused and the mode is all or nothing."""
    found = await _baselines(snapshots, wanted)
    rows = await _edited(session, who, wanted, found)
    refused = [row for row in rows if row.problem is not None]
    if refused and wanted.mode == "all_or_nothing":
        told = f"{len(refused)} of {len(rows)} rows are refused, so nothing was changed."
        raise BulkEditRefused(told, [_named(row) for row in refused])
    return _answer(rows)


async def preview_bulk_edit(snapshots: Snapshots, who: Principal, wanted: BulkEdit) -> BulkEdited:
    """What would become of each row: it is done, and undone."""

    async def act(rehearsal: Rehearsal) -> BulkEdited:
        standing = await _standing(rehearsal.session, who.org_id, wanted)
        found = await _frozen(rehearsal.session, standing, await _edits(rehearsal.session, standing, wanted))
        return _answer(await _edited(rehearsal.session, who, wanted, found))

    return await snapshots.rehearse(act)


async def edit_goal(
    changes: Changes, stands: tuple[Goal, GoalTarget], edit: Edit, baseline: schemas.Baseline | None = None
) -> schemas.Target | None:
    """Change what differs, the target and all else in one revision; gives the target then, None where nothing did.

    `changes.write` stores it. Raises what the checks of a single change raise, and `ValidationFailed` where the target
    changes without a reason; then nothing has changed.
    """
    goal, target = stands
    aimed, other = _target_of(edit.change, target), _differing(edit.change, goal, target)
    if aimed is None and not other:
        return None
    if edit.version not in {None, goal.version}:
        told = f"The goal has version {goal.version} by now, not {edit.version}: read it again."
        raise PreconditionFailed(told, [ErrorItem(pointer="/version", message=told, code=PreconditionFailed.code)])
    reason = "" if edit.change.reason is MISSING else edit.change.reason
    if aimed is not None and not reason.strip():
        raise ValidationFailed.at("/reason", "Say why the target changes.", "missing")
    if reason and other.keys() - {"state"}:
        other["reason"] = reason
    new = await changes.make(
        goal,
        target,
        aim=None if aimed is None else schemas.TargetChange(target=aimed, reason=reason),
        other=schemas.GoalUpdate.model_validate(other) if other else None,
        baseline=baseline,
    )
    return schemas.Target.model_validate(new)


# ---------------------------------------------------------------------------------------------------------- which goals


async def _standing(session: AsyncSession, org_id: OrganizationId, wanted: BulkEdit) -> Standing:
    """The goals of the items, and after them those that the filter finds. Raises `ValidationFailed` for too many."""
    standing = await _of_ids(session, org_id, [each.id for each in wanted.items])
    if wanted.filter is None:
        return standing
    conditions = await _conditions(session, org_id, wanted.filter)
    most = MOST - len(wanted.items)
    matching = queries.ids(org_id).where(*conditions).order_by(Goal.created_at, Goal.id).limit(most + 1)
    found = (await session.execute(matching)).scalars().all()
    if len(found) > most:
        told = f"More than {most} goals are found, and {MOST} rows are taken at once: narrow it down."
        raise ValidationFailed.at("/filter", told, "too_many")
    return standing | await _of_ids(session, org_id, found)


async def _of_ids(session: AsyncSession, org_id: OrganizationId, ids: Sequence[UUID]) -> Standing:
    """The goals that there are of these, in their order.

    Joined here: joined by the database, a hundred of 6,000 goals that it had no statistics of took it 10 s.
    """
    goals = (await session.execute(queries.goals_alone(org_id, ids))).scalars()
    targets = (await session.execute(queries.present_targets(org_id, ids))).scalars()
    by_id, of_goal = {goal.id: goal for goal in goals}, {target.goal_id: target for target in targets}
    return {goal_id: (by_id[goal_id], of_goal[goal_id]) for goal_id in ids if goal_id in by_id}


async def _conditions(session: AsyncSession, org_id: OrganizationId, wanted: bulk_schemas.GoalSelection) -> list[Any]:
    today = await making.today_of(session, org_id)
    filters = schemas.GoalFilters.model_validate(wanted.model_dump(exclude={"period"}))
    conditions: list[Any] = queries.matching(org_id, filters, today)
    if wanted.state is None:
        conditions.append(Goal.state.not_in(["closed", "cancelled"]))
    if wanted.period is not None:
        try:
            days = await making.days_of(session, org_id, wanted.period)
        except PeriodError as error:
            raise ValidationFailed.at("/filter/period", str(error), "period") from None
        conditions += [Goal.start_on == days.start, Goal.end_on == days.end]
    return conditions


async def _edits(session: AsyncSession, standing: Standing, wanted: BulkEdit) -> list[Edit]:
    """The rows of the request: its items, then what was found."""
    edits = [
        Edit(each.id, _reasoned(each, wanted.reason), f"/items/{n}", each.version)
        for n, each in enumerate(wanted.items)
    ]
    if wanted.change is None:
        return edits
    asked = {each.id for each in wanted.items}
    found = [goal_id for goal_id in standing if goal_id not in asked]
    change = _reasoned(wanted.change.set or GoalEdit(), wanted.reason)
    edits += [Edit(goal_id, change, "/change/set" if wanted.change.set else "/change") for goal_id in found]
    if wanted.change.scale is None:
        return edits
    aims = await _scaled(session, [standing[goal_id] for goal_id in found], wanted.change)
    of_items, of_found = edits[: len(wanted.items)], edits[len(wanted.items) :]
    return of_items + [
        replace(edit, change=_aiming(edit.change, aims[edit.goal_id]), at_scale="/change/scale") for edit in of_found
    ]


def _reasoned(change: GoalEdit, reason: str | None) -> GoalEdit:
    """The change alone, with the reason of all where it has none of its own."""
    told = {name: getattr(change, name) for name in change.model_fields_set & set(GoalEdit.model_fields)}
    return GoalEdit.model_construct(**({"reason": reason} if reason else {}) | told)


def _aiming(change: GoalEdit, target: schemas.TargetInput) -> GoalEdit:
    return change.model_copy(update={"target": target})


async def _scaled(
    session: AsyncSession, found: Sequence[tuple[Goal, GoalTarget]], change: bulk_schemas.GoalChange
) -> dict[UUID, schemas.TargetInput]:
    """The scaled target of each goal; values of one KPI and currency together where they shall add up."""
    factor = change.scale or Decimal(1)
    groups: dict[tuple[str, str | None], list[tuple[Goal, GoalTarget]]] = defaultdict(list)
    for goal, target in found:
        groups[goal.kpi_key, goal.currency].append((goal, target))
    aims: dict[UUID, schemas.TargetInput] = {}
    for (kpi_key, currency), rows in groups.items():
        unit = unit_of(await making.kpi_of(session, OrganizationId(rows[0][0].org_id), kpi_key), currency)
        values = [target.value for _, target in rows if target.value is not None]
        together = iter(
            scaled_together(values, factor, unit)
            if change.keep_sum and values
            else [scaled(value, factor, unit) for value in values]
        )
        for goal, target in rows:
            told: dict[str, Any] = {
                name: scaled(edge, factor, unit)
                for name in ("low", "high", "stretch")
                if (edge := getattr(target, name)) is not None
            }
            value = None if target.value is None else next(together)
            # Not validated: what is out of range is refused where it would be stored, as this row's.
            aims[goal.id] = schemas.TargetInput.model_construct(value=value, **told)
    return aims


# ------------------------------------------------------------------------------------------------------------ baselines


async def _baselines(snapshots: Snapshots, wanted: BulkEdit) -> dict[UUID, schemas.Baseline | Problem]:
    """Of relative targets, before the organization's clock is locked: computing may take its time."""
    changes: list[GoalEdit] = [*wanted.items, *([wanted.change.set] if wanted.change and wanted.change.set else [])]
    if not any(_change_in(change) for change in changes):
        return {}
    async with snapshots.at(None) as session:
        standing = await _standing(session, snapshots.org_id, wanted)
        return await _frozen(session, standing, await _edits(session, standing, wanted))


async def _frozen(
    session: AsyncSession, standing: Standing, edits: Sequence[Edit]
) -> dict[UUID, schemas.Baseline | Problem]:
    found: dict[UUID, schemas.Baseline | Problem] = {}
    for edit in edits:
        change, stands = _change_in(edit.change), standing.get(edit.goal_id)
        if change is not None and stands is not None and edit.goal_id not in found:
            try:
                found[edit.goal_id] = await baselines.frozen(session, stands[0], change)
            except ValidationFailed as problem:
                found[edit.goal_id] = problem
    return found


def _change_in(change: GoalEdit) -> schemas.ChangeInput | None:
    target = getattr(change, "target", MISSING)
    return target.change if isinstance(target, schemas.TargetInput) else None


# ------------------------------------------------------------------------------------------------------------- each row


async def _edited(
    session: AsyncSession, who: Principal, wanted: BulkEdit, found: Mapping[UUID, schemas.Baseline | Problem]
) -> list[EditedGoal]:
    at = await clock.tick(session, who.org_id)
    changes = Changes(session, who, at, await making.today_of(session, who.org_id))
    standing = await _standing(session, who.org_id, wanted)
    edits = await _edits(session, standing, wanted)
    times = Counter(edit.goal_id for edit in edits)
    rows = [
        await _row(changes, edit, standing.get(edit.goal_id), times[edit.goal_id], found.get(edit.goal_id))
        for edit in edits
    ]
    await changes.write()
    return rows


async def _row(
    changes: Changes,
    edit: Edit,
    stands: tuple[Goal, GoalTarget] | None,
    times: int,
    baseline: schemas.Baseline | Problem | None,
) -> EditedGoal:
    """What becomes of a row whose goal is named so many times."""
    row = EditedGoal(
        id=edit.goal_id,
        name=None if stands is None else stands[0].name,
        outcome="refused",
        version=None if stands is None else stands[0].version,
        old=None if stands is None else schemas.Target.model_validate(stands[1]),
        new=None,
        problem=None,
    )
    try:
        if times > 1:
            raise ValidationFailed.at(
                "/id", f"The goal is named {times} times: write all of its changes in one row.", "duplicate"
            )
        if stands is None:
            told = f"No goal {edit.goal_id}."
            raise GoalNotFound(told, [ErrorItem(pointer="/id", message=told, code=GoalNotFound.code)])
        new = await edit_goal(changes, stands, edit, _usable(baseline))
    except Problem as problem:
        row.problem = _problem(edit, problem)
    except ValidationError as error:
        row.problem = _invalid(edit, error)
    else:
        row.outcome = "unchanged" if new is None else "changed"
        row.name, row.version, row.new = stands[0].name, stands[0].version, new or row.old
    return row


def _usable(baseline: schemas.Baseline | Problem | None) -> schemas.Baseline | None:
    if isinstance(baseline, Problem):
        raise baseline
    return baseline


def _problem(edit: Edit, problem: Problem) -> ErrorItem:
    if not problem.errors:
        return ErrorItem(pointer=edit.pointer, message=problem.detail, code=problem.code)
    first = problem.errors[0]
    return first.model_copy(update={"pointer": edit.place_of(first.pointer)})


def _invalid(edit: Edit, error: ValidationError) -> ErrorItem:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = "/target" + "".join(f"/{part}" for part in first["loc"])
    return ErrorItem(
        pointer=edit.place_of(place), message=first["msg"].removeprefix("Value error, "), code=first["type"]
    )


def _named(row: EditedGoal) -> ErrorItem:
    """The problem of a row, which of what was found is known by nothing but its goal."""
    assert row.problem is not None, "a refused row says why"  # noqa: S101
    if row.problem.pointer.startswith("/items"):
        return row.problem
    return row.problem.model_copy(update={"message": f"{row.name} ({row.id}): {row.problem.message}"})


def _answer(rows: list[EditedGoal]) -> BulkEdited:
    return BulkEdited(items=rows, counts=Counter(row.outcome for row in rows))


# --------------------------------------------------------------------------------------------------------- what differs


def _target_of(change: GoalEdit, target: GoalTarget) -> schemas.TargetInput | None:
    """The target that is asked for; None where it is the one that stands."""
    wanted = getattr(change, "target", MISSING)
    if wanted is MISSING:
        stretch = getattr(change, "stretch", MISSING)
        if stretch is MISSING or stretch == target.stretch:
            return None
        if target.baseline is not None:
            told = "The target is relative: write the change, with its stretch."
            raise ValidationFailed.at("/stretch", told, "relative_target")
        return schemas.TargetInput(value=target.value, low=target.low, high=target.high, stretch=stretch)
    if wanted.change is None and all(getattr(wanted, name) == getattr(target, name) for name in _AIM):
        return None
    # Again, since a scaled one was not validated.
    return schemas.TargetInput.model_validate({name: value for name, value in wanted if value is not None})


_AIM = ("value", "low", "high", "stretch")
_OF_GOAL = ("name", "description", "yields", "state")


def _differing(change: GoalEdit, goal: Goal, target: GoalTarget) -> dict[str, Any]:  # Any: fields of a `GoalUpdate`
    """The other fields that say something else than what stands."""
    told = {name: getattr(change, name) for name in change.model_fields_set}
    columns = terms.changed_columns(change, target)
    changed = [name for name in _OF_GOAL if name in told and told[name] != getattr(goal, name)]
    changed += [name for name in terms.TERMS if name in columns]
    return {name: told[name] for name in changed}
