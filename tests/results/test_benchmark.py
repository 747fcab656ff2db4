"""A member against their team and role: quartiles and ranks by hand, and the answer over HTTP (P5, S11, S29)."""

from decimal import Decimal
from typing import Any

import pytest

from app.results.benchmark import lead, quantile, ranks, spread
from tests.results.team import CALLS, WIN_RATE, ask, define, event, kpi, post, team, total
from tests.support import Api

D = Decimal


def test_quartiles_interpolate_at_1_plus_n_minus_1_times_p() -> None:
    found = spread([D(4), D(1), D(3), D(2)])
    assert (found.lower_quartile, found.median, found.upper_quartile) == (D("1.75"), D("2.5"), D("3.25"))
    assert quantile([D(7)], D("0.25")) == 7


def test_ties_share_the_better_place_and_the_next_is_skipped() -> None:
    values = {"a": D(5), "b": D(3), "c": D(3), "d": D(1)}
    assert ranks(values, "increase") == {"a": 1, "b": 2, "c": 2, "d": 4}
    assert ranks(values, "decrease") == {"d": 1, "b": 2, "c": 2, "a": 4}
    assert ranks(values, "maintain") == {}


def test_values_that_are_shown_alike_are_alike() -> None:
    third = D(1) / D(3)
    assert ranks({"a": third, "b": third + D("1e-20")}, "increase") == {"a": 1, "b": 1}
    assert lead(third, third + D("1e-20"), "increase") == "same"


@pytest.mark.parametrize(
    ("direction", "answer"), [("increase", "better"), ("decrease", "worse"), ("maintain", "other")]
)
def test_the_direction_says_which_side_is_better(direction: Any, answer: str) -> None:
    assert lead(D(2), D(1), direction) == answer


def calls(person: str, number: int, on: str = "2026-06-10") -> list[dict[str, Any]]:
    return [event(f"{person}-{on}-{n}", "call.made", on, person) for n in range(number)]


def deals(person: str, won: int, lost: int) -> list[dict[str, Any]]:
    return [
        *[event(f"{person}-w-{n}", "deal.won", "2026-06-10", person) for n in range(won)],
        *[event(f"{person}-l-{n}", "deal.lost", "2026-06-11", person) for n in range(lost)],
    ]


async def people(api: Api) -> tuple[str, dict[str, str]]:
    north, members = await team(api, "North", "Ana", "Bo", "Cy", "Di")
    _, others = await team(api, "South", "Eli")
    for name in ("Ana", "Bo", "Eli"):
        member = (members | others)[name]
        await api.post(f"/members/{member}/assignments", {"revenue_role": "closer", "valid_from": "2026-01-01"})
    return north, members | others


async def test_a_member_stands_in_their_team_and_among_those_of_their_role(api: Api) -> None:
    """Calls in June: Ana 4, Bo 2, Cy 2, Di 0, Eli 9; Ana, Bo and Eli are closers."""
    await define(api, CALLS)
    _, members = await people(api)
    await post(api, [*calls("ana", 4), *calls("bo", 2), *calls("cy", 2), *calls("eli", 9)])
    answer = await ask(api, "benchmark", {"member": members["Bo"], "kpis": ["calls_made"], "period": "2026-06"})
    assert (answer["day"], answer["period"], answer["notes"]) == ("2026-06-30", "2026-06", [])
    (of_calls,) = answer["kpis"]
    assert (of_calls["minimum_sample"], of_calls["figure"]["value"], of_calls["figure"]["sample"]) == (0, 2, 2)
    in_team, in_role = of_calls["groups"]
    assert (in_team["kind"], in_team["team"]["name"], in_team["n"]) == ("team", "North", 4)
    assert in_team["spread"] == {"lower_quartile": 1.5, "median": 2, "upper_quartile": 2.5}
    assert (in_team["rank"], in_team["standing"], in_team["verdict"]) == (2, "same", "ok")
    assert [(peer["member"]["name"], peer["rank"]) for peer in in_team["peers"]] == [
        ("Ana", 1), ("Bo", 2), ("Cy", 2), ("Di", 4)
    ]  # fmt: skip
    assert (in_role["kind"], in_role["revenue_role"], in_role["n"]) == ("revenue_role", "closer", 3)
    assert (in_role["rank"], in_role["standing"], in_role["spread"]["median"]) == (3, "worse", 4)


