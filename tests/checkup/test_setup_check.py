"""The set-up check over HTTP: organizations that make each of the usual mistakes, and that do not."""

from typing import Any

import pytest

from tests.integrations.crm import HubSpotBatch
from tests.integrations.posting import hubspot
from tests.support import Api, World

JULY_1 = 1782900000000  # a moment before the tests' noon (13 July 2026), in milliseconds
CALLS = {
    "key": "calls_made",
    "name": "Calls made",
    "category": "team_performance",
    "indicator": "leading",
    "direction": "increase",
    "unit": {"kind": "count"},
    "measures": {"calls": {"aggregate": "count", "events": ["call.made"]}},
    "formula": "calls",
}
NOBODY = {"type": "organization"}
INTERNAL = {"kind": "team_meeting", "internal": True}
ONE_TO_ONE = {"kind": "one_to_one", "internal": True}


async def checked(api: Api, name: str, **params: Any) -> dict[str, Any]:
    """One of the checks."""
    answer = await api.get("/setup-check", **params)
    assert sum(answer["counts"].values()) == len(answer["checks"]) == 7
    found: dict[str, Any] = next(check for check in answer["checks"] if check["check"] == name)
    assert (found["verdict"] == "ok") == (found["steps"] == [])
    return found


def event(external_id: str, kind: str, at: str = "2026-07-06T08:00:00Z", **more: Any) -> dict[str, Any]:
    return {"external_id": external_id, "type": kind, "occurred_at": at, **more}


async def member(api: Api, name: str, team: str | None = None) -> str:
    """A member whose identity in our own source is the name in small letters."""
    made = (await api.post("/members", {"name": name}, expect=201))["id"]
    source = next(one for one in (await api.get("/sources"))["items"] if one["key"] == "api")
    identity = await api.post("/identities", {"source_id": source["id"], "external_id": name.lower()}, expect=201)
    await api.post(f"/identities/{identity['id']}/mappings", {"member_id": made}, expect=201)
    if team:
        await api.post(f"/teams/{team}/memberships", {"member_id": made}, expect=201)
    return str(made)


async def team(api: Api, name: str) -> str:
    return str((await api.post("/teams", {"name": name}, expect=201))["id"])


async def goal(api: Api, owner: dict[str, str], **more: Any) -> str:
    body = {"name": "Calls", "owner": owner, "kpi": "calls_made", "period": "2026-07", "target": {"value": "9"}, **more}
    return str((await api.post("/goals", body, expect=201))["id"])


async def do(api: Api, step: dict[str, Any]) -> None:
    """What a step of a check says."""
    response = await api.call(step["method"], step["path"].removeprefix("/v1"), step["body"])
    assert response.is_success, response.text


async def test_doing_what_the_steps_say_mends_the_goals(api: Api) -> None:
    await member(api, "Ana", await team(api, "North"))
    for step in (await checked(api, "clear_goals"))["steps"]:
        await do(api, step)
    assert (await checked(api, "clear_goals"))["verdict"] == "ok"
    for step in (await checked(api, "own_goals"))["steps"]:
        await do(api, step)
    assert (await checked(api, "own_goals"))["verdict"] == "ok"
    for step in (await checked(api, "open_communication"))["steps"][:1]:
        await do(api, step)
    assert (await checked(api, "open_communication"))["figures"]["members_without_access"] == 0


async def test_a_new_organization_is_told_what_it_lacks(api: Api) -> None:
    answer = await api.get("/setup-check")
    assert answer["checked_at"] == "2026-07-13T10:00:00Z"
    assert {check["check"]: check["verdict"] for check in answer["checks"]} == {
        "clear_goals": "problem",
        "own_goals": "unknown",
        "kpis_used_rightly": "problem",
        "right_tools": "problem",
        "regular_meetings": "unknown",
        "open_communication": "unknown",
        "counted_once": "ok",
    }
    assert answer["counts"] == {"ok": 1, "problem": 3, "unknown": 3}


