"""Row 7: single signed webhooks of HubSpot from 32 senders, beside an endpoint that inserts one row and commits."""

import asyncio
import base64
import hmac
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

import asyncpg

from app.core.settings import Settings
from app.main import open_database
from app.onboarding import create_organization
from tests.benchmarks.bench import Bench, DifferentAnswer
from tests.benchmarks.client import Connection, Target
from tests.benchmarks.racing import Times
from tests.benchmarks.report import Bar, Row

SENDERS = 32
ORGANIZATIONS = (1, 20)
BARE_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 120.0
SECRET = "client-secret-of-the-benchmark"
_BACKLOG = "SELECT count(*) FROM job WHERE kind = 'translate-delivery'"
_FIRST_MESSAGE = 3_100_000_000


@dataclass(frozen=True)
class Source:
    """Where an organization's HubSpot posts to."""

    path: str
    signed_url: str


@dataclass
class Backlog:
    """Deliveries that wait to be translated, by the second."""

    numbers: list[int] = field(default_factory=list)

    def growth(self, received: int) -> float:
        """Of the second half: how much of what was received then was left to wait."""
        half = self.numbers[len(self.numbers) // 2 :]
        quarter = max(1, len(half) // 2)
        before, after = (sum(part) / max(1, len(part)) for part in (half[:quarter], half[quarter:]))
        return max(0.0, after - before) / max(1.0, received / 4)


async def measure(bench: Bench, row: Row) -> None:
    """The bare endpoint before and after, so that both meet the same machine; every delivery is counted."""
    sources = await _sources(bench)
    server = await bench.superuser()
    messages = _messages()
    for number in ORGANIZATIONS:
        await _round(bench, row, server, sources[:number], messages)
    await server.close()


async def _round(
    bench: Bench, row: Row, server: asyncpg.Connection, sources: Sequence[Source], messages: Iterator[bytes]
) -> None:
    name = f"paceline, {len(sources)} organization{'s' if len(sources) > 1 else ''}"
    mine, bare, backlog = Times(SENDERS), Times(SENDERS), Backlog()
    before = await server.fetchval("SELECT count(*) FROM delivery")

    def signed(place: int) -> bytes:
        return _signed(bench, sources[place % len(sources)], next(messages))

    def unsigned(_: int) -> bytes:
        return bench.bare.request("POST", "/hook", next(messages))

    await _send(bench, bench.bare, unsigned, bare, BARE_SECONDS / 2)
    watching = asyncio.create_task(_watch(bench, backlog))
    await _send(bench, bench.service.target(""), signed, mine, bench.webhook_seconds)
    watching.cancel()
    await _send(bench, bench.bare, unsigned, bare, BARE_SECONDS / 2)
    answered = len(mine.latencies)
    row.add({name: mine, f"bare, beside {name}": bare})
    row.figures[f"deliveries waiting by the second, {name}"] = backlog.numbers
    row.figures[f"deliveries waiting at the end, {name}"] = backlog.numbers[-1]
    row.figures[f"seconds until all are translated, {name}"] = await _drained(bench, server)
    await _compare(server, await server.fetchval("SELECT count(*) FROM delivery") - before, answered)
    share = mine.per_second / bare.per_second
    row.bars.append(Bar(f"{name}: share of the bare rate", share, 1 / 3, at_most=False))
    row.bars.append(Bar(f"{name}: part of what came that was left waiting", backlog.growth(answered), 0.02))


async def _sources(bench: Bench) -> list[Source]:
    """A HubSpot of each of so many organizations on the real clock, since signatures age."""
    database = open_database(Settings(), bench.prepared.urls.app)
    found = []
    try:
        for number in range(max(ORGANIZATIONS)):
            _, token = await create_organization(database, f"Sender {number}")
            async with bench.service.api(token) as api:
                new = {"key": "hubspot", "name": "HubSpot", "system": "hubspot", "account_id": "44556677"}
                answer = await api.post("/sources", json={**new, "secrets": [SECRET]})
                told = answer.raise_for_status().json()
            found.append(Source(urlsplit(told["webhook_url"]).path, told["signed_url"]))
    finally:
        await database.close()
    return found


def _messages() -> Iterator[bytes]:
    """Single messages about many deals over the last two months, as HubSpot sends them."""
    chance = random.Random(7)
    for number in count(_FIRST_MESSAGE):
        at = int(time.time() * 1000) - chance.randrange(60 * 86_400_000)
        message = {
            "eventId": number,
            "subscriptionId": 2_200_002,
            "portalId": 44_556_677,
            "appId": 8_123_456,
            "occurredAt": at,
            "attemptNumber": 0,
            "objectId": 19_200_000_000 + chance.randrange(20_000),
            "changeSource": "CRM_UI",
        }
        name = chance.choice(["dealstage", "amount", "hubspot_owner_id", "closedate", ""])
        values = {
            "dealstage": chance.choice(["closedwon", "appointmentscheduled", "closedlost"]),
            "amount": f"{chance.randrange(10**6) / 100}",
            "hubspot_owner_id": str(910_900 + chance.randrange(50)),
            "closedate": str(at),
        }
        change = {"subscriptionType": "deal.propertyChange", "propertyName": name, "propertyValue": values.get(name)}
        yield json.dumps([message | (change if name else {"subscriptionType": "deal.creation"})]).encode()


def _signed(bench: Bench, source: Source, body: bytes) -> bytes:
    """A request with HubSpot's signature, version 3."""
    sent = str(int(time.time() * 1000))
    covered = b"POST" + source.signed_url.encode() + body + sent.encode()
    signature = base64.b64encode(hmac.digest(SECRET.encode(), covered, "sha256")).decode()
    headers = {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": sent}
    return bench.service.target("").request("POST", source.path, body, headers)


async def _send(bench: Bench, target: Target, make: Callable[[int], bytes], times: Times, seconds: float) -> None:
    """All senders at once, each with one request after the other."""
    connections = [Connection(target) for _ in range(SENDERS)]
    await connections[0].ask(make(0))  # not measured: plans and caches
    until = time.perf_counter() + seconds

    async def sender(place: int, connection: Connection) -> None:
        for number in count(place, SENDERS):
            request = make(number)
            asked = time.perf_counter()
            if asked >= until:
                return
            await connection.ask(request)
            times.latencies.append(time.perf_counter() - asked)

    with times.turn():
        await asyncio.gather(*(sender(place, connection) for place, connection in enumerate(connections)))
    for connection in connections:
        connection.close()


async def _watch(bench: Bench, backlog: Backlog) -> None:
    server = await bench.superuser()
    try:
        while True:
            backlog.numbers.append(await server.fetchval(_BACKLOG))
            bench.told(f"webhooks, {backlog.numbers[-1]} to translate")
            await asyncio.sleep(1)
    finally:
        server.terminate()


async def _drained(bench: Bench, server: asyncpg.Connection) -> float | None:
    """Seconds until nothing waits; None where that takes too long."""
    began = time.monotonic()
    while left := await server.fetchval(_BACKLOG):
        if time.monotonic() - began > LONGEST_WAIT_SECONDS:
            return None
        bench.told(f"{left} deliveries to translate")
        await asyncio.sleep(0.2)
    return round(time.monotonic() - began, 1)


async def _compare(server: asyncpg.Connection, stored: int, answered: int) -> None:
    """What was answered is there, all of it, and was understood."""
    if stored != answered + 1:  # the one that was not measured
        raise DifferentAnswer(f"{stored} deliveries are stored, and {answered} were answered")
    verdicts: Sequence[str] = await server.fetchval("SELECT coalesce(array_agg(DISTINCT verdict), '{}') FROM delivery")
    if "unparseable" in verdicts or "failed" in verdicts:
        raise DifferentAnswer(f"deliveries of the benchmark were not understood: {verdicts}")
