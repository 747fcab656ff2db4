"""Measures over events: every event is a fact (S9, S11)."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, case, func, literal, select

from app.kpis.definition import Aggregate, EventMeasure
from app.kpis.measures.facts import CREDITED, fact
from app.kpis.measures.ledger import ORDER, Ledger
from app.kpis.measures.scope import ENTERS, LEFT_OUT


def event_facts(ledger: Ledger, measure: EventMeasure) -> Select[Any]:
    """The events of the measure, with the value or the thing that it looks at."""
    rows = _looked_at(ledger, measure)
    state: ColumnElement[Any] = literal(ENTERS)
    value = thing = place = None
    if measure.value is not None:
        value = rows.c.value
        state = case((value.is_not(None), ENTERS), (rows.c.is_present, LEFT_OUT))
    if measure.of is not None:
        thing = rows.c.thing
        state = case((thing.is_not(None), ENTERS))
    if measure.aggregate in {Aggregate.FIRST, Aggregate.LAST}:
        place = func.row_number().over(order_by=[rows.c[name] for name in ORDER])
    own = {name: rows.c[name] for name in (*CREDITED, "group")}
    return select(*fact(own, state=state, value=value, thing=thing, place=place))


def _looked_at(ledger: Ledger, measure: EventMeasure) -> Subquery:
    """The events in the query's days, with what is looked at."""
    on_top = ledger.scope.where
    view, filters = ledger.view(measure.events, measure.where, on_top, in_days=True, role=measure.role)
    looked_at: list[ColumnElement[Any]] = []
    if measure.value is not None:
        looked_at += [filters.number(measure.value).label("value"), filters.presence(measure.value).label("is_present")]
    if measure.of is not None:
        looked_at.append(filters.identity(measure.of).label("thing"))
    found = (
        ledger.selected(view, filters, measure.where, on_top)
        .add_columns(*[view.c[name] for name in (*CREDITED, *ORDER)], ledger.group(filters).label("group"), *looked_at)
        .where(view.c.day >= ledger.days.start, view.c.day < ledger.days.end)
    )
    # Kept apart: merged into the outer query, a value is converted anew wherever it is asked about, 2.5 s a figure
    # of 200,000 events.
    return (found.offset(0) if looked_at else found).subquery("looked_at")
