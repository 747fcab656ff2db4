"""What tests share: clients of organizations over the real application."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import delete

from app.core.db import Database, OrganizationId
from app.core.jobs import Job
from app.onboarding import create_organization

BASE = "https://paceline.example.com"
NOON = datetime(2026, 7, 13, 10, 0, tzinfo=UTC)


class Api:
    """One caller: JSON in, JSON out, over HTTP through the whole application."""

    def __init__(self, client: httpx.AsyncClient, org_id: OrganizationId, token: str, world: "World") -> None:
        self.client = client
        self.org_id = org_id
        self.token = token
        self.world = world

    async def call(
        self, method: str, path: str, body: Any = None, *, expect: int | None = None, **options: Any
    ) -> httpx.Response:
        """One request under /v1; `expect` asserts the status and shows the body when it differs."""
        if body is not None:
            options["content"] = body if isinstance(body, bytes | str) else json.dumps(body)
            options["headers"] = {"Content-Type": "application/json", **options.get("headers", {})}
        response = await self.client.request(method, f"/v1{path}", **options)
        if expect is not None:
            assert response.status_code == expect, f"{method} {path}: {response.status_code} {response.text[:2000]}"
        return response

    async def get(self, path: str, *, expect: int = 200, **params: Any) -> Any:
        """The answer of a GET."""
        return _body(await self.call("GET", path, expect=expect, params=params))

    async def post(self, path: str, body: Any = None, *, expect: int | None = None, **options: Any) -> Any:
        """The answer of a POST; any 2xx unless a status is expected."""
        response = await self.call("POST", path, body, expect=expect, **options)
        assert expect is not None or response.is_success, f"POST {path}: {response.status_code} {response.text[:2000]}"
        return _body(response)

    async def patch(self, path: str, body: Any, *, expect: int = 200, **options: Any) -> Any:
        """The answer of a PATCH."""
        return _body(await self.call("PATCH", path, body, expect=expect, **options))

    async def put(self, path: str, body: Any, *, expect: int = 200, **options: Any) -> Any:
        """The answer of a PUT."""
        return _body(await self.call("PUT", path, body, expect=expect, **options))

    async def delete(self, path: str, *, expect: int = 204, **options: Any) -> None:
        """A DELETE that succeeds, unless another status is expected."""
        await self.call("DELETE", path, expect=expect, **options)

    async def set_clock(self, now: datetime | str | None) -> None:
        """Move the organization's clock (an aware datetime or RFC 3339 text)."""
        text = now.isoformat() if isinstance(now, datetime) else now
        await self.put("/organization/clock", {"now": text})

    async def key(self, role: str, scopes: list[str], member_id: str | None = None) -> "Api":
        """Another caller of the same organization."""
        made = await self.post(
            "/api-keys", {"name": role, "role": role, "scopes": scopes, "member_id": member_id}, expect=201
        )
        return self.world.caller(self.org_id, made["token"])


def _body(response: httpx.Response) -> Any:
    return response.json() if response.content else None


@dataclass
class World:
    """Makes organizations and their callers; closes the clients at the end."""

    app: FastAPI
    worker_database: Database
    clients: list[httpx.AsyncClient] = field(default_factory=list)
    organizations: list[OrganizationId] = field(default_factory=list)

    @property
    def database(self) -> Database:
        """The application's own connections."""
        database: Database = self.app.state.database
        return database

    async def organization(
        self,
        *,
        time_zone: str = "Europe/Warsaw",
        currency: str = "EUR",
        week_starts_on: int = 0,
        now: datetime | None = NOON,
        recorded_from: datetime | None = None,
    ) -> Api:
        """A new organization's admin; `now` is its manual clock, None the real one."""
        org_id, token = await create_organization(
            self.database,
            "Acme Sales",
            time_zone=time_zone,
            currency=currency,
            week_starts_on=week_starts_on,
            now=now,
            recorded_from=recorded_from,
        )
        self.organizations.append(org_id)
        return self.caller(org_id, token)

    def caller(self, org_id: OrganizationId, token: str | None) -> Api:
        """A client with a token, or without one."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=BASE, headers=headers, timeout=60)
        self.clients.append(client)
        return Api(client, org_id, token or "", self)

    async def close(self) -> None:
        """Close every client, and leave no work behind: whoever drains it does that of all organizations."""
        for client in self.clients:
            await client.aclose()
        for org_id in self.organizations:
            async with self.worker_database.write(org_id) as session:
                await session.execute(delete(Job).where(Job.org_id == org_id))
