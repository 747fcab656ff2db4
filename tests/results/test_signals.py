"""Signal or noise: limits and signals computed by hand, and the chart over HTTP (S28)."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kpis.expressions.parser import parse
from app.results.signals import Limits, limits, moving_ranges, signals, takes_nothing_away
from tests.results.team import CALLS, ORGANIZATION, WIN_RATE, ask, count, define, event, kpi, post
from tests.support import Api

D = Decimal


def decimals(*values: int | str) -> list[Decimal]:
    return [D(value) for value in values]


def by_rule(values: list[Decimal], by: Limits) -> dict[tuple[str, str], list[tuple[int, ...]]]:
    found: dict[tuple[str, str], list[tuple[int, ...]]] = {}
    for signal in signals(values, by):
        found.setdefault((signal.rule, signal.side), []).append(signal.places)
    return found


def test_limits_are_the_mean_and_two_thirds_four_of_the_mean_moving_range() -> None:
    """10 12 11 13 9 10 12 11: sum 88, mean 11; ranges 2 1 2 4 1 2 1 = 13, mean 13 / 7."""
    values = decimals(10, 12, 11, 13, 9, 10, 12, 11)
    assert moving_ranges(values) == decimals(2, 1, 2, 4, 1, 2, 1)
    found = limits(values, cannot_be_negative=True)
    assert found.mean == 11
    assert round(found.mean_moving_range, 10) == D("1.8571428571")
    assert (round(found.lower, 6), round(found.upper, 6)) == (D("6.06"), D("15.94"))
    assert not found.is_floored
    assert signals(values, found) == []


def test_the_lower_limit_is_0_only_where_values_cannot_be_below() -> None:
    """0 4 0 4 0 4 0 4: mean 2, mean moving range 4, natural limits −8.64 and 12.64."""
    values = decimals(0, 4, 0, 4, 0, 4, 0, 4)
    floored = limits(values, cannot_be_negative=True)
    assert (floored.lower, floored.upper, floored.is_floored) == (D(0), D("12.64"), True)
    assert limits(values, cannot_be_negative=False).lower == D("-8.64")


def test_a_value_beyond_a_limit_is_a_signal_and_one_on_it_is_not() -> None:
    by = Limits(D(10), D(1), D("7.34"), D("12.66"), False)
    found = by_rule(decimals("12.66", "12.67", 10, "7.34", "7.33"), by)
    assert found[("outside_limits", "above")] == [(1,)]
    assert found[("outside_limits", "below")] == [(4,)]


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([11] * 7 + [9], []),
        ([11] * 8 + [9], [tuple(range(8))]),
        ([9, *[11] * 9, 9], [tuple(range(1, 10))]),
        ([11] * 4 + [10] + [11] * 4, []),
        ([11] * 8 + [10] + [11] * 8, [tuple(range(8)), tuple(range(9, 17))]),
    ],
)
def test_8_in_a_row_on_one_side_are_one_signal_and_a_value_on_the_mean_ends_the_run(
    values: list[int], places: list[tuple[int, ...]]
) -> None:
    by = Limits(D(10), D(3), D("2.02"), D("17.98"), False)
    assert by_rule(decimals(*values), by).get(("run_of_8", "above"), []) == places


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([15, 10, 15, 15], [(0, 2, 3)]),
        ([15, 10, 15, 14], []),
        ([15, 5, 15, 15], [(0, 2, 3)]),
        ([15, 5, 15, 5], []),
        ([15, 15, 15, 15, 15], [(0, 1, 2, 3, 4)]),
        ([15, 15, 15, 10, 10, 10, 10, 15, 15, 15], [(0, 1, 2), (7, 8, 9)]),
    ],
)
def test_3_of_4_nearer_to_the_same_limit_than_to_the_mean(values: list[int], places: list[tuple[int, ...]]) -> None:
    """Limits 2 and 18 around 10: nearer to the upper limit is what lies above 14."""
    by = Limits(D(10), D(3), D(2), D(18), False)
    assert by_rule(decimals(*values), by).get(("3_of_4_near_a_limit", "above"), []) == places


@given(st.lists(st.decimals(-1000, 1000, places=2), min_size=8, max_size=20))
def test_a_chart_mirrored_has_the_same_signals_on_the_other_side(values: list[Decimal]) -> None:
    up = signals(values, limits(values, cannot_be_negative=False))
    mirrored = [-value for value in values]
    down = signals(mirrored, limits(mirrored, cannot_be_negative=False))
    other = {"above": "below", "below": "above"}
    assert {(s.rule, other[s.side], s.places) for s in up} == {(s.rule, s.side, s.places) for s in down}


@pytest.mark.parametrize(
    ("formula", "answer"),
    [
        ("a", True),
        ("a / (a + b)", True),
        ("a - b", False),
        ("-a", False),
        ("abs(a - b)", True),
        ("max(a - b, 0)", True),
        ("min(a - b, 0)", False),
        ("round(a / b, 2)", True),
        ("coalesce(a, previous(a) - b)", False),
    ],
)
def test_what_subtracts_may_be_negative(formula: str, answer: bool) -> None:
    assert takes_nothing_away(parse(formula), lambda _: True) is answer


WEEKS = ["2026-05-04", "2026-05-11", "2026-05-18", "2026-05-25", "2026-06-01", "2026-06-08", "2026-06-15", "2026-06-22"]


def calls(numbers: list[int]) -> list[dict[str, Any]]:
    return [
        event(f"c-{week}-{n}", "call.made", week)
        for week, number in zip([*WEEKS, "2026-06-29", "2026-07-06", "2026-07-13"], numbers, strict=False)
        for n in range(number)
    ]


async def test_a_week_beyond_the_limits_is_named_with_its_sample(api: Api) -> None:
    """8 weeks of 10 and 11, one of 40; the running week of 13 July with its 5 calls is in no limit."""
    await define(api, CALLS)
    numbers = [10, 11, 10, 11, 10, 11, 10, 11, 10, 40, 5]
    await post(api, calls(numbers))
    body = {"kpi": "calls_made", "subject": ORGANIZATION, "period": "2026-05-04..2026-07-19", "grain": "week"}
    chart = await ask(api, "signals", body)
    assert (chart["verdict"], chart["used"], chart["missing"]) == ("ok", 10, 0)
    # Mean 134 / 10; ranges 1 × 8 and 30: 38 / 9; limits 13.4 ± 2.66 × 38 / 9 = 2.1688… and 24.6311….
    assert chart["limits"]["mean"] == 13.4
    assert chart["limits"]["upper"] == pytest.approx(13.4 + 2.66 * 38 / 9)
    assert chart["limits"]["lower"] == pytest.approx(13.4 - 2.66 * 38 / 9)
    assert {"rule": "outside_limits", "side": "above", "windows": ["2026-W28"], "values": [40]} in chart["signals"]
    assert next(s for s in chart["signals"] if s["rule"] == "run_of_8")["windows"][0] == "2026-W19"
    assert [point["figure"]["sample"] for point in chart["points"]] == numbers
    assert [point["is_used"] for point in chart["points"]] == [True] * 10 + [False]
    assert chart["points"][0]["moving_range"] is None
    assert chart["points"][9]["moving_range"] == 30
    assert (chart["time_zone"], chart["as_of"]) == ("Europe/Warsaw", "2026-07-13T10:00:00Z")


async def test_too_few_values_have_no_limits_and_say_how_many_are_missing(api: Api) -> None:
    """Weeks without closed deals have no win rate: they are no zeros."""
    await define(api, WIN_RATE)
    await post(api, [event(f"w-{week}", "deal.won", week) for week in WEEKS[:7]])
    body = {"kpi": "win_rate", "subject": ORGANIZATION, "period": "2026-05-04..2026-07-12", "grain": "week"}
    chart = await ask(api, "signals", body)
    assert (chart["verdict"], chart["used"], chart["missing"]) == ("too_few", 7, 1)
    assert (chart["limits"], chart["signals"]) == (None, [])
    assert chart["points"][7]["figure"] | {"details": None} == {
        "value": None, "status": "no_data", "sample": 0, "kpi_version": 1, "details": None
    }  # fmt: skip


async def test_a_difference_keeps_its_lower_limit_below_0_and_a_count_does_not(api: Api) -> None:
    net = kpi("net", "calls - emails", calls=count("call.made"), emails=count("email.sent"))
    await define(api, CALLS, net)
    await post(api, calls([0, 4, 0, 4, 0, 4, 0, 4]))
    body = {"subject": ORGANIZATION, "period": "2026-05-04..2026-06-28", "grain": "week"}
    of_calls = await ask(api, "signals", body | {"kpi": "calls_made"})
    assert (of_calls["limits"]["lower"], of_calls["limits"]["is_floored"]) == (0, True)
    of_net = await ask(api, "signals", body | {"kpi": "net"})
    assert (of_net["limits"]["lower"], of_net["limits"]["is_floored"]) == (-8.64, False)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kpi": "unknown"}, "/kpi"),
        ({"subject": {"team": "00000000-0000-7000-8000-000000000000"}}, "/subject"),
        ({"subject": {"members_of": "00000000-0000-7000-8000-000000000000"}}, "/subject"),
        ({"grain": "total"}, "/grain"),
        ({"period": "2026-13"}, "/period"),
        ({"where": "amount >"}, "/where"),
    ],
)
async def test_what_cannot_be_charted_names_the_place(api: Api, change: dict[str, Any], pointer: str) -> None:
    await define(api, CALLS)
    body = {"kpi": "calls_made", "subject": ORGANIZATION, "period": "2026", "grain": "week"} | change
    problem = await ask(api, "signals", body, expect=422)
    assert problem["errors"][0]["pointer"] == pointer
