"""Row 4: what no sums of days can tell: median, distinct, elapsed, conversion and `nth` over a year of one team.

The SQL knows what the service may not: that leads, calls and e-mails never have a day of their own, that there is one
source, and that teams stay as they are. Nothing finds events by what they are about, so whatever has to know the first
event about a thing passes through all events of the type; whom and when narrows what is kept of them at once.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from tests.benchmarks import world
from tests.benchmarks.bench import Bench, DifferentAnswer, post
from tests.benchmarks.client import Answer, Connection
from tests.benchmarks.comparators import connect
from tests.benchmarks.racing import Ask, Contestant
from tests.benchmarks.report import Bar, Row

FIRST_DAY, AFTER = date(2025, 1, 1), date(2026, 1, 1)
TEAMS = range(0, world.TEAMS, 5)
CLOSENESS = 1e-9
"""Double precision is enough for the SQL: only the service has to be exact."""

Json = dict[str, Any]  # Any: JSON

_STANDS = "e.org_id = $1 AND e.superseded_at IS NULL AND NOT e.retracted AND e.occurred_at <= $5"
_IN_WINDOW = "e.occurred_at >= $3 AND e.occurred_at < $4"
_DATED = f"""e.occurred_on >= ($3 AT TIME ZONE '{world.ZONE}')::date
    AND e.occurred_on < ($4 AT TIME ZONE '{world.ZONE}')::date"""
_OWNED = "c.org_id = $1 AND c.identity_id = ANY ($2) AND c.role = 'owner'"
_TEAMS_OWN = f"""(e.identity_id = ANY ($2) OR e.is_shared AND EXISTS (
    SELECT FROM event_credit c WHERE {_OWNED} AND c.row_id = e.row_id))"""


def _owned(columns: str, types: str, days: str) -> str:
    """Events of the team, each once."""
    stands = f"{_STANDS} AND e.type IN ({types}) AND {days}"
    return f"""(
        SELECT {columns} FROM event e WHERE e.identity_id = ANY ($2) AND {stands}
        UNION ALL
        SELECT {columns} FROM event e
        WHERE e.is_shared AND e.row_id IN (SELECT c.row_id FROM event_credit c WHERE {_OWNED}) AND {stands}
    )"""


_MEDIAN = f"""
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY value)
FROM {_owned("e.duration_seconds AS value", "'call.made'", _IN_WINDOW)} AS mine"""

_DISTINCT = f"""
SELECT count(DISTINCT customer) FROM {_owned("e.about ->> 'customer' AS customer", "'email.sent'", _IN_WINDOW)} AS mine
"""

# Only deals that the team ended can have ended by the team.
_ELAPSED = f"""
WITH candidate AS MATERIALIZED (
    SELECT DISTINCT deal
    FROM {_owned("e.about ->> 'deal' AS deal", "'deal.won', 'deal.lost'", "e.occurred_at >= $3")} AS mine
), start AS MATERIALIZED (
    SELECT deal, first_at FROM (
        SELECT e.about ->> 'deal' AS deal, min(e.occurred_at) AS first_at FROM event e
        WHERE {_STANDS} AND e.type = 'deal.created' AND e.occurred_at < $4
            AND e.about ->> 'deal' IN (SELECT deal FROM candidate)
        GROUP BY 1
    ) AS firsts WHERE first_at >= $3
), ended AS (
    SELECT DISTINCT ON (start.deal) first_at, e.occurred_at, e.identity_id, e.is_shared, e.row_id
    FROM start JOIN event e ON e.about ->> 'deal' = start.deal AND e.occurred_at >= start.first_at
    WHERE {_STANDS} AND e.type IN ('deal.won', 'deal.lost') AND e.occurred_at >= $3
    ORDER BY start.deal, e.occurred_at, e.external_id COLLATE "C"
)
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM e.occurred_at - e.first_at))
FROM ended e WHERE {_TEAMS_OWN}"""

_CONVERSION = f"""
WITH candidate AS MATERIALIZED (
    SELECT row_id, lead FROM {_owned("e.row_id, e.about ->> 'lead' AS lead", "'lead.created'", _IN_WINDOW)} AS mine
), first AS MATERIALIZED (
    SELECT DISTINCT ON (e.about ->> 'lead') e.about ->> 'lead' AS lead, e.occurred_at, e.row_id FROM event e
    WHERE {_STANDS} AND e.type = 'lead.created' AND e.occurred_at < $4
        AND e.about ->> 'lead' IN (SELECT lead FROM candidate)
    ORDER BY e.about ->> 'lead', e.occurred_at, e.external_id COLLATE "C"
), cohort AS MATERIALIZED (
    SELECT lead, occurred_at FROM first WHERE row_id IN (SELECT row_id FROM candidate)
), converted AS (
    SELECT DISTINCT cohort.lead FROM cohort JOIN event e ON e.about ->> 'lead' = cohort.lead
    WHERE {_STANDS} AND e.type = 'lead.qualified' AND e.occurred_at >= $3 AND e.occurred_at <= $4 + interval '720 hours'
        AND e.occurred_at >= cohort.occurred_at AND e.occurred_at <= cohort.occurred_at + interval '720 hours'
)
SELECT (SELECT count(*) FROM converted)::float8 / nullif((SELECT count(*) FROM cohort), 0)"""

_NTH = f"""
WITH mine AS MATERIALIZED (
    SELECT e.row_id, e.about ->> 'customer' AS customer, e.is_shared
    FROM {_owned("e.row_id, e.about, e.is_shared", "'deal.won'", _DATED)} AS e
), first AS (
    SELECT DISTINCT ON (e.about ->> 'customer') e.row_id FROM event e
    WHERE {_STANDS} AND e.type = 'deal.won' AND e.about ->> 'customer' IN (SELECT customer FROM mine)
    ORDER BY e.about ->> 'customer', e.occurred_at, e.external_id COLLATE "C"
)
SELECT coalesce(sum(CASE WHEN NOT is_shared THEN 1 ELSE (
    SELECT sum(c.share) FROM event_credit c WHERE {_OWNED} AND c.row_id = mine.row_id) END), 0)
