"""The way of messages: what reaches the service on which day, in which order, and how often."""

import random
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from app.demo import hubspot, pipedrive
from app.demo.messages import Json
from app.demo.people import System
from app.demo.story import Story, day_of

LATE, REPEATED = 0.02, 0.03
"""Shares of messages that come a working day later, and of those that come once more."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a CRM, with its exact body."""

    system: System
    body: bytes


def calls(story: Story) -> Iterator[tuple[date, list[Call]]]:
    """For each working day what arrives in its evening: shuffled, some of it late, some of it twice.

    All of it has arrived on the last day.
    """
    ways = random.Random(story.scale.seed + 3)  # noqa: S311 - invents, keeps no secret
    events, webhooks = _by_day(story, "hubspot", ways), _by_day(story, "pipedrive", ways)
    for day in story.workdays:
        batches = [events[day][start : start + hubspot.BATCH] for start in range(0, len(events[day]), hubspot.BATCH)]
        arriving = [Call("hubspot", hubspot.body(batch)) for batch in batches]
        arriving += [Call("pipedrive", pipedrive.body(webhook)) for webhook in webhooks[day]]
        yield day, arriving


def _by_day(story: Story, system: System, ways: random.Random) -> dict[date, list[dict[str, Json]]]:
    """The days on which messages arrive; of weekends, on the next working day."""
    told = hubspot.messages(story) if system == "hubspot" else pipedrive.messages(story)
    again = hubspot.again if system == "hubspot" else pipedrive.again
    arriving: dict[date, list[dict[str, Json]]] = defaultdict(list)
    for message in told:
        place = bisect_left(story.workdays, day_of(message.at))
        late = place + (ways.random() < LATE)
        arriving[_day(story.workdays, late)].append(message.payload if late == place else again(message.payload))
        if ways.random() < REPEATED:
            arriving[_day(story.workdays, late + ways.randrange(2))].append(again(message.payload))
    for day in story.workdays:
        ways.shuffle(arriving[day])
    return arriving


def _day(workdays: Sequence[date], place: int) -> date:
    return workdays[min(place, len(workdays) - 1)]
