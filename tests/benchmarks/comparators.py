"""Hand-written SQL for the questions of the dashboard and the ranking, in PostgreSQL and in DuckDB.

It is what somebody would write who knows the tables, these indexes, and this organization: that everybody has one
identity, mapped for ever, and money in one currency. It is right all the same: present revisions that are not
retracted, local days with `occurred_on` first, shared events by share, nothing later than now.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from tests.benchmarks import world
from tests.benchmarks.catalogue import Aggregate

Cells = dict[tuple[int, int], dict[str, Decimal]]
"""Raw aggregates by number of member and of window."""

Rows = Iterable[Sequence[Any]]  # Any: values of columns


@dataclass(frozen=True)
class Question:
    """Whom (numbers of members) and when: `edges` are the first days of windows, and the day after the last."""

    members: tuple[int, ...]
    edges: tuple[date, ...]

    @property
    def instants(self) -> list[datetime]:
        """The first instants of those days."""
        zone = ZoneInfo(world.ZONE)
        return [datetime(day.year, day.month, day.day, tzinfo=zone) for day in self.edges]


def months(first: date, number: int) -> tuple[date, ...]:
    """First days of so many months, and the day after."""
    edges = [first]
    for _ in range(number):
        edges.append((edges[-1] + timedelta(days=32)).replace(day=1))
    return tuple(edges)


def cells(rows: Rows, aggregates: Sequence[Aggregate], who: Mapping[Any, int], first_window: int) -> Cells:
    """Rows of (who, window, aggregates …) by number; what is null is 0."""
    return {
        (who[row[0]], int(row[1]) - first_window): {
            each.name: Decimal(value or 0) for each, value in zip(aggregates, row[2:], strict=True)
        }
        for row in rows
    }


async def connect(superuser_url: str, parallel: int) -> asyncpg.Connection:
    """A connection for one lane: no row-level security, no just-in-time compilation of so short a query."""
    connection = await asyncpg.connect(superuser_url)
    await connection.execute(f"SET max_parallel_workers_per_gather = {parallel}")
    await connection.execute("SET jit = off")
    # Known values make better plans than a plan for all values.
    await connection.execute("SET plan_cache_mode = force_custom_plan")
    return connection


class Sql:
    """PostgreSQL through asyncpg, each lane with a connection and prepared statements of its own."""

    def __init__(self, aggregates: Sequence[Aggregate], parallel: int) -> None:
        self.aggregates = aggregates
        self.parallel = parallel
        self.text = _postgres(aggregates)
        self._who = {identity: number for number, identity in enumerate(world.IDENTITY_IDS)}

    async def connect(self, superuser_url: str) -> asyncpg.Connection:
        """A connection for one lane."""
        return await connect(superuser_url, self.parallel)

    def arguments(self, org_id: str, question: Question) -> list[Any]:
        """Of the statement."""
        identities = [world.IDENTITY_IDS[number] for number in question.members]
        return [UUID(org_id), identities, question.instants, list(question.edges), world.NOW]

    async def fetch(self, connection: asyncpg.Connection, org_id: str, question: Question) -> list[Sequence[Any]]:
        """The rows."""
        rows: list[Sequence[Any]] = await connection.fetch(self.text, *self.arguments(org_id, question))
        return rows

    def cells(self, rows: Rows) -> Cells:
        """The rows by number."""
        return cells(rows, self.aggregates, self._who, 1)

    async def plan(self, connection: asyncpg.Connection, org_id: str, question: Question) -> Any:  # Any: JSON
        """EXPLAIN (ANALYZE, BUFFERS) of it."""
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {self.text}"
        return json.loads(await connection.fetchval(explain, *self.arguments(org_id, question)))


def _postgres(aggregates: Sequence[Aggregate]) -> str:
    """One pass over each of three ranges of an index: of days told, of days by the clock, of shared events."""
    wanted = sorted({type_ for each in aggregates for type_ in each.types})
    types = "" if len(wanted) > 6 else f"AND e.type IN ({', '.join(repr(type_) for type_ in wanted)})"
    stands = f"e.org_id = $1 AND e.superseded_at IS NULL AND NOT e.retracted AND e.occurred_at <= $5 {types}"
    by_clock = "e.occurred_on IS NULL AND e.occurred_at >= ($3::timestamptz[])[1]"
    by_clock += " AND e.occurred_at < ($3::timestamptz[])[cardinality($3)]"
    told = "e.occurred_on >= ($4::date[])[1] AND e.occurred_on < ($4::date[])[cardinality($4)]"
    window = "CASE WHEN e.occurred_on IS NULL THEN width_bucket(e.occurred_at, $3::timestamptz[])"
    window += " ELSE width_bucket(e.occurred_on, $4::date[]) END"
    single = ", ".join(_single(each) for each in aggregates)
    shared = ", ".join(_weighed(each) for each in aggregates)
    total = ", ".join(f"sum({each.name})" for each in aggregates)
    return f"""
        SELECT who, place, {total} FROM (
            SELECT e.identity_id AS who, width_bucket(e.occurred_at, $3::timestamptz[]) AS place, {single}
            FROM event e WHERE e.identity_id = ANY ($2) AND {stands} AND {by_clock} GROUP BY 1, 2
            UNION ALL
            SELECT e.identity_id, width_bucket(e.occurred_on, $4::date[]), {single}
            FROM event e WHERE e.identity_id = ANY ($2) AND {stands} AND {told} GROUP BY 1, 2
            UNION ALL
            SELECT c.identity_id, {window}, {shared}
            FROM event_credit c JOIN event e ON e.org_id = c.org_id AND e.row_id = c.row_id
            WHERE c.org_id = $1 AND c.identity_id = ANY ($2) AND c.role = 'owner' AND e.is_shared AND {stands}
                AND (({by_clock}) OR ({told}))
            GROUP BY 1, 2
        ) AS parts GROUP BY who, place"""


def _property(key: str) -> str:
    return f"(properties ->> '{key}')"


def _single(each: Aggregate) -> str:
    aggregated = f"sum({each.value})" if each.value and not each.counts_value else "count(*)"
    return f"{aggregated} FILTER (WHERE {each.condition(_property)}) AS {each.name}"


def _weighed(each: Aggregate) -> str:
    weighed = f"share * {each.value}" if each.value and not each.counts_value else "share"
    return f"sum({weighed}) FILTER (WHERE {each.condition(_property)}) AS {each.name}"
