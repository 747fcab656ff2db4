"""The benchmark's data and what it is compared with, at a small size: the service answers what the SQL says."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import pytest

from app.core.db import OrganizationId
from app.core.roles import DatabaseUrls
from tests.benchmarks import dashboard, ledger, people, posting, unmergeable
from tests.benchmarks.bench import DifferentAnswer
from tests.benchmarks.catalogue import DASHBOARD
from tests.benchmarks.client import Answer
from tests.benchmarks.comparators import Sql, connect
from tests.benchmarks.dashboard import Board
from tests.benchmarks.unmergeable import ASKED
from tests.benchmarks.world import Organization
from tests.support import Api, World

EVENTS = 6_000
TEAMS = range(0, 50, 10)


@dataclass(frozen=True)
class Server:
    """PostgreSQL, to ask by hand."""

    url: str
    connection: asyncpg.Connection


@pytest.fixture
async def server(postgres: dict[str, str], database_urls: DatabaseUrls) -> AsyncIterator[Server]:
    """The database of the tests, as whoever fills it and asks by hand."""
    url = urlunsplit(urlsplit(postgres["superuser"])._replace(path=urlsplit(database_urls.app).path))
    connection = await connect(url, 0)
    yield Server(url, connection)
    await connection.close()


@pytest.fixture
async def organization(world: World, server: Server) -> Organization:
    """An organization of the benchmark, without events yet."""
    return await people.found(world.database, server.connection, EVENTS)


@pytest.fixture
async def api(world: World, organization: Organization) -> Api:
    """Its admin."""
    return world.caller(OrganizationId(UUID(organization.org_id)), organization.token)


@pytest.fixture
async def written(server: Server, organization: Organization) -> None:
    """The events are there."""
    await ledger.write(server.url, organization, lambda _: None)
    await server.connection.execute("ANALYZE event, event_credit")


def _boards() -> Iterator[Board]:
    for board in (dashboard.dashboard(), dashboard.ranking()):
        yield replace(board, questions=board.questions[:2])


@pytest.mark.usefixtures("written")
async def test_the_service_answers_what_the_sql_says(api: Api, server: Server) -> None:
    for kpi in DASHBOARD:
        await api.post("/kpis", kpi.body(), expect=201)
    seen = 0
    for board in _boards():
        sql = Sql(board.aggregates, 0)
        for variant, question in enumerate(board.questions):
            board.expected[variant] = sql.cells(await sql.fetch(server.connection, str(api.org_id), question))
            seen += sum(any(cell.values()) for cell in board.expected[variant].values())
            board.check(variant, await _asked(api, board.body(variant)))
    assert seen > 200


@pytest.mark.usefixtures("written")
async def test_what_only_events_tell_is_what_the_sql_says(api: Api, server: Server) -> None:
    seen = set()
    for asked in ASKED:
        await api.post("/kpis", asked.definition(), expect=201)
        for team in TEAMS:
            wanted = await server.connection.fetchval(asked.sql, *unmergeable.arguments(str(api.org_id), team))
            unmergeable.check(asked, team, await _asked(api, asked.body(team)), wanted)
            seen |= {asked.key} if wanted else set()
    assert seen == {asked.key for asked in ASKED}


async def test_a_wrong_answer_is_found(api: Api) -> None:
    await api.post("/kpis", DASHBOARD[0].body(), expect=201)
    board = Board(DASHBOARD[:1], dashboard.dashboard().aggregates[:1], dashboard.dashboard().questions[:1], "month", 1)
    board.expected[0] = {(0, 0): {"calls": Decimal(10**6)}}
    with pytest.raises(DifferentAnswer, match=r"calls_made of member 0, window 0: [\d.]+, not 1E\+6"):
        board.check(0, await _asked(api, board.body(0)))


async def test_batches_that_are_posted_are_accepted(api: Api) -> None:
    answer = await api.post("/events/batch", posting.named(posting.template(100, 0.5), "first"))
    assert answer["counts"]["accepted"] == 100


async def _asked(api: Api, body: bytes) -> Answer:
    response = await api.call("POST", "/kpi-results/query", body, expect=200)
    return Answer(response.status_code, b"", response.content)
