"""Batches of events as clients post them: the same content each time but for the ids, put together beforehand."""

import json
import random
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

from tests.benchmarks import ledger, world

Json = dict[str, Any]  # Any: JSON
MARK = b"@@@@@@@@@@"
"""Stands for the batch in the ids of its events; is replaced by as many characters."""

_WEIGHTS = [1 / rank for rank in range(1, len(ledger.TYPES) + 1)]


@cache
def template(size: int, late_share: float, seed: int = 1) -> bytes:
    """A batch: of today's last hours, and `late_share` of it scattered over the twelve months before."""
    chance = random.Random(seed)
    return json.dumps({"events": [_event(chance, n, late_share) for n in range(size)]}).encode()


def named(template_: bytes, batch: str) -> bytes:
    """The batch with ids of its own; `batch` has at most ten characters."""
    return template_.replace(MARK, batch.encode().rjust(len(MARK), b"0"))


def _event(chance: random.Random, number: int, late_share: float) -> Json:
    kind = chance.choices(ledger.TYPES, _WEIGHTS)[0]
    is_late = chance.random() < late_share
    back = chance.uniform(86_400, 365 * 86_400) if is_late else chance.uniform(0, 6 * 3_600)
    at = world.NOW - timedelta(seconds=back)
    who = chance.randrange(world.MEMBERS)
    event: Json = {
        "external_id": f"b-{MARK.decode()}-{number:05d}",
        "version": 1,
        "type": kind,
        "occurred_at": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "about": _about(chance, kind),
        "properties": {
            "channel": chance.choice(["web", "partner", "event", "referral", "outbound"]),
            "product": chance.choice(["basic", "pro", "enterprise"]),
            "region": chance.choice(["north", "south", "east", "west"]),
            "points": chance.randrange(100),
        },
    }
    return event | _credited(chance, who) | _values(chance, kind, at.date())


def _about(chance: random.Random, kind: str) -> Json:
    if kind.startswith("lead."):
        return {"lead": f"N-{chance.randrange(10**6)}"}
    return {"deal": f"M-{chance.randrange(10**5)}", "customer": f"C-{chance.randrange(1000)}"}


def _credited(chance: random.Random, who: int) -> Json:
    actor: Json = {"actor": {"id": world.actor(who)}}
    if chance.random() >= ledger.SHARED:
        return actor
    second = {"id": world.actor((who + 1 + chance.randrange(world.MEMBERS - 1)) % world.MEMBERS)}
    return actor | {"credits": [{**actor, "share": "0.6"}, {"actor": second, "share": "0.4"}]}


def _values(chance: random.Random, kind: str, day: date) -> Json:
    values: Json = {}
    if kind.startswith("deal.") or kind == "quote.sent":
        values["amount"] = {"value": f"{chance.uniform(100, 9000):.2f}", "currency": world.CURRENCY}
    if kind in {"deal.won", "deal.lost"}:
        values["occurred_on"] = day.isoformat()
    if kind.startswith("call.") or kind == "meeting.held":
        values["duration_seconds"] = chance.randrange(30, 2000)
    return values


def batches(size: int, late_share: float, names: Sequence[str]) -> list[bytes]:
    """A body for each name."""
    made = template(size, late_share)
    return [named(made, name) for name in names]
