"""The JSON of the API for what scripts and queries say, so that they can be replayed over HTTP."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from app.core.units import NUMBER, Unit
from app.kpis.definition import (
    CadenceMeasure,
    Definition,
    ElapsedMeasure,
    EventMeasure,
    EventSelection,
    FunnelMeasure,
    Measure,
    OpenMeasure,
    Over,
    TouchesMeasure,
)
from app.kpis.expressions.syntax import Node, name_text, to_text
from tests.reference.ledger import Item
from tests.reference.questions import GroupBy, Query
from tests.reference.snapshot import Subject
from tests.reference.steps import AddCalendar
from tests.reference.world import Content, PropertyValue

JSON = dict[str, Any]  # a body of the API
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def item_json(item: Item) -> JSON:
    """An event as it is posted, without its `source`; a retraction says nothing but that it is one."""
    head: JSON = {"external_id": item.external_id, "version": item.version}
    if item.content is None:
        return head | {"type": "deal.won", "occurred_at": "2026-01-01T00:00:00Z", "retracted": True}
    return head | _without_nulls(_content_json(item.content))


def query_json(query: Query, ids: Mapping[tuple[str, str], str]) -> JSON:
    """A query; `ids` are the API's, by `("team", key)` and `("member", key)`."""
    return {
        "kpis": list(query.kpis),
        "subjects": [_subject_json(subject, ids) for subject in query.subjects],
        "period": query.period,
        "grain": query.grain,
        "compare": list(query.compare),
        "group_by": None if query.group_by is None else _group_by_json(query.group_by),
        "attribution": query.attribution,
        "where": _text(query.where),
        "currency": query.currency,
        "rate_set": query.rate_set,
        "versions": {kpi: number for kpi, number in query.versions.items() if kpi in query.kpis},
        "whole_person": query.whole_person,
        "as_of": None if query.as_of is None else query.as_of.isoformat(),
        "known_at": None if query.known_at is None else query.known_at.isoformat(),
    }


def _group_by_json(by: GroupBy) -> JSON:
    what = {"property": name_text(by.event.path)} if by.event else {"subject": by.attribute}
    return _without_nulls(what | {"top": by.top})


def _subject_json(subject: Subject, ids: Mapping[tuple[str, str], str]) -> JSON:
    if subject.kind in {"organization", "unassigned"}:
        return {subject.kind: True}
    kind = "member" if subject.kind == "member" else "team"
    return {subject.kind: ids[kind, subject.key]}


def _content_json(content: Content) -> JSON:
    amount = None if content.amount is None else {"value": str(content.amount), "currency": content.currency}
    return {
        "type": content.type,
        "occurred_at": content.occurred_at.isoformat(),
        "occurred_on": None if content.occurred_on is None else content.occurred_on.isoformat(),
        "actor": None if content.actor is None else {"id": content.actor.external_id},
        "credits": [
            {"role": credit.role, "actor": {"id": credit.identity.external_id}, "share": str(credit.share)}
            for credit in content.credits
        ],
        "about": dict(content.about),
        "amount": amount if amount is None else _without_nulls(amount),
        "quantity": None if content.quantity is None else _plain(content.quantity),
        "duration_seconds": None if content.duration_seconds is None else _plain(content.duration_seconds),
        "properties": {key: _plain(value) for key, value in content.properties.items()},
    }


def _plain(value: PropertyValue) -> str | bool | int | float:
    """A JSON value; the few decimals in scripts are binary fractions, so that a float says them exactly."""
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return value


def calendar_json(calendar: AddCalendar) -> JSON:
    """A working calendar."""
    weekdays = {
        _WEEKDAYS[weekday]: [{"start": f"{start:%H:%M}", "end": f"{end:%H:%M}"} for start, end in hours]
        for weekday, hours in calendar.weekdays.items()
    }
    return {
        "name": calendar.key,
        "time_zone": calendar.time_zone,
        "weekdays": weekdays,
        "holidays": [day.isoformat() for day in sorted(calendar.holidays)],
        "extra_working_days": [day.isoformat() for day in sorted(calendar.extra_working_days)],
        "is_default": calendar.is_default,
    }


