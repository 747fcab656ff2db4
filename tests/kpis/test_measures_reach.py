"""Which events may decide a window's figures: also those that happened long before or after the days they are of."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from app.core import clock
from app.kpis.attribution import Days
from app.kpis.definition import (
    Aggregate,
    CadenceMeasure,
    CadenceStep,
    ElapsedMeasure,
    FunnelMeasure,
    Measure,
    TouchesMeasure,
)
from app.kpis.measures import Audience
from tests.kpis.asking import EVERYBODY, JULY, credits_of, event, identity, ingest, row, selection
from tests.support import Api

JUNE = Days(date(2026, 6, 1), date(2026, 7, 1))
START, END = selection("lead.created"), selection("call.made")
DAYS = timedelta(days=5)
BY_ANA: dict[str, Any] = {"actor": {"id": "ana"}}
TOLD_FOR_JUNE: dict[str, Any] = {"occurred_on": "2026-06-05"}


def _pairs(**more: Any) -> ElapsedMeasure:
    return ElapsedMeasure(aggregate=Aggregate.COUNT, start=START, end=END, match="lead", **more)


PAIRS = _pairs()
CONVERSION = FunnelMeasure(
    aggregate=Aggregate.CONVERSION, steps=(START, END), names=("a", "b"), match="lead", reached=1, within=DAYS
)
TOUCHES = TouchesMeasure(aggregate=Aggregate.SUM, anchor=START, touches=END, match="lead", within=DAYS)
CADENCE = CadenceMeasure(
    aggregate=Aggregate.AVG, anchor=START, steps=(CadenceStep(selection=END, by=DAYS),), match="lead"
)
BEGUN: list[Measure] = [PAIRS, CONVERSION, TOUCHES, CADENCE]


@pytest.fixture(params=[True, False], ids=["of everybody", "of one"])
def audience(request: pytest.FixtureRequest) -> Callable[[Api], Any]:
    """The organization, or one person."""

    async def found(api: Api) -> Audience:
        return EVERYBODY if request.param else credits_of(await identity(api, "ana"))

    return found


@pytest.mark.parametrize("measure", BEGUN)
async def test_a_beginning_may_have_happened_long_before_the_day_it_was_told_for(
    measure: Measure, audience: Callable[[Api], Any], api: Api
) -> None:
    await ingest(
        api,
        event("1", "lead.created", "04-10 10:00", **BY_ANA, **TOLD_FOR_JUNE),
        event("2", "call.made", "04-12 10:00", **BY_ANA),
    )
    found = await row(api, measure, JUNE, audience=await audience(api))
    assert (found.enters, found.a) == (1, 1)


@pytest.mark.parametrize("measure", BEGUN)
async def test_an_earlier_beginning_after_the_window_stays_the_first_where_a_later_one_was_told_for_it(
    measure: Measure, audience: Callable[[Api], Any], api: Api
) -> None:
    await ingest(
        api,
        event("1", "lead.created", "07-06 10:00", **BY_ANA),
        event("2", "lead.created", "07-08 10:00", **BY_ANA, **TOLD_FOR_JUNE),
        event("3", "call.made", "07-09 10:00", **BY_ANA),
    )
    whose = await audience(api)
    assert (await row(api, measure, JUNE, audience=whose)).enters == 0
    assert (await row(api, measure, JULY, audience=whose)).a is not None


@pytest.mark.parametrize("measure", BEGUN)
async def test_an_earlier_beginning_before_the_window_stays_the_first(
    measure: Measure, audience: Callable[[Api], Any], api: Api
) -> None:
    await ingest(
        api,
        event("1", "lead.created", "04-06 10:00", **BY_ANA),
        event("2", "lead.created", "06-08 10:00", **BY_ANA),
        event("3", "call.made", "06-09 10:00", **BY_ANA),
    )
    assert (await row(api, measure, JUNE, audience=await audience(api))).enters == 0


@pytest.mark.parametrize("measure", BEGUN)
async def test_what_was_told_for_a_window_then_reaches_as_far_as_it_did(
    measure: Measure, audience: Callable[[Api], Any], api: Api
) -> None:
    await ingest(
        api,
        event("1", "lead.created", "04-10 10:00", version=1, **BY_ANA, **TOLD_FOR_JUNE),
        event("2", "call.made", "04-12 10:00", **BY_ANA),
    )
    async with api.world.database.read(api.org_id) as session:
        then = await clock.last_recorded(session, api.org_id)
    await ingest(api, event("1", "lead.created", "04-10 10:00", version=2, **BY_ANA))
    whose = await audience(api)
    assert (await row(api, measure, JUNE, audience=whose)).enters == 0
    assert (await row(api, measure, JUNE, audience=whose, known_at=then)).a == 1


async def test_pairs_dated_by_their_end_have_the_first_end_whenever_it_was(
    audience: Callable[[Api], Any], api: Api
) -> None:
    await ingest(
        api,
        event("1", "lead.created", "04-06 10:00", "L1", **BY_ANA),
        event("2", "call.made", "04-08 10:00", "L1", **BY_ANA),
        event("3", "call.made", "06-08 10:00", "L1", **BY_ANA),
        event("4", "lead.created", "04-06 10:00", "L2", **BY_ANA),
        event("5", "call.made", "07-08 10:00", "L2", **BY_ANA, **TOLD_FOR_JUNE),
    )
    found = await row(api, _pairs(dated_by="end"), JUNE, audience=await audience(api))
    assert (found.enters, found.a) == (1, 1)


async def test_a_type_that_begins_and_follows_is_looked_at_before_and_after(
    audience: Callable[[Api], Any], api: Api
) -> None:
    steps = (selection("call.made"), selection("call.made", "lead.created"))
    repeated = FunnelMeasure(
        aggregate=Aggregate.CONVERSION, steps=steps, names=("a", "b"), match="lead", reached=1, within=DAYS
    )
    await ingest(
        api,
        event("1", "call.made", "06-29 10:00", "L1", **BY_ANA),
        event("2", "call.made", "07-03 10:00", "L1", **BY_ANA),
        event("3", "call.made", "05-29 10:00", "L2", **BY_ANA),
        event("4", "call.made", "06-29 10:00", "L2", **BY_ANA),
    )
    found = await row(api, repeated, JUNE, audience=await audience(api))
    assert (found.a, found.b) == (1, 1)
