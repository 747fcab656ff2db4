"""Owners, stages and currencies of a source: fetched from the CRM as a job, or told."""

from typing import Any

from app.core import errands
from app.integrations.clients.http import Outside
from app.integrations.jobs import errands_of
from tests.integrations.clients.hubspot import STATIC, HubSpotServer
from tests.integrations.clients.server import Crm, serving
from tests.integrations.posting import hubspot
from tests.support import Api


async def fetched(api: Api, source_id: str, crm: Crm) -> dict[str, Any]:
    """The job of fetching the directory, when it has ended."""
    job = await api.post(f"/sources/{source_id}/directory", expect=202)
    async with serving(crm):
        outside = Outside({"*": crm.url}, pause=0.001)
        try:
            await errands.drain(api.world.worker_database, errands_of(outside))
        finally:
            await outside.close()
    ended: dict[str, Any] = await api.get(f"/jobs/{job['id']}")
    return ended


async def test_owners_and_stages_get_their_names_from_the_crm(api: Api) -> None:
    connection = await hubspot(api)
    await api.call("PUT", f"/sources/{connection.id}/credentials", {"system": "hubspot", "access_token": STATIC})
    job = await fetched(api, connection.id, HubSpotServer())
    assert (job["state"], job["done"], job["subject"]["id"]) == ("succeeded", 3, connection.id)
    people = (await api.get("/identities", source_id=connection.id))["items"]
    assert len(people) == job["counts"]["people"] > 0
    assert any(each["name"] and each["email"] for each in people)
    stages = (await api.get(f"/sources/{connection.id}/stages"))["items"]
    assert len(stages) == job["counts"]["stages"] > 0
    assert {stage["outcome"] for stage in stages} >= {"won", "open"}
    again = await fetched(api, connection.id, HubSpotServer())
    assert again["counts"] == job["counts"]
    assert len((await api.get("/identities", source_id=connection.id))["items"]) == len(people)


async def test_a_crm_that_refuses_fails_the_job_in_words(api: Api) -> None:
    connection = await hubspot(api)
    await api.post(f"/sources/{connection.id}/directory", expect=409)
    await api.call("PUT", f"/sources/{connection.id}/credentials", {"system": "hubspot", "access_token": "wrong-token"})
    job = await fetched(api, connection.id, HubSpotServer())
    assert job["state"] == "failed"
    assert "could not be asked" in job["error"]
    assert "wrong-token" not in str(job)


async def test_stages_can_be_told(api: Api) -> None:
    connection = await hubspot(api)
    told = [
        {"pipeline_id": "1", "pipeline": "Sales", "stage_id": "10", "name": "Offer"},
        {"pipeline_id": "1", "pipeline": "Sales", "stage_id": "11", "name": "Signed", "outcome": "won"},
    ]
    answer = await api.call("PUT", f"/sources/{connection.id}/stages", {"stages": told})
    assert [(each["name"], each["outcome"], each["counts_as"]) for each in answer.json()["items"]] == [
        ("Offer", None, "open"),
        ("Signed", "won", "open"),
    ]
    await api.patch(f"/sources/{connection.id}", {"mapping": {"won_stages": ["11"]}})
    stages = (await api.get(f"/sources/{connection.id}/stages"))["items"]
    assert [each["counts_as"] for each in stages] == ["open", "won"]
    await api.call("PUT", f"/sources/{connection.id}/stages", {"stages": []})
    assert (await api.get(f"/sources/{connection.id}/stages"))["items"] == []
