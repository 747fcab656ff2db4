"""Millions of events, made in the database by one statement a chunk; the same for the same number of events.

What is written is what the API would have written: revisions, heads, credits. All chance is a hash of the event's
number. Events come in the order of their recording, as in a ledger that grew; a fifth of them happened 1 to 30 days
before. `test_ledger.py` asks the service and the SQL about the same of these events.
"""

import asyncio
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any
from uuid import UUID

import asyncpg

from app.events.models import Event, EventCredit, EventHead
from tests.benchmarks import world
from tests.benchmarks.world import Organization

TYPES = (
    "call.made", "email.sent", "lead.created", "call.received", "meeting.booked", "email.received",
    "meeting.held", "deal.created", "lead.qualified", "quote.sent", "deal.won", "deal.lost",
)  # fmt: skip
"""By frequency: the k-th is 1/k as frequent as the first (Zipf)."""

SHARED, REVISED, RETRACTED, LATE = 0.03, 0.05, 0.001, 0.20
"""Shares of all events; the retracted ones are among the revised."""

CHUNK = 20_000
WRITERS = 2

# Fills whatever a table has and the API fills: a new column without an entry here stops the load with its name.
_EVENT = {
    "org_id": "$3::uuid",
    "row_id": "row_id",
    "event_id": "event_id",
    "source_id": "$4::uuid",
    "external_id": "external_id",
    "version": "revision",
    "revision": "revision",
    "type": "type",
    "occurred_at": "occurred_at",
    "occurred_on": "occurred_on",
    "actor_id": "owner_id",
    "identity_id": "CASE WHEN is_shared THEN NULL ELSE owner_id END",
    "is_shared": "is_shared",
    "about": "about",
    "amount": "CASE WHEN revision < last_revision THEN round(amount * 0.8, 2) ELSE amount END",
    "currency": f"CASE WHEN amount IS NULL THEN NULL ELSE '{world.CURRENCY}' END",
    "quantity": "CASE WHEN type = 'deal.won' THEN 1 + number % 5 END",
    "duration_seconds": "duration",
    "properties": "properties",
    "origin": """'{"via": "api"}'::jsonb""",
    "retracted": "is_retracted AND revision = last_revision",
    "recorded_at": "recorded_at",
    "superseded_at": "superseded_at",
}
_HEAD = {
    "org_id": "$3::uuid",
    "source_id": "$4::uuid",
    "external_id": "external_id",
    "version": "last_revision",
    "content_hash": "sha256(convert_to(external_id, 'UTF8'))",  # of the right length; nothing asks for more
    "event_id": "event_id",
    "revision": "last_revision",
    "retracted": "is_retracted",
}
_CREDIT = {
    "org_id": "$3::uuid",
    "row_id": "row_id",
    "position": "position",
    "role": "'owner'",
    "identity_id": "CASE position WHEN 0 THEN owner_id ELSE second_id END",
    "share": "CASE position WHEN 0 THEN 0.6 ELSE 0.4 END",
    "occurred_at": "occurred_at",
    "occurred_on": "occurred_on",
    "type": "type",
}


class ColumnNotFilled(RuntimeError):  # noqa: N818 - what to do about it
    """A table has a column that the benchmark's data does not know yet."""


def _chance(salt: int) -> str:
    """A number in [0, 1) that depends on the event alone."""
    return f"((hashint8extended(n, {salt}) >> 11) & 9007199254740991)::float8 / 9007199254740992"


def _id(salt: str, at: str) -> str:
    """A UUIDv7 of that instant whose random part is a hash."""
    hashed = f"md5(n || '{salt}')"
    instant = f"lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0')"
    return f"({instant} || '7' || substr({hashed}, 1, 3) || 'a' || substr({hashed}, 4, 15))::uuid"


def _type_bounds() -> str:
    """Where in [0, 1) each type begins."""
    weights = [1 / rank for rank in range(1, len(TYPES) + 1)]
    return "ARRAY[" + ", ".join(f"{bound / sum(weights):.12f}" for bound in [0, *accumulate(weights)][:-1]) + "]"


