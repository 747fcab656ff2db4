"""Funnels: how many came to each step, and where they dropped out (K9, S17)."""

from typing import Any

import pytest

from tests.results.team import CALLS, ORGANIZATION, ask, define, event, kpi, post, team
from tests.support import Api

STEPS = [
    {"name": "new", "events": ["lead.created"]},
    {"name": "qualified", "events": ["lead.qualified"]},
    {"name": "won", "events": ["deal.won"]},
]


def lead(name: str, *steps: tuple[str, str], actor: str | None = None) -> list[dict[str, Any]]:
    return [event(f"{name}-{kind}-{on}", kind, on, actor, about={"lead": name}) for kind, on in steps]


def furnish() -> list[dict[str, Any]]:
    """May: a new, qualified, won; b new, won without a qualification; c new, qualified; d new. June: e new."""
    new, qualified, won = "lead.created", "lead.qualified", "deal.won"
    return [
        *lead("a", (new, "2026-05-01"), (qualified, "2026-05-03"), (won, "2026-05-11")),
        *lead("b", (new, "2026-05-02"), (won, "2026-05-22")),
        *lead("c", (new, "2026-05-04"), (qualified, "2026-05-08")),
        *lead("d", (new, "2026-05-05")),
        *lead("e", (new, "2026-06-20")),
    ]


def reached(steps: Any) -> list[Any]:
    return [step["reached"]["value"] for step in steps]


async def test_a_funnel_tells_each_step_with_conversions_and_drop_out(api: Api) -> None:
    await post(api, furnish())
    body = {"steps": STEPS, "match": "lead", "subjects": [ORGANIZATION], "period": "2026-05"}
    answer = await ask(api, "funnel", body)
    assert (answer["steps"], answer["kpi"]) == (["new", "qualified", "won"], None)
    (series,) = answer["series"]
    new, qualified, won = series["total"]
    assert reached(series["total"]) == [4, 3, 2]
    assert (new["from_previous"], new["from_first"], new["drop_out"]) == (None, 1, None)
    assert (qualified["from_previous"], qualified["drop_out"]) == (0.75, 0.25)
    assert (won["from_previous"], won["from_first"]) == (pytest.approx(2 / 3), 0.5)
    assert new["reached"]["sample"] == 4
    # To the qualification 2 and 4 days, to the win 10 and 20.
    assert (qualified["median_seconds"]["value"], qualified["median_seconds"]["sample"]) == (3 * 86400, 2)
    assert won["median_seconds"]["value"] == 15 * 86400
    strict = await ask(api, "funnel", body | {"skipped": "strict"})
    assert reached(strict["series"][0]["total"]) == [4, 2, 1]


async def test_each_window_has_its_own_cohort_and_is_immature_until_the_limit_is_over(api: Api) -> None:
    await post(api, furnish())
    body = {
        "steps": STEPS,
        "match": "lead",
        "within": "P30D",
        "subjects": [ORGANIZATION],
        "period": "2026-05-01..2026-06-30",
    }
    answer = await ask(api, "funnel", body | {"grain": "month"})
    may, june = answer["series"][0]["windows"]
    assert (may["window"]["label"], reached(may["steps"])) == ("2026-05", [4, 3, 2])
    assert {step["reached"]["status"] for step in may["steps"]} == {"ok"}
    assert reached(june["steps"]) == [1, 0, 0]
    assert june["steps"][2]["reached"]["status"] == "immature"
    assert june["steps"][2]["from_previous"] is None
    assert reached(answer["series"][0]["total"]) == [5, 3, 2]
    short = await ask(api, "funnel", body | {"within": "P9D"})
    assert reached(short["series"][0]["total"]) == [5, 2, 0]


async def test_a_kpis_funnel_is_shown_with_its_steps_for_each_subject(api: Api) -> None:
    funnel = {"aggregate": "conversion", "funnel": {"steps": STEPS, "match": "lead"}}
    await define(api, kpi("lead_to_win", "f", "ratio", f=funnel))
    north, _ = await team(api, "North", "Ana")
    await post(api, [*furnish(), *lead("f", ("lead.created", "2026-05-09"), ("deal.won", "2026-05-10"), actor="ana")])
    body = {"kpi": "lead_to_win", "subjects": [ORGANIZATION, {"team": north}], "period": "2026-05"}
    answer = await ask(api, "funnel", body)
    assert (answer["kpi"]["key"], answer["kpi_version"], answer["steps"]) == (
        "lead_to_win",
        1,
        ["new", "qualified", "won"],
    )
    assert [reached(series["total"]) for series in answer["series"]] == [[5, 4, 3], [1, 1, 1]]
    figure = await ask(api, "query", {"kpis": ["lead_to_win"], "subjects": [ORGANIZATION], "period": "2026-05"})
    assert figure["series"][0]["total"]["value"] == answer["series"][0]["total"][2]["from_first"] == 0.6


async def test_nobody_in_the_cohort_is_0_and_no_share(api: Api) -> None:
    body = {"steps": STEPS, "match": "lead", "subjects": [ORGANIZATION], "period": "2026-05"}
    steps = (await ask(api, "funnel", body))["series"][0]["total"]
    assert reached(steps) == [0, 0, 0]
    assert [step["from_first"] for step in steps] == [None, None, None]
    assert steps[1]["median_seconds"]["status"] == "no_data"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kpi": "calls_made", "steps": None, "match": None}, "/match"),
        ({"match": "amount"}, "/match"),
        ({"within": "soon"}, "/within"),
        ({"subjects": [{"team": "00000000-0000-7000-8000-000000000000"}]}, "/subjects/0"),
        ({"steps": [STEPS[0], {**STEPS[1], "where": "1 +"}]}, "/steps/1/where"),
        ({"steps": [STEPS[0]]}, "/steps"),
        ({"period": "x"}, "/period"),
    ],
)
async def test_what_is_no_funnel_names_the_place(api: Api, change: dict[str, Any], pointer: str) -> None:
    await define(api, CALLS)
    body = {"steps": STEPS, "match": "lead", "subjects": [ORGANIZATION], "period": "2026-05"} | change
    problem = await ask(api, "funnel", body, expect=422)
    if change.get("kpi") is None:
        assert problem["errors"][0]["pointer"] == pointer


async def test_a_kpi_without_a_funnel_has_none_to_show(api: Api) -> None:
    await define(api, CALLS)
    body = {"kpi": "calls_made", "subjects": [ORGANIZATION], "period": "2026-05"}
    problem = await ask(api, "funnel", body, expect=422)
    assert problem["errors"][0]["pointer"] == "/kpi"
    problem = await ask(api, "funnel", body | {"kpi": "unknown"}, expect=422)
    assert problem["errors"][0]["pointer"] == "/kpi"
