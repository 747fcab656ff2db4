"""The events of a figure, and those that are not in it with the reason: what a measure did, opened up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    Numeric,
    Select,
    and_,
    any_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from app.core.ids import NIL
from app.events.models import Event, EventCredit, Source, SourceCounts
from app.kpis.attribution import Days, Span, Subject
from app.kpis.definition import EventMeasure, Measure
from app.kpis.measures import ENTERS, LEFT_OUT, Audience, Frame, Scope, bound_table


@dataclass(frozen=True)
class Opened:
    """A measure over a run of days, for one subject."""

    measure: Measure
    days: Days


@dataclass(frozen=True)
class Reach:
    """What tells 'not mapped to anybody' from 'outside the membership'."""

    subject: Subject
    identities: Sequence[Any]
    mapped: Sequence[Span]


def used(scope: Scope, audience: Audience, opened: Sequence[Opened]) -> Select[Any]:
    """The events that entered, with the subject's weight and the value that was aggregated."""
    parts = []
    for number, each in enumerate(opened):
        entries = Frame(scope, audience, [each.days]).entries(number, each.measure)
        parts.append(select(*_kept(entries), cast(null(), _TEXT).label("reason")).where(entries.c.state == ENTERS))
    return _with_events(scope, parts)


def left_out(scope: Scope, audience: Audience, opened: Sequence[Opened], reach: Reach) -> Select[Any]:
    """The events of the measure's types in those days that are not in the figure, with the reason."""
    parts = []
    for number, each in enumerate(opened):
        frame = Frame(scope, audience, [each.days])
        facts = frame.facts(f"m{number}", each.measure)
        entries = frame.credited(f"m{number}", facts, each.measure)
        parts.append(select(*_kept(entries), _why(each.measure, entries)).where(_not_entered(entries)))
        parts.append(_elsewhere(frame, each, facts, entries, reach))
    return _with_events(scope, parts)


_TEXT = Source.key.type


def _kept(entries: CTE) -> list[ColumnElement[Any]]:
    return [entries.c.row_id, entries.c.day, entries.c.weight, entries.c.value]


def _not_entered(entries: CTE) -> ColumnElement[bool]:
    return or_(entries.c.state.is_(None), entries.c.state != ENTERS)


def _why(measure: Measure, entries: CTE) -> ColumnElement[Any]:
    is_money = isinstance(measure, EventMeasure) and measure.value is not None and measure.value.path == ("amount",)
    unusable = "unconverted" if is_money else "not_a_number"
    return case(
        (entries.c.state.is_(None), "no_value"), (entries.c.state == LEFT_OUT, unusable), else_=entries.c.state
    ).label("reason")


def _elsewhere(frame: Frame, opened: Opened, facts: CTE, entries: CTE, reach: Reach) -> Select[Any]:
    """Events that the measure did not look at, or that are not this subject's though they might have been."""
    scope, measure = frame.scope, opened.measure
    types = measure.events if isinstance(measure, EventMeasure) else measure.start.events
    day = func.coalesce(Event.occurred_on, cast(func.timezone(scope.time_zone, Event.occurred_at), Date()))
    is_looked_at = select(facts.c.row_id).where(facts.c.row_id == Event.row_id).exists()
    is_used = select(entries.c.row_id).where(entries.c.row_id == Event.row_id).exists()
    counts = and_(
        SourceCounts.org_id == Event.org_id,
        SourceCounts.source_id == Event.source_id,
        SourceCounts.recorded_at <= scope.known_at,
        or_(SourceCounts.superseded_at.is_(None), SourceCounts.superseded_at > scope.known_at),
    )
    reason = case(
        (Event.retracted, "retracted"),
        (~func.coalesce(Event.type == any_(SourceCounts.counts), literal(True)), "not_authoritative"),
        (Event.occurred_at > scope.at, "in_the_future"),
        (~is_looked_at, "filtered"),
        *_whose(frame, measure.role, day, reach),
    )
    found = (
        select(
            Event.row_id,
            day.label("day"),
            cast(null(), Numeric()).label("weight"),
            cast(null(), Numeric()).label("value"),
            reason.label("reason"),
        )
        .outerjoin(SourceCounts, counts)
        .where(
            Event.org_id == scope.org_id,
            Event.type == any_(literal(list(types), ARRAY(_TEXT))),
            Event.recorded_at <= scope.known_at,
            or_(Event.superseded_at.is_(None), Event.superseded_at > scope.known_at),
            day >= opened.days.start,
            day < opened.days.end,
            ~is_used,
        )
        .subquery()
    )
    return select(found).where(found.c.reason.is_not(None))


def _whose(frame: Frame, role: str, day: ColumnElement[Any], reach: Reach) -> list[tuple[ColumnElement[bool], str]]:
    """For people and teams: credited to nobody we know, or to one of theirs on a day that is not theirs."""
    if reach.subject.kind in {"organization", "unassigned"}:
        return []
    mapped = bound_table(
        "mapped",
        {
            "identity_id": (UUID(), [span.identity_id for span in reach.mapped]),
            "first_day": (Date(), [span.days.start for span in reach.mapped]),
            "next_day": (Date(), [span.days.end for span in reach.mapped]),
        },
    )
    credit = (
        select(EventCredit.identity_id)
        .where(
            EventCredit.org_id == frame.scope.org_id,
            EventCredit.row_id == Event.row_id,
            EventCredit.role == role,
        )
        .correlate(Event)
    )
    own = func.coalesce(Event.identity_id, NIL)
    is_somebody = (
        select(literal(1))
        .where(
            or_(mapped.c.identity_id == own, mapped.c.identity_id.in_(credit)),
            day >= mapped.c.first_day,
            day < mapped.c.next_day,
        )
        .correlate(Event)
        .exists()
    )
    theirs = bound_table("theirs", {"identity_id": (UUID(), list(reach.identities))})
    is_theirs = (
        select(literal(1))
        .where(or_(theirs.c.identity_id == own, theirs.c.identity_id.in_(credit)))
        .correlate(Event)
        .exists()
    )
    return [(~is_somebody, "unmapped"), (is_theirs, "outside_membership")]


def _with_events(scope: Scope, parts: Sequence[Select[Any]]) -> Select[Any]:
    found = union_all(*parts).subquery("found")
    return (
        select(Event, Source.key, found.c.day, found.c.weight, found.c.value, found.c.reason)
        .join(found, found.c.row_id == Event.row_id)
        .join(Source, and_(Source.org_id == Event.org_id, Source.id == Event.source_id))
        .where(Event.org_id == scope.org_id, Source.org_id == scope.org_id)
    )
