"""The ledger, one posted item after the other: its outcome, and the revisions that remain (design, section 3)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from tests.reference.world import Content, Event

Outcome = Literal["accepted", "duplicate", "corrected", "retracted", "outdated", "conflict"]


@dataclass(frozen=True, kw_only=True)
class Item:
    """An event as it is posted; a retraction has no content."""

    external_id: str
    version: int = 0
    content: Content | None = None

    @property
    def is_retraction(self) -> bool:
        return self.content is None


@dataclass
class Head:
    """What is stored of an event: the highest version, and the content that stands (None: retracted)."""

    version: int
    content: Content | None


class Ledger:
    """Events of all sources; `revisions` lists every revision in the order in which they were recorded."""

    def __init__(self) -> None:
        self.heads: dict[tuple[str, str], Head] = {}
        self.revisions: list[Event] = []

    def post_all(self, source: str, items: Iterable[Item], at: datetime) -> list[Outcome]:
        """The outcomes of a batch, whose items act in their order."""
        return [self.post(source, item, at) for item in items]

    def post(self, source: str, item: Item, at: datetime) -> Outcome:
        """The first outcome of the table that applies."""
        head = self.heads.get((source, item.external_id))
        if head is None:
            self._write(source, item, at)
            return "retracted" if item.is_retraction else "accepted"
        if _is_same(head.content, item.content):
            head.version = max(head.version, item.version)
            return "duplicate"
        if item.version > head.version:
            self._write(source, item, at)
            return "retracted" if item.is_retraction else "corrected"
        return "outdated" if item.version < head.version else "conflict"

    def _write(self, source: str, item: Item, at: datetime) -> None:
        """Supersede the revision that stands, and record the new one."""
        for place, revision in enumerate(self.revisions):
            is_this = (revision.source, revision.external_id) == (source, item.external_id)
            if is_this and revision.superseded_at is None:
                self.revisions[place] = replace(revision, superseded_at=at)
        self.revisions.append(Event(source=source, external_id=item.external_id, content=item.content, recorded_at=at))
        self.heads[source, item.external_id] = Head(item.version, item.content)


def _is_same(stored: Content | None, posted: Content | None) -> bool:
    if stored is None or posted is None:
        return stored is posted
    return stored.canonical() == posted.canonical()
