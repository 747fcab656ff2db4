"""What the rows of the benchmark are given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.benchmarks.client import Connection, Target
from tests.benchmarks.databases import Prepared
from tests.benchmarks.duck import Duck
from tests.benchmarks.racing import Contestant, Race, Times
from tests.benchmarks.service import Running


class DifferentAnswer(AssertionError):  # noqa: N818 - the benchmark stops: fast and wrong is worth nothing
    """Two ways of asking the same gave different answers."""


@dataclass(frozen=True)
class Bench:
    """The data, the service at work on it, and how to measure."""

    prepared: Prepared
    service: Running
    bare_url: str
    race: Race
    concurrencies: Sequence[int]
    seconds: float
    webhook_seconds: float
    duck: Duck | None
    beside: "Bench | None"  # the same on a smaller ledger, where one was asked for
    told: Callable[[str], None]

    @property
    def org_id(self) -> str:
        """The organization's."""
        return self.prepared.organization.org_id

    @property
    def target(self) -> Target:
        """The service, as the organization's admin calls it."""
        return self.service.target(self.prepared.organization.token)

    @property
    def bare(self) -> Target:
        """The bare application, with the same key."""
        return Target(self.bare_url, self.prepared.organization.token)

    def connections(self, target: Target) -> list[Connection]:
        """As many as are asked at once at most."""
        return [Connection(target) for _ in range(max(self.concurrencies))]

    async def superuser(self) -> asyncpg.Connection:
        """A connection that sees everything; not for what is measured through the service."""
        return await asyncpg.connect(self.prepared.superuser_url)

    async def run(self, contestants: Sequence[Contestant], concurrency: int) -> dict[str, Times]:
        """A race, told to whoever watches."""
        return await self.race.run(contestants, concurrency, lambda: self.told(f"{concurrency} at once"))


async def post(bench: Bench, path: str, body: Any) -> Any:  # Any: JSON
    """Post to the service, for what is not measured; raises `RuntimeError` unless it is taken."""
    async with bench.service.api(bench.prepared.organization.token) as api:
        answer = await api.post(path, json=body)
    if not answer.is_success:
        raise RuntimeError(f"POST {path}: {answer.status_code} {answer.text[:1000]}")
    return answer.json()