def _statement() -> str:
    """Writes the events $1 to $2 of $5; $6 are the identities."""
    types = "ARRAY[" + ", ".join(f"'{type_}'" for type_ in TYPES) + "]"
    step = f"make_interval(secs => {world.SPAN.total_seconds()} / $5::float8)"
    start, now = f"'{world.STARTS_AT.isoformat()}'::timestamptz", f"'{world.NOW.isoformat()}'::timestamptz"
    days = world.SPAN.days
    return f"""
WITH rolled AS MATERIALIZED (
    SELECT n, {start} + n * {step} AS told_at,
        ({types})[width_bucket({_chance(1)}, {_type_bounds()})] AS type,
        {_chance(2)} AS r_person, {_chance(3)} AS r_shared, {_chance(4)} AS r_revised, {_chance(5)} AS r_late,
        {_chance(6)} AS r_delay, {_chance(7)} AS r_amount, {_chance(8)} AS r_about, {_chance(9)} AS r_lag,
        {_chance(10)} AS r_duration, {_chance(11)} AS r_second
    FROM generate_series($1::bigint, $2::bigint) AS n
), placed AS MATERIALIZED (
    SELECT rolled.*,
        told_at - CASE WHEN r_late < {LATE} THEN make_interval(secs => (1 + 29 * r_delay) * 86400)
                       ELSE make_interval(secs => 600 * r_delay) END AS occurred_at,
        -- What an event is about began some time before: of leads up to 20 days, of deals up to 90.
        greatest(0, CASE WHEN type IN ('lead.created', 'deal.created') THEN n
                         WHEN type LIKE 'deal.%' THEN n - (r_lag * 90 * $5::float8 / {days})::bigint
                         ELSE n - (power(r_lag, 4) * 20 * $5::float8 / {days})::bigint END) AS since
    FROM rolled
), told AS MATERIALIZED (
    SELECT n AS number, 'event-' || lpad(n::text, 9, '0') AS external_id, {_id("event", "told_at")} AS event_id,
        type, occurred_at, told_at, r_revised < {RETRACTED} AS is_retracted,
        CASE WHEN type IN ('deal.won', 'deal.lost')
             THEN (occurred_at AT TIME ZONE '{world.ZONE}')::date - (n % 10 = 0)::int * (1 + n % 3)::int
        END AS occurred_on,
        ($6::uuid[])[1 + person] AS owner_id, r_shared < {SHARED} AS is_shared,
        ($6::uuid[])[1 + (person + 1 + floor(r_second * {world.MEMBERS - 1})::int) % {world.MEMBERS}] AS second_id,
        CASE WHEN r_revised < {REVISED} THEN 2 ELSE 1 END AS last_revision,
        least({now}, told_at + make_interval(secs => 60 + r_lag * 20 * 86400)) AS revised_at,
        CASE WHEN type LIKE 'deal.%' OR type = 'quote.sent' THEN round((100 * exp(5 * r_amount))::numeric, 2)
        END AS amount,
        CASE WHEN (type LIKE 'call.%' OR type = 'meeting.held') AND r_duration < 0.9
             THEN floor(30 + 3000 * r_duration * r_amount)::numeric END AS duration,
        CASE WHEN type LIKE 'lead.%' OR (type NOT LIKE 'deal.%' AND r_about < 0.5)
             THEN jsonb_build_object('lead', 'L-' || since / 9)
             ELSE jsonb_build_object('deal', 'D-' || since / 25, 'customer',
                  'C-' || (hashint8extended(since / 25, 1) & 1048575) % greatest(100, $5::bigint / 250))
        END AS about,
        jsonb_build_object(
            'channel', (ARRAY['web', 'partner', 'event', 'referral', 'outbound'])[1 + floor(5 * r_amount)::int],
            'product', (ARRAY['basic', 'pro', 'enterprise'])[1 + floor(3 * r_about)::int],
            'region', (ARRAY['north', 'south', 'east', 'west'])[1 + floor(4 * r_delay)::int],
            'points', floor(100 * r_second)::int
        ) AS properties
    FROM placed, LATERAL (SELECT floor(r_person * {world.MEMBERS})::int AS person) AS who
), revisions AS MATERIALIZED (
    SELECT told.*, 1 AS revision, {_id("first", "told_at").replace("n ||", "number ||")} AS row_id,
        told_at AS recorded_at, CASE WHEN last_revision = 2 THEN revised_at END AS superseded_at
    FROM told
    UNION ALL
    SELECT told.*, 2, {_id("second", "revised_at").replace("n ||", "number ||")}, revised_at, NULL
    FROM told WHERE last_revision = 2
), heads AS (
    {_insert(EventHead, _HEAD, "told")}
), credited AS (
    {_insert(EventCredit, _CREDIT, "revisions, generate_series(0, 1) AS position WHERE is_shared")}
)
{_insert(Event, _EVENT, "revisions")}"""


