"""What happened to things after they began: funnels, conversions, touches and cadences."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.kpis.attribution import Days
from app.kpis.definition import (
    Aggregate,
    CadenceMeasure,
    CadenceStep,
    EventMeasure,
    EventSelection,
    FunnelMeasure,
    TouchesMeasure,
)
from app.kpis.expressions.syntax import Name
from app.kpis.measures import Grouping
from tests.kpis.asking import AT, both, credits_of, event, identity, ingest, row, rows, scope_of, selection, value
from tests.support import Api

DAY = timedelta(days=1)
MAY = Days(date(2026, 5, 1), date(2026, 6, 1))
SEPTEMBER = datetime(2026, 9, 1, 12, tzinfo=UTC)


def funnel(aggregate: Aggregate, *steps: EventSelection, reached: int = -1, **more: Any) -> FunnelMeasure:
    names = tuple(str(number) for number in range(len(steps)))
    return FunnelMeasure(
        aggregate=aggregate, steps=steps, names=names, match="lead", reached=reached % len(steps), **more
    )


def conversion(start: str, end: str, days: int | None = None, **more: Any) -> FunnelMeasure:
    within = None if days is None else days * DAY
    return funnel(Aggregate.CONVERSION, selection(start), selection(end), within=within, **more)


# ---------------------------------------------------------------------------------------------------- conversions


async def test_a_repurchase_converts_within_the_limit_even_after_the_window(api: Api) -> None:
    await ingest(
        api,
        event("x1", "deal.won", "05-01 09:00", "X"),
        event("x2", "deal.won", "05-20 09:00", "X"),
        event("y1", "deal.won", "05-03 09:00", "Y"),
        event("z1", "deal.won", "05-04 09:00", "Z"),
    )
    await api.set_clock(SEPTEMBER)
    await ingest(api, event("z2", "deal.won", "08-02 09:00", "Z"))
    ninety = conversion("deal.won", "deal.won", 90)
    found = await row(api, ninety, MAY, at=SEPTEMBER)
    assert (found.a, found.b, found.enters) == (2, 3, 3)
    late = conversion("deal.won", "deal.won", 89)
    found = await row(api, late, MAY, at=SEPTEMBER)
    assert (found.a, found.b, found.enters, found.young) == (1, 3, 3, 0)


async def test_the_limit_itself_is_in_time_and_the_cohort_is_young_until_then(api: Api) -> None:
    await ingest(api, event("l", "lead.created", "07-01 09:00"), event("q", "lead.qualified", "07-03 09:00"))
    two = conversion("lead.created", "lead.qualified", 2)
    then = datetime(2026, 7, 3, 9, tzinfo=UTC)
    before = await row(api, two, at=then - timedelta(microseconds=1))
    assert (before.a, before.b, before.young) == (0, 1, 1)
    at_limit = await row(api, two, at=then)
    assert (at_limit.a, at_limit.b, at_limit.young) == (1, 1, 0)
    assert (await row(api, conversion("lead.created", "lead.qualified"), at=then)).young == 0


async def test_at_the_same_instant_another_type_is_later_and_the_same_type_goes_by_its_key(api: Api) -> None:
    await ingest(
        api,
        event("b", "lead.created", "07-01 09:00", "A"),
        event("a", "lead.qualified", "07-01 09:00", "A"),
        event("d", "deal.won", "07-01 09:00", "B"),
        event("c", "deal.won", "07-01 09:00", "B"),
        event("e", "deal.won", "07-01 09:00", "C"),
    )
    assert await value(api, conversion("lead.created", "lead.qualified")) == 1
    again = await row(api, conversion("deal.won", "deal.won"))
    assert (again.a, again.b) == (1, 2)


async def test_only_the_first_event_of_a_thing_makes_it_of_the_cohort(api: Api) -> None:
    await ingest(
        api,
        event("june", "lead.created", "06-30 09:00", "A", properties={"tier": "gold"}),
        event("again", "lead.created", "07-02 09:00", "A", properties={"tier": "gold"}),
        event("july", "lead.created", "07-02 09:00", "B"),
        event("gold", "lead.created", "07-03 09:00", "B", properties={"tier": "gold"}),
        event("q", "lead.qualified", "07-04 09:00", "B", properties={"tier": "gold"}),
    )
    measure = conversion("lead.created", "lead.qualified")
    assert (await row(api, measure)).enters == 1
    # A filter of the step is part of what is first; one on top asks about it afterwards.
    gold = funnel(
        Aggregate.COUNT, selection("lead.created", where="properties.tier == 'gold'"), selection("lead.qualified")
    )
    assert (await row(api, gold)).enters == 1
    assert (await row(api, measure, where="properties.tier == 'gold'")).enters == 0
    grouped = await rows(
        api, [measure], scope=await scope_of(api, grouping=Grouping(Name(("properties", "tier")), None))
    )
    assert [(each.group, each.a) for each in grouped] == [("null", 1)]


# -------------------------------------------------------------------------------------------------------- funnels

STEPS = [selection("lead.created"), selection("lead.qualified"), selection("meeting.held"), selection("deal.won")]


async def steps_reached(api: Api, skipped: str, within: timedelta | None = None) -> list[int]:
    counts = [funnel(Aggregate.COUNT, *STEPS, reached=n, skipped=skipped, within=within) for n in range(4)]
    return [int((await row(api, measure)).a or 0) for measure in counts]


async def test_a_later_step_passes_those_before_unless_each_must_be_taken_in_order(api: Api) -> None:
    await ingest(
        api,
        event("a1", "lead.created", "07-01 09:00", "A"),
        event("a2", "deal.won", "07-02 09:00", "A"),
        event("b1", "lead.created", "07-01 09:00", "B"),
        event("b2", "lead.qualified", "07-02 09:00", "B"),
        event("b3", "meeting.held", "07-02 09:00", "B"),
        event("b4", "deal.won", "07-05 09:00", "B"),
        event("c0", "lead.qualified", "07-01 08:00", "C"),
        event("c1", "lead.created", "07-01 09:00", "C"),
        event("c2", "meeting.held", "07-02 09:00", "C"),
        event("c3", "lead.qualified", "07-03 09:00", "C"),
        event("d1", "lead.created", "07-01 09:00", "D"),
        event("e1", "lead.qualified", "07-01 09:00", "never created"),
    )
    assert await steps_reached(api, "counts_as_passed") == [4, 3, 3, 2]
    assert await steps_reached(api, "strict") == [4, 2, 1, 1]
    assert await steps_reached(api, "counts_as_passed", 2 * DAY) == [4, 3, 3, 1]
    assert await steps_reached(api, "strict", 2 * DAY) == [4, 2, 1, 0]
    rate = funnel(Aggregate.CONVERSION, *STEPS, reached=3, base=2)
    found = await row(api, rate)
    assert (found.a, found.b, found.enters) == (2, 3, 3)


async def test_a_strict_step_follows_the_event_before_it_also_among_equal_types(api: Api) -> None:
    call = selection("call.made")
    await ingest(
        api,
        event("1", "call.made", "07-01 09:00", "A"),
        event("2", "call.made", "07-01 09:00", "A"),
        event("3", "email.sent", "07-01 09:00", "A"),
        event("1b", "call.made", "07-01 09:00", "B"),
        event("2b", "email.sent", "07-01 09:00", "B"),
        event("3b", "call.made", "07-01 08:00", "B"),
    )
    steps = (call, call, selection("email.sent"))
    counts = [await row(api, funnel(Aggregate.COUNT, *steps, skipped="strict", reached=n)) for n in range(3)]
    assert [each.a for each in counts] == [2, 2, 2]
    thrice = funnel(Aggregate.COUNT, call, call, call, skipped="strict")
    assert (await row(api, thrice)).enters == 0


async def test_a_cohort_is_credited_to_its_first_event(api: Api) -> None:
    shared = [{"actor": {"id": "ana"}, "share": "0.25"}, {"actor": {"id": "bo"}, "share": "0.75"}]
    await ingest(
        api,
        event("l1", "lead.created", "07-01 09:00", "A", credits=shared),
        event("q1", "lead.qualified", "07-01 10:00", "A", actor={"id": "cy"}),
        event("l2", "lead.created", "07-01 09:00", "B", actor={"id": "ana"}),
    )
    ana, cy = [credits_of(await identity(api, name)) for name in ("ana", "cy")]
    reached = funnel(Aggregate.COUNT, *STEPS[:2])
    assert await value(api, reached, audience=ana) == Decimal("0.25")
    assert await value(api, conversion("lead.created", "lead.qualified"), audience=ana) == Decimal("0.5")
    assert await value(api, reached, audience=cy) == 0


async def test_funnels_and_events_of_one_cell_count_common_events_once(api: Api) -> None:
    await ingest(api, event("l", "lead.created", "07-01 09:00"), event("l2", "lead.created", "07-02 09:00"))
    every = EventMeasure(aggregate=Aggregate.COUNT, events=("lead.created",))
    found = await rows(api, [every, conversion("lead.created", "deal.won", 30)], unions=both())
    assert [(each.kind, each.number, each.enters, each.young) for each in found] == [
        ("measure", 0, 2, 0), ("measure", 1, 1, 1), ("union", 0, 2, 1),
    ]  # fmt: skip


# -------------------------------------------------------------------------------------------------------- touches


def touches(aggregate: Aggregate = Aggregate.SUM, **more: Any) -> TouchesMeasure:
    parts: dict[str, Any] = {
        "anchor": selection("lead.created"),
        "touches": selection("call.made", "email.sent"),
        "match": "lead",
        "within": 2 * DAY,
    } | more
    return TouchesMeasure(aggregate=aggregate, **parts)


UNTIL = selection("lead.qualified", "deal.lost")


async def test_touches_count_after_the_anchor_up_to_the_limit(api: Api) -> None:
    await ingest(
        api,
        event("before", "call.made", "07-06 08:59", "A"),
        event("0", "call.made", "07-06 09:00", "A"),
        event("l", "lead.created", "07-06 09:00", "A"),
        event("m", "lead.created", "07-07 09:00", "A"),
        event("1", "email.sent", "07-07 09:00", "A"),
        event("2", "call.made", "07-08 09:00", "A"),
        event("3", "call.made", "07-08 09:00:00.000001", "A"),
        event("4", "meeting.held", "07-07 09:00", "A"),
        event("n", "lead.created", "07-07 09:00", "B"),
        event("y", "lead.created", "07-12 09:00", "young"),
        event("z", "call.made", "07-12 09:00", "young"),
    )
    found = await row(api, touches())
    assert (found.a, found.enters, found.pending) == (3, 2, 1)
    assert await value(api, touches(Aggregate.COUNT)) == 2
    assert await value(api, touches(Aggregate.MEDIAN)) == 1.5
    assert await value(api, touches(Aggregate.MIN)) == 0
    assert await value(api, touches(Aggregate.SHARE_AT_LEAST, at_least=3)) == 0.5
    assert await value(api, touches(Aggregate.SHARE_AT_LEAST, at_least=4)) == 0
    then = datetime(2026, 7, 14, 9, tzinfo=UTC)
    assert (await row(api, touches(), at=then)).pending == 0
    assert (await row(api, touches(), at=then - timedelta(microseconds=1))).pending == 1


async def test_until_ends_the_counting_and_lets_a_thing_enter(api: Api) -> None:
    await ingest(
        api,
        event("q0", "lead.qualified", "07-11 09:00", "A"),
        event("l", "lead.created", "07-12 09:00", "A"),
        event("p", "call.made", "07-12 10:00", "A"),
        event("q", "lead.qualified", "07-12 10:00", "A"),
        event("r", "call.made", "07-12 10:00", "A"),
        event("s", "deal.lost", "07-12 11:00", "A"),
        event("l2", "lead.created", "07-12 09:00", "B"),
        event("t", "call.made", "07-12 10:00", "B"),
    )
    found = await row(api, touches(until=UNTIL))
    assert (found.a, found.enters, found.pending) == (1, 1, 1)
    later = datetime(2026, 8, 1, tzinfo=UTC)
    both = await row(api, touches(until=UNTIL), at=later)
    assert (both.a, both.enters, both.pending) == (2, 2, 0)
    alone = await row(api, touches(until=UNTIL, within=None), at=later)
    assert (alone.a, alone.enters, alone.pending) == (1, 1, 1)


# ------------------------------------------------------------------------------------------------------- cadences


def cadence(*steps: tuple[EventSelection, timedelta]) -> CadenceMeasure:
    made = tuple(CadenceStep(selection=what, by=by) for what, by in steps)
    return CadenceMeasure(aggregate=Aggregate.SHARE_DONE, anchor=selection("lead.created"), steps=made, match="lead")


CALL, MAIL = selection("call.made"), selection("email.sent")
PLAN = cadence((CALL, DAY), (MAIL, 2 * DAY), (CALL, 3 * DAY))


async def test_a_cadence_is_steps_done_in_time_over_all_steps(api: Api) -> None:
    await ingest(
        api,
        event("a", "lead.created", "07-01 09:00", "all done"),
        event("b", "call.made", "07-02 09:00", "all done"),
        event("c", "email.sent", "07-01 09:00", "all done"),
        event("d", "call.made", "07-04 09:00", "all done"),
        event("e", "lead.created", "07-01 09:00", "late, then in time"),
        event("f", "call.made", "07-02 09:00:00.000001", "late, then in time"),
        event("g", "call.made", "07-03 09:00", "late, then in time"),
        event("h", "lead.created", "07-12 09:00", "young"),
        event("i", "call.made", "07-12 10:00", "young"),
        event("j", "lead.created", "07-01 09:00", "nothing"),
        event("k", "call.made", "07-01 08:00", "nothing"),
    )
    found = await row(api, PLAN)
    assert (found.a, found.b, found.enters, found.pending) == (4, 9, 3, 1)
    edge = datetime(2026, 7, 4, 9, tzinfo=UTC)
    assert (await row(api, PLAN, at=edge)).enters == 3
    assert (await row(api, PLAN, at=edge - timedelta(microseconds=1))).enters == 0
    assert await value(api, PLAN, Days(date(2026, 6, 1), date(2026, 7, 1))) is None
    assert edge < AT
