"""What measures over events ask of the database: windows, first and last, currencies, groups."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.kpis.attribution import Days
from app.kpis.definition import Aggregate, EventMeasure
from app.kpis.expressions.checker import parse_filter
from app.kpis.expressions.syntax import Name
from app.kpis.measures import CurrencyFactors, Grouping
from tests.kpis.asking import EVERYBODY, JULY, both, credits_of, event, identity, ingest, row, rows, scope_of, value
from tests.support import Api

AMOUNT = Name(("amount",))
FIRST_OF_JULY = date(2026, 7, 1)


def day(number: int) -> date:
    return FIRST_OF_JULY + timedelta(days=number - 1)


def of_wins(aggregate: Aggregate, **more: Any) -> EventMeasure:
    return EventMeasure(aggregate=aggregate, events=("deal.won",), **({"value": AMOUNT} | more))


def win(external_id: str, at: str, amount: str | None, currency: str = "EUR", **more: Any) -> dict[str, Any]:
    money: dict[str, Any] = {} if amount is None else {"amount": {"value": amount, "currency": currency}}
    return event(external_id, "deal.won", at, **money, **more)


# -------------------------------------------------------------------------------------------------------- windows


async def test_windows_that_overlap_in_every_way_each_hold_their_own_days(api: Api) -> None:
    counts = {2: 3, 3: 1, 5: 2, 9: 4, 12: 1}
    made = [event(f"c{d}-{n}", "call.made", f"07-{d:02} 09:00") for d, count in counts.items() for n in range(count)]
    await ingest(api, *made)
    windows = [Days(day(start), day(end)) for start in range(1, 14) for end in range(start + 1, 15)]
    found = await rows(api, [EventMeasure(aggregate=Aggregate.COUNT, events=("call.made",))], windows)
    by_window = {each.window: (each.a, each.enters) for each in found}
    for number, window in enumerate(windows):
        count = sum(times for d, times in counts.items() if window.start <= day(d) < window.end)
        assert by_window.get(number, (0, 0)) == (count, count)


async def test_trailing_windows_count_distinct_things_once_each(api: Api) -> None:
    told = {"A": (1, 2, 9), "B": (2,), "C": (4, 5, 6, 12), "D": ()}
    await ingest(
        api, *[event(f"{lead}{d}", "call.made", f"07-{d:02} 09:00", lead) for lead, days in told.items() for d in days]
    )
    windows = [Days(day(end - 4), day(end)) for end in range(5, 14)] + [JULY, Days(day(1), day(3))]
    measure = EventMeasure(aggregate=Aggregate.COUNT_DISTINCT, events=("call.made",), of=Name(("about", "lead")))
    found = {each.window: each for each in await rows(api, [measure], windows)}
    for number, window in enumerate(windows):
        there = {lead: [d for d in days if window.start <= day(d) < window.end] for lead, days in told.items()}
        assert found[number].a == sum(bool(days) for days in there.values())
        assert found[number].enters == sum(map(len, there.values()))


async def test_the_text_1_the_number_1_and_true_are_three_things_and_equal_numbers_one(api: Api) -> None:
    for number, stored in enumerate(["1", 1, 1.0, True, "true", None]):
        properties = {} if stored is None else {"key": stored}
        await ingest(api, event(f"c{number}", "call.made", "07-02 09:00", properties=properties))
    measure = EventMeasure(aggregate=Aggregate.COUNT_DISTINCT, events=("call.made",), of=Name(("properties", "key")))
    found = await row(api, measure)
    assert (found.a, found.enters, found.left_out) == (4, 5, 0)


async def test_measures_that_share_events_count_each_once(api: Api) -> None:
    await ingest(
        api,
        event("c1", "call.made", "07-02 09:00", properties={"a": 1}),
        event("c2", "call.made", "07-03 09:00", properties={"a": 2}),
        event("c3", "call.made", "07-09 09:00"),
    )
    every = EventMeasure(aggregate=Aggregate.COUNT, events=("call.made",))
    some = EventMeasure(aggregate=Aggregate.MEDIAN, events=("call.made",), value=Name(("properties", "a")))
    windows = [JULY, Days(day(2), day(4)), Days(day(3), day(10))]
    found = await rows(api, [every, some], windows, unions=both(windows))
    assert {each.window: each.enters for each in found if each.kind == "union"} == {0: 3, 1: 2, 2: 2}
    assert {each.window: (each.a, each.b, each.c) for each in found if each.number == 1}[0] == (1, 2, 2)


# ------------------------------------------------------------------------------------------------- first and last


async def test_first_and_last_go_by_time_then_source_key_then_external_id_by_code_point(api: Api) -> None:
    await ingest(
        api,
        win("b", "07-02 09:00", "2"),
        win("Z", "07-02 09:00", "1"),
        win("é", "07-09 09:00", "8"),
        win("z", "07-09 09:00", "7"),
        win("later without a value", "07-10 09:00", None),
    )
    assert await value(api, of_wins(Aggregate.FIRST)) == 1
    assert await value(api, of_wins(Aggregate.LAST)) == 8


async def test_first_and_last_go_by_the_instant_whatever_the_day(api: Api) -> None:
    await ingest(
        api,
        win("a", "07-02 09:00", "10", occurred_on="2026-07-08"),
        win("b", "07-03 09:00", "20"),
    )
    assert await value(api, of_wins(Aggregate.FIRST)) == 10
    assert await value(api, of_wins(Aggregate.LAST)) == 20
    assert await value(api, of_wins(Aggregate.FIRST), Days(day(3), day(4))) == 20
    assert await value(api, of_wins(Aggregate.FIRST), Days(day(20), day(21))) is None


# ----------------------------------------------------------------------------------------------------- currencies

DOLLARS = CurrencyFactors(
    "USD",
    [
        (date(2026, 7, 1), date(2026, 7, 5), Decimal(1), Decimal("1.10")),
        (date(2026, 7, 8), date(2026, 7, 10), Decimal("0.9"), Decimal(1)),
    ],
)


async def test_money_is_converted_by_the_factors_of_its_local_day_or_left_out(api: Api) -> None:
    await ingest(
        api,
        win("own", "07-02 09:00", "7"),
        win("divided", "07-04 21:59", "100", "USD"),
        win("a day later", "07-04 22:00", "1000", "USD"),
        win("multiplied", "07-09 09:00", "100", "USD"),
        win("dated back", "07-12 09:00", "100", "USD", occurred_on="2026-07-08"),
        win("no factors", "07-09 09:00", "100", "SEK"),
    )
    scope = await scope_of(api, factors=[DOLLARS, CurrencyFactors("PLN", [])])
    (found,) = await rows(api, [of_wins(Aggregate.SUM)], scope=scope)
    assert str(found.a).startswith("277.9090909090909090909090909090909090")
    assert (found.enters, found.left_out) == (4, 2)


@pytest.mark.parametrize(("where", "count"), [("amount > 95", 1), ("amount > 85", 3), ("amount_original == 100", 3)])
async def test_amounts_in_filters_are_converted_and_the_original_is_raw(api: Api, where: str, count: int) -> None:
    await ingest(
        api,
        win("euros", "07-02 09:00", "100"),
        win("dollars", "07-02 09:00", "100", "USD"),
        win("kronas", "07-02 09:00", "100", "SEK"),
        win("cheap", "07-02 09:00", "95", "EUR"),
    )
    measure = of_wins(Aggregate.COUNT, value=None, where=parse_filter(where))
    (found,) = await rows(api, [measure], scope=await scope_of(api, factors=[DOLLARS]))
    assert found.a == count


# --------------------------------------------------------------------------------------------------------- groups


async def test_groups_are_json_texts_none_and_the_rest(api: Api) -> None:
    products = {"a": "pro", "b": "pro", "c": 3, "d": Decimal("3.0"), "e": True, "f": None, "g": "null", "h": 'x"y'}
    for name, product in products.items():
        stored = float(product) if isinstance(product, Decimal) else product
        await ingest(api, win(name, "07-02 09:00", "1", properties={} if product is None else {"product": stored}))
    by = Name(("properties", "product"))
    found = await rows(api, [of_wins(Aggregate.SUM)], scope=await scope_of(api, grouping=Grouping(by, None)))
    assert {each.group: each.a for each in found} == {
        '"pro"': 2, "3": 2, "true": 1, "null": 1, '"null"': 1, '"x\\"y"': 1,
    }  # fmt: skip
    some = Grouping(by, ['"pro"', "null"])
    sums = [of_wins(Aggregate.SUM), of_wins(Aggregate.AVG)]
    found = await rows(api, sums, unions=both(), scope=await scope_of(api, grouping=some))
    assert {(each.kind, each.group): each.enters for each in found} == {
        ("measure", '"pro"'): 2, ("measure", "null"): 1, ("measure", ""): 5,
        ("union", '"pro"'): 2, ("union", "null"): 1, ("union", ""): 5,
    }  # fmt: skip


async def test_distinct_things_are_distinct_in_each_group(api: Api) -> None:
    for name, kind in {"a": "call.made", "b": "call.made", "c": "email.sent"}.items():
        await ingest(api, event(name, kind, "07-02 09:00"))
    measure = EventMeasure(
        aggregate=Aggregate.COUNT_DISTINCT, events=("call.made", "email.sent"), of=Name(("about", "lead"))
    )
    found = await rows(api, [measure], scope=await scope_of(api, grouping=Grouping(Name(("type",)), None)))
    assert {each.group: (each.a, each.enters) for each in found} == {'"call.made"': (1, 2), '"email.sent"': (1, 1)}


# -------------------------------------------------------------------------------------------------------- credits


async def test_shares_weigh_sums_and_whole_events_count_in_full(api: Api) -> None:
    shared = [{"actor": {"id": "ana"}, "share": "0.6"}, {"actor": {"id": "bo"}, "share": "0.4"}]
    await ingest(api, win("a", "07-02 09:00", "1000", credits=shared))
    ana = credits_of(await identity(api, "ana"))
    assert await value(api, of_wins(Aggregate.SUM), audience=ana) == 600
    assert await value(api, of_wins(Aggregate.SUM, credit="full"), audience=ana) == 1000
    assert await value(api, of_wins(Aggregate.FIRST), audience=ana) == 1000
    assert await value(api, of_wins(Aggregate.SUM), audience=EVERYBODY) == 1000
    assert await value(api, of_wins(Aggregate.SUM, role="sourcer")) == 0
    found = await row(api, of_wins(Aggregate.SUM), audience=ana)
    assert found.enters == 1
