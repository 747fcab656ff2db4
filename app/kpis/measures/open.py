"""What is open at a moment: things with a start event and no end event by then (S18a).

An event is there by a moment, the first instant of a local day, when its own day lies before that day. So everything
that matters here are runs of days: a fact holds at the end of each day from its `day` on, until before `until_day`.
"""

from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    FunctionFilter,
    Numeric,
    Select,
    Subquery,
    and_,
    case,
    column,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, DATEMULTIRANGE, DATERANGE, JSONB, UUID

from app.kpis.definition import OpenMeasure
from app.kpis.expressions.syntax import Name
from app.kpis.measures.facts import fact
from app.kpis.measures.ledger import Ledger
from app.kpis.measures.scope import ENTERS, LEFT_OUT
from app.kpis.measures.threads import events_of_things, over_thing, own

_ALWAYS = literal_column("'-infinity'::date", Date())
_FOREVER = literal_column("'infinity'::date", Date())


def open_facts(ledger: Ledger, measure: OpenMeasure) -> Select[Any]:
    """The starts that opened things, for the days on which they are open, with the value that then holds."""
    rows = _with_ends(_events(ledger, measure, measure.value))
    if measure.value is not None:
        rows = _with_values(rows, tells=ledger.tells)
    rows = _opened_once(rows) if measure.repeat == "first" else _opened_again(rows)
    state: ColumnElement[Any] = literal(ENTERS)
    value = related = None
    if measure.value is not None:
        rows = _valued(rows, tells=ledger.tells)
        value = rows.c.value_then
        state = case((value.is_not(None), ENTERS), (rows.c.is_valued, LEFT_OUT))
        related = func.jsonb_build_object("value", rows.c.value_row, type_=JSONB()) if ledger.tells else None
    day, until_day = rows.c.from_day, rows.c.until_day
    facts = fact(own(rows), day=day, until_day=until_day, state=state, value=value, related=related)
    # The moments that are asked about are first or following days of the query's.
    reaches = and_(rows.c.from_day < ledger.days.end, rows.c.until_day >= ledger.days.start)
    return select(*facts).where(rows.c.is_selected, reaches)


def closed_starts(ledger: Ledger, measure: OpenMeasure, moment: date) -> Select[Any]:
    """The rows of the starts that an end has followed by a moment."""
    rows = _with_ends(_events(ledger, measure, None))
    return select(rows.c.row_id).where(rows.c.is_0, rows.c.closed_day < literal(moment, Date()))


def _events(ledger: Ledger, measure: OpenMeasure, value: Name | None) -> Subquery:
    selections = [measure.start, measure.end]
    return events_of_things(ledger, measure.match, selections, value, role=measure.role, begun_in_days=False)


def _with_ends(rows: Subquery) -> Subquery:
    """For each start the first day by which an end has followed it: later, or at the same instant (S14).

    Backwards in time, so that the database adds one event after the other: forwards it would begin anew at each.
    """
    closed = _first_day(rows, rows.c.is_1).over(partition_by=rows.c.thing, order_by=rows.c.occurred_at.desc())
    return select(rows, func.coalesce(closed, _FOREVER).label("closed_day")).subquery("ended")


def _first_day(rows: Subquery, condition: ColumnElement[bool]) -> FunctionFilter[Any]:
    return func.min(rows.c.day).filter(condition)


def _opened_once(rows: Subquery) -> Subquery:
    """The days on which a start is the thing's first by then, and no end has followed it.

    One whose day (`occurred_on`) lies before that of an earlier start is the first until that one is there.
    """
    before = _first_day(rows, rows.c.is_0).over(partition_by=rows.c.thing, order_by=rows.c.place, rows=(None, -1))
    until = func.least(rows.c.closed_day, before).label("until_day")
    found = select(rows, until, rows.c.day.label("from_day")).where(rows.c.is_0).subquery("once")
    # Its own columns and no more: what is asked of a window function is asked outside of its query.
    return select(found).where(found.c.from_day < found.c.until_day).subquery("opened")


def _opened_again(rows: Subquery) -> Subquery:
    """The days on which no end has followed a start, less those on which that was so of an earlier start."""
    run = func.daterange(rows.c.day, func.greatest(rows.c.day, rows.c.closed_day), type_=DATERANGE())
    earlier = func.range_agg(run, type_=DATEMULTIRANGE()).filter(rows.c.is_0)
    before = earlier.over(partition_by=rows.c.thing, order_by=rows.c.place, rows=(None, -1))
    found = select(rows, run.label("run"), before.label("before")).where(rows.c.is_0).subquery("each")
    left = func.multirange(found.c.run) - func.coalesce(found.c.before, literal_column("'{}'::datemultirange"))
    runs = func.unnest(left).table_valued(column("days", DATERANGE()), name="runs").render_derived().lateral()
    return (
        select(found, func.lower(runs.c.days).label("from_day"), func.upper(runs.c.days).label("until_day"))
        .select_from(found.join(runs, literal(True)))
        .subquery("opened")
    )


def _with_values(rows: Subquery, *, tells: bool) -> Subquery:
    """For each start that says a value, the day by which a later one says another; and all of a thing together."""
    says = and_(rows.c.is_0, rows.c.has_value)
    later = _first_day(rows, says).over(partition_by=rows.c.thing, order_by=rows.c.place.desc(), rows=(None, -1))
    told = select(rows, func.coalesce(later, _FOREVER).label("outdated_day"), says.label("says")).subquery("said")
    of_thing = {
        "values_from": func.array_agg(told.c.day, type_=ARRAY(Date())),
        "values_until": func.array_agg(told.c.outdated_day, type_=ARRAY(Date())),
        "values_then": func.array_agg(told.c.value, type_=ARRAY(Numeric())),
    }
    if tells:
        of_thing["values_row"] = func.array_agg(told.c.row_id, type_=ARRAY(UUID()))
    columns = {name: over_thing(told, values, told.c.says) for name, values in of_thing.items()}
    # One run of days more, until the first value, has no place in the other arrays: `unnest` fills it up with NULL.
    first = func.coalesce(over_thing(told, func.min(told.c.day), told.c.says), _FOREVER)
    columns["values_from"] = func.array_append(columns["values_from"], _ALWAYS)
    columns["values_until"] = func.array_append(columns["values_until"], first)
    return select(told, *[values.label(name) for name, values in columns.items()]).subquery("valued")


def _valued(rows: Subquery, *, tells: bool) -> Subquery:
    """The open days, cut by the value that holds: the latest that the thing's starts have said by then, if any."""
    of_thing = [rows.c.values_from, rows.c.values_until, rows.c.values_then]
    columns: list[ColumnElement[Any]] = [
        column("from_day", Date()),
        column("until_day", Date()),
        column("value", Numeric()),
    ]
    if tells:
        of_thing.append(rows.c.values_row)
        columns.append(column("row_id", UUID()))
    said = func.unnest(*of_thing).table_valued(*columns, name="says").render_derived().lateral()
    meets = and_(
        said.c.from_day < rows.c.until_day, said.c.until_day > rows.c.from_day, said.c.from_day < said.c.until_day
    )
    return (
        select(
            *[rows.c[name] for name in (*own(rows), "is_selected")],
            func.greatest(rows.c.from_day, said.c.from_day).label("from_day"),
            func.least(rows.c.until_day, said.c.until_day).label("until_day"),
            said.c.value.label("value_then"),
            (said.c.from_day > _ALWAYS).label("is_valued"),
            *([said.c.row_id.label("value_row")] if tells else []),
        )
        .select_from(rows.join(said, meets))
        .subquery("open_values")
    )
