"""What scores say is for those who gave them, those they are about, and those who lead: wherever events are shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.kpis.test_scores import KPI
from tests.support import Api

SCOPES = ["events:read", "results:read", "kpis:read", "scores:read", "scores:write"]
ADA, BO, CEM = "Ada to Bo", "Bo to Cem", "Cem to Ada"


@dataclass
class Circle:
    """Ada scored Bo, Bo scored Cem, Cem scored Ada; each comment says so."""

    api: Api
    ids: Mapping[str, str]
    keys: Mapping[str, Api]
    scores: Mapping[str, str]


@pytest.fixture
async def circle(api: Api) -> Circle:
    ids = {name: (await api.post("/members", {"name": name}, expect=201))["id"] for name in ("Ada", "Bo", "Cem")}
    keys = {name: await api.key("member", SCOPES, ids[name]) for name in ids}
    keys["nobody"] = await api.key("member", SCOPES)
    keys["manager"] = await api.key("manager", SCOPES)
    scoring = {"givers": ["anyone"], "scale": {"min": "1", "max": "5"}, "every": "month"}
    await api.post("/kpis", KPI | {"scoring": scoring}, expect=201)
    scores = {}
    for number, (giver, member) in enumerate((("Ada", "Bo"), ("Bo", "Cem"), ("Cem", "Ada")), 2):
        comment = f"{giver} to {member}"
        body = {"member_id": ids[member], "value": str(number), "comment": comment}
        scores[comment] = (await keys[giver].post("/kpis/communication/scores", body, expect=201))["id"]
    await api.post("/events", {"external_id": "c1", "type": "call.made", "occurred_at": "2026-07-06T08:00:00Z"})
    return Circle(api, ids, keys, scores)


SEEN = [("Ada", {ADA, CEM}), ("Bo", {ADA, BO}), ("nobody", set()), ("manager", {ADA, BO, CEM})]
of_each = pytest.mark.parametrize(("name", "seen"), SEEN)


def comments(events: Any) -> set[str]:
    return {event["properties"]["comment"] for event in events if event["type"] == "score.given"}


@of_each
async def test_lists_and_single_events_show_the_same_scores(circle: Circle, name: str, seen: set[str]) -> None:
    key = circle.keys[name]
    found = (await key.get("/events"))["items"]
    assert comments(found) == seen
    assert "c1" in {event["external_id"] for event in found}
    about = (await key.get("/events", about=f"member:{circle.ids['Cem']}"))["items"]
    assert comments(about) == seen & {BO}
    for comment, score_id in circle.scores.items():
        expect = 200 if comment in seen else 404
        await key.get(f"/events/{score_id}", expect=expect)
        await key.get(f"/events/{score_id}/revisions", expect=expect)
    listed = (await key.get("/kpis/communication/scores"))["items"]
    assert {score["comment"] for score in listed} == seen


async def test_a_score_that_was_taken_back_stays_with_those_whom_it_concerns(circle: Circle) -> None:
    await circle.keys["Ada"].delete(f"/kpis/communication/scores/{circle.scores[ADA]}")
    for name, seen in SEEN:
        found = (await circle.keys[name].get("/events", include_retracted=True))["items"]
        assert comments(found) == seen
        expect = 200 if ADA in seen else 404
        await circle.keys[name].get(f"/events/{circle.scores[ADA]}/revisions", expect=expect)


@of_each
async def test_values_for_menus_and_editors_are_of_the_scores_that_one_may_see(
    circle: Circle, name: str, seen: set[str]
) -> None:
    path = "/event-types/score.given/properties/comment/values"
    found = await circle.keys[name].get(path, expect=200 if seen else 404)
    assert {each["value"] for each in found.get("items", ())} == seen
    text = "properties.comment == "
    asked = {"language": "filter", "text": text, "position": len(text), "events": ["score.given"]}
    items = (await circle.keys[name].post("/kpis/complete", asked))["items"]
    assert {item["label"] for item in items if item["kind"] == "value"} == seen


@of_each
async def test_a_figure_stays_and_opens_into_the_scores_that_one_may_see(
    circle: Circle, name: str, seen: set[str]
) -> None:
    body = {"kpi": "communication", "subject": {"organization": True}, "period": "2026-07"}
    found = await circle.keys[name].post("/kpi-results/explain", body, expect=200)
    assert found["result"]["value"] == 3
    assert {event["event_id"] for event in found["events"]} == {circle.scores[comment] for comment in seen}


@of_each
async def test_a_difference_tells_that_scores_came_but_what_they_say_only_to_those_who_may_see_them(
    circle: Circle, name: str, seen: set[str]
) -> None:
    await circle.api.set_clock("2026-07-13T12:00:00Z")
    body = {"kpi": "communication", "subject": {"organization": True}, "period": "2026-07",
            "from_as_of": "2026-07-13T10:00:00Z"}  # fmt: skip
    found = await circle.keys[name].post("/kpi-results/diff", body, expect=200)
    events = [change for change in found["changes"] if change["kind"] == "event"]
    assert {change["id"] for change in events} == set(circle.scores.values())
    told = {change["id"] for change in events if change["fields"]}
    assert told == {circle.scores[comment] for comment in seen} == {each["id"] for each in events if each["name"]}
