"""Service and worker as processes, ended by kill -9 while many send: what is acknowledged is there, exactly once."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from app.core.roles import DatabaseUrls
from app.integrations.adapters.salesforce_fields import id18
from app.supervisor import PROJECT
from tests.conftest import KEYS
from tests.integrations.crm import World as Expected
from tests.integrations.crm import won
from tests.integrations.posting import Connection, hubspot
from tests.integrations.salesforce import at, outbound
from tests.integrations.salesforce import won as won_opportunity
from tests.integrations.test_salesforce_hooks import ACK, SECRET, salesforce
from tests.support import BASE, Api, World
from tests.test_cli import PATIENCE, environment, free_port

SENDERS = 40
DEALS = 100  # of each system


@dataclass
class Message:
    """A call to be made until it is acknowledged, and what became of its tries."""

    connection: Connection
    body: bytes
    acknowledged: bool = False
    lost: int = 0

    async def send(self, client: httpx.AsyncClient) -> None:
        """As the systems do: again and again where nothing is answered; what is answered is their form of success."""
        is_soap = self.body.startswith(b"<")
        path = f"/v1/hooks/{self.connection.id}" + (f"?key={SECRET}" if is_soap else "")
        while not self.acknowledged:
            proof = {"Content-Type": "text/xml"} if is_soap else self.connection.headers(self.body, datetime.now(UTC))
            try:
                answer = await client.post(path, content=self.body, headers=proof)
            except httpx.TransportError:
                self.lost += 1
                await asyncio.sleep(0.1)
            else:
                assert (answer.status_code, answer.content) == (200, ACK if is_soap else b"")
                self.acknowledged = True


class Process:
    """A command of ours that is killed and started again."""

    def __init__(self, *command: str, told: Path, **settings: object) -> None:
        self._command = [sys.executable, "-m", "app.cli", *command]
        self._told = told
        self._environment = environment(ENCRYPTION_KEYS=KEYS, PUBLIC_BASE_URL=BASE, **settings)
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._told.open("ab") as output:
            return subprocess.Popen(self._command, cwd=PROJECT, env=self._environment, stdout=output, stderr=output)

    def kill(self) -> None:
        """End it at once, whatever it does."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def kill_and_start_again(self) -> None:
        """As whoever keeps it running does."""
        self.kill()
        self._process = self._start()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what takes as long as processes take on this machine."""
    async with asyncio.timeout(2 * PATIENCE):
        while not await holds():  # noqa: ASYNC110 - processes have no event
            await asyncio.sleep(0.2)


async def all_of(api: Api, path: str) -> list[dict[str, Any]]:
    """All pages of a list."""
    page = await api.get(path, limit=200)
    items: list[dict[str, Any]] = page["items"]
    while page["next_cursor"]:
        page = await api.get(path, limit=200, cursor=page["next_cursor"])
        items += page["items"]
    return items


async def test_nothing_acknowledged_is_lost_or_twice_when_service_and_worker_are_killed(
    world: World, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    api = await world.organization(now=None, time_zone="UTC")
    one, other = await hubspot(api), await salesforce(api)
    messages = [Message(one, won(deal).body()) for deal in range(DEALS)]
    messages += [Message(other, _opportunity(deal)) for deal in range(DEALS)]
    port, queue = free_port(), messages[::2] + messages[1::2]
    service = Process("serve", "--port", f"{port}", told=tmp_path / "service", DATABASE_URL=database_urls.app)
    worker = Process("worker", told=tmp_path / "worker", WORKER_DATABASE_URL=database_urls.worker)

    async def half_is_acknowledged() -> bool:
        return 2 * sum(each.acknowledged for each in messages) >= len(messages)

    async def some_is_translated() -> bool:
        return bool(await one.deliveries(verdict="translated"))

    async def nothing_waits() -> bool:
        return not await one.deliveries(verdict="received") and not await other.deliveries(verdict="received")

    async def sender(client: httpx.AsyncClient) -> None:
        while queue:
            await queue.pop().send(client)

    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
            senders = asyncio.gather(*(sender(client) for _ in range(SENDERS)))
            await until(half_is_acknowledged)
            service.kill_and_start_again()
            await until(some_is_translated)
            worker.kill_and_start_again()
            await senders
            await until(nothing_waits)
    finally:
        service.kill()
        worker.kill()
    for connection in (one, other):
        await _is_stored_once(connection, [each for each in messages if each.connection is connection])
    expected = [Expected(system).tell(*_bodies(messages, system)).events() for system in ("hubspot", "salesforce")]
    listed = await all_of(api, "/events")
    assert Counter(each["external_id"] for each in listed) == Counter([*expected[0], *expected[1]])


def _opportunity(number: int) -> bytes:
    deal = id18(f"0065g0000{number:06}", "Id")
    return outbound(number, "Opportunity", won_opportunity(at(3), Id=deal, Amount=f"{number}.5"))


def _bodies(messages: list[Message], system: str) -> list[bytes]:
    return [each.body for each in messages if each.connection.source["system"] == system]


async def _is_stored_once(connection: Connection, sent: list[Message]) -> None:
    """As often as it was acknowledged; what was stored when its answer was lost is there once more."""
    deliveries = await all_of(connection.api, f"/sources/{connection.id}/deliveries")
    stored = Counter(each["digest"] for each in deliveries)
    for each in sent:
        assert 1 <= stored.pop(sha256(each.body).hexdigest(), 0) <= 1 + each.lost
    assert not stored
    assert {each["verdict"] for each in deliveries} == {"translated"}
