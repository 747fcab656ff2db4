"""What a new version of a KPI would change, before it is stored."""

from typing import Any

import pytest

from tests.results.team import CALLS, ORGANIZATION, REVENUE, ask, count, define, euros, event, kpi, post, team
from tests.support import Api

TWICE = {"measures": CALLS["measures"], "unit": CALLS["unit"], "direction": "increase", "formula": "2 * calls"}


async def preview(api: Api, change: dict[str, Any], key: str = "calls_made", *, expect: int = 200) -> Any:
    return await api.post(f"/kpis/{key}/versions/preview", change, expect=expect)


def totals(answer: Any) -> dict[tuple[str, str | None], tuple[Any, Any]]:
    return {
        (each["kpi"]["key"], each["subject"]["name"]): (
            each["total"]["before"]["value"],
            each["total"]["after"]["value"],
        )
        for each in answer["series"]
    }


async def test_figures_dependants_and_goals_that_would_move_are_told_and_nothing_is_stored(api: Api) -> None:
    per_deal = kpi("calls_per_deal", "kpi.calls_made / deals", "count", deals=count("deal.won"))
    per_deal["unit"] = {"kind": "ratio"}
    await define(api, CALLS, per_deal, REVENUE)
    await team(api, "North", "Ana")
    await post(api, [
        *[event(f"c-{n}", "call.made", "2026-06-10", "ana") for n in range(3)], event("c-9", "call.made", "2025-03-01"),
        event("w", "deal.won", "2026-06-11", amount=euros(5)),
    ])  # fmt: skip
    goal = {"name": "Calls", "owner": {"type": "organization"}, "kpi": "calls_made", "period": "2026-06"}
    made = await api.post("/goals", goal | {"target": {"value": "12"}}, expect=201)
    answer = await preview(api, TWICE | {"valid_from": None})
    assert (answer["number"], answer["valid_from"], answer["moves"]) == (2, None, True)
    assert answer["dependants"] == ["calls_per_deal"]
    assert totals(answer) == {
        ("calls_made", None): (3, 6),
        ("calls_made", "North"): (3, 6),
        ("calls_per_deal", None): (3, 6),
        ("calls_per_deal", "North"): (None, None),
    }
    months = answer["series"][0]["windows"]
    assert [months[0]["window"]["label"], months[-1]["window"]["label"]] == ["2025-08", "2026-07"]
    moved = {each["window"]["label"]: each["difference"] for each in months if each["moves"]}
    assert moved == {"2026-06": 3}
    assert months[10]["after"]["sample"] == 3
    (of_goal,) = answer["goals"]
    assert (of_goal["goal_id"], of_goal["target"]) == (made["id"], "12")
    assert (of_goal["attainment_before"], of_goal["attainment_after"]) == (0.25, 0.5)
    assert (await api.get("/kpis/calls_made"))["definition_version"] == 1
    now = await ask(api, "query", {"kpis": ["calls_made"], "subjects": [ORGANIZATION], "period": "2026-06"})
    assert now["series"][0]["total"]["value"] == 3


async def test_a_version_from_a_day_on_moves_only_what_comes_after(api: Api) -> None:
    await define(api, CALLS)
    await post(api, [event("a", "call.made", "2026-05-10"), event("b", "call.made", "2026-07-01")])
    answer = await preview(api, TWICE | {"valid_from": "2026-07-01"})
    moved = {each["window"]["label"] for each in answer["series"][0]["windows"] if each["moves"]}
    assert moved == {"2026-07"}
    today = await preview(api, TWICE)
    assert (today["valid_from"], today["moves"]) == ("2026-07-13", False)


async def test_a_ratio_would_be_of_mixed_versions_over_the_whole_year(api: Api) -> None:
    rate = kpi("rate", "won / all_", "ratio", won=count("deal.won"), all_=count("deal.won", "deal.lost"))
    await define(api, rate)
    await post(api, [event("w", "deal.won", "2026-07-10")])
    change = {name: rate[name] for name in ("measures", "unit", "direction")} | {"formula": "all_ / won"}
    answer = await preview(api, change | {"valid_from": "2026-06-01"}, "rate")
    total = answer["series"][0]["total"]
    assert (total["before"]["status"], total["after"]["status"], total["difference"]) == ("ok", "mixed_versions", None)


async def test_a_preview_refuses_what_could_not_be_stored(api: Api) -> None:
    await define(api, CALLS)
    problem = await preview(api, TWICE | {"formula": "2 * cals"}, expect=422)
    assert problem["errors"][0]["pointer"] == "/formula"
    problem = await preview(api, TWICE | {"formula": "kpi.calls_made"}, expect=422)
    assert problem["type"] == "/problems/kpi-definition-invalid"
    await preview(api, TWICE, "unknown", expect=404)
    await api.delete("/kpis/calls_made")
    await preview(api, TWICE, expect=409)


@pytest.mark.parametrize("scopes", [["events:read"], ["kpis:read"]])
async def test_a_preview_shows_figures_and_needs_the_right_to_read_them(api: Api, scopes: list[str]) -> None:
    await define(api, CALLS)
    other = await api.key("service", scopes)
    await preview(other, TWICE, expect=403)


async def test_a_goal_is_judged_by_the_target_that_absences_leave(api: Api) -> None:
    """S31: 11 of June's 22 working days take half of the target away."""
    await define(api, CALLS)
    await team(api, "North", "Ana")
    await post(api, [event(f"c-{n}", "call.made", "2026-06-10", "ana") for n in range(3)])
    (ana,) = (await api.get("/members"))["items"]
    away = {"valid_from": "2026-06-15", "valid_to": "2026-06-30", "effect": "prorate_target"}
    await api.post(f"/members/{ana['id']}/absences", away, expect=201)
    goal = {"name": "Calls", "owner": {"type": "member", "id": ana["id"]}, "kpi": "calls_made", "period": "2026-06"}
    await api.post("/goals", goal | {"target": {"value": "12"}}, expect=201)
    (of_goal,) = (await preview(api, TWICE | {"valid_from": None}))["goals"]
    assert (of_goal["attainment_before"], of_goal["attainment_after"]) == (0.5, 1)