async def test_small_samples_and_missing_values_are_listed_but_not_compared(api: Api) -> None:
    """Win rates: Ana 6 / 8, Bo 2 / 5, Cy 5 / 5, Di 1 / 1 (too small); Eli has none."""
    await define(api, WIN_RATE)
    _, members = await people(api)
    await post(api, [*deals("ana", 6, 2), *deals("bo", 2, 3), *deals("cy", 5, 0), *deals("di", 1, 0)])
    answer = await ask(api, "benchmark", {"member": members["Di"], "kpis": ["win_rate"], "period": "2026-06"})
    (of_rate,) = answer["kpis"]
    assert of_rate["minimum_sample"] == 5
    assert answer["notes"] == ["The member has no revenue role on that day."]
    (in_team,) = of_rate["groups"]
    assert (in_team["verdict"], in_team["n"], in_team["rank"], in_team["standing"]) == (
        "member_not_compared", 3, None, None
    )  # fmt: skip
    assert in_team["spread"]["median"] == 0.75
    assert [(peer["member"]["name"], peer["rank"], peer["unranked"]) for peer in in_team["peers"]] == [
        ("Cy", 1, None), ("Ana", 2, None), ("Bo", 3, None), ("Di", None, "sample_too_small")
    ]  # fmt: skip
    answer = await ask(api, "benchmark", {"member": members["Ana"], "kpis": ["win_rate"], "period": "2026-06"})
    in_role = answer["kpis"][0]["groups"][1]
    assert (in_role["verdict"], in_role["n"], in_role["spread"], in_role["rank"]) == ("too_few", 2, None, None)
    assert [peer["unranked"] for peer in in_role["peers"]] == [None, None, "no_data"]


async def test_those_who_held_the_role_on_the_last_day_are_the_peers(api: Api) -> None:
    await define(api, CALLS)
    _, members = await people(api)
    late = {"revenue_role": "closer", "valid_from": "2026-07-01"}
    early = {"revenue_role": "closer", "valid_from": "2026-05-01", "valid_to": "2026-06-15"}
    await api.post(f"/members/{members['Cy']}/assignments", late)
    await api.post(f"/members/{members['Di']}/assignments", early)
    body = {"member": members["Ana"], "kpis": ["calls_made"], "period": "2026-06"}
    in_role = (await ask(api, "benchmark", body))["kpis"][0]["groups"][1]
    assert {peer["member"]["name"] for peer in in_role["peers"]} == {"Ana", "Bo", "Eli"}
    body["period"] = "2026-07"  # still running: those of today
    answer = await ask(api, "benchmark", body)
    assert answer["day"] == "2026-07-13"
    in_role = answer["kpis"][0]["groups"][1]
    assert {peer["member"]["name"] for peer in in_role["peers"]} == {"Ana", "Bo", "Cy", "Eli"}


async def test_a_benchmark_as_of_an_instant_knows_what_was_known_then(api: Api) -> None:
    await define(api, CALLS)
    north, members = await people(api)
    await post(api, calls("ana", 2))
    then = (await api.get("/me"))["now"]
    body = {"member": members["Ana"], "kpis": ["calls_made"], "period": "2026-06", "as_of": then}
    before = await ask(api, "benchmark", body)
    fay = (await api.post("/members", {"name": "Fay"}))["id"]
    await api.post(f"/teams/{north}/memberships", {"member_id": fay})
    await post(api, calls("bo", 3))
    assert await ask(api, "benchmark", body) == before


async def test_a_leader_of_the_team_is_no_peer(api: Api) -> None:
    await define(api, CALLS)
    north, members = await people(api)
    boss = (await api.post("/members", {"name": "Gus"}))["id"]
    await api.post(f"/teams/{north}/memberships", {"member_id": boss, "kind": "lead"})
    body = {"member": members["Ana"], "kpis": ["calls_made"], "period": "2026-06"}
    peers = (await ask(api, "benchmark", body))["kpis"][0]["groups"][0]["peers"]
    assert "Gus" not in {peer["member"]["name"] for peer in peers}
    own = (await ask(api, "benchmark", body | {"member": boss}))["kpis"][0]["groups"][0]["peers"]
    assert "Gus" in {peer["member"]["name"] for peer in own}


async def test_several_kpis_are_answered_in_the_order_asked_and_directions_differ(api: Api) -> None:
    lost = kpi("lost_value", "lost", "money", "decrease", lost=total("deal.lost"))
    await define(api, CALLS, lost)
    _, members = await people(api)
    await post(api, calls("ana", 2))
    answer = await ask(
        api, "benchmark", {"member": members["Ana"], "kpis": ["lost_value", "calls_made"], "period": "2026-06"}
    )
    assert [each["kpi"]["key"] for each in answer["kpis"]] == ["lost_value", "calls_made"]
    assert [each["groups"][0]["rank"] for each in answer["kpis"]] == [1, 1]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"member": "00000000-0000-7000-8000-000000000000"}, "/member"),
        ({"kpis": ["calls_made", "unknown"]}, "/kpis/1"),
        ({"kpis": []}, "/kpis"),
        ({"period": "2026-13"}, "/period"),
        ({"minimum_sample": -1}, "/minimum_sample"),
    ],
)
async def test_what_cannot_be_benchmarked_names_the_place(api: Api, change: dict[str, Any], pointer: str) -> None:
    await define(api, CALLS)
    _, members = await team(api, "North", "Ana")
    body = {"member": members["Ana"], "kpis": ["calls_made"], "period": "2026-06"} | change
    problem = await ask(api, "benchmark", body, expect=422)
    assert problem["errors"][0]["pointer"] == pointer
