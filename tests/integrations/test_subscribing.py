"""Subscriptions made by the CRM's API: proved by a secret of their own, renewed before they end, told when they do."""

import base64
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select, update

from app.core.clock import database_now
from app.core.jobs import Job
from app.core.outbox import OutboxMessage
from app.integrations.models import SourceSecret, SourceSubscription
from app.integrations.subscriptions import RENEW
from tests.integrations import test_pipedrive
from tests.integrations.backfilling import Asking, asking
from tests.integrations.clients.test_pipedrive import PipedriveServer
from tests.integrations.clients.test_zoho import GIVEN, ZohoServer
from tests.integrations.posting import ZOHO_CHANNEL, hubspot, pipedrive, zoho
from tests.support import Api

ZOHO = {**GIVEN, "system": "zoho"}


async def subscribed(crm: Asking, expect: str = "succeeded") -> dict[str, Any]:
    """The job of subscribing, when it has ended."""
    job = await crm.api.post(f"{crm.path}/subscriptions", expect=202)
    await crm.run()
    ended: dict[str, Any] = await crm.api.get(f"/jobs/{job['id']}")
    assert ended["state"] == expect, ended
    return ended


async def listed(crm: Asking) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await crm.api.get(f"{crm.path}/subscriptions"))["items"]
    return found


async def point(crm: Asking) -> dict[str, Any] | None:
    """What the checklist says of subscriptions."""
    items = (await crm.api.get(f"{crm.path}/checklist"))["items"]
    return next((each for each in items if each["code"] == "subscriptions"), None)


async def told(api: Api) -> list[str]:
    """The notifications about subscriptions."""
    async with api.world.database.read(api.org_id) as session:
        found = await session.execute(
            select(OutboxMessage.topic)
            .where(OutboxMessage.org_id == api.org_id, OutboxMessage.topic.startswith("source."))
            .order_by(OutboxMessage.id)
        )
    return list(found.scalars())


async def pass_by(api: Api, **time: float) -> None:
    """Let some time pass for the subscriptions and what renews them."""
    passed = timedelta(**time)
    async with api.world.database.write(api.org_id) as session:
        now = await database_now(session)
        row = SourceSubscription
        await session.execute(
            update(row)
            .where(row.org_id == api.org_id)
            .values(ends_at=row.ends_at - passed, try_at=row.try_at - passed)
            .execution_options(synchronize_session=False)
        )
        await session.execute(update(Job).where(Job.org_id == api.org_id, Job.kind == RENEW).values(run_at=now))


async def secrets(api: Api) -> int:
    async with api.world.database.read(api.org_id) as session:
        found = await session.execute(
            select(func.count())
            .select_from(SourceSecret)
            .where(SourceSecret.org_id == api.org_id, SourceSecret.retired_at.is_(None))
        )
    return found.scalar_one()


async def test_webhooks_of_pipedrive_are_made_with_a_secret_that_proves_what_they_post(api: Api) -> None:
    connection = await pipedrive(api)
    async with asking(connection, PipedriveServer(), api_token="api-token") as crm:
        assert (await point(crm) or {})["state"] == "unknown"
        job = await subscribed(crm)
        assert job["counts"] == {"subscriptions": 5}
        hooks = crm.crm.webhooks  # type: ignore[attr-defined]
        assert {hook["subscription_url"] for hook in hooks} == {connection.source["webhook_url"]}
        [(user, password)] = {(hook["http_auth_user"], hook["http_auth_password"]) for hook in hooks}
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        body = test_pipedrive.body(test_pipedrive.sample(1))
        caller = api.world.caller(api.org_id, None)
        answer = await caller.call("POST", f"/hooks/{connection.id}", body, headers={"Authorization": f"Basic {basic}"})
        assert answer.status_code == 200
        assert {(each["state"], each["ends_at"]) for each in await listed(crm)} == {("active", None)}
        assert password not in str([await listed(crm), job, await api.get(crm.path)])
        assert (await point(crm) or {})["state"] == "ok"


async def test_made_again_what_is_there_stays(api: Api) -> None:
    connection = await pipedrive(api)
    async with asking(connection, PipedriveServer(), api_token="api-token") as crm:
        await subscribed(crm)
        before = await listed(crm)
        crm.crm.webhooks.pop()  # type: ignore[attr-defined]
        await subscribed(crm)
        assert await secrets(api) == 2
        assert {each["id"] for each in before} <= {each["id"] for each in await listed(crm)}
        hooks = crm.crm.webhooks  # type: ignore[attr-defined]
        assert len({hook["http_auth_password"] for hook in hooks}) == 1


async def test_they_are_ended_with_their_secret(api: Api) -> None:
    connection = await pipedrive(api)
    async with asking(connection, PipedriveServer(), api_token="api-token") as crm:
        await subscribed(crm)
        job = (await api.call("DELETE", f"{crm.path}/subscriptions")).json()
        await crm.run()
        assert (await api.get(f"/jobs/{job['id']}"))["counts"] == {"ended": 5}
        assert crm.crm.webhooks == []  # type: ignore[attr-defined]
        assert (await listed(crm), await secrets(api)) == ([], 1)


async def test_what_the_system_removed_is_told_and_made_anew(api: Api) -> None:
    connection = await pipedrive(api)
    server = PipedriveServer()
    async with asking(connection, server, api_token="api-token") as crm:
        await subscribed(crm)
        await pass_by(api, days=2)
        await crm.run()
        assert {each["renewed_at"] is not None for each in await listed(crm)} == {True}
        before = {each["id"] for each in await listed(crm)}
        server.webhooks = server.webhooks[2:]
        await pass_by(api, days=2)
        await crm.run()
        after = await listed(crm)
        assert (len(after), {each["state"] for each in after}) == (5, {"active"})
        assert len(before & {each["id"] for each in after}) == 3
        assert await told(api) == ["source.subscription_expired"] * 2
        assert len({hook["http_auth_password"] for hook in server.webhooks}) == 1


