"""Contestants take turns, so that whatever else the machine does meets all of them alike."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.machine import processor_seconds

Ask = Callable[[int], Awaitable[None]]
"""Asks the n-th question, and waits for its answer."""


@dataclass(frozen=True)
class Contestant:
    """Somebody who is timed: `lanes[w]` is the w-th asker's own way of asking, a connection mostly.

    One who is `in_process` works in the benchmark's own process, beside PostgreSQL or without it.
    """

    name: str
    lanes: Sequence[Ask]
    in_process: bool = False


@dataclass
class Times:
    """What was measured of one contestant at one concurrency, in seconds.

    `processor` is of all processes that work for the contestant: of ours, where that is `in_process`.
    """

    concurrency: int
    in_process: bool = False
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    processor: float = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Time what is done meanwhile."""
        used, began = processor_seconds(with_own=self.in_process), time.perf_counter()
        yield
        self.seconds += time.perf_counter() - began
        self.processor += processor_seconds(with_own=self.in_process) - used

    @property
    def median(self) -> float:
        """Half of the answers were at least as quick."""
        return statistics.median(self.latencies)

    @property
    def p95(self) -> float:
        """The 95th percentile."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    def as_json(self) -> dict[str, Any]:  # Any: JSON
        """In milliseconds; the processor's for each answer."""
        return {
            "concurrency": self.concurrency,
            "answers": len(self.latencies),
            "median_ms": round(self.median * 1000, 3),
            "p95_ms": round(self.p95 * 1000, 3),
            "processor_ms": round(self.processor * 1000 / len(self.latencies), 3),
            "per_second": round(self.per_second, 2),
        }


@dataclass(frozen=True)
class Race:
    """How long each contestant is measured, in how many turns."""

    seconds: float
    turns: int = 5

    async def run(
        self, contestants: Sequence[Contestant], concurrency: int, done: Callable[[], None]
    ) -> dict[str, Times]:
        """Measure all at one concurrency; `done` is told after each turn. At least one answer a lane and turn."""
        times = {each.name: Times(concurrency, each.in_process) for each in contestants}
        for contestant in contestants:
            await contestant.lanes[0](0)  # plans and caches are made before the first turn
        asked = dict.fromkeys(times, 0)
        for _ in range(self.turns):
            for contestant in contestants:
                mine = times[contestant.name]
                with mine.turn():
                    until = time.perf_counter() + self.seconds / self.turns
                    count = await asyncio.gather(
                        *(
                            _ask(lane, mine, until, asked[contestant.name] + place, concurrency)
                            for place, lane in enumerate(contestant.lanes[:concurrency])
                        )
                    )
                asked[contestant.name] += max(count) * concurrency
                done()
        return times


async def _ask(lane: Ask, turn: Times, until: float, first: int, step: int) -> int:
    """Ask one question after the other until the time is over; gives how many."""
    number = first
    while True:
        began = time.perf_counter()
        await lane(number)
        now = time.perf_counter()
        turn.latencies.append(now - began)
        number += step
        if now >= until:
            return (number - first) // step
