"""Cells written anew from the ledger, as far as they say something else than what is kept."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    TIMESTAMP,
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Interval,
    Numeric,
    Select,
    Subquery,
    Text,
    Uuid,
    and_,
    any_,
    case,
    cast,
    column,
    extract,
    false,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, aggregate_order_by, insert

from app.core.db import OrganizationId
from app.kpis.measures.bound import bound_array, bound_table
from app.kpis.partials.cells import MEASURES, fresh_cells
from app.kpis.partials.models import Partial, PartialMeasure
from app.kpis.partials.shapes import Shape

_TEXT = Text(collation="C")
_KEY = ("measure_id", "identity_id", "is_shared", "currency")
_COUNTS = ("n", "left_out")
_AMOUNTS = ("weight", "total", "whole", "low", "high")
_NUMBERS = (*_COUNTS, *_AMOUNTS)


@dataclass(frozen=True)
class Kept:
    """A shape of which figures are kept."""

    id: UUID
    shape: Shape


def marked_days(
    kept: Sequence[Kept], marked: Iterable[tuple[UUID, date, str | None]]
) -> tuple[FromClause, set[UUID]] | None:
    """Marked days of identities as `rewriting` takes them, each for the shapes that look at what changed on it.

    The type is that of an event that changed, None where it may be any. Beside them all identities; None where no
    shape looks at anything that changed.
    """
    looking: dict[str | None, frozenset[int]] = {None: frozenset(range(len(kept)))}
    for place, each in enumerate(kept):
        for looked_at in each.shape.types:
            looking[looked_at] = looking.get(looked_at, frozenset()) | {place}
    wanted: dict[tuple[UUID, date], frozenset[int]] = {}
    for identity, day, kind in marked:
        if places := looking.get(kind):
            wanted[identity, day] = wanted.get((identity, day), frozenset()) | places
    if not wanted:
        return None
    numbers = {places: number for number, places in enumerate(set(wanted.values()))}
    rows = sorted((identity, day, numbers[places]) for (identity, day), places in wanted.items())
    return _narrowed(kept, rows, numbers), {identity for identity, _, _ in rows}


def _narrowed(
    kept: Sequence[Kept], rows: Sequence[tuple[UUID, date, int]], numbers: Mapping[frozenset[int], int]
) -> FromClause:
    """A run of one day for each row, with what the number of its set of shapes stands for, as arrays."""
    identities, days, sets = zip(*rows, strict=True)
    stale = bound_table(
        "stale", {"identity_id": (Uuid(), identities), "first_day": (Date(), days), "number": (Integer(), sets)}
    )
    sets_of = [(number, sorted(places)) for places, number in numbers.items()]
    measures = [(number, place) for number, places in sets_of for place in places]
    types = [(number, kind) for number, places in sets_of for kind in sorted({
        kind for place in places for kind in kept[place].shape.types})]  # fmt: skip
    ids = [kept[place].id for _, place in measures]
    looking = bound_table(
        "looking",
        {
            "number": (Integer(), [number for number, _ in measures]),
            "measure": (Integer(), [place for _, place in measures]),
            "measure_id": (Uuid(), ids),
        },
    )
    looked_at = bound_table(
        "looked_at",
        {"number": (Integer(), [number for number, _ in types]), "type": (_TEXT, [kind for _, kind in types])},
    )
    of_set = (
        select(
            looking.c.number,
            func.array_agg(looking.c.measure, type_=ARRAY(Integer())).label(MEASURES),
            func.array_agg(looking.c.measure_id, type_=ARRAY(Uuid())).label("measure_ids"),
        )
        .group_by(looking.c.number)
        .subquery("of_set")
    )
    types_of = (
        select(looked_at.c.number, func.array_agg(looked_at.c.type, type_=ARRAY(_TEXT)).label("types"))
        .group_by(looked_at.c.number)
        .subquery("types_of")
    )
    return (
        select(
            stale.c.identity_id,
            stale.c.first_day,
            (stale.c.first_day + 1).label("next_day"),
            of_set.c[MEASURES],
            of_set.c.measure_ids,
            types_of.c.types,
        )
        .select_from(
            stale.join(of_set, of_set.c.number == stale.c.number).join(types_of, types_of.c.number == stale.c.number)
        )
        .cte("stale_days")
    )


def rewriting(
    org_id: OrganizationId,
    zone: str,
    kept: Sequence[Kept],
    days: FromClause,
    at: datetime,
    *,
    nobody: bool,
    everybody: bool,
    whole_months: bool = False,
) -> Insert:
    """One statement that makes the cells of these identities and days what the ledger says; see `fresh_cells`.

    Rows are written where a day differs from what stands, whole months at a time: the numbers of the month are those
    of the days beside them. What is not there any more becomes 0. Of `whole_months` nothing that stands is looked at:
    for shapes that are not built there yet, of which at most what has a marker says something else.
    """
    shapes = [each.shape for each in kept]
    cells = fresh_cells(org_id, zone, shapes, days, at, nobody=nobody, everybody=everybody)
    fresh = _fresh(kept, cells.subquery("cells"))
    if whole_months:
        return _written(_months(org_id, _with_month(fresh)))
    changed = _changed(fresh, _standing(org_id, kept, days))
    months = select(*[changed.c[name] for name in _KEY], changed.c.month).distinct().cte("months")
    return _written(_months(org_id, changed, _old(org_id, months)))


def _written(rows: Select[Any]) -> Insert:
    names = ["org_id", *_KEY, "month", *_NUMBERS, *[f"day_{name}" for name in _NUMBERS]]
    statement = insert(Partial).from_select(names, rows)
    return statement.on_conflict_do_update(
        index_elements=["org_id", *_KEY, "month"],
        set_={name: statement.excluded[name] for name in names if name not in {"org_id", *_KEY, "month"}},
    )


def _fresh(kept: Sequence[Kept], cells: Subquery) -> CTE:
    ids = bound_array([each.id for each in kept], Uuid())
    names = ("identity_id", "is_shared", "currency", "day", *_NUMBERS)
    return select(ids[cells.c.measure + 1].label("measure_id"), *[cells.c[name] for name in names]).cte("fresh")


def _standing(org_id: OrganizationId, kept: Sequence[Kept], days: FromClause) -> CTE:
    """The cells of these days that say anything as they are kept."""
    ids = days.c.measure_ids if MEASURES in days.c else literal([one.id for one in kept], ARRAY(Uuid()))
    each = (
        func.generate_series(
            func.greatest(days.c.first_day - Partial.month + 1, 1),
            func.least(days.c.next_day - Partial.month, func.cardinality(Partial.day_n)),
        )
        .table_valued(column("number", Integer()), name="each")
        .render_derived()
        .lateral()
    )
    number = each.c.number
    elements = {name: getattr(Partial, f"day_{name}")[number] for name in _NUMBERS}
    rows = (
        select(
            *[getattr(Partial, name) for name in _KEY],
            (Partial.month + (number - 1)).label("day"),
            *[element.label(name) for name, element in elements.items()],
        )
        .select_from(Partial)
        .join(each, or_(*[elements[name] != 0 for name in _COUNTS]))
        .where(
            Partial.org_id == org_id,
            Partial.measure_id == any_(ids),
            Partial.identity_id == days.c.identity_id,
            Partial.month >= _month(days.c.first_day),
            Partial.month < days.c.next_day,
        )
        .correlate(days)
        .offset(0)  # by index, for each run of days: see `fresh_cells`
        .lateral("rows")
    )
    return select(*rows.c).select_from(days.join(rows, true())).cte("standing")


def _changed(fresh: CTE, standing: CTE) -> CTE:
    """The cells that are to be others, with their months."""
    same = and_(*[fresh.c[name] == standing.c[name] for name in (*_KEY, "day")])
    differs = or_(*[fresh.c[name].is_distinct_from(standing.c[name]) for name in _NUMBERS])
    key = [func.coalesce(fresh.c[name], standing.c[name]).label(name) for name in _KEY]
    day = func.coalesce(fresh.c.day, standing.c.day)
    counts = [func.coalesce(fresh.c[name], 0).label(name) for name in _COUNTS]
    return (
        select(*key, day.label("day"), _month(day).label("month"), *counts, *[fresh.c[name] for name in _AMOUNTS])
        .select_from(fresh.join(standing, same, full=True))
        .where(differs)
        .cte("changed")
    )


def _with_month(fresh: CTE) -> CTE:
    return select(fresh, _month(fresh.c.day).label("month")).cte("changed")


def _months(org_id: OrganizationId, changed: CTE, old: Select[Any] | None = None) -> Select[Any]:
    """Whole rows of the months: changed days as they shall be, the others as they stand."""
    number = changed.c.day - changed.c.month + 1
    shall_be = select(
        *[changed.c[name] for name in (*_KEY, "month")],
        number.label("number"),
        false().label("is_old"),
        *_numbers(changed),
    )
    elements = (shall_be if old is None else union_all(shall_be, old)).subquery("elements")
    key = [elements.c[name] for name in (*_KEY, "month")]
    order = (elements.c.number, elements.c.is_old)
    before = func.lag(elements.c.number, 1, 0).over(partition_by=key, order_by=order)
    gaps = select(elements, (elements.c.number - before - 1).label("gap")).subquery("gaps")
    whose = [gaps.c[name] for name in (*_KEY, "month")]
    return (
        select(
            PartialMeasure.org_id,
            *whose,
            *[_sum_of(name, gaps.c[name]).label(name) for name in _NUMBERS],
            *[_array_of(name, gaps).label(f"day_{name}") for name in _NUMBERS],
        )
        .select_from(gaps)
        .join(PartialMeasure, PartialMeasure.id == gaps.c.measure_id)
        # A day that stands beside itself as it shall be comes after that, without a gap.
        .where(PartialMeasure.org_id == org_id, gaps.c.gap >= 0)
        .group_by(PartialMeasure.org_id, *whose)
    )


def _old(org_id: OrganizationId, months: CTE) -> Select[Any]:
    """The days of the months that say anything, as they stand."""
    each = _unnested("each")
    rows = (
        select(cast(each.c.number, Integer()).label("number"), *_numbers(each))
        .select_from(Partial)
        .join(each, _says_anything(each))
        .where(Partial.org_id == org_id, *[getattr(Partial, name) == months.c[name] for name in (*_KEY, "month")])
        .correlate(months)
        .offset(0)
        .lateral("rows")
    )
    key = [months.c[name] for name in (*_KEY, "month")]
    return select(*key, rows.c.number, true().label("is_old"), *_numbers(rows)).select_from(months.join(rows, true()))


def _unnested(name: str) -> Any:
    """The days of a row of `partial`, with their number in the month."""
    arrays = [getattr(Partial, f"day_{each}") for each in _NUMBERS]
    unnested = func.unnest(*arrays).table_valued(*_NUMBERS, with_ordinality="number", name=name)
    return unnested.render_derived().lateral()


def _numbers(rows: FromClause) -> list[ColumnElement[Any]]:
    return [rows.c[name] for name in _NUMBERS]


def _says_anything(rows: FromClause) -> ColumnElement[bool]:
    return or_(*[rows.c[name] != 0 for name in _COUNTS])


def _sum_of(name: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    if name in _COUNTS:
        return cast(func.sum(value), Integer())
    return func.min(value) if name == "low" else func.max(value) if name == "high" else func.sum(value)


def _array_of(name: str, gaps: Subquery) -> ColumnElement[Any]:
    """The month's numbers in order; null where no day has any.

    Written as an array's text: most days have nothing, and a row for each of them would cost ten times as much.
    """
    kind, nothing = (Integer(), "0") if name in _COUNTS else (Numeric(), "NULL")
    value, number = gaps.c[name], gaps.c.number
    told = func.coalesce(cast(value, Text()), nothing)
    filled = func.repeat(literal(f"{nothing},", Text()), gaps.c.gap).concat(told)
    known = func.string_agg(filled, aggregate_order_by(literal(",", Text()), number))
    rest = func.repeat(literal(f",{nothing}", Text()), _length(gaps.c.month) - func.max(number))
    array = cast(literal("{", Text()).concat(known).concat(rest).concat(literal("}", Text())), ARRAY(kind))
    return case((func.count(value) > 0, array))


def _month(day: ColumnElement[Any]) -> ColumnElement[Any]:
    """The first day of the day's month."""
    return cast(func.date_trunc("month", cast(day, TIMESTAMP())), Date())


def _length(month: ColumnElement[Any]) -> ColumnElement[Any]:
    """How many days the month has."""
    last = cast(month, TIMESTAMP()) + cast(literal("1 month -1 day"), Interval())
    return cast(extract("day", last), Integer())
