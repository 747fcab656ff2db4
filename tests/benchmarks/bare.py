"""What the service is compared with: FastAPI and asyncpg, nothing between; the same key, the same row security.

Served as the service is, by uvicorn with uvloop and httptools. No validation, no metrics, no problems, no ETags.
"""

import argparse
import asyncio
import hashlib
import hmac
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel

from app.core.ids import new_id
from tests.benchmarks import world

DATABASE_URL = "BENCHMARK_DATABASE_URL"
CONNECTIONS = 10  # as many as the service has

HOOK_TABLE = """
CREATE TABLE IF NOT EXISTS bare_hook (id uuid PRIMARY KEY, received_at timestamptz NOT NULL, body bytea NOT NULL);
GRANT INSERT ON bare_hook TO PUBLIC"""

_KEY = "SELECT digest, role, scopes FROM api_key WHERE org_id = $1 AND id = $2 AND revoked_at IS NULL"
_MEMBER = "SELECT id, name, email, recorded_at, archived_at, version FROM member WHERE org_id = $1 AND id = $2"
_TEAM = """
SELECT t.id, t.name, p.parent_id, t.recorded_at, t.archived_at, t.version FROM team t
LEFT JOIN team_placement p ON p.org_id = t.org_id AND p.team_id = t.id AND p.superseded_at IS NULL
    AND daterange(p.valid_from, p.valid_to) @> $3::date
WHERE t.org_id = $1 AND t.id = $2"""
_GOALS = """
SELECT g.id, g.name, g.description, g.team_id, g.member_id, g.kpi_key, g.direction, g.period, g.start_on, g.end_on,
    g.currency, g.state, g.version, g.created_at, t.value, t.low, t.high FROM goal g
JOIN goal_target t ON t.org_id = g.org_id AND t.goal_id = g.id AND t.superseded_at IS NULL
WHERE g.org_id = $1 ORDER BY g.created_at, g.id LIMIT $2"""
_HOOK = "INSERT INTO bare_hook (id, received_at, body) VALUES ($1, clock_timestamp(), $2)"


class Member(BaseModel):
    """A row by its key."""

    id: UUID
    name: str
    email: str | None
    recorded_at: datetime
    archived_at: datetime | None
    version: int


class Team(BaseModel):
    """A team with its present place."""

    id: UUID
    name: str
    parent_id: UUID | None
    recorded_at: datetime
    archived_at: datetime | None
    version: int


class Owner(BaseModel):
    """Whose goal."""

    type: str
    id: UUID | None


class Target(BaseModel):
    """What is aimed at."""

    value: str | None
    low: str | None
    high: str | None


class Goal(BaseModel):
    """A goal with its present target."""

    id: UUID
    name: str
    description: str
    owner: Owner
    kpi: str
    direction: str
    period: str
    start: date
    end: date
    target: Target
    currency: str | None
    state: str
    available_actions: list[str]
    version: int
    created_at: datetime


class Goals(BaseModel):
    """A page of them."""

    items: list[Goal]
    next_cursor: str | None


class Pool:
    """Connections taken in turn, without the questions that asyncpg's own pool asks at each return."""

    def __init__(self, connections: list[asyncpg.Connection]) -> None:
        self._free: asyncio.LifoQueue[asyncpg.Connection] = asyncio.LifoQueue()
        for connection in connections:
            self._free.put_nowait(connection)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[asyncpg.Connection]:
        """One of them."""
        connection = await self._free.get()
        try:
            yield connection
        finally:
            self._free.put_nowait(connection)


class Keys:
    """Which organization a key belongs to; remembered, as the service does."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[UUID, UUID] = {}

    async def organization_of(self, key_id: UUID) -> UUID:
        """It."""
        if key_id not in self._known:
            async with self._pool.taken() as connection:
                found = "SELECT org_id FROM api_key_directory WHERE key_id = $1"
                self._known[key_id] = await connection.fetchval(found, key_id)
        return self._known[key_id]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    connections = [await asyncpg.connect(os.environ[DATABASE_URL]) for _ in range(CONNECTIONS)]
    app.state.pool = Pool(connections)
    app.state.keys = Keys(app.state.pool)
    yield
    for connection in connections:
        await connection.close()


app = FastAPI(lifespan=_lifespan)


@asynccontextmanager
async def _reading(request: Request) -> AsyncIterator[tuple[asyncpg.Connection, UUID]]:
    """The caller's transaction, once the key is verified in it."""
    _, key, secret = request.headers["authorization"].removeprefix("Bearer ").split("_", 2)
    org_id = await request.app.state.keys.organization_of(UUID(key))
    async with (
        request.app.state.pool.taken() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute(f"SET LOCAL app.org_id = '{org_id}'")
        row = await connection.fetchrow(_KEY, org_id, UUID(key))
        if row is None or not hmac.compare_digest(row["digest"], hashlib.sha256(secret.encode()).digest()):
            raise PermissionError
        yield connection, org_id


@app.get("/readyz")
async def ready() -> dict[str, str]:
    """It serves."""
    return {"status": "ok"}


@app.get("/members/{member_id}")
async def get_member(request: Request, member_id: UUID) -> Member:
    """One row by its key."""
    async with _reading(request) as (connection, org_id):
        return Member(**await connection.fetchrow(_MEMBER, org_id, member_id))


@app.get("/teams/{team_id}")
async def get_team(request: Request, team_id: UUID) -> Team:
    """What the service answers to the same."""
    async with _reading(request) as (connection, org_id):
        return Team(**await connection.fetchrow(_TEAM, org_id, team_id, world.TODAY))


@app.get("/goals")
async def list_goals(request: Request, limit: int) -> Goals:
    """What the service answers to the same."""
    async with _reading(request) as (connection, org_id):
        return Goals(items=[_goal(row) for row in await connection.fetch(_GOALS, org_id, limit)], next_cursor=None)


@app.post("/hook")
async def receive(request: Request) -> None:
    """One row, committed."""
    body = await request.body()
    async with request.app.state.pool.taken() as connection:
        await connection.execute(_HOOK, new_id(), body)


def _goal(row: Any) -> Goal:  # Any: asyncpg has no types
    owner, id_ = ("team", row["team_id"]) if row["team_id"] else ("member", row["member_id"])
    return Goal(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        owner=Owner(type=owner if id_ else "organization", id=id_),
        kpi=row["kpi_key"],
        direction=row["direction"],
        period=row["period"],
        start=row["start_on"],
        end=row["end_on"],
        target=Target(**{name: row[name] and str(row[name]) for name in ("value", "low", "high")}),
        currency=row["currency"],
        state="active" if row["start_on"] <= world.TODAY else "scheduled",
        available_actions=["edit", "set_target", "cancel"],
        version=row["version"],
        created_at=row["created_at"],
    )


def main() -> None:
    """Serve on an inherited socket."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    listener = socket.socket(fileno=parser.parse_args().fd)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", lifespan="on", log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
