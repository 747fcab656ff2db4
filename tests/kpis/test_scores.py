"""Scores that people give: who to whom, how often, and what becomes of them in figures (K12)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from tests.support import Api, World

SCOPES = ["scores:read", "scores:write"]
KPI: dict[str, Any] = {
    "key": "communication",
    "name": "Communication",
    "category": "team_performance",
    "indicator": "leading",
    "nature": "qualitative",
    "direction": "increase",
    "scoring": {"givers": ["manager", "peers"], "scale": {"min": "1", "max": "5"}, "every": "month"},
}


@dataclass
class Company:
    """Max manages Ada; Ada and Bo are in North, which Lea leads; Zoe is in no team. Each has a key of their own."""

    api: Api
    ids: Mapping[str, str]
    keys: Mapping[str, Api]

    async def define(self, givers: list[str], every: str | None = "month") -> None:
        scoring = {"givers": givers, "scale": {"min": "1", "max": "5"}, "every": every}
        await self.api.post("/kpis", KPI | {"scoring": scoring}, expect=201)

    async def give(self, giver: str, member: str, value: object = "4", *, expect: int = 201, **more: Any) -> Any:
        body = {"member_id": self.ids[member], "value": value, **more}
        return await self.keys[giver].post("/kpis/communication/scores", body, expect=expect)

    async def figure(self, period: str = "2026-07", **more: Any) -> Any:
        """The organization's mean."""
        question = {"kpis": ["communication"], "subjects": [{"organization": True}], "period": period, **more}
        answer = await self.api.post("/kpi-results/query", question, expect=200)
        return answer["series"][0]["total"]["value"]


@pytest.fixture
async def company(api: Api) -> Company:
    people = ["Ada", "Bo", "Lea", "Max", "Zoe"]
    ids = {name: (await api.post("/members", {"name": name}, expect=201))["id"] for name in people}
    assignment = {"manager_id": ids["Max"], "valid_from": "2026-01-01"}
    await api.post(f"/members/{ids['Ada']}/assignments", assignment, expect=201)
    team = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    for name, kind in (("Ada", "member"), ("Bo", "member"), ("Lea", "lead")):
        body = {"member_id": ids[name], "kind": kind, "valid_from": "2026-02-01"}
        await api.post(f"/teams/{team}/memberships", body, expect=201)
    keys = {name: await api.key("member", SCOPES, ids[name]) for name in people}
    return Company(api, ids, keys)


async def test_a_score_is_an_event_credited_to_the_member_and_told_by_the_giver(company: Company) -> None:
    await company.define(["manager"])
    score = await company.give("Max", "Ada", "4.5", comment="Asks back.")
    assert score["outcome"] == "given"
    assert (score["member_id"], score["giver_id"]) == (company.ids["Ada"], company.ids["Max"])
    assert (score["value"], score["on"], score["period"]) == ("4.5", "2026-07-13", "2026-07")
    assert (score["given_as"], score["revision"], score["comment"]) == ("manager", 1, "Asks back.")
    event = await company.api.get(f"/events/{score['id']}")
    assert (event["type"], event["source"], event["occurred_on"]) == ("score.given", "paceline", "2026-07-13")
    assert event["external_id"] == f"score:communication:{company.ids['Max']}:{company.ids['Ada']}:2026-07"
    assert event["actor"]["id"] == company.ids["Max"]
    assert [credit["actor"]["id"] for credit in event["credits"]] == [company.ids["Ada"]]
    said = {name: event["properties"][name] for name in ("kpi", "score", "scale_min", "scale_max")}
    assert said == {"kpi": "communication", "score": 4.5, "scale_min": 1, "scale_max": 5}


