"""What measures over pairs ask of the database: which events pair, on whose clock, and what is open or pending."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.kpis.attribution import ALL_TIME, Days
from app.kpis.definition import Aggregate, ElapsedMeasure
from app.kpis.expressions.syntax import Name
from app.kpis.measures import Grouping, WorkingClock
from tests.kpis.asking import (
    JULY,
    both,
    credits_of,
    event,
    identity,
    ingest,
    minutes,
    row,
    rows,
    scope_of,
    selection,
    value,
)
from tests.support import Api

MONDAY = date(2026, 7, 6)


def utc(day: int, hour: int, minute: int = 0, second: int = 0, micro: int = 0) -> datetime:
    return datetime(2026, 7, day, hour, minute, second, micro, tzinfo=UTC)


def office(*days: int, opens: int = 8, closes: int = 16) -> list[tuple[datetime, datetime]]:
    """A calendar of whole days in July."""
    return [(utc(day, opens), utc(day, closes)) for day in days]


def elapsed(aggregate: Aggregate = Aggregate.MEDIAN, **more: Any) -> ElapsedMeasure:
    parts: dict[str, Any] = {"start": selection("lead.created"), "end": selection("call.made"), "match": "lead"} | more
    return ElapsedMeasure(aggregate=aggregate, **parts)


async def on_hours(api: Api, clock: WorkingClock, measure: ElapsedMeasure, **more: Any) -> Any:
    return await value(api, measure, clock=clock, **more)


WORKING: dict[str, Any] = {"clock": "working_hours"}


async def test_only_time_inside_the_working_intervals_counts(api: Api) -> None:
    clock = WorkingClock([office(6, 7, 8, 9, 10)], [])
    times = {
        "over night": ("07-06 15:30", "07-07 08:15", minutes(45)),
        "over two days": ("07-06 15:30", "07-08 08:15", minutes(45 + 480)),
        "at night only": ("07-06 20:00", "07-07 06:00", minutes(0)),
        "before it opens until after it closes": ("07-06 05:00", "07-06 20:00", minutes(480)),
        "inside": ("07-06 09:00:00.000001", "07-06 09:00:00.000003", timedelta(microseconds=2)),
        "before everything": ("06-01 09:00", "07-06 08:10", minutes(10)),
        "after everything": ("07-10 15:50", "07-12 09:00", minutes(10)),
    }
    for name, (start, end, expected) in times.items():
        await ingest(api, event(f"{name} 1", "lead.created", start, name), event(f"{name} 2", "call.made", end, name))
        measure = elapsed(Aggregate.MAX, start=selection("lead.created", where=f"about.lead == '{name}'"), **WORKING)
        found = await on_hours(api, clock, measure, days=Days(date(2026, 6, 1), date(2026, 8, 1)))
        assert found == Decimal(expected // timedelta(microseconds=1)) / 1_000_000


async def test_the_clock_is_the_credited_members_on_the_day_of_the_credited_event(api: Api) -> None:
    await ingest(
        api,
        event("l", "lead.created", "07-06 06:00", actor={"id": "ana"}),
        event("c", "call.made", "07-07 09:00", actor={"id": "bo"}),
        event("open", "lead.created", "07-06 06:00", "L2", actor={"id": "ana"}),
    )
    ana, bo = [await identity(api, name) for name in ("ana", "bo")]
    spans = [
        (ana, *ALL_TIME, 1),
        (bo, date.min, date(2026, 7, 7), 1),
        (bo, date(2026, 7, 7), date(2026, 7, 8), 2),
    ]
    calendars = [office(6, 7), office(6, 7, opens=7), office(6, 7, opens=6)]
    clock = WorkingClock(calendars, spans)
    assert await on_hours(api, clock, elapsed(**WORKING)) == 13 * 3600
    assert await on_hours(api, clock, elapsed(credited_to="start", **WORKING)) == 11 * 3600
    assert await on_hours(api, WorkingClock(calendars, []), elapsed(**WORKING)) == 9 * 3600
    # In no role but owner is anybody credited, and the organization's calendar holds; its events are in no figure.
    assert await on_hours(api, clock, elapsed(role="sourcer", **WORKING)) is None


@pytest.mark.parametrize(
    ("shares", "calendar"),
    [({"ana": "0.4", "bo": "0.6"}, 2), ({"ana": "0.5", "bo": "0.5"}, 1), ({"bo": "0.5", "ana": "0.5"}, 2)],
)
async def test_of_several_credited_the_largest_share_decides_then_the_first_listed(
    api: Api, shares: dict[str, str], calendar: int
) -> None:
    listed = [{"actor": {"id": name}, "share": share} for name, share in shares.items()]
    listed.append({"role": "sourcer", "actor": {"id": "cy"}, "share": "1"})
    await ingest(api, event("l", "lead.created", "07-06 06:00"), event("c", "call.made", "07-06 12:00", credits=listed))
    people = [await identity(api, name) for name in ("ana", "bo", "cy")]
    spans = [(who, *ALL_TIME, number) for number, who in enumerate(people, start=1)]
    clock = WorkingClock([office(6, opens=6), *[office(6, opens=10 - n) for n in (1, 2, 3)]], spans)
    assert await on_hours(api, clock, elapsed(**WORKING)) == (2 + calendar) * 3600
    assert await on_hours(api, clock, elapsed(role="sourcer", **WORKING)) == 5 * 3600


async def test_a_start_enters_a_share_once_it_is_old_enough_on_its_own_clock(api: Api) -> None:
    await ingest(
        api,
        event("l1", "lead.created", "07-10 15:00", "in time, over a weekend"),
        event("c1", "call.made", "07-13 08:30", "in time, over a weekend"),
        event("l2", "lead.created", "07-10 15:30", "just too young"),
        event("l3", "lead.created", "07-10 14:00", "late"),
        event("c3", "call.made", "07-13 09:00:00.000001", "late"),
    )
    clock = WorkingClock([office(10, 13)], [])
    share = elapsed(Aggregate.SHARE_WITHIN, within=timedelta(hours=3), **WORKING)
    young = await row(api, share, at=datetime(2026, 7, 13, 10, 29, 59, 999_999, tzinfo=UTC), clock=clock)
    assert (young.a, young.b, young.enters, young.pending) == (1, 2, 2, 1)
    old = await row(api, share, at=utc(13, 10, 30), clock=clock)
    assert (old.a, old.b, old.enters, old.pending) == (1, 3, 3, 0)


# ------------------------------------------------------------------------------------------------------ all of it


async def test_a_pair_is_of_the_first_start_and_its_first_other_end(api: Api) -> None:
    await ingest(
        api,
        event("call before", "call.made", "07-06 08:59"),
        event("l1", "lead.created", "07-06 09:00"),
        event("l2", "lead.created", "07-06 09:30"),
        event("c1", "call.made", "07-06 09:40"),
        event("c2", "call.made", "07-06 09:50"),
    )
    assert await value(api, elapsed(Aggregate.MAX)) == 40 * 60
    assert await value(api, elapsed(Aggregate.MIN, repeat="each")) == 10 * 60
    assert await value(api, elapsed(Aggregate.COUNT, repeat="each")) == 2


async def test_filters_and_groups_ask_about_the_start(api: Api) -> None:
    await ingest(
        api,
        event("l1", "lead.created", "07-06 09:00", "A", properties={"tier": "gold"}),
        event("c1", "call.made", "07-06 09:10", "A", properties={"tier": "lead"}),
        event("l2", "lead.created", "07-06 09:00", "B"),
        event("c2", "call.made", "07-06 09:20", "B", properties={"tier": "gold"}),
    )
    assert await value(api, elapsed(Aggregate.COUNT), where="properties.tier == 'gold'") == 1
    grouping = Grouping(Name(("properties", "tier")), None)
    found = await rows(api, [elapsed(Aggregate.AVG)], scope=await scope_of(api, grouping=grouping))
    assert {each.group: each.a for each in found} == {'"gold"': 600, "null": 1200}


async def test_an_end_dates_and_credits_its_pair_when_it_should(api: Api) -> None:
    await ingest(
        api,
        event("l1", "lead.created", "06-30 09:00", actor={"id": "ana"}),
        event("c1", "call.made", "07-01 09:00", actor={"id": "bo"}),
        event("l2", "lead.created", "07-02 09:00", "open", actor={"id": "ana"}),
    )
    ana, bo = [credits_of(await identity(api, name)) for name in ("ana", "bo")]
    by_end = elapsed(Aggregate.COUNT, dated_by="end")
    assert (await row(api, by_end, audience=bo)).a == 1
    assert (await row(api, by_end, audience=ana)).enters == 0
    assert (await row(api, elapsed(Aggregate.COUNT), audience=ana)).open == 1
    shared = await rows(api, [by_end, elapsed(Aggregate.COUNT)], [JULY], unions=both())
    assert [(each.enters, each.open) for each in shared if each.kind == "union"] == [(1, 1)]