async def test_goals_are_clear_once_the_organization_and_each_team_have_one(api: Api) -> None:
    await api.post("/kpis", CALLS, expect=201)
    north, south = await team(api, "North"), await team(api, "South")
    await member(api, "Ana", north)
    assert (await checked(api, "clear_goals"))["sentence"] == "No goal is open for today."
    await goal(api, {"type": "team", "id": north})
    assert "organization itself" in (await checked(api, "clear_goals"))["sentence"]
    await goal(api, NOBODY)
    # nobody is in South yet
    assert (await checked(api, "clear_goals"))["verdict"] == "ok"
    await member(api, "Bo", south)
    found = await checked(api, "clear_goals")
    assert (found["verdict"], found["findings_total"]) == ("problem", 1)
    assert (found["findings"][0]["id"], found["findings"][0]["name"]) == (south, "South")
    assert found["steps"][0]["body"]["owner"] == {"type": "team", "id": south}


async def test_goals_of_other_days_drafts_and_cancelled_ones_do_not_count(api: Api) -> None:
    await api.post("/kpis", CALLS, expect=201)
    await goal(api, NOBODY, period="2026-06")
    await goal(api, NOBODY, period="2026-08")
    await goal(api, NOBODY, state="draft")
    cancelled = await goal(api, NOBODY)
    await api.patch(f"/goals/{cancelled}", {"state": "cancelled"})
    found = await checked(api, "clear_goals")
    assert (found["verdict"], found["figures"]["goals_today"], found["figures"]["draft_goals"]) == ("problem", 0, 1)


async def test_members_without_goals_of_their_own_are_named_but_not_those_who_are_gone(api: Api) -> None:
    await api.post("/kpis", CALLS, expect=201)
    ana, bo, cy, dee = [await member(api, name) for name in ("Ana", "Bo", "Cy", "Dee")]
    await goal(api, {"type": "member", "id": ana})
    await api.delete(f"/members/{cy}")
    await api.post(f"/members/{dee}/employments", {"valid_from": "2026-01-01", "valid_to": "2026-07-13"}, expect=201)
    found = await checked(api, "own_goals")
    assert (found["verdict"], found["figures"]) == ("problem", {"members": 2, "members_without_goal": 1})
    assert [one["id"] for one in found["findings"]] == [bo]
    assert found["steps"][-1]["body"]["owner"] == {"type": "member", "id": bo}
    await goal(api, {"type": "member", "id": bo})
    assert (await checked(api, "own_goals"))["verdict"] == "ok"


async def test_findings_are_shown_up_to_a_number_and_all_are_counted(api: Api) -> None:
    for name in ("Ana", "Bo", "Cy"):
        await member(api, name)
    found = await checked(api, "own_goals", show=2)
    assert (len(found["findings"]), found["findings_total"]) == (2, 3)
    await api.get("/setup-check", show=1001, expect=422)
    await api.get("/setup-check", unknown=1, expect=422)


async def test_a_kpi_without_recent_events_is_found(api: Api) -> None:
    await api.post("/kpis", CALLS, expect=201)
    await api.post("/events", event("old", "call.made", "2026-04-01T08:00:00Z"))
    found = await checked(api, "kpis_used_rightly")
    assert [(one["kind"], one["id"]) for one in found["findings"]] == [("without_data", "calls_made")]
    assert "call.made" in found["findings"][0]["detail"]
    await api.post("/events", event("new", "call.made"))
    assert (await checked(api, "kpis_used_rightly"))["verdict"] == "ok"


async def test_a_kpi_whose_property_most_events_lack_is_found(api: Api) -> None:
    measures = {"calls": {"aggregate": "count", "events": ["call.made"], "where": "properties.connected == true"}}
    await api.post("/kpis", CALLS | {"measures": measures}, expect=201)
    await api.post("/events", event("one", "call.made", properties={"connected": True}))
    assert (await checked(api, "kpis_used_rightly"))["verdict"] == "ok"
    for number in range(2):
        await api.post("/events", event(f"{number}", "call.made"))
    found = await checked(api, "kpis_used_rightly")
    assert [one["kind"] for one in found["findings"]] == ["lacks"]
    assert "2 of 3 recent call.made events lack properties.connected" in found["findings"][0]["detail"]