def _insert(model: type[Event | EventHead | EventCredit], filled: dict[str, str], source: str) -> str:
    columns = [column for column in model.__table__.columns if column.name in filled or _insists(model, column)]
    values = ", ".join(filled[column.name] for column in columns)
    return f"INSERT INTO {model.__tablename__} ({', '.join(c.name for c in columns)}) SELECT {values} FROM {source}"


def _insists(model: type[Event | EventHead | EventCredit], column: Any) -> bool:
    if column.nullable or column.server_default is not None:
        return False
    raise ColumnNotFilled(f"{model.__tablename__}.{column.name} is not filled: tests/benchmarks/ledger.py")


async def load(superuser_url: str, organization: Organization, told: Callable[[int], None]) -> None:
    """Write all events as `write` does, but make the indexes afterwards, at once."""
    server = await asyncpg.connect(superuser_url)
    try:
        indexes = await _without_indexes(server)
        await write(superuser_url, organization, told)
        await server.execute("SET maintenance_work_mem = '2GB'")
        for definition in indexes:
            await server.execute(definition)
        await server.execute("VACUUM (FREEZE, ANALYZE)")
        await server.execute("CHECKPOINT")
    finally:
        await server.close()


async def write(superuser_url: str, organization: Organization, told: Callable[[int], None]) -> None:
    """Write all events; `told` hears how many more there are."""
    chunks = _chunks(organization.events)
    await asyncio.gather(*(_write(superuser_url, organization, chunks, told) for _ in range(WRITERS)))
    server = await asyncpg.connect(superuser_url)
    tick = "UPDATE ledger_clock SET last_at = $2, seq = seq + 1 WHERE org_id = $1"
    await server.execute(tick, UUID(organization.org_id), world.NOW)
    await server.close()


def _chunks(events: int) -> Iterator[tuple[int, int]]:
    """First and last number of each chunk; two writers take them in turn, so the table is in order but for these."""
    return ((first, min(first + CHUNK, events) - 1) for first in range(0, events, CHUNK))


async def _write(
    superuser_url: str, organization: Organization, chunks: Iterator[tuple[int, int]], told: Callable[[int], None]
) -> None:
    writer = await asyncpg.connect(superuser_url)
    try:
        await writer.execute("SET session_replication_role = replica")  # no foreign keys: all ids are ours
        await writer.execute("SET synchronous_commit = off")
        await writer.execute("SET jit = off")
        statement = await writer.prepare(_statement())
        for first, last in chunks:
            whose = (organization.org_id, organization.source_id, organization.events, world.IDENTITY_IDS)
            await statement.fetch(first, last, *whose)
            told(last - first + 1)
    finally:
        await writer.close()


async def _without_indexes(server: asyncpg.Connection) -> list[str]:
    """Drop the indexes that no constraint needs; gives how to make them again."""
    found = await server.fetch(
        """
        SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
        FROM pg_index
        WHERE indrelid = ANY (ARRAY['event', 'event_head', 'event_credit']::regclass[])
            AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
        """
    )
    for row in found:
        await server.execute(f"DROP INDEX {row['name']}")
    return [row["definition"] for row in found]
