"""Revisions as they are written: all of a batch in a few statements, with the markers of what they concern."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, literal_column, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId, Ready
from app.core.ids import NIL, new_id
from app.events.bulk import Columns, Encoded, Insertion, among
from app.events.facts import OWNER, WHOLE, EventFacts
from app.events.heads import Head
from app.events.models import Event, EventCredit, StaleMarker
from app.events.sharding import EVERYBODY, shard_of
from app.events.waking import wake

_EVENTS = Insertion(
    Event,
    same=("org_id", "source_id", "recorded_at"),
    mostly=("version", "revision", "origin", "retracted", "superseded_at"),
)
_CREDITS = Insertion(EventCredit, same=("org_id",))
_MARKERS = Insertion(StaleMarker, same=("org_id",))
_MARKED = ("identity_id", "type", "occurred_at", "occurred_on")

_EVENT_IDS = func.unnest(bindparam("event_ids", type_=ARRAY(Uuid()))).table_valued("id", name="wanted").render_derived()
# One after the other, each by the index whose order is asked for: in a large table the rows of a new organization are
# estimated to be one, and any index that begins with the organization seemed as good.
_LATEST = (
    select(*Event.__table__.c)
    .where(Event.org_id == bindparam("org_id"), Event.event_id == _EVENT_IDS.c.id, Event.superseded_at.is_(None))
    .order_by(Event.revision.desc())
    .limit(literal_column("1"))
    .lateral("latest")
)
_STANDING = Ready(select(*_LATEST.c).select_from(_EVENT_IDS.join(_LATEST, true())))

# What stands in the row of an event of which nothing is known but that it was taken back.
_NOTHING: dict[str, Any] = {
    "type": None,
    "occurred_at": None,
    "occurred_on": None,
    "actor_id": None,
    "identity_id": None,
    "is_shared": False,
    "about": {},
    "amount": None,
    "currency": None,
    "quantity": None,
    "duration_seconds": None,
    "properties": {},
}


@dataclass(slots=True)
class Revision:
    """A row of `event` with its rows of `event_credit`, as they are or will be stored."""

    row: dict[str, Any]  # Any: the columns of the table
    credits: list[dict[str, Any]]
    is_stored: bool = False

    @property
    def owners(self) -> set[UUID]:
        """Whose figures it is in: its owners', nobody's (the nil UUID), and if it is shared EVERYBODY's."""
        if not self.row["is_shared"]:
            return {self.row["identity_id"] or NIL}
        return {EVERYBODY} | ({each["identity_id"] for each in self.credits if each["role"] == OWNER} or {NIL})


@dataclass(frozen=True, slots=True)
class Inserted:
    """Revisions, their credits and their markers, ready to be sent."""

    events: Encoded
    credits: Encoded
    markers: Encoded

    async def insert(self, session: AsyncSession, org_id: OrganizationId, source_id: UUID, at: datetime) -> None:
        """Store them."""
        await self.events.insert(session, org_id=org_id, source_id=source_id, recorded_at=at)
        await self.credits.insert(session, org_id=org_id)
        if await self.markers.insert(session, org_id=org_id):
            await wake(session, org_id)


