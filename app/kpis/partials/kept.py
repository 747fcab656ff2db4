"""The statements that read figures kept ready: what state they are in, those of months and days, and the fresh ones.

All give a row of arrays for each shape, identity and currency, not one for each figure: decoding rows one by one
would take longer than finding them.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Date,
    Integer,
    Numeric,
    Select,
    SmallInteger,
    and_,
    any_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP, UUID, array

from app.core.db import Ready
from app.events.models import StaleMarker
from app.kpis.partials.cells import fresh_cells
from app.kpis.partials.guard import basis
from app.kpis.partials.layouts import BEGINNING
from app.kpis.partials.merging import DAYS, FRESH, MONTHS
from app.kpis.partials.models import EVERYBODY, Partial, PartialBuild, PartialGuard, PartialMeasure
from app.kpis.partials.shapes import Shape

_TEXT = SqlText(collation="C")
_UUIDS, _DATES = ARRAY(UUID()), ARRAY(Date())
_INTEGERS, _NUMBERS = ARRAY(Integer()), ARRAY(Numeric())
_ORG = bindparam("org_id", type_=UUID())
NUMBERS = ("n", "left_out", "weight", "total", "whole", "low", "high")
FIGURE = 6 + len(NUMBERS)
"""So many columns has a row of figures."""


# ---------------------------------------------------------------------------------------------------------- state


def _state() -> Select[Any]:
    """Parameters: org_id, shards, digests, first_month, zone, everything, identities, first_day, next_day, most.

    One row: the guards of the shards as arrays; the shapes that are built in all of them from the first month on; the
    days of the identities (or of all) that something changed on since, at most so many; whether a writer of an earlier
    version left a marker that tells nobody's shard.
    """
    shards = any_(bindparam("shards", type_=ARRAY(SmallInteger())))
    guards = (
        select(
            func.array_agg(PartialGuard.shard).label("shards"),
            func.array_agg(PartialGuard.before).label("before"),
            func.array_agg(PartialGuard.computed_at).label("computed_at"),
            func.bool_and(PartialGuard.basis == basis(_ORG)).label("has_basis"),
        )
        .where(PartialGuard.org_id == _ORG, PartialGuard.shard == shards)
        .subquery("guards")
    )
    is_built = or_(PartialBuild.next_month.is_(None), PartialBuild.next_month < bindparam("first_month", type_=Date()))
    built = (
        select(PartialMeasure.id, PartialMeasure.digest)
        .join(
            PartialBuild,
            and_(PartialBuild.org_id == PartialMeasure.org_id, PartialBuild.measure_id == PartialMeasure.id),
        )
        .where(
            PartialMeasure.org_id == _ORG,
            PartialBuild.org_id == _ORG,
            PartialMeasure.digest == any_(bindparam("digests", type_=ARRAY(PartialMeasure.digest.type))),
            PartialBuild.shard == shards,
            is_built,
        )
        .group_by(PartialMeasure.id, PartialMeasure.digest)
        .having(func.count() == func.cardinality(bindparam("shards", type_=ARRAY(SmallInteger()))))
        .subquery("built")
    )
    measures = select(
        func.array_agg(built.c.id).label("measures"), func.array_agg(built.c.digest).label("digests")
    ).subquery("measures")
    stale = _stale(shards)
    unadopted = select(literal(1)).where(StaleMarker.org_id == _ORG, StaleMarker.shard.is_(None)).exists()
    return select(
        guards.c.shards,
        guards.c.before,
        guards.c.computed_at,
        guards.c.has_basis,
        measures.c.measures,
        measures.c.digests,
        stale.c.identities.label("stale_identities"),
        stale.c.days.label("stale_days"),
        unadopted.label("is_unadopted"),
    ).select_from(guards.join(measures, true()).join(stale, true()))


def _stale(shards: Any) -> Any:
    local = cast(func.timezone(bindparam("zone", type_=SqlText()), StaleMarker.occurred_at), Date())
    marked = (
        select(StaleMarker.identity_id, func.coalesce(StaleMarker.occurred_on, local).label("day"))
        .where(
            StaleMarker.org_id == _ORG,
            StaleMarker.shard == shards,
            or_(
                bindparam("everything", type_=Boolean()),
                StaleMarker.identity_id == any_(bindparam("identities", type_=_UUIDS)),
            ),
        )
        .subquery("marked")
    )
    days = (
        select(marked.c.identity_id, marked.c.day)
        .where(marked.c.day >= bindparam("first_day", type_=Date()), marked.c.day < bindparam("next_day", type_=Date()))
        .distinct()
        .limit(bindparam("most", type_=Integer()))
        .subquery("days")
    )
    return select(
        func.array_agg(days.c.identity_id).label("identities"), func.array_agg(_number(days.c.day)).label("days")
    ).subquery("stale")


# --------------------------------------------------------------------------------------------------------- figures


def _figures(*, summed: bool = False) -> Select[Any]:
    """Months of identities (or what those of each come to), and the days of some months of some identities.

    Parameters: org_id, counts, totals, ranges (shapes by what they keep), whole_identities, first_month, last_month;
    is_apart, whether months of shared events are not to stand among those of the others; cut_measures, cut_identities,
    cut_months, cut_currencies ('*' is all).
    """
    return select(union_all(*_figures_of_identities(summed=summed)).subquery("figures"))


def _figures_of_identities(*, summed: bool = False) -> list[Select[Any]]:
    return [*(_months(name, numbers, summed=summed) for name, numbers in KEPT.items()), _days()]


KEPT = {
    "counts": ("n", "weight"),
    "totals": ("n", "left_out", "weight", "total", "whole"),
    "ranges": ("n", "left_out", "low", "high"),
}
"""Which numbers are read of which shapes."""
ALL_CURRENCIES = "*"
_SUMMED = frozenset({"n", "left_out"})


def read_as(shape: Shape) -> str:
    """As one of KEPT; hidden counts as ranges, for what they leave out."""
    if shape.keeps == "count":
        return "counts" if len(shape.parts) == 1 else "ranges"
    return "totals" if shape.keeps == "total" else "ranges"


def _months(name: str, numbers: Sequence[str], *, summed: bool) -> Select[*tuple[Any, ...]]:
    """The numbers of whole months, an array for each identity; `summed`, of what they come to, by the first month."""
    is_shared = and_(bindparam("is_apart", type_=Boolean()), Partial.is_shared).label("is_shared")
    whose = (Partial.measure_id, Partial.identity_id, is_shared, Partial.currency)
    # Beside shared events the others weigh, and come to, what they are.
    alone = {"weight": Partial.n, "whole": Partial.total}
    return (
        select(
            literal(MONTHS).label("kind"),
            *whose,
            (array([_number(func.min(Partial.month))]) if summed else func.array_agg(_number(Partial.month))).label(
                "at"
            ),
            *[
                _array(
                    number, getattr(Partial, number) if number in numbers else None, alone.get(number), summed=summed
                )
                for number in NUMBERS
            ],
        )
        .where(
            Partial.org_id == _ORG,
            Partial.measure_id == any_(bindparam(name, type_=_UUIDS)),
            Partial.identity_id == any_(bindparam("whole_identities", type_=_UUIDS)),
            Partial.month >= bindparam("first_month", type_=Date()),
            Partial.month <= bindparam("last_month", type_=Date()),
        )
        .group_by(*whose)
    )


def _array(name: str, number: Any, alone: Any = None, *, summed: bool = False) -> ColumnElement[Any]:
    """All values of a number (for those without it `alone`); NULL for what is not kept or is 0 everywhere.

    `summed`: what they come to.
    """
    kind = _INTEGERS if name in _SUMMED else _NUMBERS
    if number is None:
        return cast(null(), kind).label(name)
    each = number if alone is None else func.coalesce(number, alone)
    gathered = cast(array([_merged(name, each)]) if summed else func.array_agg(each), kind)
    if name == "left_out":
        return case((func.max(number) > 0, gathered)).label(name)
    return (gathered if name == "n" else case((func.count(number) > 0, gathered))).label(name)


def _days() -> Select[*tuple[Any, ...]]:
    """The days of some months, as they are kept."""
    cut = (
        func.unnest(
            bindparam("cut_identities", type_=_UUIDS),
            bindparam("cut_months", type_=_DATES),
            bindparam("cut_currencies", type_=ARRAY(_TEXT)),
        )
        .table_valued(column("identity_id", UUID()), column("month", Date()), column("currency", _TEXT), name="cut")
        .render_derived()
    )
    return (
        select(
            literal(DAYS),
            Partial.measure_id,
            Partial.identity_id,
            Partial.is_shared,
            Partial.currency,
            array([_number(Partial.month)]),
            *[getattr(Partial, f"day_{name}") for name in NUMBERS],
        )
        .select_from(cut)
        .join(Partial, and_(Partial.identity_id == cut.c.identity_id, Partial.month == cut.c.month))
        .where(
            Partial.org_id == _ORG,
            Partial.measure_id == any_(bindparam("cut_measures", type_=_UUIDS)),
            or_(cut.c.currency == ALL_CURRENCIES, cut.c.currency == Partial.currency),
        )
    )


def _everything() -> Select[Any]:
    """Months and days of everybody together: events with one credit or none, and each shared event once.

    Parameters: org_id, measures, and those again as counts, totals, ranges; first_month, last_month; cut_months, whose
    days are wanted one by one, and converted_months, of which only those of `converted` currencies are;
    stale_identities with stale_months: what is wanted of them is read by itself.
    """
    days = [_days_of_all(name, numbers) for name, numbers in KEPT.items()]
    both = union_all(_months_of_all(), *days).subquery("both")
    whose = (both.c.kind, both.c.measure_id, both.c.is_shared, both.c.currency)
    return select(
        both.c.kind,
        both.c.measure_id,
        literal(EVERYBODY, UUID()).label("identity_id"),
        both.c.is_shared,
        both.c.currency,
        func.array_agg(both.c.at).label("at"),
        *[_array(name, both.c[name]) for name in NUMBERS],
    ).group_by(*whose)


def _of_all(measures: str) -> Select[Any]:
    """The kept figures of everybody, without columns."""
    stale = (
        func.unnest(bindparam("stale_identities", type_=_UUIDS), bindparam("stale_months", type_=_DATES))
        .table_valued(column("identity_id", UUID()), column("month", Date()), name="stale")
        .render_derived()
    )
    is_read_apart = and_(stale.c.identity_id == Partial.identity_id, stale.c.month == Partial.month)
    return (
        select()
        .select_from(Partial.__table__.outerjoin(stale, is_read_apart))
        .where(
            Partial.org_id == _ORG,
            Partial.measure_id == any_(bindparam(measures, type_=_UUIDS)),
            or_(Partial.is_shared.is_(False), Partial.identity_id == literal(EVERYBODY, UUID())),
            stale.c.month.is_(None),
        )
    )


def _merged(name: str, number: ColumnElement[Any]) -> ColumnElement[Any]:
    """The number of several figures together."""
    if name in {"low", "high"}:
        return (func.min if name == "low" else func.max)(number).label(name)
    total = func.sum(number)
    return (cast(total, Integer()) if name in _SUMMED else total).label(name)


def _is_cut() -> ColumnElement[bool]:
    """Whether the days of a month are wanted one by one."""
    is_converted = Partial.currency == any_(bindparam("converted", type_=ARRAY(_TEXT)))
    return or_(
        Partial.month == any_(bindparam("cut_months", type_=_DATES)),
        and_(is_converted, Partial.month == any_(bindparam("converted_months", type_=_DATES))),
    )


def _months_of_all() -> Select[Any]:
    whose = (Partial.measure_id, Partial.is_shared, Partial.currency, Partial.month)
    numbers = [_merged(name, getattr(Partial, name)) for name in NUMBERS]
    return (
        _of_all("measures")
        .add_columns(literal(MONTHS).label("kind"), *whose[:3], _number(Partial.month).label("at"), *numbers)
        .where(
            Partial.month >= bindparam("first_month", type_=Date()),
            Partial.month <= bindparam("last_month", type_=Date()),
            not_(_is_cut()),
        )
        .group_by(*whose)
    )


def _days_of_all(kept: str, looked_at: Sequence[str]) -> Select[Any]:
    """Most days of most people are empty: they go before anything is added up."""
    columns = [column(name, Integer() if name in _SUMMED else Numeric()) for name in looked_at]
    each = (
        func.unnest(*[getattr(Partial, f"day_{name}") for name in looked_at])
        .table_valued(*columns, with_ordinality="place", name="each")
        .render_derived()
        .lateral()
    )
    day = _number(Partial.month) + cast(each.c.place, Integer()) - 1
    nothing = {name: cast(null(), Integer() if name in _SUMMED else Numeric()).label(name) for name in NUMBERS}
    numbers = [_merged(name, each.c[name]) if name in looked_at else nothing[name] for name in NUMBERS]
    return (
        _of_all(kept)
        .add_columns(literal(FRESH), Partial.measure_id, Partial.is_shared, Partial.currency, day, *numbers)
        .join(each, true())
        .where(
            Partial.month >= bindparam("first_month", type_=Date()),
            Partial.month <= bindparam("last_month", type_=Date()),
            _is_cut(),
            or_(*[each.c[name] > 0 for name in looked_at if name in _SUMMED]),
        )
        .group_by(Partial.measure_id, Partial.is_shared, Partial.currency, day)
    )


def _number(day: Any) -> ColumnElement[Any]:
    """The number of a day, as `layouts.number_of`."""
    return cast(day - literal(BEGINNING, Date()), Integer())


# ----------------------------------------------------------------------------------------------------------- fresh


@lru_cache(maxsize=200)
def fresh(shapes: tuple[Shape, ...], *, nobody: bool, everybody: bool) -> Ready:
    """The figures of some days as the ledger has them now, an array for each shape and identity.

    Parameters: org_id, measures (the shapes, in order), zone, at, fresh_identities, first_days, next_days. Compiled
    once for the shapes of a question, and whether nobody (the nil UUID) and EVERYBODY are among the identities.
    """
    return Ready(_fresh(shapes, nobody=nobody, everybody=everybody), is_listed=False, is_planned_once=True)


@lru_cache(maxsize=200)
def at_once(shapes: tuple[Shape, ...], *, nobody: bool) -> Ready:
    """The state, beside each of the figures of identities and the fresh ones; or alone, where there are none.

    Parameters: those of all three.
    """
    state = _state().subquery("state")
    found = union_all(*_figures_of_identities(), _fresh(shapes, nobody=nobody, everybody=False)).subquery("found")
    both = select(*found.c, *state.c).select_from(state.outerjoin(found, true()))
    return Ready(both, is_listed=False, is_planned_once=True)


def _fresh(shapes: tuple[Shape, ...], *, nobody: bool, everybody: bool) -> Select[Any]:
    days = (
        func.unnest(
            bindparam("fresh_identities", type_=_UUIDS),
            bindparam("first_days", type_=_DATES),
            bindparam("next_days", type_=_DATES),
        )
        .table_valued(
            column("identity_id", UUID()), column("first_day", Date()), column("next_day", Date()), name="days"
        )
        .render_derived()
    )
    zone, at = bindparam("zone", type_=SqlText()), bindparam("at", type_=TIMESTAMP(timezone=True))
    cells = fresh_cells(_ORG, zone, shapes, days, at, nobody=nobody, everybody=everybody).subquery("cells")
    whose = (cells.c.measure, cells.c.identity_id, cells.c.is_shared, cells.c.currency)
    measures = func.coalesce(bindparam("measures", type_=_UUIDS))  # whose parentheses an element needs
    return select(
        literal(FRESH).label("kind"),
        measures[cells.c.measure + 1].label("measure_id"),
        *whose[1:],
        func.array_agg(_number(cells.c.day)).label("at"),
        *[_array(name, cells.c[name]) for name in NUMBERS],
    ).group_by(*whose)


STATE = Ready(_state(), is_planned_once=True)
FIGURES = Ready(_figures(), is_planned_once=True)
SUMS = Ready(_figures(summed=True), is_planned_once=True)
EVERYTHING = Ready(_everything())
