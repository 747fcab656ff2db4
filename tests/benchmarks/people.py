"""The organization of the benchmark: 500 members in 50 teams of 10 under 5 regions, an identity each, mapped."""

from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg

from app.core.db import Database
from app.onboarding import create_organization
from tests.benchmarks import world
from tests.benchmarks.world import Organization

Rows = Sequence[dict[str, Any]]  # Any: values of columns


async def found(database: Database, server: asyncpg.Connection, events: int) -> Organization:
    """Make the organization by the service's own use case, and its people by SQL; `server` is the superuser's."""
    org_id, token = await create_organization(
        database,
        "Benchmark",
        time_zone=world.ZONE,
        currency=world.CURRENCY,
        now=world.NOW,
        recorded_from=world.BEGINNING,
    )
    source_id = await server.fetchval("SELECT id FROM source WHERE org_id = $1 AND key = $2", org_id, world.SOURCE)
    for table, rows in _people(source_id):
        await _insert(server, table, [{"org_id": org_id, **row} for row in rows])
    return Organization(str(org_id), str(source_id), token, events)


def _people(source_id: object) -> Iterator[tuple[str, Rows]]:
    recorded = {"recorded_at": world.BEGINNING}
    named = {**recorded, "version": 1}
    team_ids = [*world.TEAM_IDS, *world.REGION_IDS, world.COMPANY_ID]
    yield "member", [_named(id_, f"Member {n:03d}", named) for n, id_ in enumerate(world.MEMBER_IDS)]
    yield "team", [_named(id_, f"Team {n:02d}", named) for n, id_ in enumerate(team_ids)]
    yield (
        "team_placement",
        [
            {**_dated("placement", n), "team_id": id_, "parent_id": _above(n), **recorded}
            for n, id_ in enumerate([*world.TEAM_IDS, *world.REGION_IDS])
        ],
    )
    yield (
        "membership",
        [
            {
                **_dated("membership", n),
                "team_id": world.TEAM_IDS[n // world.TEAM_SIZE],
                "member_id": id_,
                "kind": "member" if n % world.TEAM_SIZE else "lead",
                **recorded,
            }
            for n, id_ in enumerate(world.MEMBER_IDS)
        ],
    )
    yield (
        "identity",
        [
            {"id": id_, "source_id": source_id, "external_id": world.actor(n), **recorded}
            for n, id_ in enumerate(world.IDENTITY_IDS)
        ],
    )
    yield (
        "identity_mapping",
        [
            {**_dated("mapping", n), "identity_id": id_, "member_id": world.MEMBER_IDS[n], **recorded}
            for n, id_ in enumerate(world.IDENTITY_IDS)
        ],
    )


def _named(id_: object, name: str, rest: dict[str, Any]) -> dict[str, Any]:
    return {"id": id_, "name": name, **rest}


def _dated(kind: str, number: int) -> dict[str, Any]:
    return {"row_id": world.made_id(f"{kind} row", number), "id": world.made_id(kind, number)}


def _above(team: int) -> object:
    """A team stands under its region, a region under the company."""
    return world.REGION_IDS[team % world.REGIONS] if team < world.TEAMS else world.COMPANY_ID


async def _insert(server: asyncpg.Connection, table: str, rows: Rows) -> None:
    columns = list(rows[0])
    places = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
    await server.executemany(statement, [[row[column] for column in columns] for row in rows])
