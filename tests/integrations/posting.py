"""Posting webhooks over HTTP as CRMs do, and waiting for their translation."""

import base64
import hmac
import json
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx

from app.integrations.adapters import wire
from app.integrations.adapters.base import Fetched
from app.integrations.fetching import store_fetched
from app.integrations.jobs import HANDLERS
from app.worker import drain
from tests.support import Api

HUBSPOT_SECRET = "hs-app-client-secret-0001"
PIPEDRIVE_SECRET = "pd-hook:s3cr3t-pd"
PORTAL = "44556677"
COMPANY = "8087566"
ZOHO_TOKEN = "zoho-channel-token-max50chars"
ZOHO_CHANNEL = "1000000068001"
FXIAOKE_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
ENTERPRISE = "acmecn"


class Connection:
    """A source of an organization, and its CRM's way of posting to it."""

    def __init__(self, api: Api, source: dict[str, Any]) -> None:
        self.api = api
        self.source = source
        self.id: str = source["id"]

    async def post(self, body: bytes, **signed: Any) -> httpx.Response:
        """One call, signed as the system does."""
        headers = self.headers(body, await self._now(), **signed)
        return await self.api.world.caller(self.api.org_id, None).call(
            "POST", f"/hooks/{self.id}", body, headers=headers
        )

    async def tell(self, *bodies: bytes) -> None:
        """Post bodies that must be accepted, and translate them."""
        for body in bodies:
            answer = await self.post(body)
            assert answer.status_code == 200, answer.text
            assert answer.content == b""
        await self.translate()

    def headers(self, body: bytes, now: datetime, *, secret: str | None = None) -> dict[str, str]:
        """What proves the body, where it does not do so itself."""
        if self.source["system"] in {"zoho", "fxiaoke"}:
            return {}
        if self.source["system"] == "pipedrive":
            return {"Authorization": f"Basic {base64.b64encode((secret or PIPEDRIVE_SECRET).encode()).decode()}"}
        ms = str(int(now.timestamp() * 1000))
        message = b"POST" + self.source["signed_url"].encode() + body + ms.encode()
        signature = base64.b64encode(hmac.digest((secret or HUBSPOT_SECRET).encode(), message, "sha256")).decode()
        return {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": ms}

    async def translate(self) -> int:
        """Do all the work that is due."""
        return await drain(self.api.world.worker_database, HANDLERS)

    async def events(self, **params: Any) -> list[dict[str, Any]]:
        """The events that stand, by external id."""
        listed = await self.api.get("/events", limit=200, **params)
        return sorted(listed["items"], key=lambda event: str(event["external_id"]))

    async def event(self, external_id: str) -> dict[str, Any]:
        """One event that stands."""
        (found,) = [event for event in await self.events() if event["external_id"] == external_id]
        return found

    async def deliveries(self, **params: Any) -> list[dict[str, Any]]:
        """The deliveries of the source, the newest first."""
        listed: list[dict[str, Any]] = (await self.api.get(f"/sources/{self.id}/deliveries", **params))["items"]
        return listed

    async def last(self) -> dict[str, Any]:
        """The newest delivery, whole."""
        return await self.delivery((await self.deliveries())[0]["id"])

    async def delivery(self, delivery_id: str) -> dict[str, Any]:
        """One delivery, whole."""
        found: dict[str, Any] = await self.api.get(f"/sources/{self.id}/deliveries/{delivery_id}")
        return found

    async def _now(self) -> datetime:
        return datetime.fromisoformat((await self.api.get("/me"))["now"])


async def hubspot(api: Api, **more: Any) -> Connection:
    """A connected HubSpot account."""
    new = {"key": "hubspot", "name": "HubSpot", "system": "hubspot", "account_id": PORTAL, "secrets": [HUBSPOT_SECRET]}
    return Connection(api, await api.post("/sources", {**new, **more}, expect=201))


async def pipedrive(api: Api, **more: Any) -> Connection:
    """A connected Pipedrive account."""
    new = {"key": "pipedrive", "name": "P", "system": "pipedrive", "account_id": COMPANY, "secrets": [PIPEDRIVE_SECRET]}
    return Connection(api, await api.post("/sources", {**new, **more}, expect=201))


async def zoho(api: Api, **more: Any) -> Connection:
    """A connected Zoho CRM; the token of a notification is in its body."""
    new = {"key": "zoho", "name": "Zoho", "system": "zoho", "account_id": ZOHO_CHANNEL, "secrets": [ZOHO_TOKEN]}
    return Connection(api, await api.post("/sources", {**new, **more}, expect=201))


async def fxiaoke(api: Api, **more: Any) -> Connection:
    """A connected Fxiaoke enterprise; callbacks bring their signature in the body."""
    new = {"key": "fxiaoke", "name": "F", "system": "fxiaoke", "account_id": ENTERPRISE, "secrets": [FXIAOKE_KEY]}
    return Connection(api, await api.post("/sources", {**new, **more}, expect=201))


async def fetch(connection: Connection, object: str, *items: dict[str, Any], at: datetime, gone: Any = ()) -> None:  # noqa: A002
    """Store what the system answered when it was asked for objects, as fetching does, and translate it."""
    exact: Any = wire.parse(body_of(list(items)))
    fetched = Fetched(connection.source["account_id"], object, exact, gone, at)
    org_id = connection.api.org_id
    async with connection.api.world.database.write(org_id) as session:
        await store_fetched(session, org_id, UUID(connection.id), fetched, "fetch")
    await connection.translate()


def body_of(message: Any) -> bytes:
    """JSON as a CRM writes it."""
    return json.dumps(message, separators=(",", ":")).encode()


STANDING = (
    "type",
    "occurred_at",
    "occurred_on",
    "actor",
    "credits",
    "about",
    "amount",
    "properties",
    "duration_seconds",
)


async def content(connection: Connection) -> dict[str, Any]:
    """What stands in the ledger, without what depends on when it came."""
    return {
        event["external_id"]: {name: _without_ids(event[name]) for name in STANDING}
        for event in await connection.events()
    }


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_ids(each) for name, each in value.items() if name not in {"identity_id", "member_id"}}
    return [_without_ids(each) for each in value] if isinstance(value, list) else value
