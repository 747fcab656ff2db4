"""Which parts made a difference: exact, by sums and by mix and rate."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.results.contribution import NOTHING, Change, Sums, decimal, of_ratio, of_sums
from tests.results.team import CALLS, ORGANIZATION, REVENUE, WIN_RATE, ask, count, define, euros, event, kpi, post, team
from tests.support import Api

F = Fraction
REGION = {"property": "properties.region"}


def change(*numbers: int) -> Change:
    a0, b0, a1, b1 = (F(number) for number in numbers)
    return Change(Sums(a0, b0), Sums(a1, b1))


def test_a_ratio_is_split_into_mix_and_rate() -> None:
    """x: 8 of 10, then 2 of 4; y: 1 of 10, then 2 of 16. Total 9 / 20, then 4 / 20: −1 / 4.

    x: weights 1/2 and 1/5, rates 4/5 and 1/2; mix (1/5 − 1/2) · (13/20 − 13/40) = −39/400; rate −3/10 · 7/20 = −21/200.
    y: weights 1/2 and 4/5, rates 1/10 and 1/8; mix 3/10 · (9/80 − 13/40) = −51/800; rate 1/40 · 13/20 = 13/800.
    """
    found = of_ratio({"x": change(8, 10, 2, 4), "y": change(1, 10, 2, 16)})
    assert (found["x"].mix, found["x"].rate) == (F(-39, 400), F(-21, 200))
    assert (found["y"].mix, found["y"].rate) == (F(-51, 800), F(13, 800))
    assert sum(effect.total for effect in found.values()) == F(-1, 4)


def test_a_part_that_comes_is_all_mix() -> None:
    found = of_ratio({"old": change(5, 10, 5, 10), "new": change(0, 0, 9, 10)})
    assert found["new"].rate == 0
    assert found["old"].rate == 0
    assert sum(effect.total for effect in found.values()) == F(14, 20) - F(5, 10)


def test_a_sum_is_split_by_subtraction() -> None:
    assert {
        key: effect.total for key, effect in of_sums({"a": change(3, 0, 5, 0), "b": change(4, 0, 0, 0)}).items()
    } == {
        "a": 2,
        "b": -4,
    }
    assert decimal(F(1, 3)) == Decimal("0.3333333333333333333333333333333333")


@given(st.lists(st.tuples(*[st.integers(0, 20)] * 4), min_size=1, max_size=8))
def test_mix_and_rate_add_up_to_the_difference_without_a_remainder(rows: list[tuple[int, int, int, int]]) -> None:
    parts = {n: change(*row) for n, row in enumerate(rows)}
    total = sum(parts.values(), Change(NOTHING, NOTHING))
    assume(total.before.b and total.after.b)
    effects = of_ratio(parts).values()
    assert sum(effect.total for effect in effects) == total.after.a / total.after.b - total.before.a / total.before.b
    assert all((effect.mix or 0) + (effect.rate or 0) == effect.total for effect in effects)


def won(name: str, on: str, amount: int, person: str = "ana", **properties: str) -> dict[str, Any]:
    return event(name, "deal.won", on, person, amount=euros(amount), properties=properties)


async def test_the_regions_that_made_the_difference_of_revenue_add_up_to_it(api: Api) -> None:
    await define(api, REVENUE)
    await post(api, [
        won("m-1", "2026-05-10", 100, region="north"), won("m-2", "2026-05-11", 50, region="south"),
        won("m-3", "2026-05-12", 7), won("j-1", "2026-06-10", 160, region="north"),
        won("j-2", "2026-06-11", 40, region="west"),
    ])  # fmt: skip
    body = {
        "kpi": "revenue",
        "subject": ORGANIZATION,
        "period": "2026-06",
        "group_by": {"property": "properties.region"},
    }
    answer = await ask(api, "contribution", body)
    assert (answer["method"], answer["difference"], answer["reason"]) == ("sum", 43, None)
    assert (answer["before"]["period"], answer["before"]["figures"]["value"]) == ("2026-05", 157)
    assert (answer["after"]["figures"]["value"], answer["after"]["figures"]["sample"]) == (200, 2)
    rows = {(row["part"]["group"]["kind"], row["part"]["group"]["value"]): row for row in answer["contributions"]}
    assert {key: row["effect"] for key, row in rows.items()} == {
        ("value", "north"): 60, ("value", "south"): -50, ("value", "west"): 40, ("none", None): -7
    }  # fmt: skip
    assert rows["value", "north"]["share"] == pytest.approx(60 / 43)
    assert rows["value", "north"]["before"]["figures"]["sample"] == 1
    assert rows["value", "west"]["before"]["figures"] is None
    assert rows["value", "north"]["mix"] is None


async def test_parts_beyond_the_top_are_the_rest_and_still_add_up(api: Api) -> None:
    await define(api, REVENUE)
    await post(api, [won(f"j-{n}", "2026-06-10", 10 * n, region=f"r{n}") for n in range(1, 6)])
    body = {
        "kpi": "revenue",
        "subject": ORGANIZATION,
        "period": "2026-06",
        "group_by": {"property": "properties.region"},
    }
    answer = await ask(api, "contribution", body | {"top": 2})
    assert [(row["part"]["kind"], row["effect"]) for row in answer["contributions"]] == [
        ("group", 50), ("group", 40), ("rest", 60)
    ]  # fmt: skip
    assert sum(row["effect"] for row in answer["contributions"]) == answer["difference"] == 150


async def test_the_members_of_a_team_who_made_the_difference_of_a_win_rate(api: Api) -> None:
    """May: Ana 3 of 4, Bo 1 of 6: 4 / 10. June: Ana 1 of 4, Bo 3 of 6: 4 / 10. Ana lost what Bo gained."""
    await define(api, WIN_RATE)
    north, _ = await team(api, "North", "Ana", "Bo")
    events = []
    for month, wins in (("05", {"ana": (3, 1), "bo": (1, 5)}), ("06", {"ana": (1, 3), "bo": (3, 3)})):
        for person, (number, lost) in wins.items():
            on = f"2026-{month}-10"
            events += [event(f"w-{on}-{person}-{n}", "deal.won", on, person) for n in range(number)]
            events += [event(f"l-{on}-{person}-{n}", "deal.lost", on, person) for n in range(lost)]
    await post(api, events)
    body = {"kpi": "win_rate", "subject": {"team": north}, "period": "2026-06", "by": "members"}
    answer = await ask(api, "contribution", body)
    assert (answer["method"], answer["difference"]) == ("ratio", 0)
    rows = {row["part"]["subject"]["name"]: row for row in answer["contributions"]}
    # Weights 0.4 and 0.6 stay: all of it is rate, −0.5 · 0.4 and 1/3 · 0.6.
    assert (rows["Ana"]["mix"], rows["Ana"]["rate"]) == (0, pytest.approx(-0.2))
    assert (rows["Bo"]["mix"], rows["Bo"]["rate"]) == (0, pytest.approx(0.2))
    assert (rows["Bo"]["after"]["numerator"], rows["Bo"]["after"]["denominator"]) == (3, 6)
    assert rows["Ana"]["share"] is None
    assert rows["Ana"]["after"]["figures"]["sample"] == 4


async def test_an_average_and_a_share_in_percent_are_split_too(api: Api) -> None:
    size = kpi("deal_size", "size", "money", size={"aggregate": "avg", "value": "amount", "events": ["deal.won"]})
    percent = kpi("percent", "100 * (won / (won + lost))", "number", won=count("deal.won"), lost=count("deal.lost"))
    await define(api, size, percent)
    await post(api, [
        won("m-1", "2026-05-10", 100, region="north"), won("m-2", "2026-05-11", 200, region="south"),
        won("j-1", "2026-06-10", 400, region="north"), event("j-2", "deal.lost", "2026-06-10"),
        event("m-3", "deal.won", "2026-05-11"),
    ])  # fmt: skip
    body = {"subject": ORGANIZATION, "period": "2026-06", "group_by": {"property": "properties.region"}}
    answer = await ask(api, "contribution", body | {"kpi": "deal_size"})
    assert (answer["before"]["figures"]["value"], answer["difference"]) == (150, 250)
    assert sum(row["effect"] for row in answer["contributions"]) == pytest.approx(250)
    answer = await ask(api, "contribution", body | {"kpi": "percent"})
    assert answer["difference"] == -50
    assert sum(row["effect"] for row in answer["contributions"]) == pytest.approx(-50)


async def test_teams_and_the_unassigned_add_up_to_the_organization(api: Api) -> None:
    await define(api, CALLS)
    europe, _ = await team(api, "Europe")
    await team(api, "North", "Ana", parent=europe)
    await team(api, "Asia", "Bo")
    await post(api, [
        *[event(f"a-{n}", "call.made", "2026-06-10", "ana") for n in range(3)],
        *[event(f"b-{n}", "call.made", "2026-05-10", "bo") for n in range(2)],
        event("nobody", "call.made", "2026-06-12"),
    ])  # fmt: skip
    body = {"kpi": "calls_made", "subject": ORGANIZATION, "period": "2026-06", "by": "teams"}
    answer = await ask(api, "contribution", body)
    rows = [
        (row["part"]["subject"]["type"], row["part"]["subject"]["name"], row["effect"])
        for row in answer["contributions"]
    ]
    assert rows == [("team", "Europe", 3), ("team", "Asia", -2), ("unassigned", None, 1)]
    answer = await ask(api, "contribution", body | {"by": "members"})
    assert [(row["part"]["kind"], row["effect"]) for row in answer["contributions"]] == [
        ("subject", 3), ("subject", -2), ("rest", 1)
    ]  # fmt: skip


async def test_a_period_without_a_value_has_nothing_to_split_and_says_why(api: Api) -> None:
    await define(api, WIN_RATE)
    await post(api, [event("w", "deal.won", "2026-06-10")])
    body = {"kpi": "win_rate", "subject": ORGANIZATION, "period": "2026-06", "by": "teams"}
    answer = await ask(api, "contribution", body)
    assert (answer["difference"], answer["contributions"]) == (None, [])
    assert answer["reason"] == "2026-05 has no value: no_data."


async def test_another_period_can_be_compared_to(api: Api) -> None:
    await define(api, CALLS)
    await post(api, [event("a", "call.made", "2025-06-10")])
    body = {"kpi": "calls_made", "subject": ORGANIZATION, "period": "2026-06", "compare_to": "2025-06", "by": "teams"}
    assert (await ask(api, "contribution", body))["difference"] == -1


async def test_what_is_no_sum_and_no_quotient_of_sums_is_refused(api: Api) -> None:
    median = kpi("median", "m", "money", m={"aggregate": "median", "value": "amount", "events": ["deal.won"]})
    whole = kpi("whole", "w", w=count("deal.won", credit="full"))
    await define(api, median, whole)
    body = {"kpi": "median", "subject": ORGANIZATION, "period": "2026-06", "by": "teams"}
    problem = await ask(api, "contribution", body, expect=422)
    assert problem["type"] == "/problems/kpi-not-decomposable"
    await ask(api, "contribution", body | {"kpi": "whole"}, expect=422)
    groups = {key: value for key, value in body.items() if key != "by"} | {"group_by": {"property": "source"}}
    await ask(api, "contribution", groups | {"kpi": "whole"})


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"kpi": "unknown"}, "/kpi"),
        ({"subject": {"team": "00000000-0000-7000-8000-000000000000"}}, "/subject"),
        ({"compare_to": "2026-13"}, "/compare_to"),
        ({"by": None, "group_by": {"property": "amount"}}, "/group_by"),
        ({"by": None, "group_by": {"property": "; DROP TABLE event"}}, "/group_by"),
        ({"top": 0}, "/top"),
    ],
)
async def test_what_cannot_be_split_names_the_place(api: Api, more: dict[str, Any], pointer: str) -> None:
    await define(api, CALLS)
    body = {"kpi": "calls_made", "subject": ORGANIZATION, "period": "2026-06", "by": "teams"} | more
    problem = await ask(api, "contribution", body, expect=422)
    assert problem["errors"][0]["pointer"] == pointer
