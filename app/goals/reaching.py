"""The instants at which a growing KPI reached values: those of the events that brought it there."""

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func

from app.events.models import Event
from app.goals.asked import question_of
from app.goals.standing import Standing
from app.goals.work import owner_of
from app.kpis import evidence
from app.kpis.asking import Asked
from app.kpis.definition import Aggregate, EventMeasure
from app.kpis.engine import audience_of, plan_query
from app.kpis.evidence import Opened
from app.kpis.expressions.syntax import Name
from app.kpis.formulas import FORMULA

_RUNNING = {Aggregate.COUNT, Aggregate.SUM}
MOST_EVENTS = 50_000
"""Of more events the instant is not looked for: the end of the day is told instead, which costs nothing more."""


async def instants(standing: Standing, values: Collection[Decimal]) -> dict[Decimal, datetime]:
    """The smallest instant T at which the KPI of the whole period, by present knowledge, had each of these values.

    Of goals whose KPI is one count or sum of events that never falls. Without an entry it was not looked for: other
    KPIs, sums of parts, more events than one looks through.
    """
    if not values or standing.parts is not None or standing.cell.sample > MOST_EVENTS:
        return {}
    session, goal = standing.asking.session, standing.goal
    moment = standing.asking.moment
    asked = await plan_query(session, goal.org_id, question_of(goal, moment.as_of, moment.known_at))
    opened = _opened(asked)
    if not opened:
        return {}
    audience = audience_of(asked.context, [owner_of(goal)])
    found = await session.execute(_steps(evidence.used(asked.plan.scope, audience, opened)))
    return _first([(at, amount) for at, amount in found if at is not None], values)


def _first(steps: Iterable[tuple[datetime, Decimal]], values: Collection[Decimal]) -> dict[Decimal, datetime]:
    """When the running sum was first as large as each value."""
    found: dict[Decimal, datetime] = {}
    wanted, total = sorted(values), Decimal(0)
    for at, amount in steps:
        total = FORMULA.add(total, amount)
        while wanted and total >= wanted[0]:
            found[wanted.pop(0)] = at
    return found


def _opened(asked: Asked) -> list[Opened]:
    """The one measure over the days of each version; none where the KPI is anything else."""
    (history,) = asked.kpis
    opened = []
    for reading in asked.plan.cell(history, asked.plan.total).readings:
        definition = reading.part.version.definition
        formula = definition.formula
        measure = definition.measures.get(formula.path[0]) if isinstance(formula, Name) else None
        if not isinstance(measure, EventMeasure) or measure.over or measure.aggregate not in _RUNNING:
            return []
        opened.append(Opened(measure, asked.plan.days_read(measure, reading.part.place)))
    return opened


def _steps(used: Select[Any]) -> Select[datetime | None, Any]:
    """What the events of each instant add, in time order."""
    columns = used.selected_columns
    added = func.sum(columns.weight * func.coalesce(columns.value, 1))
    steps = used.with_only_columns(Event.occurred_at, added)
    return steps.group_by(Event.occurred_at).order_by(Event.occurred_at)
