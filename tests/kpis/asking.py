"""Asks the ledger for one measure, as the engine does, without a KPI around it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from app.core import clock
from app.kpis import formulas
from app.kpis.attribution import ALL_TIME, Days, Span
from app.kpis.definition import EventSelection, Measure
from app.kpis.expressions.checker import parse_filter
from app.kpis.measures import Audience, Row, Scope, Union
from app.kpis.measures import rows as ask
from tests.support import Api

AT = datetime(2026, 7, 13, 10, 0, tzinfo=UTC)
JULY = Days(date(2026, 7, 1), date(2026, 8, 1))
EVERYBODY = Audience([0], [])


def selection(*types: str, where: str | None = None) -> EventSelection:
    """Events of these types that a filter lets pass."""
    return EventSelection(events=types, where=parse_filter(where) if where else None)


def event(external_id: str, kind: str, at: str, lead: str | None = "L1", **more: Any) -> dict[str, Any]:
    """An event about a lead; `at` is `MM-DD HH:MM[:SS]` of 2026, in UTC."""
    about = {"about": {"lead": lead}} if lead else {}
    return {"external_id": external_id, "type": kind, "occurred_at": f"2026-{at.replace(' ', 'T')}Z"} | about | more


async def ingest(api: Api, *events: dict[str, Any]) -> None:
    """Post events, one by one in this order."""
    for each in events:
        await api.post("/events", each)


async def scope_of(api: Api, at: datetime = AT, **more: Any) -> Scope:
    """What the organization knows now, at T."""
    async with api.world.database.read(api.org_id) as session:
        known_at = await clock.last_recorded(session, api.org_id)
    where = more.pop("where", None)
    scope = Scope(api.org_id, known_at, at, "Europe/Warsaw", "EUR", parse_filter(where) if where else None)
    return replace(scope, **more)


async def rows(
    api: Api,
    measures: Sequence[Measure],
    windows: Sequence[Days] = (JULY,),
    *,
    audience: Audience = EVERYBODY,
    unions: Sequence[Union] = (),
    scope: Scope | None = None,
) -> list[Any]:
    """The rows of the statement, in a fixed order."""
    scope = scope or await scope_of(api)
    async with api.world.database.read(api.org_id) as session:
        found = [Row(*row) for row in await ask(session, scope, audience, windows, measures, unions)]
    return sorted(found, key=lambda row: (row.kind, row.number, row.subject, row.group or "", row.window))


def both(windows: Sequence[Days] = (JULY,)) -> list[Union]:
    """The first two measures together, for each window."""
    return [((0, days), (1, days)) for days in windows]


async def row(api: Api, measure: Measure, days: Days = JULY, *, at: datetime = AT, **more: Any) -> Any:
    """The one row of a measure over some days, for the organization."""
    audience = more.pop("audience", EVERYBODY)
    found = await rows(api, [measure], [days], audience=audience, scope=await scope_of(api, at, **more))
    assert len(found) <= 1
    return found[0] if found else Row("measure", 0, 0, 0, None, None, None, None, 0, 0, 0, 0, 0)


async def value(api: Api, measure: Measure, days: Days = JULY, **more: Any) -> Any:
    """The figure."""
    found = await row(api, measure, days, **more)
    return formulas.finishing(measure)(found.a, found.b, found.c)


async def identity(api: Api, external_id: str) -> UUID:
    """The identity that events call by this name."""
    found = await api.get("/identities")
    return next(UUID(each["id"]) for each in found["items"] if each["external_id"] == external_id)


def credits_of(identity_id: UUID, days: Days = ALL_TIME) -> Audience:
    """One subject that gets the credits of an identity."""
    return Audience([], [(0, Span(identity_id, days))])


def minutes(count: int) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=count)
