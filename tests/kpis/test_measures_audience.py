"""Figures of few people are read by their own indexes: nothing may be missing that counts for them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from app.core import clock
from app.core.db import Ready
from app.core.ids import NIL
from app.events.models import EventCredit
from app.kpis.attribution import ALL_TIME, Days, Span
from app.kpis.definition import (
    Aggregate,
    CadenceMeasure,
    CadenceStep,
    ElapsedMeasure,
    EventMeasure,
    FunnelMeasure,
    Measure,
    OpenMeasure,
    TouchesMeasure,
)
from app.kpis.expressions.checker import parse_filter
from app.kpis.expressions.syntax import Name
from app.kpis.measures import Audience, Scope, statement
from tests.kpis.asking import EVERYBODY, JULY, credits_of, event, identity, ingest, minutes, row, selection, value
from tests.migrations.sql_rules import findings
from tests.support import Api

COUNT = EventMeasure(aggregate=Aggregate.COUNT, events=("call.made",))
SHARED: dict[str, Any] = {
    "credits": [{"actor": {"id": "ana"}, "share": "0.25"}, {"actor": {"id": "bo"}, "share": "0.75"}]
}
FIRST = EventMeasure(aggregate=Aggregate.COUNT, events=("call.made",), where=parse_filter("nth(lead) == 1"))
ELAPSED = ElapsedMeasure(
    aggregate=Aggregate.MEDIAN, start=selection("lead.created"), end=selection("call.made"), match="lead"
)
KINDS: tuple[Measure, ...] = (
    COUNT,
    FIRST,
    ELAPSED,
    EventMeasure(aggregate=Aggregate.COUNT_DISTINCT, events=("call.made",), of=Name(("about", "lead")), role="helper"),
    EventMeasure(aggregate=Aggregate.COVERED, events=("call.made",)),
    FunnelMeasure(
        aggregate=Aggregate.CONVERSION,
        steps=(selection("lead.created"), selection("call.made")),
        names=("lead", "call"),
        match="lead",
        reached=1,
    ),
    TouchesMeasure(
        aggregate=Aggregate.AVG,
        anchor=selection("lead.created"),
        touches=selection("call.made"),
        match="lead",
        within=minutes(60),
    ),
    CadenceMeasure(
        aggregate=Aggregate.SHARE_DONE,
        anchor=selection("lead.created"),
        steps=(CadenceStep(selection=selection("call.made"), by=minutes(60)),),
        match="lead",
    ),
    OpenMeasure(aggregate=Aggregate.COUNT, start=selection("lead.created"), end=selection("call.made"), match="lead"),
)


def by(who: str) -> dict[str, Any]:
    return {"actor": {"id": who}}


async def test_somebodys_days_are_found_by_the_day_that_an_event_has_of_its_own(api: Api) -> None:
    may = {"occurred_on": "2026-05-20"}
    await ingest(
        api,
        event("1", "call.made", "07-05 10:00", **by("ana")),
        event("2", "call.made", "07-05 10:00", **by("ana"), **may),
        event("3", "call.made", "07-05 10:00", **SHARED, **may),
        event("4", "call.made", "07-06 10:00", **SHARED),
        event("5", "call.made", "07-06 10:00", **by("bo")),
    )
    ana = credits_of(await identity(api, "ana"))
    assert await value(api, COUNT, JULY, audience=ana) == Decimal("1.25")
    assert await value(api, COUNT, Days(date(2026, 5, 1), date(2026, 6, 1)), audience=ana) == Decimal("1.25")
    assert await value(api, COUNT, ALL_TIME, audience=ana) == Decimal("2.5")


@pytest.mark.parametrize("unknown", [["type"], ["type", "occurred_at", "occurred_on"]])
async def test_credits_without_a_type_or_time_count_too(api: Api, unknown: list[str]) -> None:
    await ingest(api, event("1", "call.made", "07-06 10:00", **SHARED))
    async with api.world.database.write(api.org_id) as session:
        nothing = dict.fromkeys(unknown)
        await session.execute(update(EventCredit).where(EventCredit.org_id == api.org_id).values(nothing))
    assert await value(api, COUNT, audience=credits_of(await identity(api, "ana"))) == Decimal("0.25")


async def test_what_was_superseded_since_counts_for_who_had_it_then(api: Api) -> None:
    await ingest(api, event("1", "call.made", "07-06 10:00", version=1, **by("ana")))
    async with api.world.database.read(api.org_id) as session:
        then = await clock.last_recorded(session, api.org_id)
    await ingest(api, event("1", "call.made", "07-06 10:00", version=2, **by("bo")))
    ana = credits_of(await identity(api, "ana"))
    assert await value(api, COUNT, audience=ana) == 0
    assert await value(api, COUNT, audience=ana, known_at=then) == 1


async def test_others_decide_which_event_about_a_thing_is_the_first(api: Api) -> None:
    await ingest(
        api,
        event("1", "call.made", "06-01 10:00", "L1", **by("bo")),
        event("2", "call.made", "07-06 10:00", "L1", **by("ana")),
        event("3", "call.made", "07-07 10:00", "L2", **by("ana")),
        event("4", "call.made", "07-08 10:00", "L2", **by("bo")),
    )
    assert await value(api, FIRST, audience=credits_of(await identity(api, "ana"))) == 1
    assert await value(api, FIRST, audience=credits_of(await identity(api, "bo"))) == 0


async def test_pairs_are_formed_with_what_others_did(api: Api) -> None:
    await ingest(
        api,
        event("1", "lead.created", "07-01 10:00", "L1", **by("bo")),
        event("2", "call.made", "07-01 10:05", "L1", **by("ana")),
        event("3", "call.made", "07-01 10:01", "L2", **by("ana")),
        event("4", "lead.created", "07-02 10:00", "L3", **by("ana")),
        event("5", "lead.created", "06-02 10:00", "L4", **by("bo")),
        event("6", "lead.created", "07-02 10:00", "L4", **by("ana")),
        event("7", "call.made", "07-02 10:30", "L4", **by("ana")),
    )
    ana, bo = credits_of(await identity(api, "ana")), credits_of(await identity(api, "bo"))
    found = await row(api, ELAPSED, audience=ana)
    assert (found.a, found.enters, found.open) == (300, 1, 1)
    found = await row(api, ELAPSED, audience=bo)
    assert (found.enters, found.open) == (0, 0)


async def test_a_statement_that_is_kept_is_asked_anew_for_everybody(api: Api) -> None:
    await ingest(
        api,
        event("1", "call.made", "07-06 10:00", **by("ana")),
        event("2", "call.made", "07-06 11:00", **by("bo")),
        event("3", "call.made", "07-07 11:00", **by("bo")),
    )
    noon = datetime(2026, 7, 6, 12, tzinfo=UTC)
    for who, by_now, then in (("ana", 1, 1), ("bo", 2, 1)):
        audience = credits_of(await identity(api, who))
        assert await value(api, COUNT, audience=audience) == by_now
        assert await value(api, COUNT, audience=audience, at=noon) == then


@pytest.mark.parametrize("measure", KINDS)
@pytest.mark.parametrize("audience", [EVERYBODY, "ana", "nobody"])
def test_every_kind_of_statement_keeps_the_rules(measure: Measure, audience: Audience | str, api: Api) -> None:
    if isinstance(audience, str):
        audience = Audience([], [(0, Span(api.org_id if audience == "ana" else NIL, ALL_TIME))])
    at = datetime(2026, 7, 13, tzinfo=UTC)
    scope = Scope(api.org_id, at, at, "Europe/Warsaw", "EUR", None)
    text = Ready(statement(scope, audience, [JULY], [measure], []), is_listed=False).text
    assert not findings(text)
    assert "POSTCOMPILE" not in text
