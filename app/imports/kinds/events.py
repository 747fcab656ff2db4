"""Rows that are events of the ledger."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.problems import MalformedJson
from app.core.routing import parse_json
from app.events.decide import Outcome, State
from app.events.facts import EventFacts
from app.events.service import foretell_events, record_events
from app.events.wire import Unreadable, read_event
from app.imports.kinds.base import REJECTED, Row, Task, Verdict, Wrong
from app.imports.seen import seen_states

_PLAIN = ("external_id", "version", "type", "occurred_at", "quantity", "duration_seconds", "retracted")
_ACTOR = {"actor_id": "id", "actor_email": "email", "actor_name": "name"}
_MAX_DEPTH = 8


class Events:
    """Events are written as `POST /v1/events/batch` does, to one source of the system `api`."""

    batch = 2_000

    async def take(self, session: AsyncSession, task: Task, rows: Sequence[Row]) -> list[Verdict]:
        """See `Taker`."""
        facts, verdicts = _read(rows)
        origin = {"via": "import", "import_id": str(task.id)}
        outcomes = await record_events(
            session, org_id=task.who.org_id, source_id=_source(task), facts=list(facts.values()), origin=origin
        )
        for place, outcome in zip(facts, outcomes, strict=True):
            verdicts[place] = _verdict(rows[place], outcome)
        return [verdicts[place] for place in range(len(rows))]

    async def foretell(self, session: AsyncSession, task: Task, rows: Sequence[Row]) -> list[Verdict]:
        """See `Taker`."""
        facts, verdicts = _read(rows)
        keys = sorted({each.external_id for each in facts.values()})
        told = await seen_states(session, task.who.org_id, task.id, keys)
        before = {key: State(each["v"], bytes.fromhex(each["c"]), each["r"]) for key, each in told.items()}
        outcomes, states = await foretell_events(
            session, org_id=task.who.org_id, source_id=_source(task), facts=list(facts.values()), before=before
        )
        for place, outcome in zip(facts, outcomes, strict=True):
            verdicts[place] = _verdict(rows[place], outcome)
            if outcome.external_id in states:
                verdicts[place].wrote = {outcome.external_id: _kept(states[outcome.external_id])}
        return [verdicts[place] for place in range(len(rows))]


def _kept(state: State) -> dict[str, Any]:
    return {"v": state.version, "c": state.content.hex(), "r": state.retracted}


def _source(task: Task) -> UUID:
    assert task.source_id is not None, "imports of events have a source"  # noqa: S101
    return task.source_id


def _read(rows: Sequence[Row]) -> tuple[dict[int, EventFacts], dict[int, Verdict]]:
    """The facts of the rows that can be read, by their place, and the verdicts of the others."""
    facts: dict[int, EventFacts] = {}
    verdicts: dict[int, Verdict] = {}
    for place, row in enumerate(rows):
        try:
            told = read_event(_posted(row))
        except MalformedJson as problem:
            verdicts[place] = Verdict(REJECTED, [Wrong("credits", problem.detail)])
            continue
        if isinstance(told, Unreadable):
            wrong = [Wrong(_column(row, error.pointer), error.message) for error in told.errors]
            verdicts[place] = Verdict(REJECTED, wrong)
        else:
            facts[place] = told.facts
    return facts, verdicts


def _posted(row: Row) -> dict[str, Any]:
    """The event as it would be posted. A day without a time also decides the day, whatever the zone will be."""
    values = row.values
    event = {name: values[name] for name in _PLAIN if name in values}
    if (day := values.get("occurred_on") or row.days.get("occurred_at")) is not None:
        event["occurred_on"] = str(day)
    actor = {field: values[name] for name, field in _ACTOR.items() if name in values}
    if actor:
        event["actor"] = {"id": actor.get("email"), **actor} if "email" in actor else actor
    if "amount" in values:
        money = {"value": values["amount"], "currency": values.get("currency")}
        event["amount"] = {name: value for name, value in money.items() if value is not None}
    if "credits" in values:
        event["credits"] = parse_json(values["credits"].encode(), _MAX_DEPTH)
    for prefix in ("about", "properties"):
        if named := {name[len(prefix) + 1 :]: values[name] for name in values if name.startswith(f"{prefix}.")}:
            event[prefix] = named
    return event


def _verdict(row: Row, outcome: Outcome) -> Verdict:
    if outcome.outcome not in {REJECTED, "conflict"}:
        return Verdict(outcome.outcome)
    return Verdict(outcome.outcome, [Wrong(_column(row, outcome.field or ""), outcome.reason or "")])


def _column(row: Row, pointer: str) -> str | None:
    """The column that a place in the posted event came from."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.strip("/").split("/")]
    match parts:
        case ["amount", "currency"]:
            return "currency"
        case ["actor", field, *_]:
            return next((name for name, told in _ACTOR.items() if told == field), "actor_id")
        case ["actor"]:
            return "actor_id"
        case ["about" | "properties" as prefix, name, *_]:
            return f"{prefix}.{name}"
        case ["occurred_on"] if "occurred_on" not in row.values:
            return "occurred_at"
    return parts[0] or None
