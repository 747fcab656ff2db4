"""The events of a figure, and those that are not in it with the reason: what a measure did, opened up.

A row is an event (of pairs, funnels … the one that begins them) with the columns `Event`, `Source.key`, and

- `day`: the local day by which it lies in the window (of open things: the first day of the run that holds then);
- `weight`: the subject's, and `value`: what was aggregated. Seconds of a pair; 1 or 0 for shares and conversions, and
  for funnels; the number of touches; the number of steps done in a cadence; the value that an open thing has;
- `reason`: NULL for what was used. Else `retracted`, `not_authoritative`, `in_the_future`, `filtered`, `no_thing` (it
  is not about what events are matched by), `not_first` (an earlier event about the thing began it), `closed` (an end
  has followed it by the moment asked about), `other_window` (dated by its end, or what it covers lies in other days),
  `unmapped`, `outside_membership`, `no_value`, `unconverted`, `not_a_number`, `not_reached` (the step of the funnel),
  `open`, `pending`;
- `related`: NULL or JSON that names the rows (`Event.row_id` as text) by which it was judged:
  pairs `{"end": row or null}`; funnels `{"steps": [row or null, …]}`, for each step after the first the event by which
  it was reached in time; touches `{"touches": [row, …], "until": row or null}`; cadences
  `{"done": [row or null for each step], "deviation": "call.made by P2D" or null}`, the first step, by when it was due,
  that was not done in time; of open things with a value `{"value": row or null}`, the start that said it last. That
  start is not told of again where another one opened the thing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
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
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from app.core.db import known_by
from app.core.ids import NIL
from app.events.models import Event, EventCredit, Source, SourceCounts
from app.kpis.attribution import Days, Span, Subject
from app.kpis.definition import EventMeasure, FunnelMeasure, Measure, OpenMeasure
from app.kpis.measures import ENTERS, LEFT_OUT, Audience, Frame, Scope, beginning_of, bound_table
from app.kpis.measures.kinds import has_own_day, is_covered


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
    """The events that entered."""
    parts = []
    for number, each in enumerate(opened):
        entries = Frame(scope, audience, [each.days], f"m{number}_", tells=True).entries(number, each.measure)
        no_reason = cast(null(), _TEXT).label("reason")
        chosen = select(*_kept(entries), no_reason).where(entries.c.state == ENTERS, *_at_moment(each, entries))
        parts.append(_of_events(chosen) if is_covered(each.measure) else chosen)
    return _with_events(scope, parts)


def left_out(scope: Scope, audience: Audience, opened: Sequence[Opened], reach: Reach) -> Select[Any]:
    """The events of the measure's types in those days that are not in the figure, with the reason."""
    parts = []
    for number, each in enumerate(opened):
        frame = Frame(scope, audience, [each.days], f"m{number}_", tells=True, of_everybody=True)
        facts = frame.facts(f"m{number}", each.measure)
        entries = frame.credited(f"m{number}", facts, each.measure)
        not_entered = or_(entries.c.state.is_(None), entries.c.state != ENTERS)
        parts.append(
            select(*_kept(entries), _why(each.measure, entries)).where(not_entered, *_at_moment(each, entries))
        )
        parts.append(_elsewhere(frame, each, facts, entries, reach))
    return _with_events(scope, parts)


_TEXT = Source.key.type


def _kept(entries: CTE) -> list[ColumnElement[Any]]:
    return [entries.c[name] for name in ("row_id", "day", "weight", "value", "related")]


def _of_events(pieces: Select[Any]) -> Select[Any]:
    """The pieces of each event as one row, with all that they add."""
    rows = pieces.subquery("pieces_used")
    added = func.sum(rows.c.weight * rows.c.value).label("value")
    whole = cast(literal(1), Numeric()).label("weight")
    day = func.min(rows.c.day).label("day")
    return select(rows.c.row_id, day, whole, added, rows.c.related, rows.c.reason).group_by(
        rows.c.row_id, rows.c.related, rows.c.reason
    )


def _at_moment(opened: Opened, rows: CTE) -> list[ColumnElement[bool]]:
    """Of open things, those runs of days that hold at the moment asked about (S18a)."""
    moment = _moment(opened)
    return [] if moment is None else [rows.c.day < moment, rows.c.until_day >= moment]


def _moment(opened: Opened) -> date | None:
    if not isinstance(opened.measure, OpenMeasure):
        return None
    return opened.days.start if opened.measure.at == "start" else opened.days.end


def _why(measure: Measure, entries: CTE) -> ColumnElement[Any]:
    value = measure.value if isinstance(measure, EventMeasure | OpenMeasure) else None
    unusable = "unconverted" if value is not None and value.path == ("amount",) else "not_a_number"
    missing = "not_reached" if isinstance(measure, FunnelMeasure) else "no_value"
    return case(
        (entries.c.state.is_(None), missing), (entries.c.state == LEFT_OUT, unusable), else_=entries.c.state
    ).label("reason")