async def test_an_official_kpi_needs_an_owner_and_goals_need_an_agreed_kpi(api: Api) -> None:
    await api.post("/events", event("new", "call.made"))
    await api.post("/kpis", CALLS | {"state": "official"}, expect=201)
    assert [one["kind"] for one in (await checked(api, "kpis_used_rightly"))["findings"]] == ["official_without_owner"]
    await api.patch("/kpis/calls_made", {"owner_id": await member(api, "Ana")})
    assert (await checked(api, "kpis_used_rightly"))["verdict"] == "ok"
    await goal(api, NOBODY)
    await api.patch("/kpis/calls_made", {"state": "draft"})
    assert [one["kind"] for one in (await checked(api, "kpis_used_rightly"))["findings"]] == ["goals_on_draft"]
    await api.delete("/kpis/calls_made")
    assert [one["kind"] for one in (await checked(api, "kpis_used_rightly"))["findings"]] == ["goals_on_archived"]


async def test_data_posted_with_peoples_keys_and_no_crm_are_the_wrong_tools(api: Api) -> None:
    for number in range(3):
        await api.post("/events", event(f"{number}", "call.made"))
    found = await checked(api, "right_tools")
    assert (found["verdict"], found["figures"]["by_hand"], found["figures"]["crms_connected"]) == ("problem", 3, 0)
    assert [step["path"] for step in found["steps"]] == ["/v1/sources", "/v1/api-keys"]
    program = await api.key("service", ["events:write", "events:read"])
    for number in range(3):
        await program.post("/events", event(f"p{number}", "call.made"))
    found = await checked(api, "right_tools")
    # half of them is not most of them; a CRM is still missing
    assert (found["figures"]["from_programs"], [step["path"] for step in found["steps"]]) == (3, ["/v1/sources"])


async def test_a_connected_crm_is_well_until_it_falls_silent(api: Api) -> None:
    connection = await hubspot(api, key="crm")
    await connection.tell(*HubSpotBatch().made("deal", 508, JULY_1).bodies())
    found = await checked(api, "right_tools")
    assert (found["verdict"], found["figures"]["from_crms"]) == ("ok", 1)
    await api.set_clock("2026-07-28T10:00:00Z")
    found = await checked(api, "right_tools")
    assert (found["verdict"], found["figures"]["crms_silent"]) == ("problem", 1)
    assert found["steps"][0]["path"] == f"/v1/sources/{connection.id}/deliveries"


async def test_a_crm_is_not_silent_before_it_has_been_connected_for_14_days(api: Api) -> None:
    connection = await hubspot(api, key="crm")
    found = await checked(api, "right_tools")
    assert (found["verdict"], found["findings"], found["figures"]["crms_silent"]) == ("ok", [], 0)
    assert found["sentence"] == "1 CRM connected, 1 of them so recently that nothing has come yet."
    await api.set_clock("2026-07-12T10:00:00Z")  # before it was connected
    assert (await checked(api, "right_tools"))["verdict"] == "ok"
    await api.set_clock("2026-07-27T10:00:00Z")
    assert (await checked(api, "right_tools"))["verdict"] == "ok"
    await api.set_clock("2026-07-27T10:00:01Z")
    found = await checked(api, "right_tools")
    assert (found["verdict"], [one["id"] for one in found["findings"]]) == ("problem", [connection.id])
    assert found["findings"][0]["detail"] == "Never heard of."


