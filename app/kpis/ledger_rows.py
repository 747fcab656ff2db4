"""Rows straight from the ledger, for all of a plan or for some of its measures."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from app.kpis import measures
from app.kpis.cells import RowFields
from app.kpis.measures import Audience
from app.kpis.planning import Plan


async def rows_from_ledger(
    session: AsyncSession,
    plan: Plan,
    audience: Audience,
    wanted: Collection[int],
    unions: Collection[int],
    *,
    only_shared: bool = False,
) -> Iterable[RowFields]:
    """The rows of some measures and unions, by the plan's numbers, in the windows in which they are read.

    The measures of the unions have to be wanted too. With `only_shared` of events with several credits alone.
    """
    numbers = sorted(wanted)
    if not numbers or not (audience.everything or audience.spans):
        return []
    every, days = list(plan.measures), list(plan.windows)
    asked_unions = [(number, union) for union, number in plan.unions.items() if number in unions]
    read = {window for kind, number, window in plan.rows if kind == "measure" and number in wanted}
    windows = sorted(read | {plan.windows[run] for _, union in asked_unions for _, run in union})
    local = {number: place for place, number in enumerate(numbers)}
    found = await measures.rows(
        session,
        replace(plan.scope, only_shared=only_shared),
        audience,
        [days[window] for window in windows],
        [every[number] for number in numbers],
        [tuple((local[number], run) for number, run in union) for _, union in asked_unions],
    )
    if len(numbers) == len(every) and windows == list(range(len(days))) and len(asked_unions) == len(plan.unions):
        return found
    union_numbers = [number for number, _ in asked_unions]
    return (
        (kind, numbers[number], subject, windows[window], *rest)
        if kind == "measure"
        else (kind, number, subject, union_numbers[window], *rest)
        for kind, number, subject, window, *rest in found
    )
