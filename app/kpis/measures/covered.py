"""The time that events cover: of one person overlapping ones count once, of several each one's time counts.

Every event with a duration is an interval. It is cut at T and at local midnights, so that each piece has a day of its
own; a piece is worth what it adds to the pieces of its person and day that came before it. Adding those up gives the
length of the union, for whatever days and people.
"""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Date,
    Interval,
    Select,
    Subquery,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP, UUID

from app.calendars.periods import first_instant
from app.core.ids import NIL
from app.events.models import EventCredit
from app.kpis.attribution import Days
from app.kpis.definition import EventMeasure
from app.kpis.measures.bound import named_table
from app.kpis.measures.facts import fact, seconds_between
from app.kpis.measures.ledger import Ledger
from app.kpis.measures.scope import ENTERS, Scope

DATED_BY_END = ("meeting.held",)
"""Types whose `occurred_at` is the end of what took so long (`design.md` section 2); of all others it is the start."""

_LONGEST_SECONDS = 1_000_000_000  # about 31 years: PostgreSQL's intervals have an end
_WIDE = 40  # years around T where no windows bound the days
_INSTANT = TIMESTAMP(timezone=True)
_ORDER = ("starts_at", "ends_at", "row_id")


def covered_facts(ledger: Ledger, measure: EventMeasure) -> Select[Any]:
    """What each piece adds for each person who is credited with its event, whole (S9)."""
    rows = _of_persons(ledger, measure, _pieces(ledger, _intervals(ledger, measure)))
    whose = (rows.c.person_id, rows.c.day, rows.c.group)
    order = [rows.c[name] for name in _ORDER]
    before = func.max(rows.c.ends_at).over(partition_by=whose, order_by=order, rows=(None, -1))
    added = seconds_between(func.greatest(rows.c.starts_at, before), rows.c.ends_at)
    own = {name: rows.c[name] for name in ("row_id", "identity_id", "is_shared", "day", "group")}
    return select(*fact(own, state=literal(ENTERS), value=func.greatest(added, 0)))


def _intervals(ledger: Ledger, measure: EventMeasure) -> Subquery:
    """The events as intervals, as far as they lie before T and in days that a window may hold."""
    view, filters = ledger.view(measure.events, measure.where, ledger.scope.where)
    at_most = func.least(view.c.duration_seconds, _LONGEST_SECONDS)
    length = cast(cast(at_most, Text()).concat(" seconds"), Interval())
    ends_here = view.c.type == any_(literal(list(DATED_BY_END), ARRAY(Text(collation="C"))))
    starts_at = case((ends_here, view.c.occurred_at - length), else_=view.c.occurred_at)
    ends_at = case((ends_here, view.c.occurred_at), else_=view.c.occurred_at + length)
    values = covered_values(ledger.scope, ledger.days.days, ledger.name)
    first, last = (bindparam(key, instant, _INSTANT) for key, instant in values.items())
    # What ended as the first day began is of the day before, but for what lasted no time at all.
    is_after = or_(ends_at > first, starts_at >= first)
    return (
        ledger.selected(view, filters, measure.where, ledger.scope.where)
        .add_columns(
            view.c.row_id,
            view.c.identity_id,
            view.c.is_shared,
            ledger.group(filters).label("group"),
            func.greatest(starts_at, first).label("starts_at"),
            func.least(ends_at, last).label("ends_at"),
        )
        .where(view.c.duration_seconds.is_not(None), is_after, starts_at <= last)
        .subquery("intervals")
    )


def covered_values(scope: Scope, days: Days, name: str = "") -> dict[str, datetime]:
    """What is bound by name: the first instant of the days that matter, and the last or T."""
    zone, at = ZoneInfo(scope.time_zone), scope.at
    widest = timedelta(days=366 * _WIDE)
    first = max(days.start, (at - widest).date())
    end = min(days.end, (at + widest).date())
    last = min(first_instant(max(end, first), zone), at)
    return {f"{name}covered_from": first_instant(first, zone), f"{name}covered_until": last}


def _pieces(ledger: Ledger, intervals: Subquery) -> Subquery:
    """The intervals cut at local midnights; one of no length is a piece too."""
    zone = ledger.scope.time_zone

    def local_day(instant: ColumnElement[Any]) -> ColumnElement[Any]:
        return cast(func.timezone(zone, instant), Date())

    def midnight(day: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.timezone(zone, cast(day, TIMESTAMP()))

    first = local_day(intervals.c.starts_at)
    last = func.greatest(first, local_day(intervals.c.ends_at - _MICROSECOND))
    days = func.generate_series(cast(first, TIMESTAMP()), cast(last, TIMESTAMP()), _ONE_DAY)
    each = days.table_valued("at", name="days").render_derived().lateral()
    day = cast(each.c.at, Date())
    following = cast(cast(each.c.at, TIMESTAMP()) + _ONE_DAY, Date())
    kept = [intervals.c[name] for name in ("row_id", "identity_id", "is_shared", "group")]
    return (
        select(
            *kept,
            day.label("day"),
            case((day == first, intervals.c.starts_at), else_=midnight(day)).label("starts_at"),
            case((day == last, intervals.c.ends_at), else_=midnight(following)).label("ends_at"),
        )
        .select_from(intervals.join(each, literal(True)))
        .where(day >= ledger.days.start, day < ledger.days.end)
        .subquery("pieces")
    )


def _of_persons(ledger: Ledger, measure: EventMeasure, pieces: Subquery) -> Subquery:
    """Each piece for each person who is credited with it; as if it were theirs alone."""
    credit = and_(
        EventCredit.org_id == ledger.scope.organization,
        EventCredit.row_id == pieces.c.row_id,
        EventCredit.role == measure.role,
    )
    whose = case((pieces.c.is_shared, EventCredit.identity_id), else_=pieces.c.identity_id)
    is_theirs = or_(literal(measure.role == "owner"), EventCredit.identity_id.is_not(None))
    credited = (
        select(
            *[pieces.c[name] for name in (*_ORDER, "day", "group")],
            whose.label("identity_id"),
            literal(False).label("is_shared"),
        )
        .select_from(pieces.outerjoin(EventCredit, credit))
        .where(is_theirs)
        .subquery("credited_pieces")
    )
    persons = _persons(ledger)
    is_person = and_(
        persons.c.person_identity == func.coalesce(credited.c.identity_id, NIL),
        credited.c.day >= persons.c.person_first_day,
        credited.c.day < persons.c.person_next_day,
    )
    # Who is nobody's identity is a person too, and so is nobody, for each event.
    person = func.coalesce(persons.c.person_member, credited.c.identity_id, credited.c.row_id)
    return (
        select(credited, person.label("person_id")).select_from(credited.outerjoin(persons, is_person)).subquery("rows")
    )


def _persons(ledger: Ledger) -> Any:
    kinds = (UUID(), Date(), Date(), UUID())
    values = ledger.scope.values_of_persons().items()
    return named_table("persons", {name: (kind, each) for (name, each), kind in zip(values, kinds, strict=True)})


_MICROSECOND = cast(literal(timedelta(microseconds=1)), Interval())
_ONE_DAY = cast(literal(timedelta(days=1)), Interval())
