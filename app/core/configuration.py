"""What decides answers beside events, kept by each process and known by its number.

Settings, calendars, people and teams, definitions, rates, goals: they change rarely, and every question needs them.
Each change adds one to the organization's `ledger_clock.configured` in its own transaction, under the clock's lock, so
two snapshots with the same number see the same configuration. What was loaded in one may then be used in the other. The
number is read in the question's own snapshot; nothing is ever forgotten by time or told from process to process.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.db import OrganizationId

MOST_KEPT = 250_000
"""About so many rows are kept by a process, of all organizations together: some 50 MB."""

_T = TypeVar("_T")


class Kept:
    """Loaded values by what they are; nobody may change them."""

    def __init__(self) -> None:
        self._values: dict[Hashable, Any] = {}
        self.weight = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def __getitem__(self, key: Hashable) -> Any:
        return self._values[key]

    def get(self, key: Hashable) -> Any:
        """The value, or None."""
        return self._values.get(key)

    def __setitem__(self, key: Hashable, value: Any) -> None:
        self.put(key, value, _weight(value))

    def put(self, key: Hashable, value: Any, weight: int) -> None:
        """Keep a value that weighs as much as so many rows."""
        self._values[key] = value
        self.weight += 1 + weight


@dataclass
class _Numbered:
    """An organization's configuration of one number, as known by any instant from `since` on."""

    number: int
    since: datetime
    kept: Kept = field(default_factory=Kept)


class Configurations:
    """The configurations that a process keeps, of the organizations that asked last."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._known: OrderedDict[OrganizationId, _Numbered] = OrderedDict()

    def of(self, org_id: OrganizationId, seen: clock.Present, known_at: datetime) -> Kept | None:
        """What is kept for a snapshot with this clock, of all that was recorded by `known_at`; None: nothing can be.

        Every change up to the number was recorded by the clock's `last_at`, and nothing has changed since.
        """
        found = self._known.get(org_id)
        if found is None or found.number < seen.configured:
            self._known[org_id] = found = _Numbered(seen.configured, seen.last_at)
        if found.number > seen.configured or known_at < found.since:
            return None
        self._known.move_to_end(org_id)
        self._forget_the_eldest()
        return found.kept

    def _forget_the_eldest(self) -> None:
        weight = sum(known.kept.weight for known in self._known.values())
        while weight > self._most:
            _, gone = self._known.popitem(last=False)
            weight -= gone.kept.weight


async def kept(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> Kept:
    """Where to look for, and put, what only the configuration as recorded by `known_at` decides.

    Shared by all snapshots that see the same configuration; of an earlier `known_at` the snapshot's own. In a
    transaction that writes it is empty each time.
    """
    info = session.info
    if "is_snapshot" not in info:
        return Kept()
    found: Kept | None = info.get(("kept", org_id, known_at))
    if found is None:
        shared: Configurations | None = info["configurations"]
        if shared is not None:
            found = shared.of(org_id, await clock.present(session, org_id), known_at)
        found = info["kept", org_id, known_at] = Kept() if found is None else found
    return found


async def remembered(
    session: AsyncSession,
    org_id: OrganizationId,
    known_at: datetime,
    key: Hashable,
    load: Callable[[], Awaitable[_T]],
) -> _T:
    """What is kept under the key, else what `load` gives, which is kept from now on."""
    place = await kept(session, org_id, known_at)
    if key not in place:
        place[key] = await load()
    value: _T = place[key]
    return value


def _weight(value: object) -> int:
    """How many things a value holds."""
    if isinstance(value, Mapping):
        return len(value) + sum(map(_weight, value.values()))
    if isinstance(value, list | tuple | AbstractSet):
        return len(value) + sum(map(_weight, value))
    if is_dataclass(value):
        return sum(_weight(getattr(value, each.name)) for each in fields(value))
    return 0
