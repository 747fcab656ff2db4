"""Employments over HTTP, and the events with which they tell the ledger who joined and who left (S1, S5, S10)."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from app.core.db import OrganizationId
from app.employment.own import own_identity, own_source
from app.events.facts import EventFacts
from app.events.service import record_events
from app.integrations.jobs import HANDLERS
from app.worker import drain
from tests.support import Api, World


async def member(api: Api, name: str = "Ada Nowak") -> str:
    return str((await api.post("/members", {"name": name}, expect=201))["id"])


async def told(api: Api, **options: Any) -> list[tuple[str, str, str]]:
    """Type, local day and instant of the events of the organization, in time order."""
    events = (await api.get("/events", **options))["items"]
    return sorted((event["type"], event["occurred_on"], event["occurred_at"]) for event in events)


async def test_an_employment_is_made_listed_changed_and_deleted(api: Api) -> None:
    path = f"/members/{await member(api)}/employments"
    later = await api.post(path, {"valid_from": "2026-02-01"}, expect=201)
    assert (later["valid_from"], later["valid_to"], later["version"]) == ("2026-02-01", None, 1)
    earlier = await api.post(path, {"valid_from": "2020-05-01", "valid_to": "2022-01-01"}, expect=201)
    assert (await api.get(path))["items"] == [earlier, later]
    changed = await api.patch(f"{path}/{later['id']}", {"valid_to": "2026-10-01"})
    assert (changed["valid_from"], changed["valid_to"], changed["version"]) == ("2026-02-01", "2026-10-01", 2)
    assert await api.patch(f"{path}/{later['id']}", {"valid_to": "2026-10-01"}) == changed
    await api.delete(f"{path}/{earlier['id']}")
    assert (await api.get(path))["items"] == [changed]
    await api.delete(f"{path}/{earlier['id']}", expect=404)


async def test_who_joins_and_leaves_stands_in_the_ledger_credited_to_the_member(api: Api) -> None:
    """The day is the organization's, and begins at 23:00 or 22:00 UTC in Warsaw."""
    ada = await member(api)
    body = {"valid_from": "2026-02-01", "valid_to": "2026-07-01"}
    await api.post(f"/members/{ada}/employments", body, expect=201)
    events = (await api.get("/events", type="member.joined"))["items"]
    assert [(event["occurred_on"], event["occurred_at"]) for event in events] == [
        ("2026-02-01", "2026-01-31T23:00:00Z")
    ]
    assert events[0]["about"] == {"member": ada}
    assert await told(api) == [
        ("member.joined", "2026-02-01", "2026-01-31T23:00:00Z"),
        ("member.left", "2026-06-30", "2026-06-30T22:00:00Z"),
    ]
    [source] = [each for each in (await api.get("/sources"))["items"] if each["system"] == "paceline"]
    assert source["key"] == "paceline"
    [identity] = (await api.get("/identities", source_id=source["id"]))["items"]
    assert (identity["external_id"], identity["event_count"], identity["is_mapped"]) == (ada, 2, True)
    [mapping] = (await api.get(f"/identities/{identity['id']}/mappings"))["items"]
    assert (mapping["member_id"], mapping["valid_from"], mapping["valid_to"]) == (ada, None, None)


async def test_a_correction_revises_what_was_told_and_a_deletion_takes_it_back(api: Api) -> None:
    """S5, S10: what was known before stays known as of then."""
    ada = await member(api)
    path = f"/members/{ada}/employments"
    made = await api.post(path, {"valid_from": "2026-02-01"}, expect=201)
    await api.set_clock("2026-07-14T10:00:00Z")
    await api.patch(f"{path}/{made['id']}", {"valid_from": "2026-03-01", "valid_to": "2026-07-01"})
    assert [event[:2] for event in await told(api)] == [
        ("member.joined", "2026-03-01"), ("member.left", "2026-06-30"),
    ]  # fmt: skip
    await api.patch(f"{path}/{made['id']}", {"valid_to": None})
    assert [event[:2] for event in await told(api)] == [("member.joined", "2026-03-01")]
    await api.patch(f"{path}/{made['id']}", {"valid_to": "2026-07-02", "valid_from": None})
    assert [event[:2] for event in await told(api)] == [("member.left", "2026-07-01")]
    await api.delete(f"{path}/{made['id']}")
    assert await told(api) == []


async def test_a_change_of_zone_dates_what_was_told_anew_on_the_same_days(api: Api) -> None:
    """S1: a local day stays that day, and begins at another instant."""
    for name in ("Ada", "Bo"):
        body = {"valid_from": "2026-02-01"}
        await api.post(f"/members/{await member(api, name)}/employments", body, expect=201)
    await api.patch("/organization", {"time_zone": "America/New_York"})
    await drain(api.world.worker_database, HANDLERS)
    assert await told(api) == [("member.joined", "2026-02-01", "2026-02-01T05:00:00Z")] * 2


async def test_nobody_can_post_to_pacelines_own_source_or_archive_it(api: Api) -> None:
    await api.post(f"/members/{await member(api)}/employments", {"valid_from": "2026-02-01"}, expect=201)
    event = {"external_id": "x", "source": "paceline", "type": "member.left", "occurred_at": "2026-07-01T08:00:00Z"}
    problem = await api.post("/events", event, expect=403)
    assert problem["type"].endswith("source-not-yours")
    batch = await api.post("/events/batch", {"events": [event]})
    assert batch["items"][0]["outcome"] == "rejected"
    [source] = [each for each in (await api.get("/sources"))["items"] if each["system"] == "paceline"]
    await api.delete(f"/sources/{source['id']}", expect=409)
    cloud = {"uri": "https://example.com", "source": "paceline"}
    await api.put("/cloud-event-sources", cloud, expect=422)