@pytest.mark.parametrize(
    ("givers", "giver", "member", "may"),
    [
        (["manager"], "Max", "Ada", True),
        (["manager"], "Ada", "Max", False),
        (["manager"], "Max", "Bo", False),
        (["manager"], "Lea", "Ada", False),
        (["team_lead"], "Lea", "Ada", True),
        (["team_lead"], "Ada", "Lea", False),
        (["team_lead"], "Lea", "Zoe", False),
        (["peers"], "Bo", "Ada", True),
        (["peers"], "Zoe", "Ada", False),
        (["peers"], "Bo", "Bo", False),
        (["direct_reports"], "Ada", "Max", True),
        (["direct_reports"], "Max", "Ada", False),
        (["self"], "Zoe", "Zoe", True),
        (["self"], "Zoe", "Ada", False),
        (["anyone"], "Zoe", "Ada", True),
        (["anyone"], "Zoe", "Zoe", False),
        (["manager", "self"], "Ada", "Ada", True),
    ],
)
async def test_who_may_give_a_score_to_whom(
    company: Company, givers: list[str], giver: str, member: str, may: bool
) -> None:
    await company.define(givers)
    answer = await company.give(giver, member, expect=201 if may else 403)
    if not may:
        assert answer["type"] == "/problems/score-not-allowed"
        assert f"on 2026-07-13 {giver} is none of these to {member}" in answer["detail"]
        assert (await company.api.get("/kpis/communication/scores"))["items"] == []


async def test_the_day_decides_who_manages_and_who_is_a_peer(company: Company) -> None:
    await company.define(["manager", "peers"])
    await company.give("Max", "Ada", on="2025-12-31", expect=403)
    await company.give("Max", "Ada", on="2026-01-01")
    await company.give("Bo", "Ada", on="2026-01-31", expect=403)
    await company.give("Bo", "Ada", on="2026-02-01")
    refused = await company.give("Max", "Ada", on="2026-07-14", expect=422)
    assert refused["errors"][0]["pointer"] == "/on"


@pytest.mark.parametrize("value", ["0.9", "5.1", -4, "1e9"])
async def test_a_score_outside_the_scale_is_refused(company: Company, value: object) -> None:
    await company.define(["manager"])
    refused = await company.give("Max", "Ada", value, expect=422)
    assert [error["pointer"] for error in refused["errors"]] == ["/value"]
    await company.give("Max", "Ada", "1")
    await company.give("Max", "Ada", "5")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"value": "four"}, "/value"),
        ({"value": True}, "/value"),
        ({"value": "4.00001"}, "/value"),
        ({"member_id": str(uuid4())}, "/member_id"),
        ({"member_id": None}, "/member_id"),
        ({"on": "July"}, "/on"),
        ({"comment": ""}, "/comment"),
        ({"comment": "\x00"}, "/comment"),
        ({"kpi": "communication"}, "/kpi"),
    ],
)
async def test_a_wrong_score_is_refused_with_the_place(company: Company, change: Any, pointer: str) -> None:
    await company.define(["manager"])
    body = {"member_id": company.ids["Ada"], "value": "4"} | change
    refused = await company.keys["Max"].post("/kpis/communication/scores", body, expect=422)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]


async def test_what_the_ledger_does_not_hold_is_refused(company: Company) -> None:
    """The first instant of 1970 in Warsaw is one of 1969; a property has 15 digits."""
    await company.define(["anyone"])
    early = await company.give("Max", "Ada", on="1970-01-01", expect=422)
    assert early["errors"][0]["pointer"] == "/on"
    scale = {"min": "1", "max": "12345678901234567"}
    await company.api.patch("/kpis/communication", {"scoring": {"givers": ["anyone"], "scale": scale}})
    refused = await company.give("Max", "Ada", expect=422)
    assert "/properties/scale_max has more than 15 significant digits" in refused["detail"]


async def test_a_second_score_in_the_period_corrects_the_first(company: Company) -> None:
    await company.define(["manager", "peers"])
    first = await company.give("Max", "Ada", "2", on="2026-07-01")
    same = await company.give("Max", "Ada", "2.0", on="2026-07-01", expect=200)
    assert (same["outcome"], same["revision"]) == ("unchanged", 1)
    await company.api.set_clock("2026-07-20T08:00:00Z")
    second = await company.give("Max", "Ada", "4")
    assert (second["id"], second["outcome"], second["revision"]) == (first["id"], "corrected", 2)
    assert second["on"] == "2026-07-20"
    june = await company.give("Max", "Ada", "1", on="2026-06-30")
    peer = await company.give("Bo", "Ada", "5")
    assert (june["outcome"], peer["outcome"]) == ("given", "given")
    listed = (await company.api.get("/kpis/communication/scores"))["items"]
    assert [(item["value"], item["period"]) for item in listed] == [
        ("5", "2026-07"),
        ("4", "2026-07"),
        ("1", "2026-06"),
    ]