@dataclass
class Changes:
    """All that a batch writes, collected in the order of its items. `at` is None until it is known when that is."""

    org_id: OrganizationId
    source_id: UUID
    at: datetime | None
    standing: dict[UUID, Revision] = field(default_factory=dict)
    inserted: list[Revision] = field(default_factory=list)
    superseded: list[UUID] = field(default_factory=list)
    markers: list[tuple[UUID, str, datetime, date | None]] = field(default_factory=list)

    def tell(self, head: Head, facts: EventFacts, people: Mapping[str, UUID], origin: Mapping[str, str]) -> None:
        """Let the event say these facts from now on."""
        credited = [(role, people[person.external_id], share) for role, person, share in facts.credits]
        only = credited[0][1] if len(credited) == 1 and credited[0][::2] == (OWNER, WHOLE) else None
        shared = credited if only is None else []
        row = self._row(head, facts.version, origin)
        row["type"] = facts.type
        row["occurred_at"] = facts.occurred_at
        row["occurred_on"] = facts.occurred_on
        row["actor_id"] = people[facts.actor.external_id] if facts.actor else None
        row["identity_id"] = only
        row["is_shared"] = bool(shared)
        row["about"] = facts.about
        row["amount"] = facts.amount
        row["currency"] = facts.currency
        row["quantity"] = facts.quantity
        row["duration_seconds"] = facts.duration_seconds
        row["properties"] = facts.properties
        self._revise(head, Revision(row, [_credit(row, place, *credit) for place, credit in enumerate(shared)]))

    def take_back(self, head: Head, version: int, origin: Mapping[str, str]) -> None:
        """Retract the event; the revision repeats what stood, so that one sees what was taken back."""
        old = self.standing.get(head.event_id)
        row = self._row(head, version, origin) | {"retracted": True}
        row |= {name: old.row[name] for name in _NOTHING} if old else _NOTHING
        credits_ = old.credits if old else []
        self._revise(head, Revision(row, [{**credit, "row_id": row["row_id"]} for credit in credits_]))

    async def load_standing(self, session: AsyncSession, heads: Sequence[Head]) -> None:
        """Read the revisions that stand of these events, as far as they were seen before."""
        known = [head.event_id for head in heads if head.revision]
        if not known:
            return
        rows = await _STANDING.rows(session, org_id=self.org_id, event_ids=known)
        found = {row["row_id"]: Revision(dict(row), [], is_stored=True) for row in rows}
        shared = [row_id for row_id, revision in found.items() if revision.row["is_shared"]]
        if shared:
            statement = select(*EventCredit.__table__.c).where(
                EventCredit.org_id == self.org_id, among(EventCredit.row_id, shared)
            )
            for credit in (await session.execute(statement.order_by(EventCredit.position))).mappings():
                found[credit["row_id"]].credits.append(dict(credit))
        self.standing = {revision.row["event_id"]: revision for revision in found.values()}

    async def write(self, session: AsyncSession) -> None:
        """Store everything but the heads."""
        if self.superseded:
            await session.execute(
                update(Event)
                .where(Event.org_id == self.org_id, among(Event.row_id, self.superseded))
                .values(superseded_at=self.at)
                .execution_options(synchronize_session=False)
            )
        assert self.at is not None, "what is written is written now"  # noqa: S101
        await self.encoded().insert(session, self.org_id, self.source_id, self.at)

    def encoded(self) -> "Inserted":
        """What is inserted, ready to be sent."""
        rows = _EVENTS.columns(revision.row for revision in self.inserted)
        credits_ = _CREDITS.columns(credit for revision in self.inserted for credit in revision.credits)
        return Inserted(_EVENTS.encoded(rows), _CREDITS.encoded(credits_), _MARKERS.encoded(self._stale()))

    def _row(self, head: Head, version: int, origin: Mapping[str, str]) -> dict[str, Any]:
        return {
            "row_id": new_id(),
            "event_id": head.event_id,
            "external_id": head.external_id,
            "version": version,
            "revision": head.revision + 1,
            "origin": origin,
            "retracted": False,
            "superseded_at": None,
        }

    def _revise(self, head: Head, new: Revision) -> None:
        """Let the revision follow the one that stands, and mark what both concern."""
        if (old := self.standing.get(head.event_id)) is not None:
            if old.is_stored:
                self.superseded.append(old.row["row_id"])
            else:
                old.row["superseded_at"] = self.at
            self._mark(old)
        self._mark(new)
        self.inserted.append(new)
        self.standing[head.event_id] = new
        head.revision += 1

    def _mark(self, revision: Revision) -> None:
        """Append the markers of a state; a retracted one is in no figure, so it makes none stale."""
        if revision.row["retracted"]:
            return
        row = revision.row
        owners = revision.owners if row["is_shared"] else (row["identity_id"] or NIL,)
        self.markers += [(owner, row["type"], row["occurred_at"], row["occurred_on"]) for owner in owners]

    def _stale(self) -> Columns:
        """The markers, column by column."""
        told = dict(zip(_MARKED, zip(*self.markers, strict=True), strict=False))
        owners = told.get("identity_id", ())
        return {**told, "id": [new_id() for _ in owners], "shard": [shard_of(owner) for owner in owners]}


def _credit(row: dict[str, Any], place: int, role: str, identity_id: UUID, share: object) -> dict[str, Any]:
    told = {name: row[name] for name in ("row_id", "type", "occurred_at", "occurred_on")}
    return {**told, "position": place, "role": role, "identity_id": identity_id, "share": share}