async def test_whom_an_own_identity_stands_for_cannot_be_said_otherwise(api: Api) -> None:
    ada, bo = await member(api), await member(api, "Bo")
    await api.post(f"/members/{ada}/employments", {"valid_from": "2026-02-01"}, expect=201)
    [source] = [each for each in (await api.get("/sources"))["items"] if each["system"] == "paceline"]
    [identity] = (await api.get("/identities", source_id=source["id"]))["items"]
    path = f"/identities/{identity['id']}/mappings"
    [mapping] = (await api.get(path))["items"]
    await api.post(path, {"member_id": bo, "valid_from": "2026-07-01"}, expect=409)
    await api.patch(f"{path}/{mapping['id']}", {"member_id": bo}, expect=409)
    await api.delete(f"{path}/{mapping['id']}", expect=409)
    refused = await api.post("/identities", {"source_id": source["id"], "external_id": bo}, expect=422)
    assert refused["errors"][0]["pointer"] == "/source_id"
    assert (await api.get(path))["items"] == [mapping]


async def test_a_source_that_has_our_key_already_keeps_it(api: Api) -> None:
    taken = {"key": "paceline", "name": "Mine", "system": "api"}
    await api.post("/sources", taken, expect=201)
    await api.post(f"/members/{await member(api)}/employments", {"valid_from": "2026-02-01"}, expect=201)
    keys = {each["key"]: each["system"] for each in (await api.get("/sources"))["items"]}
    assert keys.pop("paceline") == "api"
    assert sorted(keys.values()) == ["api", "paceline"]


async def test_a_member_has_one_own_identity_whoever_asks_for_it(api: Api) -> None:
    """Scores use it, too."""
    ada = await member(api)
    org_id = OrganizationId(api.org_id)
    for _ in range(2):
        async with api.world.database.write(org_id) as session:
            person = await own_identity(session, org_id, ada)  # type: ignore[arg-type]  # text of the same UUID
            source_id = await own_source(session, org_id)
            fact = EventFacts(
                external_id="score-1", type="score.given", occurred_at=datetime(2026, 7, 1, tzinfo=UTC), actor=person,
                about={}, properties={},
            )  # fmt: skip
            await record_events(session, org_id=org_id, source_id=source_id, facts=[fact])
    [identity] = (await api.get("/identities", source_id=str(source_id)))["items"]
    assert (identity["external_id"], identity["event_count"]) == (ada, 1)


async def test_a_member_is_employed_once_at_a_time(api: Api) -> None:
    path = f"/members/{await member(api)}/employments"
    await api.post(path, {"valid_from": "2026-02-01", "valid_to": "2026-07-01"}, expect=201)
    problem = await api.post(path, {"valid_from": "2026-06-30"}, expect=409)
    assert problem["type"].endswith("employments-overlap")
    assert "2026-02-01" in problem["detail"]
    again = await api.post(path, {"valid_from": "2026-07-01"}, expect=201)
    await api.patch(f"{path}/{again['id']}", {"valid_from": "2026-06-01"}, expect=409)
    assert len(await told(api)) == 3


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"valid_from": "2026-02-01", "valid_to": "2026-02-01"}, "/valid_to"),
        ({"valid_from": "2026-02-30"}, "/valid_from"),
        ({"valid_from": "1970-01-01"}, "/valid_from"),
        ({"valid_to": "1970-01-01"}, "/valid_to"),
        ({"valid_from": 20260201}, "/valid_from"),
        ({"since": "2026-02-01"}, "/since"),
    ],
)
async def test_days_that_make_no_employment_are_refused_where_they_are_wrong(
    api: Api, body: dict[str, Any], pointer: str
) -> None:
    path = f"/members/{await member(api)}/employments"
    problem = await api.post(path, body, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert (await api.get(path))["items"] == []
    assert await told(api) == []


async def test_changes_are_guarded_by_the_version_that_was_read(api: Api) -> None:
    path = f"/members/{await member(api)}/employments"
    response = await api.call("POST", path, {"valid_from": "2026-02-01"}, expect=201)
    assert response.headers["ETag"] == '"1"'
    mine = f"{path}/{response.json()['id']}"
    await api.patch(mine, {"valid_to": "2026-07-01"}, headers={"If-Match": '"1"'})
    await api.patch(mine, {"valid_to": "2026-08-01"}, headers={"If-Match": '"1"'}, expect=412)
    await api.delete(mine, headers={"If-Match": '"1"'}, expect=412)
    await api.delete(mine, headers={"If-Match": '"2"'})


async def test_another_members_or_organizations_employment_is_not_found(api: Api, world: World) -> None:
    ada, bo = await member(api), await member(api, "Bo")
    made = await api.post(f"/members/{ada}/employments", {"valid_from": "2026-02-01"}, expect=201)
    await api.patch(f"/members/{bo}/employments/{made['id']}", {"valid_to": "2026-07-01"}, expect=404)
    await api.delete(f"/members/{bo}/employments/{made['id']}", expect=404)
    await api.get(f"/members/{uuid4()}/employments", expect=404)
    other = await world.organization()
    await other.get(f"/members/{ada}/employments", expect=404)
    await other.post(f"/members/{ada}/employments", {}, expect=404)
