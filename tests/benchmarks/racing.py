"""Contestants take turns, so that whatever else the machine does meets all of them alike."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Ask = Callable[[int], Awaitable[None]]
"""Asks the n-th question, and waits for its answer."""


@dataclass(frozen=True)
class Contestant:
    """Somebody who is timed: `lanes[w]` is the w-th asker's own way of asking, a connection mostly."""

    name: str
    lanes: Sequence[Ask]


@dataclass
class Times:
    """What was measured of one contestant at one concurrency, in seconds."""

    concurrency: int
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

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
        """In milliseconds."""
        return {
            "concurrency": self.concurrency,
            "answers": len(self.latencies),
            "median_ms": round(self.median * 1000, 3),
            "p95_ms": round(self.p95 * 1000, 3),
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
        times = {each.name: Times(concurrency) for each in contestants}
        for contestant in contestants:
            await contestant.lanes[0](0)  # plans and caches are made before the first turn
        asked = dict.fromkeys(times, 0)
        for _ in range(self.turns):
            for contestant in contestants:
                turn = times[contestant.name]
                began = time.perf_counter()
                until = began + self.seconds / self.turns
                count = await asyncio.gather(
                    *(
                        _ask(lane, turn, until, asked[contestant.name] + place, concurrency)
                        for place, lane in enumerate(contestant.lanes[:concurrency])
                    )
                )
                asked[contestant.name] += max(count) * concurrency
                turn.seconds += time.perf_counter() - began
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
