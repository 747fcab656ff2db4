"""The library over HTTP: every example computes exactly; installing keeps what is there."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from app.kpis.library.catalogue import LIBRARY, with_references
from app.kpis.library.entries import Entry, Example
from app.kpis.library.words import event
from app.openapi import guide
from tests.support import Api, World

CASES = [(entry, example) for entry in LIBRARY.values() for example in entry.examples]
QUOTA = {"keys": ["quota_attainment"]}


def _name(part: Entry | Example) -> str:
    return part.key if isinstance(part, Entry) else ""


@pytest.mark.parametrize(("entry", "example"), CASES, ids=_name)
async def test_the_figure_is_what_the_arithmetic_says(world: World, entry: Entry, example: Example) -> None:
    api = await world.organization(recorded_from=None)
    await _settle(api, example)
    await api.post("/kpi-library/install", {"keys": [entry.key], "state": "official"}, expect=200)
    for goal in example.goals:
        await api.post("/goals", goal, expect=201)
    await api.set_clock(example.as_of)
    question: dict[str, Any] = {"kpis": [entry.key], "subjects": [example.subject], "period": example.period}
    if example.group_by:
        question["group_by"] = example.group_by
    series = (await api.post("/kpi-results/query", question, expect=200))["series"]
    chosen = next(one for one in series if example.group is None or one["group"]["value"] == example.group)
    assert (_exact(chosen["total"]["value"]), chosen["total"]["status"]) == (_exact(example.value), example.status)


def _exact(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value)).normalize()


async def _settle(api: Api, example: Example) -> None:
    """The organization of an example: its members with their identities and employments, and what happened."""
    sources = (await api.get("/sources"))["items"]
    for name in example.members:
        member = (await api.post("/members", {"name": name}, expect=201))["id"]
        identity = {"source_id": sources[0]["id"], "external_id": name.lower()}
        made = await api.post("/identities", identity, expect=201)
        await api.post(f"/identities/{made['id']}/mappings", {"member_id": member}, expect=201)
        if name in example.employed:
            since, until = example.employed[name]
            await api.post(f"/members/{member}/employments", {"valid_from": since, "valid_to": until}, expect=201)
    if example.events:
        answer = await api.post("/events/batch", {"events": list(example.events)}, expect=200)
        assert answer["counts"] == {"accepted": len(example.events)}


async def test_time_on_two_telephones_counts_once_and_people_add_up(api: Api) -> None:
    source = (await api.get("/sources"))["items"][0]["id"]
    team = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    ana = (await api.post("/members", {"name": "Ana"}, expect=201))["id"]
    await api.post(f"/teams/{team}/memberships", {"member_id": ana}, expect=201)
    for telephone in ("desk", "mobile"):
        identity = {"source_id": source, "external_id": telephone}
        made = await api.post("/identities", identity, expect=201)
        await api.post(f"/identities/{made['id']}/mappings", {"member_id": ana}, expect=201)
    calls = [
        event("call.made", "07-06 08:00", by="desk", minutes=30),
        event("call.made", "07-06 08:20", by="mobile", minutes=20),
        event("call.made", "07-06 08:25", by="stranger", minutes=10),
        event("call.made", "07-07 21:50", by="mobile", minutes=30, id="midnight"),  # ten minutes before Warsaw's
        event("call.made", "07-13 09:30", by="desk", minutes=120, id="going on"),  # half an hour before now
    ]
    await api.post("/events/batch", {"events": calls}, expect=200)
    await api.post("/kpi-library/install", {"keys": ["selling_time"]}, expect=200)
    subjects = [{"organization": True}, {"team": team}, {"members_of": team}, {"unassigned": True}]
    question = {"kpis": ["selling_time"], "subjects": subjects, "period": "2026-07", "grain": "day"}
    found = (await api.post("/kpi-results/query", question, expect=200))["series"]
    days = {one["subject"]["type"]: [value / 60 for value in one["values"][5:14]] for one in found}
    assert days["member"] == [40, 10, 20, 0, 0, 0, 0, 30, 0]
    assert days["team"] == days["member"]
    assert days["unassigned"] == [10, 0, 0, 0, 0, 0, 0, 0, 0]
    assert days["organization"] == [50, 10, 20, 0, 0, 0, 0, 30, 0]
    totals = {one["subject"]["type"]: one["total"]["value"] / 60 for one in found}
    assert totals == {"organization": 110, "team": 100, "member": 100, "unassigned": 10}


async def test_the_whole_library_is_listed_by_area_with_its_filters(api: Api) -> None:
    listed = (await api.get("/kpi-library", limit=200))["items"]
    assert [item["key"] for item in listed] == list(LIBRARY)
    closing = (await api.get("/kpi-library", limit=200, role="closing", indicator="leading"))["items"]
    assert closing
    assert all("closing" in item["roles"] and item["indicator"] == "leading" for item in closing)
    scored = (await api.get("/kpi-library", nature="qualitative", category="coaching"))["items"]
    assert [item["key"] for item in scored] == ["coaching_quality"]
    assert scored[0]["scoring"]["scale"] == {"min": "1", "max": "5"}


async def test_each_tells_whether_it_is_installed_and_whether_the_data_have_what_it_needs(api: Api) -> None:
    win = {"type": "deal.won", "occurred_at": "2026-07-02T08:00:00Z", "about": {"customer": "C1"}}
    for number in range(3):
        await api.post("/events", {**win, "external_id": f"win-{number}"})
    await api.post("/events", {**win, "external_id": "paid", "amount": {"value": "10", "currency": "EUR"}})
    await api.post("/kpi-library/install", {"keys": ["revenue_won"]}, expect=200)
    revenue = await api.get("/kpi-library/revenue_won")
    assert (revenue["installed"], revenue["installed_as"]) == (True, "same")
    assert revenue["needs"]["readiness"] == "partly"
    assert revenue["needs"]["events"] == [
        {"events": ["deal.won"], "carrying": ["amount"], "recent": 4, "lacking": {"amount": 3}, "readiness": "partly"}
    ]
    customers = await api.get("/kpi-library/new_customers")
    assert (customers["installed"], customers["installed_as"]) == (False, None)
    assert customers["needs"]["readiness"] == "ready"
    quota = await api.get("/kpi-library/quota_attainment")
    assert (quota["references"], quota["needs"]["targets"]) == (["revenue_won"], ["revenue_won"])
    assert quota["needs"]["events"] == revenue["needs"]["events"]
    assert (await api.get("/kpi-library/calls_made"))["needs"]["readiness"] == "missing"


async def test_old_events_are_no_recent_data(api: Api) -> None:
    await api.post("/events", {"external_id": "c", "type": "call.made", "occurred_at": "2026-04-13T08:00:00Z"})
    assert (await api.get("/kpi-library/calls_made"))["needs"]["readiness"] == "missing"
    await api.post("/events", {"external_id": "d", "type": "call.made", "occurred_at": "2026-04-15T08:00:00Z"})
    assert (await api.get("/kpi-library/calls_made"))["needs"]["readiness"] == "ready"


async def test_events_that_count_in_no_figure_are_no_data(api: Api) -> None:
    await api.post("/events", {"external_id": "c", "type": "call.made", "occurred_at": "2026-07-02T08:00:00Z"})
    source = (await api.get("/sources"))["items"][0]
    await api.patch(f"/sources/{source['id']}", {"counts": ["meeting.held"]})
    assert (await api.get("/kpi-library/calls_made"))["needs"]["readiness"] == "missing"


async def test_an_example_is_shown_with_its_events_and_arithmetic(api: Api) -> None:
    found = await api.get("/kpi-library/net_promoter_score")
    example = found["examples"][0]
    assert example["value"] == "25"
    assert "promote" in example["arithmetic"]
    answer = await api.post("/events/batch", {"events": example["events"]}, expect=200)
    assert answer["counts"] == {"accepted": len(example["events"])}


async def test_an_unknown_key_is_not_found_and_the_nearest_is_told(api: Api) -> None:
    response = await api.call("GET", "/kpi-library/revenue_wonn", expect=404)
    assert response.json()["type"] == "/problems/library-kpi-not-found"
    assert "revenue_won?" in response.json()["detail"]


async def test_installing_brings_what_the_kpi_is_computed_from(api: Api) -> None:
    answer = await api.post("/kpi-library/install", QUOTA, expect=200)
    assert [(item["key"], item["outcome"], item["is_reference"]) for item in answer["items"]] == [
        ("revenue_won", "installed", True),
        ("quota_attainment", "installed", False),
    ]
    assert answer["counts"] == {"installed": 2}
    made = await api.get("/kpis/quota_attainment")
    assert (made["state"], made["formula"]) == ("draft", LIBRARY["quota_attainment"].formula)
    again = await api.post("/kpi-library/install", QUOTA, expect=200)
    assert again["counts"] == {"exists": 2}


async def test_what_the_organization_changed_or_archived_is_kept(api: Api) -> None:
    await api.post("/kpi-library/install", {"keys": ["calls_made", "deals_won"], "state": "official"}, expect=200)
    calls = await api.get("/kpis/calls_made")
    version = {name: calls[name] for name in ("formula", "unit", "direction")}
    measures = {"calls": {"aggregate": "count", "events": ["call.made", "call.received"]}}
    await api.post("/kpis/calls_made/versions", {**version, "measures": measures}, expect=201)
    await api.delete("/kpis/deals_won")
    answer = await api.post("/kpi-library/install", {"keys": ["calls_made", "deals_won"]}, expect=200)
    assert [item["outcome"] for item in answer["items"]] == ["differs", "key_taken"]
    assert all(item["detail"] for item in answer["items"])
    kept = await api.get("/kpis/calls_made")
    assert kept["measures"]["calls"]["events"] == ["call.made", "call.received"]
    assert (kept["state"], (await api.get("/kpis/deals_won"))["state"]) == ("official", "archived")
    shown = await api.get("/kpi-library/calls_made")
    assert (shown["installed"], shown["installed_as"]) == (True, "differs")
    assert (await api.get("/kpi-library/deals_won"))["installed_as"] == "archived"


async def test_a_kpi_whose_reference_is_archived_is_not_installed_but_the_others_are(api: Api) -> None:
    await api.post("/kpi-library/install", {"keys": ["revenue_won"]}, expect=200)
    await api.delete("/kpis/revenue_won")
    answer = await api.post("/kpi-library/install", {"keys": ["quota_attainment", "calls_made"]}, expect=200)
    assert {item["key"]: item["outcome"] for item in answer["items"]} == {
        "revenue_won": "key_taken",
        "quota_attainment": "not_possible",
        "calls_made": "installed",
    }


@pytest.mark.parametrize("role", ["prospecting", "qualifying", "closing", "customer_success", "team_leader"])
async def test_a_role_gets_its_kpis(api: Api, role: str) -> None:
    answer = await api.post("/kpi-library/install", {"roles": [role]}, expect=200)
    wanted = with_references([entry.key for entry in LIBRARY.values() if role in entry.roles])
    assert [item["key"] for item in answer["items"]] == wanted
    assert answer["counts"] == {"installed": len(wanted)}


async def test_two_installers_at_once_install_each_kpi_once(api: Api) -> None:
    answers = await asyncio.gather(*[api.post("/kpi-library/install", QUOTA, expect=200) for _ in range(3)])
    assert sorted(str(answer["counts"]) for answer in answers) == ["{'exists': 2}", "{'exists': 2}", "{'installed': 2}"]


async def test_a_wrong_request_installs_nothing(api: Api) -> None:
    response = await api.call("POST", "/kpi-library/install", {"keys": ["calls_made", "calls_maid"]}, expect=422)
    error = response.json()["errors"][0]
    assert (error["pointer"], error["suggestion"]) == ("/keys/1", "calls_made")
    wrong: list[dict[str, Any]] = [
        {},
        {"keys": []},
        {"roles": ["king"]},
        {"keys": ["deals_won"], "state": "archived"},
        {"keys": None},
    ]
    for body in wrong:
        await api.call("POST", "/kpi-library/install", body, expect=422)
    assert (await api.get("/kpis"))["items"] == []


async def test_who_may_only_read_kpis_may_not_install(api: Api) -> None:
    reader = await api.key("admin", ["kpis:read"])
    await reader.get("/kpi-library")
    await reader.call("POST", "/kpi-library/install", QUOTA, expect=403)


async def test_the_guide_lists_the_whole_library() -> None:
    told = guide("kpi-library")
    assert [key for key in LIBRARY if f"| `{key}` |" not in told] == []


async def test_organizations_install_each_for_themselves(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    await ours.post("/kpi-library/install", QUOTA, expect=200)
    assert not (await theirs.get("/kpi-library/quota_attainment"))["installed"]