def definition_json(definition: Definition) -> JSON:
    """`measures`, `formula`, `unit` and `direction` as they are posted."""
    return {
        "measures": {name: _without_nulls(_measure_json(m)) for name, m in definition.measures.items()},
        "formula": to_text(definition.formula),
        "unit": unit_json(definition.unit),
        "direction": definition.direction,
    }


def unit_json(unit: Unit) -> JSON:
    """A unit that is one kind, or a bare number or ratio."""
    if unit == NUMBER:
        return {"kind": "number"}
    return {"kind": unit.powers[0][0] if unit.powers else "ratio"}


def _measure_json(measure: Measure) -> JSON:
    common: JSON = {"aggregate": str(measure.aggregate), "role": measure.role, "credit": measure.credit}
    if not isinstance(measure, OpenMeasure):
        common |= {"over": None if measure.over is None else _over_json(measure.over)}
    match measure:
        case EventMeasure():
            return common | {
                "events": list(measure.events),
                "where": _text(measure.where),
                "value": None if measure.value is None else name_text(measure.value.path),
                "of": None if measure.of is None else name_text(measure.of.path),
                "p": None if measure.p is None else str(measure.p),
            }
        case ElapsedMeasure():
            return common | {
                "elapsed": _elapsed_json(measure),
                "within": _duration(measure.within),
                "p": None if measure.p is None else str(measure.p),
            }
        case FunnelMeasure():
            return common | _funnel_json(measure) | {"within": _duration(measure.within)}
        case TouchesMeasure():
            return common | {
                "touches": {
                    "anchor": _selection_json(measure.anchor),
                    "events": _selection_json(measure.touches),
                    "match": measure.match,
                    **({} if measure.until is None else {"until": _selection_json(measure.until)}),
                },
                "within": _duration(measure.within),
                "at_least": measure.at_least,
                "p": None if measure.p is None else str(measure.p),
            }
        case CadenceMeasure():
            steps = [_selection_json(step.selection) | {"by": _duration(step.by)} for step in measure.steps]
            anchor = _selection_json(measure.anchor)
            return common | {"cadence": {"anchor": anchor, "match": measure.match, "steps": steps}}
        case OpenMeasure():
            sides = {"from": _selection_json(measure.start), "to": _selection_json(measure.end)}
            value = None if measure.value is None else name_text(measure.value.path)
            what = {**sides, "match": measure.match, "at": measure.at, "repeat": measure.repeat}
            return common | {"open_at": what, "value": value}


def _elapsed_json(measure: ElapsedMeasure) -> JSON:
    return {
        "from": _selection_json(measure.start),
        "to": _selection_json(measure.end),
        "match": measure.match,
        "repeat": measure.repeat,
        "dated_by": measure.dated_by,
        "credited_to": measure.credited_to,
        "clock": measure.clock,
    }


def _funnel_json(measure: FunnelMeasure) -> JSON:
    """A conversion is a funnel of two steps that has a name of its own."""
    if measure.names == ("from", "to"):
        start, end = map(_selection_json, measure.steps)
        return {"conversion": {"from": start, "to": end, "match": measure.match}}
    named = zip(measure.names, measure.steps, strict=True)
    return {
        "funnel": {
            "steps": [{"name": name, **_selection_json(step)} for name, step in named],
            "match": measure.match,
            "skipped": measure.skipped,
            "reached": measure.names[measure.reached],
            "base": measure.names[measure.base],
        }
    }


def _over_json(over: Over) -> str:
    if over.since is not None:
        return f"{over.since}_to_date"
    return f"P{over.days}D" if over.days is not None else f"P{over.months}M"


def _duration(span: timedelta | None) -> str | None:
    return None if span is None else f"PT{int(span.total_seconds())}S"


def _selection_json(selection: EventSelection) -> JSON:
    return _without_nulls({"events": list(selection.events), "where": _text(selection.where)})


def _text(node: Node | None) -> str | None:
    return None if node is None else to_text(node)


def _without_nulls(body: Mapping[str, Any]) -> JSON:
    return {key: value for key, value in body.items() if value is not None}