async def test_the_figure_is_the_mean_of_the_scores_and_as_of_before_the_correction_the_old_one(
    company: Company,
) -> None:
    """S5."""
    await company.define(["manager", "peers"])
    await company.give("Max", "Ada", "2")
    await company.give("Bo", "Ada", "5")
    assert await company.figure() == 3.5
    await company.api.set_clock("2026-07-20T08:00:00Z")
    await company.give("Max", "Ada", "4")
    assert await company.figure() == 4.5
    assert await company.figure(known_at="2026-07-19T08:00:00Z") == 3.5
    subjects = [{"member": company.ids["Ada"]}, {"member": company.ids["Max"]}]
    question = {"kpis": ["communication"], "subjects": subjects, "period": "2026-07"}
    answer = await company.api.post("/kpi-results/query", question, expect=200)
    assert [series["total"]["value"] for series in answer["series"]] == [4.5, None]


async def test_a_score_that_was_taken_back_is_in_no_figure_and_can_be_given_again(company: Company) -> None:
    await company.define(["manager", "peers"])
    score = await company.give("Max", "Ada", "2")
    path = f"/kpis/communication/scores/{score['id']}"
    await company.keys["Bo"].delete(path, expect=404)
    refused = await company.keys["Ada"].call("DELETE", path, expect=403)
    assert refused.json()["detail"] == "A score is taken back by whoever gave it, or by an administrator."
    await company.api.set_clock("2026-07-20T08:00:00Z")
    await company.keys["Max"].delete(path)
    await company.keys["Max"].delete(path, expect=404)
    assert await company.figure() is None
    assert await company.figure(known_at="2026-07-19T08:00:00Z") == 2
    again = await company.give("Max", "Ada", "3")
    assert (again["id"], again["outcome"], again["revision"]) == (score["id"], "given", 3)
    await company.api.delete(path)


async def test_without_a_period_every_day_has_its_own_score(company: Company) -> None:
    await company.define(["manager"], every=None)
    await company.give("Max", "Ada", "2", on="2026-07-12")
    await company.give("Max", "Ada", "3")
    corrected = await company.give("Max", "Ada", "4")
    assert (corrected["outcome"], corrected["period"]) == ("corrected", "2026-07-13")
    assert await company.figure() == 3
    due = await company.keys["Max"].get("/kpis/communication/scores/due")
    assert (due["every"], due["period"], due["members"]) == (None, None, [])


async def test_members_see_what_concerns_them_and_managers_all(company: Company) -> None:
    await company.define(["manager", "peers", "self"])
    for giver, member in (("Max", "Ada"), ("Bo", "Ada"), ("Ada", "Bo"), ("Zoe", "Zoe")):
        await company.give(giver, member)

    async def seen(by: Api, **filters: Any) -> int:
        return len((await by.get("/kpis/communication/scores", **filters))["items"])

    counts = [await seen(company.keys[name]) for name in ("Ada", "Bo", "Max", "Zoe", "Lea")]
    assert counts == [3, 2, 1, 1, 0]
    assert await seen(await company.api.key("manager", SCOPES, company.ids["Max"])) == 4
    assert await seen(await company.api.key("member", SCOPES)) == 0
    assert await seen(company.api, member_id=company.ids["Ada"]) == 2
    assert await seen(company.api, giver_id=company.ids["Ada"]) == 1
    assert await seen(company.api, **{"from": "2026-07-14"}) == 0
    assert await seen(company.api, **{"from": "2026-07-13", "to": "2026-07-14"}) == 4
    first = await company.api.get("/kpis/communication/scores", limit=3)
    rest = await company.api.get("/kpis/communication/scores", limit=3, cursor=first["next_cursor"])
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (3, 1, None)


async def test_a_key_speaks_for_its_own_member_only_and_one_without_says_for_whom(company: Company) -> None:
    await company.define(["manager"])
    foreign = await company.give("Bo", "Ada", giver_id=company.ids["Max"], expect=403)
    assert foreign["detail"] == "This key stands for a member, who gives scores in no other name."
    body = {"member_id": company.ids["Ada"], "value": "4"}
    form = await company.api.key("service", SCOPES)
    missing = await form.post("/kpis/communication/scores", body, expect=422)
    assert missing["errors"][0]["pointer"] == "/giver_id"
    unknown = await form.post("/kpis/communication/scores", body | {"giver_id": str(uuid4())}, expect=422)
    assert unknown["errors"][0]["pointer"] == "/giver_id"
    await form.post("/kpis/communication/scores", body | {"giver_id": company.ids["Bo"]}, expect=403)
    given = await form.post("/kpis/communication/scores", body | {"giver_id": company.ids["Max"]}, expect=201)
    assert given["giver_id"] == company.ids["Max"]
    nobody = await company.api.key("member", SCOPES)
    await nobody.post("/kpis/communication/scores", body | {"giver_id": company.ids["Max"]}, expect=403)
    reader = await company.api.key("member", ["scores:read"], company.ids["Max"])
    await reader.post("/kpis/communication/scores", body, expect=403)


