"""A measure opened up: what it used, by which other events it was judged, and why the rest is not in it."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Select

from app.kpis import evidence
from app.kpis.attribution import ALL_TIME, Days, Span, Subject
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
from app.kpis.evidence import Opened, Reach
from app.kpis.expressions.syntax import Name
from app.kpis.measures import Audience, Scope
from tests.kpis.asking import EVERYBODY, JULY, event, identity, ingest, scope_of, selection
from tests.support import Api

ORGANIZATION = Reach(Subject("organization"), [], [])
DAY = timedelta(days=1)
LEAD = selection("lead.created")
STORY = [
    event("l1", "lead.created", "07-01 09:00", "A"),
    event("c1", "call.made", "07-01 10:00", "A"),
    event("c2", "call.made", "07-02 10:00", "A"),
    event("e1", "email.sent", "07-03 10:00", "A"),
    event("w1", "deal.won", "07-05 09:00", "A", amount={"value": "10", "currency": "EUR"}),
    event("l2", "lead.created", "07-02 09:00", "A"),
    event("l3", "lead.created", "07-03 09:00", "B"),
    event("l4", "lead.created", "07-03 09:00", None),
    event("l5", "lead.created", "07-13 09:00", "C"),
]


async def told(api: Api, asked: Select[Any]) -> dict[str, Any]:
    """By external id: the value and the related events of those used, the reason of the others."""
    names = {each["id"]: each["external_id"] for each in (await api.get("/events", limit=200))["items"]}
    async with api.world.database.read(api.org_id) as session:
        found = list(await session.execute(asked))
    assert {row[0].external_id for row in found} <= set(names.values())
    return {row[0].external_id: row[5] or (row[4], row[6]) for row in found}


async def both(api: Api, measure: Measure, days: Days = JULY, scope: Scope | None = None) -> tuple[Any, Any]:
    scope = scope or await scope_of(api)
    opened = [Opened(measure, days)]
    used = await told(api, evidence.used(scope, EVERYBODY, opened))
    rows = await rows_by_name(api, scope)
    return (
        {name: (value, named(related, rows)) for name, (value, related) in used.items()},
        await told(api, evidence.left_out(scope, EVERYBODY, opened, ORGANIZATION)),
    )


async def rows_by_name(api: Api, scope: Scope) -> dict[str, str]:
    """External ids by row."""
    types = sorted({each["type"] for each in STORY})
    every: Sequence[Opened] = [Opened(_count(kind), ALL_TIME) for kind in types]
    async with api.world.database.read(api.org_id) as session:
        found = list(await session.execute(evidence.used(scope, EVERYBODY, every)))
    return {str(row[0].row_id): row[0].external_id for row in found}


def _count(kind: str) -> Measure:
    return EventMeasure(aggregate=Aggregate.COUNT, events=(kind,))


def named(related: Any, rows: dict[str, str]) -> Any:
    """The related rows by their external ids."""
    if isinstance(related, dict):
        return {key: named(each, rows) for key, each in related.items()}
    if isinstance(related, list):
        return [named(each, rows) for each in related]
    return rows.get(related, related)


async def test_pairs_name_their_end_and_what_did_not_begin_one(api: Api) -> None:
    await ingest(api, *STORY)
    measure = ElapsedMeasure(aggregate=Aggregate.AVG, start=LEAD, end=selection("call.made"), match="lead")
    used, others = await both(api, measure)
    assert used == {"l1": (3600, {"end": "c1"})}
    assert others == {"l2": "not_first", "l3": "open", "l4": "no_thing", "l5": "open"}


async def test_funnels_name_the_events_by_which_steps_were_reached(api: Api) -> None:
    await ingest(api, *STORY)
    steps = (LEAD, selection("call.made"), selection("meeting.held"), selection("deal.won"))
    parts: dict[str, Any] = {"steps": steps, "names": tuple("abcd"), "match": "lead", "within": 2 * DAY}
    used, others = await both(api, FunnelMeasure(aggregate=Aggregate.CONVERSION, reached=1, **parts))
    assert used == {
        "l1": (1, {"steps": ["c1", None, None]}),
        "l3": (0, {"steps": [None, None, None]}),
        "l5": (0, {"steps": [None, None, None]}),
    }
    assert others == {"l2": "not_first", "l4": "no_thing"}
    used, others = await both(api, FunnelMeasure(aggregate=Aggregate.COUNT, reached=1, **parts))
    assert list(used) == ["l1"]
    assert others == {"l2": "not_first", "l3": "not_reached", "l4": "no_thing", "l5": "not_reached"}


async def test_touches_are_named_in_order_with_what_ended_them(api: Api) -> None:
    await ingest(api, *STORY)
    measure = TouchesMeasure(
        aggregate=Aggregate.AVG,
        anchor=LEAD,
        touches=selection("call.made", "email.sent"),
        match="lead",
        until=selection("deal.won"),
        within=DAY * 3,
    )
    used, others = await both(api, measure)
    assert used == {
        "l1": (3, {"touches": ["c1", "c2", "e1"], "until": "w1"}),
        "l3": (0, {"touches": [], "until": None}),
    }
    assert others["l5"] == "pending"


async def test_cadences_tell_the_first_deviation(api: Api) -> None:
    await ingest(api, *STORY)
    call, mail = selection("call.made"), selection("email.sent", "email.received")
    steps = [(call, 3 * DAY), (call, DAY), (mail, timedelta(hours=36))]
    measure = CadenceMeasure(
        aggregate=Aggregate.SHARE_DONE,
        anchor=LEAD,
        match="lead",
        steps=tuple(CadenceStep(selection=what, by=by) for what, by in steps),
    )
    used, others = await both(api, measure)
    assert used == {
        "l1": (1, {"done": ["c1", None, None], "deviation": "call.made by P1D"}),
        "l3": (0, {"done": [None, None, None], "deviation": "call.made by P1D"}),
    }
    assert others == {"l2": "not_first", "l4": "no_thing", "l5": "pending"}
    late_mail = CadenceMeasure(
        aggregate=Aggregate.SHARE_DONE,
        anchor=LEAD,
        match="lead",
        steps=(CadenceStep(selection=call, by=DAY), CadenceStep(selection=mail, by=timedelta(hours=36))),
    )
    used, _ = await both(api, late_mail)
    assert used["l1"] == (1, {"done": ["c1", None], "deviation": "email.sent or email.received by P1DT12H"})


async def test_open_things_are_told_at_their_moment(api: Api) -> None:
    await ingest(api, *STORY)
    measure = OpenMeasure(aggregate=Aggregate.COUNT, start=LEAD, end=selection("deal.won"), match="lead")
    before = Days(date(2026, 7, 1), date(2026, 7, 4))
    used, others = await both(api, measure, before)
    assert set(used) == {"l1", "l3"}
    assert others == {"l2": "not_first", "l4": "no_thing"}
    used, others = await both(api, measure)
    assert set(used) == {"l3", "l5"}
    assert others == {"l1": "closed", "l2": "closed", "l4": "no_thing"}
    valued = OpenMeasure(
        aggregate=Aggregate.SUM,
        start=LEAD,
        end=selection("deal.lost"),
        match="lead",
        value=Name(("amount",)),
    )
    used, others = await both(api, valued)
    assert used == {}
    assert {others[name] for name in ("l1", "l3", "l5")} == {"no_value"}


def worth(name: str, at: str, lead: str, amount: str | None = None, currency: str = "EUR", **more: Any) -> Any:
    """A start, with what it says that the thing is worth."""
    money = {"amount": {"value": amount, "currency": currency}} if amount else {}
    return event(name, "lead.created", at, lead, **money, **more)


VALUES = [
    worth("a1", "07-01 09:00", "A", "100"),
    worth("a2", "07-02 09:00", "A", "150"),
    worth("b1", "07-01 09:00", "B", "10"),
    worth("b2", "07-02 09:00", "B", "20"),
    event("bw", "deal.won", "07-05 09:00", "B"),
    worth("b3", "07-07 09:00", "B", "30"),
    worth("c1", "07-01 09:00", "C"),
    worth("c2", "07-03 09:00", "C", "50", "USD"),
    worth("d1", "07-01 09:00", "D"),
]
LATER = Days(date(2026, 7, 4), date(2026, 8, 1))
A_BY_A2 = {"a1": (150, {"value": "a2"})}
UNUSABLE = {"c1": "unconverted", "d1": "no_value"}


@pytest.mark.parametrize(
    ("how", "days", "used", "others"),
    [
        ({}, JULY, A_BY_A2, {"b1": "closed", "b2": "closed", "b3": "not_first", **UNUSABLE}),
        (
            {"repeat": "each"},
            JULY,
            A_BY_A2 | {"b3": (30, {"value": "b3"})},
            {"b1": "closed", "b2": "closed", **UNUSABLE},
        ),
        ({"at": "start"}, LATER, A_BY_A2 | {"b1": (20, {"value": "b2"})}, UNUSABLE),
        ({"at": "start", "repeat": "each"}, LATER, A_BY_A2 | {"b1": (20, {"value": "b2"})}, UNUSABLE),
        (
            {"at": "start"},
            Days(date(2026, 7, 2), date(2026, 8, 1)),
            {"a1": (100, {"value": "a1"}), "b1": (10, {"value": "b1"})},
            {"c1": "no_value", "d1": "no_value"},
        ),
    ],
)
async def test_the_start_that_gave_an_open_thing_its_value_is_named_and_not_left_out(
    api: Api, how: dict[str, Any], days: Days, used: dict[str, Any], others: dict[str, str]
) -> None:
    """S18a: what is open counts for the start that opened it, at what a later one said."""
    await ingest(api, *VALUES)
    measure = OpenMeasure(
        aggregate=Aggregate.SUM, start=LEAD, end=selection("deal.won"), match="lead", value=Name(("amount",)), **how
    )
    assert await both(api, measure, days) == (used, others)


async def test_a_later_start_of_what_is_counted_as_open_is_not_the_first(api: Api) -> None:
    await ingest(api, *VALUES)
    parts: dict[str, Any] = {"start": LEAD, "end": selection("deal.won"), "match": "lead"}
    used, others = await both(api, OpenMeasure(aggregate=Aggregate.COUNT, **parts))
    assert set(used) == {"a1", "c1", "d1"}
    later = {"a2": "not_first", "c2": "not_first"}
    assert others == later | {"b1": "closed", "b2": "closed", "b3": "not_first"}
    used, others = await both(api, OpenMeasure(aggregate=Aggregate.COUNT, repeat="each", **parts))
    assert set(used) == {"a1", "b3", "c1", "d1"}
    assert others == later | {"b1": "closed", "b2": "closed"}
    _, others = await both(api, OpenMeasure(aggregate=Aggregate.COUNT, at="start", **parts), LATER)
    assert others == later | {"b2": "not_first"}


async def test_whose_start_only_gave_the_value_of_anothers_is_told_that_it_was_not_the_first(api: Api) -> None:
    await ingest(
        api,
        worth("opened", "07-01 09:00", "A", "100", actor={"id": "ana"}),
        worth("raised", "07-02 09:00", "A", "150", actor={"id": "bo"}),
    )
    people = [await identity(api, name) for name in ("ana", "bo")]
    mapped = [Span(person, ALL_TIME) for person in people]
    measure = OpenMeasure(
        aggregate=Aggregate.SUM, start=LEAD, end=selection("deal.won"), match="lead", value=Name(("amount",))
    )
    opened, scope, found = [Opened(measure, JULY)], await scope_of(api), []
    for person in people:
        audience = Audience([], [(0, Span(person, ALL_TIME))])
        reach = Reach(Subject("member", person), [person], mapped)
        used = await told(api, evidence.used(scope, audience, opened))
        others = await told(api, evidence.left_out(scope, audience, opened, reach))
        found.append(({name: value for name, (value, _) in used.items()}, others))
    assert found == [({"opened": 150}, {}), ({}, {"raised": "not_first"})]


async def test_what_covers_other_days_is_told_apart_from_what_lasts_no_time(api: Api) -> None:
    halves = [{"actor": {"id": who}, "share": "0.5"} for who in ("ana", "bo")]
    await ingest(
        api,
        event("night", "meeting.held", "07-02 00:00", duration_seconds=4 * 3600, credits=halves),
        event("until midnight", "meeting.held", "06-30 22:00", duration_seconds=3600),
        event("unknown", "meeting.held", "07-05 09:00"),
    )
    measure = EventMeasure(aggregate=Aggregate.COVERED, events=("meeting.held",))
    scope = await scope_of(api)
    async with api.world.database.read(api.org_id) as session:
        rows = list(await session.execute(evidence.used(scope, EVERYBODY, [Opened(measure, JULY)])))
    assert [(row[0].external_id, row[4]) for row in rows] == [("night", 2 * 4 * 3600)]
    _, others = await both(api, measure)
    assert others == {"until midnight": "other_window", "unknown": "no_value"}


async def test_what_nobody_did_in_the_role_is_told_as_nobodys(api: Api) -> None:
    """S9: for a role other than owner an event without a credit in that role is in no figure."""
    setter = [{"actor": {"id": "ana"}, "role": "setter", "share": "1"}]
    await ingest(
        api,
        event("set", "meeting.held", "07-02 10:00", duration_seconds=60, credits=setter),
        event("owned", "meeting.held", "07-03 10:00", duration_seconds=60, actor={"id": "bo"}),
    )
    ana, bo = [await identity(api, name) for name in ("ana", "bo")]
    members = Reach(Subject("member", bo), [bo], [Span(ana, ALL_TIME), Span(bo, ALL_TIME)])
    scope = await scope_of(api)
    for aggregate in (Aggregate.COUNT, Aggregate.COVERED):
        measure = EventMeasure(aggregate=aggregate, events=("meeting.held",), role="setter")
        used, others = await both(api, measure)
        assert (set(used), others) == ({"set"}, {"owned": "unmapped"})
        asked = evidence.left_out(scope, Audience([], [(0, Span(bo, JULY))]), [Opened(measure, JULY)], members)
        assert await told(api, asked) == {"owned": "unmapped"}


async def test_people_see_what_is_not_theirs_and_filters_what_they_refuse(api: Api) -> None:
    await ingest(
        api,
        event("mine", "lead.created", "07-01 09:00", "A", actor={"id": "ana"}),
        event("then", "lead.created", "07-06 09:00", "B", actor={"id": "ana"}),
        event("nobody's", "lead.created", "07-01 09:00", "C"),
        event("bo's", "lead.created", "07-01 09:00", "D", actor={"id": "bo"}),
        event("reached", "call.made", "07-01 09:00", "A", actor={"id": "bo"}),
    )
    ana, bo = [await identity(api, name) for name in ("ana", "bo")]
    days = Days(date(2026, 7, 1), date(2026, 7, 5))
    audience = Audience([], [(0, Span(ana, days))])
    reach = Reach(Subject("member", ana), [ana], [Span(ana, ALL_TIME), Span(bo, ALL_TIME)])
    funnel = FunnelMeasure(
        aggregate=Aggregate.CONVERSION,
        steps=(LEAD, selection("call.made")),
        names=("a", "b"),
        match="lead",
        reached=1,
    )
    opened = [Opened(funnel, JULY)]
    scope = await scope_of(api)
    assert list(await told(api, evidence.used(scope, audience, opened))) == ["mine"]
    others = await told(api, evidence.left_out(scope, audience, opened, reach))
    assert others == {"then": "outside_membership", "nobody's": "unmapped"}
    scope = await scope_of(api, where="has(properties.tier)")
    others = await told(api, evidence.left_out(scope, EVERYBODY, opened, ORGANIZATION))
    assert set(others.values()) == {"filtered"}
