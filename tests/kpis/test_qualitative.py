"""KPIs that people score."""

from typing import Any

import pytest

from tests.support import Api

COMMUNICATION: dict[str, Any] = {
    "key": "communication",
    "name": "Communication",
    "category": "team_performance",
    "indicator": "leading",
    "nature": "qualitative",
    "scoring": {"givers": ["manager", "peers"], "scale": {"min": "1", "max": "5"}, "every": "quarter"},
    "direction": "increase",
}


async def test_a_qualitative_kpi_is_the_mean_of_its_scores_unless_said(api: Api) -> None:
    """K12."""
    made = await api.post("/kpis", COMMUNICATION, expect=201)
    assert made["nature"] == "qualitative"
    assert made["scoring"] == COMMUNICATION["scoring"]
    assert (made["formula"], made["unit"]) == ("score", {"kind": "score", "per": None})
    score = made["measures"]["score"]
    assert (score["aggregate"], score["events"], score["value"]) == ("avg", ["score.given"], "properties.score")
    assert score["where"] == "properties.kpi == 'communication'"
    assert (await api.get("/kpis/communication"))["scoring"]["every"] == "quarter"


async def test_a_qualitative_kpi_may_have_a_definition_of_its_own(api: Api) -> None:
    measures = {"low": {"aggregate": "min", "events": ["score.given"], "value": "properties.score"}}
    body = {**COMMUNICATION, "measures": measures, "formula": "low"}
    made = await api.post("/kpis", body, expect=201)
    assert (made["formula"], made["unit"]["kind"]) == ("low", "score")


async def test_other_kpis_are_quantitative_and_the_list_tells_them_apart(api: Api) -> None:
    measures = {"won": {"aggregate": "count", "events": ["deal.won"]}}
    plain = {**COMMUNICATION, "key": "won", "measures": measures, "formula": "won", "unit": {"kind": "count"}}
    del plain["nature"], plain["scoring"]
    made = await api.post("/kpis", plain, expect=201)
    assert (made["nature"], made["scoring"]) == ("quantitative", None)
    await api.post("/kpis", COMMUNICATION, expect=201)
    for nature, keys in (
        ("quantitative", ["won"]),
        ("qualitative", ["communication"]),
        (None, ["communication", "won"]),
    ):
        params: dict[str, Any] = {"nature": nature} if nature else {}
        listed = await api.get("/kpis", **params)
        assert [kpi["key"] for kpi in listed["items"]] == keys
    await api.get("/kpis", nature="other", expect=422)


async def test_who_scores_can_be_changed(api: Api) -> None:
    await api.post("/kpis", COMMUNICATION, expect=201)
    scoring = {"givers": ["anyone"], "scale": {"min": "0", "max": "10.5"}, "every": None}
    changed = await api.patch("/kpis/communication", {"scoring": scoring})
    assert changed["scoring"] == scoring
    assert (await api.get("/kpis/communication"))["scoring"] == scoring
    problem = await api.patch("/kpis/communication", {"scoring": None}, expect=422)
    assert problem["errors"][0]["pointer"] == "/scoring"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"scoring": None}, "/scoring"),
        ({"nature": "quantitative"}, "/scoring"),
        ({"nature": "mixed"}, "/nature"),
        ({"nature": "quantitative", "scoring": None}, "/measures"),
        ({"formula": "score"}, "/measures"),
        ({"measures": {"low": {"aggregate": "count", "events": ["score.given"]}}}, "/formula"),
        ({"scoring": {**COMMUNICATION["scoring"], "givers": []}}, "/scoring/givers"),
        ({"scoring": {**COMMUNICATION["scoring"], "givers": ["self", "self"]}}, "/scoring/givers"),
        ({"scoring": {**COMMUNICATION["scoring"], "givers": ["boss"]}}, "/scoring/givers/0"),
        ({"scoring": {**COMMUNICATION["scoring"], "scale": {"min": "5", "max": "5"}}}, "/scoring/scale"),
        ({"scoring": {**COMMUNICATION["scoring"], "scale": {"min": "1"}}}, "/scoring/scale/max"),
        ({"scoring": {**COMMUNICATION["scoring"], "scale": {"min": "NaN", "max": "5"}}}, "/scoring/scale/min"),
        ({"scoring": {**COMMUNICATION["scoring"], "every": "day"}}, "/scoring/every"),
    ],
)
async def test_scoring_that_cannot_be_is_refused_at_its_place(api: Api, change: dict[str, Any], pointer: str) -> None:
    problem = await api.post("/kpis", {**COMMUNICATION, **change}, expect=422)
    assert problem["errors"][0]["pointer"] == pointer


async def test_a_computed_kpi_takes_no_scoring_later(api: Api) -> None:
    measures = {"won": {"aggregate": "count", "events": ["deal.won"]}}
    plain = {**COMMUNICATION, "measures": measures, "formula": "won", "unit": {"kind": "count"}}
    del plain["nature"], plain["scoring"]
    await api.post("/kpis", plain, expect=201)
    problem = await api.patch("/kpis/communication", {"scoring": COMMUNICATION["scoring"]}, expect=422)
    assert problem["errors"][0]["pointer"] == "/scoring"