FROM mine WHERE customer IS NOT NULL AND row_id NOT IN (SELECT row_id FROM first)"""


@dataclass(frozen=True)
class Asked:
    """A KPI of one measure, and the same by hand."""

    key: str
    unit: str
    measure: Json
    sql: str

    def definition(self) -> Json:
        """What is posted to `/v1/kpis`."""
        return {
            "key": self.key,
            "name": self.key.replace("_", " ").capitalize(),
            "category": "sales_results",
            "indicator": "lagging",
            "direction": "increase",
            "unit": {"kind": self.unit},
            "measures": {"m": self.measure},
            "formula": "m",
        }

    def body(self, team: int) -> bytes:
        """The question about a team."""
        question = {"kpis": [self.key], "subjects": [{"team": str(world.TEAM_IDS[team])}]}
        return json.dumps({**question, "period": f"{FIRST_DAY.year}", "grain": "year"}).encode()


ASKED: Sequence[Asked] = (
    Asked(
        "median_call",
        "duration",
        {"aggregate": "median", "value": "duration_seconds", "events": ["call.made"]},
        _MEDIAN,
    ),
    Asked(
        "customers_written_to",
        "count",
        {"aggregate": "count_distinct", "of": "customer", "events": ["email.sent"]},
        _DISTINCT,
    ),
    Asked(
        "sales_cycle",
        "duration",
        {
            "aggregate": "median",
            "elapsed": {
                "from": {"events": ["deal.created"]},
                "to": {"events": ["deal.won", "deal.lost"]},
                "match": "deal",
            },
        },
        _ELAPSED,
    ),
    Asked(
        "qualified_in_30_days",
        "ratio",
        {
            "aggregate": "conversion",
            "within": "P30D",
            "conversion": {
                "from": {"events": ["lead.created"]},
                "to": {"events": ["lead.qualified"]},
                "match": "lead",
            },
        },
        _CONVERSION,
    ),
    Asked(
        "deals_of_known_customers",
        "count",
        {"aggregate": "count", "events": ["deal.won"], "where": "nth(customer) > 1"},
        _NTH,
    ),
)


async def measure(bench: Bench, row: Row) -> None:
    """Each question beside its SQL, with and without parallel query; the answers are compared for each team."""
    servers = {
        name: [await connect(bench.prepared.superuser_url, parallel) for _ in range(max(bench.concurrencies))]
        for name, parallel in (("SQL", 0), ("SQL, parallel", 2))
    }
    contestants: list[Contestant] = []
    for asked in ASKED:
        await post(bench, "/kpis", asked.definition())
        contestants.append(await _ours(bench, asked, servers["SQL"][0]))
        for name, connections in servers.items():
            contestants.append(_by_hand(bench, f"{asked.key}, {name}", asked, connections))
            row.plans[f"{asked.key}, {name}"] = await _plan(bench, asked, connections[0])
    for concurrency in bench.concurrencies:
        row.add(await bench.run(contestants, concurrency))
        for asked in ASKED:
            best = min(row.median(f"{asked.key}, {name}", concurrency) for name in servers)
            times = row.median(f"{asked.key}, paceline", concurrency) / best
            row.bars.append(Bar(f"{asked.key}: times the SQL, {concurrency} at once", times, 1.3))
    for connections in servers.values():
        for connection in connections:
            await connection.close()


async def _ours(bench: Bench, asked: Asked, server: asyncpg.Connection) -> Contestant:
    requests = []
    for team in TEAMS:
        requests.append(bench.target.request("POST", "/v1/kpi-results/query", asked.body(team)))
        answer = await Connection(bench.target).ask(requests[-1])
        check(asked, team, answer, await server.fetchval(asked.sql, *arguments(bench.org_id, team)))
    return Contestant(f"{asked.key}, paceline", [_asking(requests, each) for each in bench.connections(bench.target)])


def _asking(requests: Sequence[bytes], connection: Connection) -> Ask:
    async def ask(number: int) -> None:
        await connection.ask(requests[number % len(requests)])

    return ask


def check(asked: Asked, team: int, answer: Answer, wanted: Any) -> None:  # Any: a number of whatever type
    """Compare the answer about a team with what the SQL says; raises `DifferentAnswer`."""
    document: Any = answer.json()  # Any: JSON
    value = document["series"][0]["values"][0]
    if (value is None) != (wanted is None) or not math.isclose(value or 0, wanted or 0, rel_tol=CLOSENESS):
        raise DifferentAnswer(f"{asked.key} of team {team}: {value}, not {wanted}")


def _by_hand(bench: Bench, name: str, asked: Asked, connections: Sequence[asyncpg.Connection]) -> Contestant:
    def lane(connection: asyncpg.Connection) -> Ask:
        async def ask(number: int) -> None:
            await connection.fetchval(asked.sql, *arguments(bench.org_id, TEAMS[number % len(TEAMS)]))

        return ask

    return Contestant(name, [lane(connection) for connection in connections], in_process=True)


async def _plan(bench: Bench, asked: Asked, connection: asyncpg.Connection) -> Any:  # Any: JSON
    explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {asked.sql}"
    return json.loads(await connection.fetchval(explain, *arguments(bench.org_id, TEAMS[0])))


def arguments(org_id: str, team: int) -> list[Any]:  # Any: values of parameters
    """Of each of these statements."""
    zone = ZoneInfo(world.ZONE)
    identities = [world.IDENTITY_IDS[number] for number in world.members_of_team(team)]
    first, after = (datetime(day.year, day.month, day.day, tzinfo=zone) for day in (FIRST_DAY, AFTER))
    return [UUID(org_id), identities, first, after, world.NOW]
