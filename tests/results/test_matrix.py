"""Members by segments: samples, leads, and who does best with what (V8)."""

from typing import Any

import pytest

from tests.results.team import CALLS, REVENUE, WIN_RATE, ask, define, euros, event, post, team
from tests.support import Api

PRODUCT = {"property": "properties.product"}


def deals(person: str, product: str | None, won: int, lost: int, amount: int = 100) -> list[dict[str, Any]]:
    told = {"properties": {"product": product}} if product else {}
    name = f"{person}-{product}"
    return [
        *[event(f"w-{name}-{n}", "deal.won", "2026-06-10", person, amount=euros(amount), **told) for n in range(won)],
        *[event(f"l-{name}-{n}", "deal.lost", "2026-06-11", person, **told) for n in range(lost)],
    ]


async def furnish(api: Api) -> str:
    """Ana: pro 4 of 5, basic 1 of 5. Bo: pro 1 of 5, basic 4 of 5, none 1 of 1. Cy: pro 1 of 1."""
    north, _ = await team(api, "North", "Ana", "Bo", "Cy")
    await post(api, [
        *deals("ana", "pro", 4, 1), *deals("ana", "basic", 1, 4, 10), *deals("bo", "pro", 1, 4),
        *deals("bo", "basic", 4, 1, 10), *deals("bo", None, 1, 0), *deals("cy", "pro", 1, 0),
    ])  # fmt: skip
    return north


def column(answer: Any, value: str | None) -> int:
    return [segment["group"]["value"] for segment in answer["segments"]].index(value)


async def test_each_member_leads_or_trails_the_whole_segment_and_small_samples_are_marked(api: Api) -> None:
    await define(api, WIN_RATE)
    north = await furnish(api)
    body = {"kpi": "win_rate", "team": north, "period": "2026-06", "group_by": PRODUCT}
    answer = await ask(api, "matrix", body)
    pro, basic, none = column(answer, "pro"), column(answer, "basic"), column(answer, None)
    assert [segment["group"]["kind"] for segment in answer["segments"]].count("none") == 1
    overall = answer["segments"][pro]["figures"]
    assert (overall["value"], overall["sample"]) == (pytest.approx(6 / 11), 11)
    assert [row["member"]["name"] for row in answer["rows"]] == ["Ana", "Bo", "Cy"]
    ana, bo, cy = (row["cells"] for row in answer["rows"])
    assert (ana[pro]["figures"]["value"], ana[pro]["figures"]["sample"], ana[pro]["is_small"]) == (0.8, 5, False)
    assert (ana[pro]["lead"], ana[pro]["standing"]) == (pytest.approx(0.8 - 6 / 11), "better")
    assert (bo[pro]["standing"], bo[basic]["standing"]) == ("worse", "better")
    assert (cy[pro]["figures"]["value"], cy[pro]["is_small"], cy[pro]["standing"]) == (1, True, None)
    assert (cy[basic]["figures"]["status"], cy[basic]["lead"]) == ("no_data", None)
    best = {each["group"]["value"]: each for each in answer["best"]}
    assert [member["name"] for member in best["pro"]["members"]] == ["Ana"]
    assert [member["name"] for member in best["basic"]["members"]] == ["Bo"]
    assert (best[None]["compared"], best[None]["members"]) == (0, [])
    assert answer["segments"][none]["figures"]["sample"] == 1


async def test_the_lead_of_what_adds_up_is_a_difference_of_shares(api: Api) -> None:
    """Revenue: Ana 410 of 1,150 in all (pro 400, basic 10), the team's pro 600."""
    await define(api, REVENUE)
    north = await furnish(api)
    body = {"kpi": "revenue", "team": north, "period": "2026-06", "group_by": PRODUCT, "minimum_sample": 1}
    answer = await ask(api, "matrix", body)
    assert answer["total"]["value"] == 750
    pro = column(answer, "pro")
    cell = answer["rows"][0]["cells"][pro]
    assert cell["lead"] == pytest.approx(400 / 600 - 410 / 750)
    assert cell["standing"] == "better"
    assert sum(row["cells"][pro]["figures"]["value"] for row in answer["rows"]) == 600


async def test_segments_beyond_the_top_are_the_rest_in_which_nobody_is_best(api: Api) -> None:
    await define(api, REVENUE)
    north = await furnish(api)
    body = {"kpi": "revenue", "team": north, "period": "2026-06", "group_by": {**PRODUCT, "top": 1}}
    answer = await ask(api, "matrix", body)
    assert [segment["group"]["kind"] for segment in answer["segments"]] == ["value", "rest"]
    assert [each["group"]["value"] for each in answer["best"]] == ["pro"]
    assert sum(segment["figures"]["value"] for segment in answer["segments"]) == answer["total"]["value"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"team": "00000000-0000-7000-8000-000000000000"}, "/team"),
        ({"kpi": "unknown"}, "/kpi"),
        ({"group_by": {"property": "amount > 1"}}, "/group_by"),
        ({"group_by": {}}, "/group_by"),
        ({"minimum_sample": 0}, "/minimum_sample"),
    ],
)
async def test_what_cannot_be_laid_out_names_the_place(api: Api, change: dict[str, Any], pointer: str) -> None:
    await define(api, CALLS)
    north, _ = await team(api, "North", "Ana")
    body = {"kpi": "calls_made", "team": north, "period": "2026-06", "group_by": PRODUCT} | change
    problem = await ask(api, "matrix", body, expect=422)
    assert problem["errors"][0]["pointer"] == pointer
