"""How far kept figures hold for a question: asked of the database, or expected by what it last said."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.configuration import kept
from app.core.ids import NIL
from app.events.sharding import EVERYBODY, SHARDS, shard_of
from app.kpis.measures import Audience
from app.kpis.partials.layouts import Segments, day_of, month_of, number_of
from app.kpis.partials.merging import Standing
from app.kpis.planning import Plan

MOST_STALE = 1000
"""With more days than these to compute from events, a question is answered from the ledger at once."""
LONGEST_TAIL = timedelta(days=40)
"""So far may those who keep figures have fallen behind."""
MOST_EXPECTED = 4
"""So many identities and shapes may a question have that is asked together with the state it expects."""


@dataclass(frozen=True)
class State:
    """Which shapes are built, as kept, and what stands of whom."""

    built: Mapping[bytes, UUID]
    standing: Standing


@dataclass(frozen=True)
class LastSeen:
    """What the database last said of an organization's shapes and shards: nothing to rely on."""

    built: dict[bytes, UUID] = field(default_factory=dict)
    before: dict[int, int] = field(default_factory=dict)

    def note(self, state: State) -> None:
        """Remember it for the next question."""
        self.built.update(state.built)
        self.before.update({shard_of(identity): before for identity, before in state.standing.before.items()})


async def last_seen(session: AsyncSession, plan: Plan) -> LastSeen:
    """What this process has seen of the organization, kept and forgotten with its configuration."""
    place = await kept(session, plan.context.org_id, plan.context.known_at)
    if LastSeen not in place:
        place[LastSeen] = LastSeen()
    found: LastSeen = place[LastSeen]
    return found


class Concern:
    """Whose figures of which shapes and days a question is about; `shards` are those of its identities."""

    def __init__(self, plan: Plan, audience: Audience, digests: Collection[bytes], segments: Segments) -> None:
        self._plan = plan
        self._everything = bool(audience.everything)
        self._digests = digests
        self._segments = segments
        self._identities = {span.identity_id for _, span in audience.spans}
        if self._everything:
            self._identities |= {*plan.context.structure.identities, NIL, EVERYBODY}
        self.shards = sorted({shard_of(identity) for identity in self._identities})

    @property
    def parameters(self) -> dict[str, Any]:
        """Those of `kept.STATE`."""
        first, end = self._segments.first, self._segments.end
        return {
            "org_id": self._plan.context.org_id,
            "shards": list(range(SHARDS)) if self._everything else self.shards,
            "digests": self._digests,
            "first_month": day_of(month_of(first)),
            "zone": self._plan.context.cut.zone.key,
            "everything": self._everything,
            "identities": [] if self._everything else list(self._identities),
            "first_day": day_of(first),
            "next_day": day_of(end),
            "most": MOST_STALE + 1,
        }

    def expected(self, seen: LastSeen) -> State | None:
        """The state, if nothing has changed; None where that is not known, or there is much to ask for."""
        if self._everything or max(len(self._identities), len(self._digests)) > MOST_EXPECTED:
            return None
        if not seen.built.keys() >= set(self._digests) or not seen.before.keys() >= set(self.shards):
            return None
        before = {identity: seen.before[shard_of(identity)] for identity in self._identities}
        return State({digest: seen.built[digest] for digest in self._digests}, _standing(before, {}))

    def told(self, row: Any) -> State | None:
        """The state; None where kept figures tell nothing, or so much has changed that the ledger tells it as fast."""
        if row["is_unadopted"] or not row["has_basis"] or not row["measures"]:
            return None
        befores = dict(zip(row["shards"], row["before"], strict=True))
        if len(row["stale_days"] or ()) > MOST_STALE or any(shard not in befores for shard in self.shards):
            return None
        context = self._plan.context
        if any(before is None or context.today - before > LONGEST_TAIL for before in befores.values()):
            return None
        if any(computed_at is None or computed_at > context.at for computed_at in row["computed_at"]):
            return None
        before = {shard: number_of(day) for shard, day in befores.items()}
        stale: dict[UUID, list[int]] = {}
        for identity, day in zip(row["stale_identities"] or (), row["stale_days"] or (), strict=True):
            if day < before[shard_of(identity)]:
                stale.setdefault(identity, []).append(day)
        built = dict(zip(row["digests"], row["measures"], strict=True))
        return State(
            built, _standing({identity: before[shard_of(identity)] for identity in {*self._identities, *stale}}, stale)
        )


def _standing(before: Mapping[UUID, int], stale: Mapping[UUID, Sequence[int]]) -> Standing:
    return Standing(before, {identity: tuple(sorted(days)) for identity, days in stale.items()}, max(before.values()))
