"""Which groups an answer shows: found before the answer is asked for, over the total of the period."""

import json
from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.problems import ValidationFailed
from app.kpis.asking import Asked
from app.kpis.attribution import Subject, intersect
from app.kpis.expressions.syntax import Name
from app.kpis.figures import Grouped
from app.kpis.measures import NO_GROUP, REST, Grouping
from app.kpis.questions import Group, GroupBy, MembersOf, Query
from app.kpis.slicing import Slices

MAX_GROUPS = 200
_THE_REST = Group("rest")


async def find_groups(session: AsyncSession, total: Asked, by: GroupBy) -> tuple[list[Grouped], bool]:
    """The groups in order, then the rest; and whether some are in the rest because only the `top` are wanted.

    Ordered by the first KPI's total for the first subject, the greatest first; no data comes last, ties by code point.
    `total` is the query over the total alone, of whole teams instead of each of their members. Raises
    `ValidationFailed` where there are too many groups and the query does not say how many to keep.
    """
    found = _by_attribute(total, total.slices) if total.slices is not None else []
    if by.event is not None:
        total.plan.grouping = Grouping(by.event, None)
    total.groups = found or (None,)
    figures = await total.figures(session, list(total.subjects))
    if by.event is not None:
        # Events without the value that is asked for take no part (S11), and so make no group.
        found = [Grouped(_group_of(text), text=text) for text in sorted(figures.groups_with_any())]
    first = next(iter(total.subjects), None)
    if first is None:
        return [], False
    value = {each: figures.cell(total.kpis[0], first, total.plan.total, each).value for each in found}
    ranked = sorted(found, key=lambda each: _rank(value[each], each))
    if by.top is None and len(ranked) > MAX_GROUPS:
        message = f"There are {len(ranked)} groups, and at most {MAX_GROUPS} can be shown: say with `top` how many."
        raise ValidationFailed.at("/group_by", message, "too_many_groups")
    kept = ranked[: by.top]
    return [*kept, _rest(kept, total.slices)], len(kept) < len(ranked)


def grouping_of(by: Name, groups: Sequence[Grouped | None]) -> Grouping:
    """How the statement groups: by the values that are shown, and all others as the rest."""
    return Grouping(by, [each.text for each in groups if each is not None and each.text])


def whole_subjects(query: Query) -> dict[Subject, tuple[Subject, ...]]:
    """The subjects with a team in the place of each of its members."""
    asked = (Subject("team", each.team_id) if isinstance(each, MembersOf) else each for each in query.subjects)
    return dict.fromkeys(asked, ())


def _by_attribute(total: Asked, slices: Slices) -> list[Grouped]:
    """The values that somebody in scope of a subject has in the period, and the group of all without one."""
    during = [total.plan.total.days]
    scopes = [total.context.attributor.members_in(subject) for subject in total.subjects]
    found = []
    for group in slices.groups():
        part = slices.of(group)
        if group.kind == "none" or any(
            intersect(part.clipped(member, runs), during) for scope in scopes for member, runs in scope.items()
        ):
            found.append(Grouped(group, part=part))
    return found


def _group_of(text: str) -> Group:
    if text == NO_GROUP:
        return Group("none")
    return Group("value", json.loads(text, parse_float=Decimal, parse_int=Decimal))


def _rank(value: Decimal | None, each: Grouped) -> tuple[bool, Decimal, bool, str]:
    name = each.text if each.text is not None else str(each.group.value)
    return value is None, Decimal(0) if value is None else value.copy_negate(), each.group.kind == "none", name


def _rest(kept: Sequence[Grouped], slices: Slices | None) -> Grouped:
    if slices is None:
        return Grouped(_THE_REST, text=REST)
    return Grouped(_THE_REST, part=slices.rest([each.group for each in kept]))