async def test_teams_that_have_not_met_for_a_month_are_found(api: Api) -> None:
    north, south = await team(api, "North"), await team(api, "South")
    await member(api, "Ana", north)
    await member(api, "Bo", south)
    await api.post("/events", event("outside", "meeting.held", actor={"id": "ana"}))
    assert (await checked(api, "regular_meetings"))["verdict"] == "unknown"
    await api.post("/events", event("a", "meeting.held", actor={"id": "ana"}, properties=INTERNAL))
    old = event("b", "meeting.held", "2026-06-11T08:00:00Z", actor={"id": "bo"}, properties=INTERNAL)
    await api.post("/events", old)
    found = await checked(api, "regular_meetings")
    assert (found["verdict"], [one["id"] for one in found["findings"]]) == ("problem", [south])
    shares = [{"actor": {"id": name}, "share": "0.5"} for name in ("ana", "bo")]
    await api.post("/events", event("c", "meeting.held", credits=shares, properties={"internal": True}))
    assert (await checked(api, "regular_meetings"))["verdict"] == "ok"


async def test_figures_closed_to_members_are_found(api: Api) -> None:
    ana, bo = await member(api, "Ana"), await member(api, "Bo")
    for name in ("ana", "bo"):
        await api.post("/events", event(name, "meeting.held", actor={"id": name}, properties=ONE_TO_ONE))
    await (await api.key("member", ["results:read"], ana)).get("/me")
    await (await api.key("member", ["goals:read"], bo)).get("/me")
    found = await checked(api, "open_communication")
    assert [(one["kind"], one["id"]) for one in found["findings"]] == [("figures_closed", bo)]
    assert found["steps"][0]["body"]["member_id"] == bo
    await (await api.key("member", ["results:read"], bo)).get("/me")
    assert (await checked(api, "open_communication"))["verdict"] == "ok"


async def test_members_who_never_look_or_have_stopped_are_named(api: Api) -> None:
    ana, bo = await member(api, "Ana"), await member(api, "Bo")
    for name in ("ana", "bo"):
        await api.post("/events", event(name, "meeting.held", actor={"id": name}, properties=ONE_TO_ONE))
    keys = [await api.key("member", ["results:read"], who) for who in (ana, bo)]
    await keys[0].get("/me")
    found = await checked(api, "open_communication")
    assert (found["verdict"], found["figures"]["members_not_looking"]) == ("problem", 1)
    assert [(one["kind"], one["id"], one["name"], one["detail"]) for one in found["findings"]] == [
        ("does_not_look", bo, "Bo", "No use of their key is known.")
    ]
    assert "1 member with a key did not use it in the last 30 days." in found["sentence"]
    await api.set_clock("2026-08-12T10:00:00Z")
    await keys[1].get("/me")
    assert await _blind(api) == []  # it is 30 days since Ana looked
    await api.set_clock("2026-08-13T10:00:00Z")
    assert await _blind(api) == [(ana, "Their key was last used on 2026-07-13.")]
    await keys[0].get("/me")
    assert await _blind(api) == []


async def _blind(api: Api) -> list[tuple[str, str]]:
    findings = (await checked(api, "open_communication"))["findings"]
    return [(one["id"], one["detail"]) for one in findings if one["kind"] == "does_not_look"]


async def test_a_new_key_of_a_member_does_not_hide_that_the_old_one_was_used(api: Api) -> None:
    ana = await member(api, "Ana")
    old = await api.key("member", ["results:read"], ana)
    key_id = (await old.get("/me"))["key_id"]
    await api.delete(f"/api-keys/{key_id}")
    assert "unknown: none has a key" in (await checked(api, "open_communication"))["sentence"]
    await api.key("member", ["results:read"], ana)
    found = await checked(api, "open_communication")
    assert (found["figures"]["members_without_access"], found["figures"]["members_not_looking"]) == (0, 0)


async def test_a_key_that_shows_no_figures_does_not_tell_that_its_member_looks(api: Api) -> None:
    ana = await member(api, "Ana")
    await api.key("member", ["results:read"], ana)
    await (await api.key("member", ["goals:read"], ana)).get("/me")
    assert [who for who, _ in await _blind(api)] == [ana]


