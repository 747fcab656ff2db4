"""What systems tell of whole objects when they are asked: how that is stored, and the changes that follow.

A snapshot tells how an object has been since its last change, not what changed: each of its fields had its value
from then on at the latest. Snapshots of the same state add nothing.
"""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Mapped
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from app.integrations.adapters import wire
from app.integrations.adapters.base import Changes, Fetched, Item, Json, Unparseable
from app.integrations.adapters.wire import elements
from app.integrations.folding import DELETED, FieldChange, Key, LinkChange, Value, link_between

PARTIAL = "0"
"""The tie key of what a message tells of an instant: a snapshot of the same instant has seen more."""

# Systems tell the last change to the second, so what is seen soon after it may not be the last of that second.
# The tie key of what was seen later sorts after every instant, and is the same whenever it was seen.
_SETTLING = timedelta(seconds=10)
_SETTLED = "~"


# Systems do not document all the words, and some words of one contain those of another: in this order.
_RESTORED = re.compile("recover|restor|undelet|unvoid|恢复")
_DELETED = re.compile("delet|remov|trash|invalid|void|abolish|作废|删除")
_MADE = re.compile("insert|creat|add|新建")


def what_happened(word: Json) -> Literal["insert", "update", "delete", "restore"]:
    """What a system's word for an operation means; an update is the least that happened."""
    told = str(word).lower()
    if _RESTORED.search(told):
        return "restore"
    if _DELETED.search(told):
        return "delete"
    return "insert" if _MADE.search(told) else "update"


def stored(fetched: Fetched, items: Sequence[Json]) -> Json:
    """The body of a delivery that holds what was fetched, redacted; no webhook's body has the key `fetched`."""
    return {
        "fetched": fetched.object,
        "account_id": fetched.account_id,
        "at": fetched.at.isoformat(),
        "items": list(items),
        "gone": [wire.storable(each) for each in fetched.gone],
    }


def items_of(body: Mapped[str, Json], *, system: str, id_field: str, version_field: str) -> list[Item]:
    """The messages of a stored body: one for each object that is there, and for each that is gone."""
    account, kind, at = str(body.get("account_id")), str(body["fetched"]), body.get("at")
    told: dict[str, Json] = {"fetched": kind, "at": at}
    key = f"{system}:{account}:{kind}"
    found = []
    for each in elements(body.get("items")):
        item = each if isinstance(each, dict) else {}
        version = f"{key}:{item.get(id_field)}:{item.get(version_field)}"
        found.append(Item(account, f"fetched.{kind}", version, {**told, "item": item}))
    absent = [
        Item(account, f"gone.{kind}", f"{key}:{gone}:gone:{at}", {**told, "gone": gone})
        for gone in elements(body.get("gone"))
    ]
    return [*found, *absent]


def seen_at(payload: Mapped[str, Json]) -> datetime:
    """When the answer came of which `items_of` made this message. Raises `Unparseable`."""
    at = wire.instant(payload.get("at"))
    if at is None:
        raise Unparseable("at is no instant")
    return at


def gone(key: Key, at: datetime) -> Changes:
    """The object was asked for and is not there."""
    return Changes([FieldChange(*key, DELETED, at, PARTIAL, True)])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How an object has been since `at`."""

    key: Key
    at: datetime
    tie: str = PARTIAL

    @classmethod
    def seen(cls, key: Key, changed: datetime | None, seen: datetime) -> "Snapshot":
        """How it was seen: since its last change, if it tells that."""
        at = changed or seen
        return cls(key, at, _SETTLED if seen - at > _SETTLING else f"{seen:%Y%m%d%H%M%S%f}")

    def one(self, field: str, value: Value) -> FieldChange:
        """A field has this value."""
        return FieldChange(*self.key, field, self.at, self.tie, value)

    def fields(self, values: Mapped[str, Value]) -> list[FieldChange]:
        """Its fields have these values."""
        return [self.one(name, values[name]) for name in sorted(values)]

    def links(self, others: Iterable[Key]) -> list[LinkChange]:
        """What its references lead to; of several that were told, the latest counts."""
        return [
            link_between(self.key, other, self.at, self.tie, removed=False, is_primary=True)
            for other in dict.fromkeys(others)
            if other != self.key
        ]