async def test_what_is_due_is_told_until_it_is_given(company: Company) -> None:
    await company.define(["manager", "peers", "anyone"])
    path = "/kpis/communication/scores/due"

    async def due(name: str) -> list[tuple[str, str]]:
        answer = await company.keys[name].get(path)
        return [(member["name"], member["give_as"]) for member in answer["members"]]

    assert await due("Max") == [("Ada", "manager")]
    assert await due("Bo") == [("Ada", "peers"), ("Lea", "peers")]
    assert await due("Zoe") == []
    await company.give("Bo", "Ada")
    answer = await company.keys["Bo"].get(path)
    assert [member["name"] for member in answer["members"]] == ["Lea"]
    assert (answer["given"], answer["period"], answer["end"]) == (1, "2026-07", "2026-08-01")
    await company.api.set_clock("2026-08-01T08:00:00Z")
    assert await due("Bo") == [("Ada", "peers"), ("Lea", "peers")]
    employment = {"valid_from": "2026-01-01", "valid_to": "2026-08-01"}
    await company.api.post(f"/members/{company.ids['Ada']}/employments", employment, expect=201)
    await company.api.delete(f"/members/{company.ids['Lea']}")
    assert await due("Bo") == []


async def test_who_may_see_all_scores_may_ask_what_is_due_of_others(company: Company) -> None:
    await company.define(["manager"])
    path = "/kpis/communication/scores/due"
    leader = await company.api.key("manager", SCOPES, company.ids["Lea"])
    for caller in (company.api, leader):
        answer = await caller.get(path, giver_id=company.ids["Max"])
        assert (answer["giver_id"], len(answer["members"])) == (company.ids["Max"], 1)
    nobody = await company.api.get(path)
    assert (nobody["giver_id"], nobody["members"]) == (None, [])
    unknown = await company.api.get(path, giver_id=str(uuid4()), expect=422)
    assert unknown["errors"][0]["pointer"] == "?giver_id"
    await company.keys["Bo"].get(path, giver_id=company.ids["Max"], expect=403)
    assert (await company.keys["Max"].get(path, giver_id=company.ids["Max"]))["given"] == 0


async def test_only_qualitative_kpis_that_are_in_use_are_scored(company: Company, world: World) -> None:
    await company.define(["manager"])
    counted = {
        "key": "calls", "name": "Calls", "category": "team_performance", "indicator": "leading",
        "direction": "increase", "unit": {"kind": "count"}, "formula": "calls",
        "measures": {"calls": {"aggregate": "count", "events": ["call.made"]}},
    }  # fmt: skip
    await company.api.post("/kpis", counted, expect=201)
    body = {"member_id": company.ids["Ada"], "value": "4"}
    refused = await company.keys["Max"].post("/kpis/calls/scores", body, expect=409)
    assert refused["type"] == "/problems/kpi-not-scored"
    await company.keys["Max"].get("/kpis/calls/scores/due", expect=409)
    assert (await company.api.get("/kpis/calls/scores"))["items"] == []
    for method, path in (("POST", ""), ("GET", ""), ("GET", "/due"), ("DELETE", f"/{uuid4()}")):
        await company.keys["Max"].call(
            method, f"/kpis/unheard_of/scores{path}", body if method == "POST" else None, expect=404
        )
    score = await company.give("Max", "Ada")
    stranger = await world.organization()
    await stranger.get("/kpis/communication/scores", expect=404)
    await stranger.delete(f"/kpis/communication/scores/{score['id']}", expect=404)
    await company.api.delete("/kpis/communication")
    await company.give("Max", "Ada", "5", expect=409)
    assert len((await company.api.get("/kpis/communication/scores"))["items"]) == 1
