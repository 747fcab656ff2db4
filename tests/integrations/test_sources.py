"""Connecting systems: secrets go in and never come out."""

from typing import Any

import pytest
from sqlalchemy import select

from app.core.audit import AuditEntry
from app.core.db import OrganizationId
from app.events.sources import SourceCounts
from tests.integrations.crm import HubSpotBatch
from tests.integrations.posting import HUBSPOT_SECRET, PIPEDRIVE_SECRET, hubspot, pipedrive
from tests.support import Api, World

NEW = {"key": "hs", "name": "HubSpot", "system": "hubspot", "account_id": "1", "secrets": [HUBSPOT_SECRET]}


async def test_a_source_is_connected_and_its_secret_is_shown_nowhere(api: Api) -> None:
    connection = await hubspot(api, counts=["deal.won"], currency="EUR", mapping={"won_stages": ["closedwon", "77"]})
    shown = connection.source
    assert shown["webhook_url"] == shown["signed_url"] == f"https://paceline.example.com/v1/hooks/{shown['id']}"
    assert shown["counts"] == ["deal.won"]
    assert shown["mapping"] == {"won_stages": ["closedwon", "77"]}
    assert len(shown["secrets"]) == 1
    texts = [(await api.call("GET", path)).text for path in ("/sources", f"/sources/{shown['id']}")]
    async with api.world.database.read(OrganizationId(api.org_id)) as session:
        entries = await session.execute(select(AuditEntry.changes).where(AuditEntry.org_id == api.org_id))
        texts += [str(changes) for changes in entries.scalars()]
    assert not any(HUBSPOT_SECRET in text for text in texts)


async def test_every_organization_has_its_own_source_api(api: Api) -> None:
    (own,) = (await api.get("/sources"))["items"]
    assert (own["key"], own["system"], own["webhook_url"]) == ("api", "api", None)
    await api.delete(f"/sources/{own['id']}", expect=409)
    await api.patch(f"/sources/{own['id']}", {"mapping": {}}, expect=422)
    await api.post(f"/sources/{own['id']}/secrets", {"secret": "long enough"}, expect=422)
    telephone = await api.post("/sources", {"key": "phone", "name": "Telephone", "system": "api"}, expect=201)
    await api.delete(f"/sources/{telephone['id']}")


@pytest.mark.parametrize(
    "change",
    [
        {"key": "HS"}, {"key": ""}, {"system": "sugarcrm"}, {"account_id": None}, {"account_id": "a b"},
        {"secrets": ["short"]}, {"secrets": ["a" * 8 + "\x00"]}, {"secrets": ["x" * 9] * 6},
        {"signed_url": "not a url"}, {"currency": "EURO"}, {"mapping": {"win_dated_by": "luck"}},
        {"mapping": {"unknown": 1}},
        {"mapping": {"credit_correction_days": -1}},
        {"mapping": {"properties": {"deal": {"Bad Name": {"field": "x"}}}}},
        {"mapping": {"properties": {"invoice": {"x": {"field": "x"}}}}}, {"system": "pipedrive"},
        {"system": "api"}, {"name": "a\ud800"},
    ],
)  # fmt: skip
async def test_wrong_sources_are_refused_by_name(api: Api, change: dict[str, Any]) -> None:
    answer = await api.call("POST", "/sources", {**NEW, **change})
    assert answer.status_code in {400, 422}
    assert len((await api.get("/sources"))["items"]) == 1


async def test_a_key_is_taken_once(api: Api) -> None:
    await hubspot(api)
    problem = await api.post("/sources", {**NEW, "key": "hubspot"}, expect=409)
    assert problem["type"] == "/problems/source-key-taken"