async def test_a_revoked_key_opens_nothing(api: Api) -> None:
    ana = await member(api, "Ana")
    await api.key("member", ["results:read"], ana)
    key = next(one for one in (await api.get("/api-keys"))["items"] if one["member_id"] == ana)
    await api.delete(f"/api-keys/{key['id']}")
    assert (await checked(api, "open_communication"))["figures"]["members_without_access"] == 1


async def test_members_without_a_one_to_one_in_30_days_are_found(api: Api) -> None:
    ana, bo = await member(api, "Ana"), await member(api, "Bo")
    for who in (ana, bo):
        await (await api.key("member", ["results:read"], who)).get("/me")
    assert (await checked(api, "open_communication"))["verdict"] == "unknown"
    await api.post("/events", event("a", "meeting.held", actor={"id": "ana"}, properties=ONE_TO_ONE))
    old = event("b", "meeting.held", "2026-06-12T08:00:00Z", actor={"id": "bo"}, properties=ONE_TO_ONE)
    await api.post("/events", old)
    found = await checked(api, "open_communication")
    assert [(one["kind"], one["id"]) for one in found["findings"]] == [("no_one_to_one", bo)]
    await api.post("/events", event("c", "training.attended", actor={"id": "bo"}, properties={"kind": "coaching"}))
    assert (await checked(api, "open_communication"))["verdict"] == "ok"


async def _twice(api: Api, **more: Any) -> tuple[str, list[str]]:
    """A call that our own API and another source tell of the same member; the other source's id, and both events'."""
    made = await api.post("/sources", {"system": "api", "key": "telephone", "name": "Telephone"}, expect=201)
    ana = await member(api, "Ana")
    other = await api.post("/identities", {"source_id": made["id"], "external_id": "ext-11"}, expect=201)
    await api.post(f"/identities/{other['id']}/mappings", {"member_id": ana}, expect=201)
    told = {"properties": {"phone": "+48221234567"}}
    first = await api.post("/events", event("c1", "call.made", "2026-07-06T08:00:00Z", actor={"id": "ana"}, **told))
    second = event("t1", "call.made", "2026-07-06T08:01:30Z", actor={"id": "ext-11"}, source="telephone", **told)
    return str(made["id"]), [first["event_id"], (await api.post("/events", second | more))["event_id"]]


async def test_a_call_that_two_sources_tell_is_suspected_until_only_one_counts(api: Api) -> None:
    source_id, events = await _twice(api)
    found = await checked(api, "counted_once")
    assert (found["verdict"], found["figures"]["suspected_duplicates"]) == ("problem", 1)
    assert found["findings"][0]["examples"] == [events]
    assert found["findings"][0]["id"] == "call.made"
    assert (found["steps"][0]["method"], found["steps"][0]["path"]) == ("PATCH", f"/v1/sources/{source_id}")
    await do(api, found["steps"][0])
    assert (await checked(api, "counted_once"))["verdict"] == "ok"
    source = next(one for one in (await api.get("/sources"))["items"] if one["id"] == source_id)
    assert "call.made" not in source["counts"]
    assert "meeting.held" in source["counts"]


@pytest.mark.parametrize(
    "difference",
    [
        {"occurred_at": "2026-07-06T08:02:01Z"},
        {"properties": {"phone": "+48220000000"}},
        {"actor": {"id": "ext-99"}},
        {"type": "call.received"},
    ],
)
async def test_what_differs_is_no_duplicate(api: Api, difference: dict[str, Any]) -> None:
    await _twice(api, **difference)
    assert (await checked(api, "counted_once"))["verdict"] == "ok"


async def test_organizations_are_checked_each_for_itself(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    await member(theirs, "Bo")
    assert (await checked(ours, "own_goals"))["figures"]["members"] == 0


async def test_who_may_not_read_goals_may_not_check(api: Api) -> None:
    reader = await api.key("admin", ["results:read", "kpis:read", "teams:read", "sources:read", "events:read"])
    await reader.call("GET", "/setup-check", expect=403)