async def test_what_ends_is_renewed_well_before(api: Api) -> None:
    connection = await zoho(api)
    crm = ZohoServer()
    async with asking(connection, crm, **ZOHO) as asked:
        await subscribed(asked)
        token = crm.watched[ZOHO_CHANNEL]["token"]
        [made] = await listed(asked)
        await asked.run()
        assert [each for each in crm.paths() if each.startswith("PUT")] == []
        await pass_by(api, days=4)
        await asked.run()
        assert [each for each in crm.paths() if each.startswith("PUT")] == ["PUT /crm/v7/actions/watch"]
        [renewed] = await listed(asked)
        assert renewed["state"] == "active"
        assert renewed["renewed_at"] is not None
        assert abs(_at(renewed["ends_at"]) - _at(made["ends_at"])) < 600
        assert crm.watched[ZOHO_CHANNEL]["token"] == token
        assert await told(api) == []


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def test_a_renewal_that_fails_and_an_end_are_told_once_each_until_it_is_mended(api: Api) -> None:
    connection = await zoho(api)
    crm = ZohoServer()
    async with asking(connection, crm, **ZOHO) as asked:
        await subscribed(asked)
        await pass_by(api, days=4)
        refused: Any = (400, {}, {"watch": [{"code": "INVALID_DATA", "status": "error"}]})
        for _ in range(2):
            crm.first = [refused]
            await asked.run()
            await pass_by(api, hours=2)
        [failing] = await listed(asked)
        assert failing["state"] == "failing"
        assert failing["last_error"].startswith("The request is refused")
        assert (await point(asked) or {})["state"] == "warning"
        assert await told(api) == ["source.subscription_failing"]
        await pass_by(api, days=4)
        assert [each["state"] for each in await listed(asked)] == ["expired"]
        for _ in range(2):
            crm.first = [refused]
            await asked.run()
            await pass_by(api, hours=2)
        assert (await point(asked) or {})["state"] == "missing"
        assert await told(api) == ["source.subscription_failing", "source.subscription_expired"]
        await asked.run()
        assert (await told(api))[2:] == ["source.recovered"]
        [mended] = await listed(asked)
        assert (mended["state"], mended["last_error"]) == ("active", None)
        assert (await point(asked) or {})["state"] == "ok"


async def test_credentials_that_were_withdrawn_are_why_it_fails(api: Api) -> None:
    connection = await zoho(api)
    crm = ZohoServer()
    async with asking(connection, crm, **ZOHO) as asked:
        await subscribed(asked)
        await api.put(f"{asked.path}/credentials", {**ZOHO, "refresh_token": "1000.withdrawn"})
        await pass_by(api, days=4)
        await asked.run()
        [failing] = await listed(asked)
        assert failing["state"] == "failing"
        assert failing["last_error"].startswith("No access token is granted")
        assert "1000.withdrawn" not in str(failing)
        await api.delete(f"{asked.path}/credentials")
        await pass_by(api, days=9)
        await asked.run()
        assert (await listed(asked))[0]["last_error"] == "The source has no credentials."
        assert await told(api) == ["source.subscription_failing", "source.subscription_expired"]


async def test_a_system_that_asks_to_wait_is_no_failure(api: Api) -> None:
    connection = await zoho(api)
    crm = ZohoServer()
    async with asking(connection, crm, **ZOHO) as asked:
        await subscribed(asked)
        await pass_by(api, days=4)
        crm.first = [(429, {"Retry-After": "60"}, None)]
        await asked.run()
        assert [each["state"] for each in await listed(asked)] == ["active"]
        await pass_by(api)
        await asked.run()
        assert (await listed(asked))[0]["renewed_at"] is not None


async def test_what_the_system_refuses_fails_in_words_and_leaves_no_secret(api: Api) -> None:
    connection = await zoho(api, account_id="acme")
    async with asking(connection, ZohoServer(), **ZOHO) as crm:
        job = await subscribed(crm, "failed")
        assert job["error"].startswith("The system does not subscribe: The source's account must be a number")
        assert (await secrets(api), await listed(crm)) == (1, [])


async def test_where_nobody_can_subscribe_it_is_said_what_to_do_instead(api: Api) -> None:
    connection = await hubspot(api)
    path = f"/sources/{connection.id}/subscriptions"
    refused = await api.post(path, expect=409)
    assert refused["type"] == "/problems/subscriptions-not-offered"
    assert "make the webhook in hubspot itself" in refused["detail"]
    own = (await api.get("/sources"))["items"][0]["id"]
    assert (await api.post(f"/sources/{own}/subscriptions", expect=409))["type"] == "/problems/system-not-asked"
    await api.post(f"/sources/{uuid4()}/subscriptions", expect=404)
    without = await zoho(api)
    refused = await api.post(f"/sources/{without.id}/subscriptions", expect=409)
    assert refused["type"] == "/problems/credentials-missing"


async def test_one_job_at_a_time_changes_them(api: Api) -> None:
    connection = await pipedrive(api)
    async with asking(connection, PipedriveServer(), api_token="api-token") as crm:
        await api.post(f"{crm.path}/subscriptions", expect=202)
        refused = await api.post(f"{crm.path}/subscriptions", expect=409)
        assert refused["type"] == "/problems/subscriptions-changing"
        await crm.run()
        assert len(await listed(crm)) == 5