async def test_secrets_are_replaced_without_losing_deliveries(api: Api) -> None:
    connection = await hubspot(api)
    body = HubSpotBatch().made("deal", 1, 1_783_900_000_000).body()
    new = await api.post(f"/sources/{connection.id}/secrets", {"secret": "another-secret"}, expect=201)
    assert "secret" not in new
    for secret in (HUBSPOT_SECRET, "another-secret"):
        assert (await connection.post(body, secret=secret)).status_code == 200
    old = connection.source["secrets"][0]["id"]
    await api.delete(f"/sources/{connection.id}/secrets/{old}")
    await api.delete(f"/sources/{connection.id}/secrets/{old}", expect=404)
    assert (await connection.post(body, secret=HUBSPOT_SECRET)).status_code == 401
    assert (await connection.post(body, secret="another-secret")).status_code == 200
    for number in range(4):
        await api.post(f"/sources/{connection.id}/secrets", {"secret": f"secret-{number}-x"}, expect=201)
    await api.post(f"/sources/{connection.id}/secrets", {"secret": "one too many"}, expect=409)


async def test_a_secret_of_pipedrive_is_user_and_password(api: Api) -> None:
    connection = await pipedrive(api)
    await api.post(f"/sources/{connection.id}/secrets", {"secret": "no-colon-here"}, expect=422)
    assert PIPEDRIVE_SECRET not in str(await api.get(f"/sources/{connection.id}"))


async def test_an_archived_source_accepts_nothing_more(api: Api) -> None:
    connection = await hubspot(api)
    await api.delete(f"/sources/{connection.id}")
    assert (await api.get(f"/sources/{connection.id}"))["archived_at"] is not None
    assert (await connection.post(b"[]")).status_code == 401


async def test_a_change_guards_the_version_and_keeps_what_it_does_not_name(api: Api) -> None:
    connection = await hubspot(api, mapping={"won_stages": ["1"], "lost_stages": ["2"]})
    path = f"/sources/{connection.id}"
    changed = await api.patch(
        path, {"mapping": {"won_stages": ["3"], "lost_stages": None}}, headers={"If-Match": '"1"'}
    )
    assert changed["mapping"] == {"won_stages": ["3"]}
    assert changed["version"] == 2
    await api.patch(path, {"name": "x"}, headers={"If-Match": '"1"'}, expect=412)
    signed = await api.patch(path, {"signed_url": "https://old.example.com/x?y=1"})
    assert signed["signed_url"] == "https://old.example.com/x?y=1"
    assert (await api.patch(path, {"signed_url": None}))["signed_url"] == signed["webhook_url"]


async def test_what_a_source_counts_for_is_kept_as_it_was_recorded(api: Api) -> None:
    connection = await hubspot(api)
    await api.set_clock("2026-07-14T10:00:00Z")
    await api.patch(f"/sources/{connection.id}", {"counts": ["call.made"]})
    await api.patch(f"/sources/{connection.id}", {"counts": ["call.made"]})
    async with api.world.database.read(OrganizationId(api.org_id)) as session:
        found = await session.execute(
            select(SourceCounts.counts, SourceCounts.superseded_at.is_(None))
            .where(SourceCounts.org_id == api.org_id, SourceCounts.source_id == connection.id)
            .order_by(SourceCounts.recorded_at)
        )
    assert [tuple(row) for row in found] == [(None, False), (["call.made"], True)]


async def test_sources_of_another_organization_are_not_found(api: Api, world: World) -> None:
    connection = await hubspot(api)
    await connection.tell(HubSpotBatch().made("deal", 1, 1_783_900_000_000).body())
    delivery = (await connection.deliveries())[0]["id"]
    (record,) = (await api.get("/records"))["items"]
    stranger = await world.organization()
    for path in (f"/sources/{connection.id}", f"/sources/{connection.id}/deliveries",
                 f"/sources/{connection.id}/deliveries/{delivery}", f"/records/{record['id']}"):  # fmt: skip
        await stranger.get(path, expect=404)
    await stranger.post(f"/sources/{connection.id}/deliveries/{delivery}/replay", expect=404)
    await stranger.delete(f"/sources/{connection.id}", expect=404)
    assert (await stranger.get("/records"))["items"] == []


async def test_reading_and_writing_need_their_scopes(api: Api) -> None:
    reader = await api.key("admin", ["sources:read"])
    await reader.get("/sources")
    await reader.post("/sources", NEW, expect=403)
    other = await api.key("admin", ["events:read"])
    await other.get("/sources", expect=403)
    await other.get("/records", expect=403)
