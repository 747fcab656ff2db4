"""DuckDB in process over the same rows, in the form that suits it best: typed columns, days computed when loaded."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.benchmarks import ledger, world
from tests.benchmarks.catalogue import Aggregate
from tests.benchmarks.comparators import Cells, Question, cells

if TYPE_CHECKING:
    import duckdb

_DAY = f"coalesce(occurred_on, (occurred_at AT TIME ZONE '{world.ZONE}')::date)"
_EXPORTS = {
    "event": f"""
        SELECT row_id, type, identity_id, is_shared, occurred_at, {_DAY} AS day, amount, duration_seconds,
            properties ->> 'channel' AS channel, properties ->> 'product' AS product, properties ->> 'region' AS region,
            about ->> 'lead' AS lead, about ->> 'deal' AS deal, about ->> 'customer' AS customer,
            superseded_at, retracted
        FROM event ORDER BY recorded_at""",
    "event_credit": "SELECT row_id, position, role, identity_id, share FROM event_credit",
}
_TYPES = ", ".join(f"'{type_}'" for type_ in ledger.TYPES)
_TABLES = {
    "event": f"""
        row_id UUID, type ENUM ({_TYPES}), identity_id UUID, is_shared BOOLEAN, occurred_at TIMESTAMPTZ, day DATE,
        amount DECIMAL(18, 2), duration_seconds DECIMAL(18, 0), channel VARCHAR, product VARCHAR, region VARCHAR,
        lead VARCHAR, deal VARCHAR, customer VARCHAR, superseded_at TIMESTAMPTZ, retracted BOOLEAN""",
    "event_credit": "row_id UUID, position INTEGER, role VARCHAR, identity_id UUID, share DECIMAL(13, 12)",
}


class Duck:
    """A DuckDB in this process with the rows of a database, in memory; each lane has a cursor of its own."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection") -> None:
        self.connection = connection
        self._who = {identity: number for number, identity in enumerate(world.IDENTITY_IDS)}

    @classmethod
    async def load(cls, superuser_url: str, directory: Path) -> "Duck":
        """Copy the rows by way of a file each."""
        import duckdb  # only where it is compared with

        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        server = await asyncpg.connect(superuser_url)
        try:
            for table, query in _EXPORTS.items():
                path = directory / f"{table}.csv"
                await server.copy_from_query(query, output=path, format="csv")
                connection.execute(f"CREATE TABLE {table} ({_TABLES[table]})")
                connection.execute(f"COPY {table} FROM '{path}' (FORMAT csv)")
                path.unlink()
        finally:
            await server.close()
        return cls(connection)

    async def fetch(self, cursor: "duckdb.DuckDBPyConnection", text: str, arguments: dict[str, Any]) -> Sequence[Any]:
        """The rows of a statement; it runs beside the event loop, on all of DuckDB's threads."""
        return await asyncio.to_thread(lambda: cursor.execute(text, arguments).fetchall())

    def plan(self, text: str, arguments: dict[str, Any]) -> Any:  # Any: JSON
        """EXPLAIN ANALYZE of it."""
        rows = self.connection.execute(f"EXPLAIN (ANALYZE, FORMAT json) {text}", arguments).fetchall()
        return json.loads(rows[0][1])

    def cells(self, rows: Sequence[Any], aggregates: Sequence[Aggregate]) -> Cells:
        """The rows by number."""
        return cells(rows, aggregates, self._who, 0)


def duck_sql(aggregates: Sequence[Aggregate]) -> str:
    """The question of `comparators.Sql` in DuckDB's words: windows are numbered by the edges before them."""
    wanted = ", ".join(f"'{type_}'" for type_ in sorted({type_ for each in aggregates for type_ in each.types}))
    stands = f"e.superseded_at IS NULL AND NOT e.retracted AND e.occurred_at <= $now AND e.type IN ({wanted})"
    days = "e.day >= $first AND e.day < $after"
    place = "date_diff('month', $first::DATE, e.day) // $months_each"
    single = ", ".join(_single(each) for each in aggregates)
    shared = ", ".join(_weighed(each) for each in aggregates)
    total = ", ".join(f"sum({each.name})" for each in aggregates)
    return f"""
        SELECT who, place, {total} FROM (
            SELECT e.identity_id AS who, {place} AS place, {single} FROM event e
            WHERE e.identity_id IN (SELECT unnest($who::UUID[])) AND {stands} AND {days} GROUP BY ALL
            UNION ALL
            SELECT c.identity_id, {place}, {shared}
            FROM event_credit c JOIN event e ON e.row_id = c.row_id
            WHERE c.identity_id IN (SELECT unnest($who::UUID[])) AND c.role = 'owner' AND e.is_shared
                AND {stands} AND {days} GROUP BY ALL
        ) GROUP BY ALL"""


def duck_arguments(question: Question, months_each: int = 1) -> dict[str, Any]:
    """Of `duck_sql`."""
    return {
        "who": [world.IDENTITY_IDS[number] for number in question.members],
        "first": question.edges[0],
        "after": question.edges[-1],
        "now": world.NOW,
        "months_each": months_each,
    }


def _property(key: str) -> str:
    return key


def _single(each: Aggregate) -> str:
    aggregated = f"sum({each.value})" if each.value and not each.counts_value else "count(*)"
    return f"({aggregated} FILTER (WHERE {each.condition(_property)}))::DECIMAL(28, 2) AS {each.name}"


def _weighed(each: Aggregate) -> str:
    weighed = f"share * {each.value}" if each.value and not each.counts_value else "share"
    return f"sum({weighed}) FILTER (WHERE {each.condition(_property)}) AS {each.name}"