def _elsewhere(frame: Frame, opened: Opened, facts: CTE, entries: CTE, reach: Reach) -> Select[Any]:
    """Events that the measure did not look at, or that are not this subject's though they might have been."""
    scope, measure = frame.scope, opened.measure
    passing = frame.passing(measure).cte(f"{facts.name}_passing")
    day = func.coalesce(Event.occurred_on, cast(func.timezone(scope.time_zone, Event.occurred_at), Date()))
    moment = _moment(opened)
    in_days = [day >= opened.days.start, day < opened.days.end] if moment is None else [day < moment]

    def is_in(rows: CTE, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        # Not `exists`: that becomes a join, and without statistics one that compares all rows with all.
        return Event.row_id.in_(select(rows.c.row_id).where(*conditions))

    counts = and_(
        SourceCounts.org_id == Event.org_id,
        SourceCounts.source_id == Event.source_id,
        known_by(SourceCounts, scope.known_at),
    )
    reason = case(
        (Event.retracted, "retracted"),
        (~func.coalesce(Event.type == any_(SourceCounts.counts), literal(True)), "not_authoritative"),
        (Event.occurred_at > scope.at, "in_the_future"),
        (~is_in(passing), "filtered"),
        (~is_in(passing, passing.c.is_about), "no_thing"),
        (~is_in(facts, *_at_moment(opened, facts)), _unseen(frame, opened)),
        *_whose(frame, measure.role, day, reach),
    )
    found = (
        select(
            Event.row_id,
            day.label("day"),
            cast(null(), Numeric()).label("weight"),
            cast(null(), Numeric()).label("value"),
            cast(null(), JSONB()).label("related"),
            reason.label("reason"),
        )
        .outerjoin(SourceCounts, counts)
        .where(
            Event.org_id == scope.org_id,
            Event.type == any_(literal(list(beginning_of(measure).events), ARRAY(_TEXT))),
            known_by(Event, scope.known_at),
            *in_days,
            *([day >= scope.kept_from] if scope.kept_from else []),
            ~is_in(entries, *_at_moment(opened, entries)),
            *_gave_none(opened, entries),
        )
        .subquery()
    )
    return select(found).where(found.c.reason.is_not(None))


def _gave_none(opened: Opened, entries: CTE) -> list[ColumnElement[bool]]:
    """Of the values of open things: those that gave one are told with what has it."""
    if not isinstance(opened.measure, OpenMeasure) or opened.measure.value is None:
        return []
    giver = cast(entries.c.related["value"].astext, UUID())
    return [Event.row_id.not_in(select(giver).where(giver.is_not(None), *_at_moment(opened, entries)))]


def _unseen(frame: Frame, opened: Opened) -> ColumnElement[Any]:
    """Why a measure did not look at an event that passes its filters."""
    measure, moment = opened.measure, _moment(opened)
    if isinstance(measure, OpenMeasure) and moment is not None:
        return case((Event.row_id.in_(frame.closed(measure, moment)), "closed"), else_="not_first")
    if is_covered(measure):
        missing = (Event.duration_seconds.is_(None), "no_value")
        return case(missing, *_in_no_role(frame, measure.role), else_="other_window")
    return literal("not_first" if has_own_day(measure) else "other_window", _TEXT)


def _in_no_role(frame: Frame, role: str) -> list[tuple[ColumnElement[bool], str]]:
    """Nobody has a credit in a role other than owner: in no figure, not even the organization's (S9)."""
    if role == "owner":
        return []
    credit = select(literal(1)).where(
        EventCredit.org_id == frame.scope.org_id, EventCredit.row_id == Event.row_id, EventCredit.role == role
    )
    return [(~credit.correlate(Event).exists(), "unmapped")]


def _whose(frame: Frame, role: str, day: ColumnElement[Any], reach: Reach) -> list[tuple[ColumnElement[bool], str]]:
    """For people and teams: credited to nobody we know, or to one of theirs on a day that is not theirs."""
    if reach.subject.kind in {"organization", "unassigned"}:
        return _in_no_role(frame, role)
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
    own = func.coalesce(Event.identity_id, NIL) if role == "owner" else literal(NIL, UUID())
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
        select(Event, Source.key, found.c.day, found.c.weight, found.c.value, found.c.reason, found.c.related)
        .join(found, found.c.row_id == Event.row_id)
        .join(Source, and_(Source.org_id == Event.org_id, Source.id == Event.source_id))
        .where(Event.org_id == scope.org_id, Source.org_id == scope.org_id)
    )
