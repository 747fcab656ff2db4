"""Credentials go in and never come out; systems are asked by them."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.core.audit import AuditEntry
from app.core.db import Database, OrganizationId
from app.core.sealing import MARK, Keyring, parse_keys
from app.core.settings import Settings
from app.integrations import sealed
from app.integrations.clients.base import AccessRefused
from app.integrations.clients.http import Outside
from app.integrations.credentials import StoredAccess
from app.integrations.models import SourceCredentials, SourceSecret
from app.main import create_app
from tests.conftest import KEYS
from tests.integrations.clients.hubspot import STATIC, HubSpotServer
from tests.integrations.clients.server import serving
from tests.integrations.crm import HubSpotBatch
from tests.integrations.posting import HUBSPOT_SECRET, Connection, hubspot
from tests.support import Api, World

PRIVATE = {"system": "hubspot", "access_token": STATIC}
OAUTH = {"system": "hubspot", "client_id": "app", "client_secret": "shh", "refresh_token": "refresh-1"}


@pytest.fixture
async def crm(world: World) -> AsyncIterator[HubSpotServer]:
    """HubSpot, as the application reaches it."""
    crm = HubSpotServer()
    async with serving(crm):
        before, world.app.state.outside = world.app.state.outside, Outside({"*": crm.url}, pause=0.001)
        yield crm
        await world.app.state.outside.close()
        world.app.state.outside = before


async def rows(api: Api, table: Any) -> list[Any]:
    async with api.world.database.read(OrganizationId(api.org_id)) as session:
        return list((await session.execute(select(table).where(table.org_id == api.org_id))).scalars())


def path(connection: Connection) -> str:
    return f"/sources/{connection.id}/credentials"


async def test_credentials_are_kept_sealed_and_shown_nowhere(
    api: Api, crm: HubSpotServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    connection = await hubspot(api)
    assert (await api.get(path(connection)))["fields"] == []
    put = await api.put(path(connection), PRIVATE)
    assert put["fields"] == ["access_token"]
    checked = await api.post(f"{path(connection)}/check")
    assert checked == {"is_ok": True, "account_id": "44556677", "problem": None}
    shown = await api.get(path(connection))
    assert shown["last_used_at"] is not None
    assert shown["last_failure"] is None
    async with api.world.database.read(OrganizationId(api.org_id)) as session:
        entries = [
            str(entry.changes)
            for entry in (await session.execute(select(AuditEntry).where(AuditEntry.org_id == api.org_id))).scalars()
        ]
    (row,) = await rows(api, SourceCredentials)
    assert row.sealed.startswith(MARK)
    told = (
        [json.dumps(each) for each in (put, checked, shown)]
        + entries
        + [row.sealed, caplog.text, capsys.readouterr().err]
    )
    assert not any(STATIC in each for each in told)
    await api.delete(path(connection))
    await api.delete(path(connection))
    assert (await api.get(path(connection)))["created_at"] is None
    assert (await api.post(f"{path(connection)}/check"))["problem"] == "The source has no credentials yet."


@pytest.mark.parametrize(
    "wrong",
    [
        {"system": "hubspot"}, {**PRIVATE, "client_id": "app"}, {**OAUTH, "client_secret": None}, {**OAUTH, **PRIVATE},
        {"system": "pipedrive", "api_token": "x"}, {**PRIVATE, "access_token": "a\nb"}, {**PRIVATE, "access_token": ""},
        {**PRIVATE, "access_token": "x" * 5000}, {**PRIVATE, "host": "evil.example.com"}, {"system": "api"}, [], None,
        {"system": "salesforce", "client_id": "a", "client_secret": "b", "host": "evil.com/.my.salesforce.com"},
        {"system": "dynamics365", "tenant_id": "../x", "client_id": "a", "client_secret": "b", "host": "x.dynamics.c"},
    ],
)  # fmt: skip
async def test_wrong_credentials_are_refused_without_being_repeated(api: Api, wrong: Any) -> None:
    connection = await hubspot(api)
    answer = await api.call("PUT", path(connection), json.dumps(wrong))
    assert answer.status_code in {400, 422}, answer.text
    assert STATIC not in answer.text
    assert "shh" not in answer.text
    assert await rows(api, SourceCredentials) == []


async def test_each_system_has_its_own(api: Api) -> None:
    id_ = "00000000-0000-0000-0000-000000000001"
    systems = {
        "pipedrive": {"api_token": "abc"},
        "zoho": {"client_id": "1000.A", "client_secret": "b", "refresh_token": "1000.c", "data_center": "eu"},
        "salesforce": {"client_id": "3MVG9", "client_secret": "b", "host": "acme.my.salesforce.com"},
        "dynamics365": {"tenant_id": id_, "client_id": id_, "client_secret": "b", "host": "acme.crm4.dynamics.com"},
        "fxiaoke": {"app_id": "FSAID_1", "app_secret": "b", "permanent_code": "c", "user_id": "FSUID_1"},
    }
    for system, given in systems.items():
        new = {"key": system, "name": system, "system": system, "account_id": "1"}
        source = await api.post("/sources", new, expect=201)
        put = await api.put(f"/sources/{source['id']}/credentials", {"system": system, **given})
        assert put["fields"] == sorted(given)
    own = (await api.get("/sources"))["items"][0]
    refused = await api.put(f"/sources/{own['id']}/credentials", PRIVATE, expect=409)
    assert refused["type"] == "/problems/system-not-asked"


async def test_a_check_says_what_is_wrong(api: Api, crm: HubSpotServer) -> None:
    connection = await hubspot(api)
    await api.put(path(connection), {**PRIVATE, "access_token": "pat-wrong"})
    checked = await api.post(f"{path(connection)}/check")
    assert (checked["is_ok"], checked["account_id"]) == (False, None)
    assert "refused" in checked["problem"]
    assert (await api.get(path(connection)))["last_failure"] == checked["problem"]
    await api.put(path(connection), PRIVATE)
    assert (await api.get(path(connection)))["last_failure"] is None
    crm.portal = "1"
    checked = await api.post(f"{path(connection)}/check")
    assert (checked["is_ok"], checked["account_id"]) == (False, "1")
    assert "44556677" in checked["problem"]


async def test_others_reach_nothing(api: Api, world: World) -> None:
    connection = await hubspot(api)
    await api.put(path(connection), PRIVATE)
    stranger = await world.organization()
    await stranger.get(path(connection), expect=404)
    await stranger.put(path(connection), PRIVATE, expect=404)
    await stranger.post(f"{path(connection)}/check", expect=404)
    await stranger.delete(path(connection), expect=404)
    reader = await api.key("admin", ["sources:read"])
    await reader.get(path(connection))
    await reader.put(path(connection), PRIVATE, expect=403)


async def test_a_token_is_renewed_once_however_many_processes_ask(api: Api, crm: HubSpotServer) -> None:
    connection = await hubspot(api)
    await api.put(path(connection), OAUTH)
    world = api.world
    processes = [
        StoredAccess(database, world.app.state.outside, api.org_id, UUID(connection.id), "hubspot")
        for database in (world.database, world.worker_database, world.database.aside)
    ]
    tokens = await asyncio.gather(*(each.token() for each in processes))
    assert {token.text for token in tokens} == {"token-1"}
    tokens = await asyncio.gather(*(each.token(stale="token-1") for each in processes))
    assert {token.text for token in tokens} == {"token-2"}
    assert crm.granted == 2
    # Each answer had a new refresh token, and the one before was taken away.
    (row,) = await rows(api, SourceCredentials)
    assert (row.token.startswith(MARK), row.renewing_until) == (True, None)
    assert crm.refresh_tokens == {"refresh-3"}


async def test_a_failed_renewal_leaves_the_right_to_the_next(api: Api, crm: HubSpotServer) -> None:
    connection = await hubspot(api)
    await api.put(path(connection), {**OAUTH, "refresh_token": "withdrawn"})
    access = StoredAccess(api.world.database, api.world.app.state.outside, api.org_id, UUID(connection.id), "hubspot")
    for _ in range(2):
        with pytest.raises(AccessRefused):
            await access.token()


async def test_secrets_of_webhooks_are_sealed_and_plain_ones_from_before_hold_until_they_are(api: Api) -> None:
    connection = await hubspot(api)
    other = await hubspot(api, key="other")
    await api.put(path(connection), OAUTH)
    body = HubSpotBatch().made("deal", 1, 1_783_900_000_000).body()
    stored = await rows(api, SourceSecret)
    assert all(row.secret.startswith(MARK) for row in stored)
    async with api.world.database.write(OrganizationId(api.org_id)) as session:  # as an earlier version kept it
        await session.execute(
            text("UPDATE source_secret SET secret = :plain WHERE org_id = :org AND source_id = :id"),
            {"plain": HUBSPOT_SECRET, "org": api.org_id, "id": connection.id},
        )
    for each in (connection, other):
        assert (await each.post(body)).status_code == 200
    ring = Keyring(parse_keys(f"new:{base64.b64encode(bytes(32)).decode()},{KEYS}"))
    database = Database(api.world.worker_database.engine, keyring=ring)
    assert await sealed.seal_anew(database) >= 3
    assert await sealed.seal_anew(database) == 0
    stored = await rows(api, SourceSecret)
    assert all(row.secret.startswith(f"{MARK}new:") for row in stored)
    # Who has the new key goes on; the others cannot tell whether a call is authentic, and have it sent again.
    assert (await connection.post(body)).status_code == 503
    back = Keyring(parse_keys(f"{KEYS},new:{base64.b64encode(bytes(32)).decode()}"))
    await sealed.seal_anew(Database(api.world.worker_database.engine, keyring=back))
    assert (await connection.post(body)).status_code == 200


async def test_without_keys_secrets_are_refused_and_nothing_is_stored(api: Api, settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"encryption_keys": None}))
    async with app.router.lifespan_context(app):
        bare = World(app, api.world.worker_database)
        caller = bare.caller(api.org_id, api.token)
        source = await caller.post("/sources", {**NEW, "secrets": []}, expect=201)
        refused = [
            await caller.put(f"/sources/{source['id']}/credentials", PRIVATE, expect=503),
            await caller.post(f"/sources/{source['id']}/secrets", {"secret": "long enough"}, expect=503),
            await caller.post("/sources", {**NEW, "key": "other", "secrets": ["long enough"]}, expect=503),
        ]
        assert {each["type"] for each in refused} == {"/problems/encryption-keys-missing"}
        assert all("PACELINE_ENCRYPTION_KEYS" in each["detail"] for each in refused)
        assert len((await caller.get("/sources"))["items"]) == 2
        await bare.close()
    assert await rows(api, SourceSecret) == await rows(api, SourceCredentials) == []


NEW = {"key": "hs", "name": "HubSpot", "system": "hubspot", "account_id": "1"}
