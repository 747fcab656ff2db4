"""What a system tells now against what is known of its records: the differences, before anything is taken in."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from app.integrations.adapters.base import Adapter, Fetched, Unparseable
from app.integrations.folding import (
    CREATED,
    DELETED,
    ERASED,
    FieldChange,
    Key,
    LinkChange,
    Network,
    Record,
    Stamp,
    Value,
)
from app.integrations.mapping import Mapping as SourceMapping

Kind: TypeAlias = Literal["missing", "changed", "deleted", "unknown_there"]

TOLERANCE = timedelta(minutes=1)
"""Messages and histories of the same change may date it a little differently."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something of a record that was not known, or known otherwise, from `at` on; `field` '': the record as a whole."""

    kind: Kind
    key: Key
    at: datetime
    field: str = ""
    known: Value = None
    told: Value = None


@dataclass
class Told:
    """What an answer says, by record; `unreadable` counts the objects in it that have not the documented shape."""

    fields: dict[Key, list[FieldChange]] = field(default_factory=lambda: defaultdict(list))
    links: list[LinkChange] = field(default_factory=list)
    unreadable: int = 0

    def linked_kinds(self) -> set[str]:
        """What these records are linked to."""
        return {end[0] for link in self.links for end in link.ends}


def told_by(adapter: Adapter, mapping: SourceMapping, fetched: Fetched) -> Told:
    """Read what was fetched as its delivery will be read. Raises `Unparseable` where nothing can be."""
    told = Told()
    for item in adapter.split(adapter.redact_fetched(fetched, mapping)):
        try:
            changes = adapter.fold(item, mapping) if item.problem is None else None
        except Unparseable:
            changes = None
        if changes is None:
            told.unreadable += 1
            continue
        for change in changes.fields:
            told.fields[change.object, change.id].append(change)
        told.links += changes.links
    return told


def differences(told: Told, known: Mapping[Key, Record], network: Network) -> list[Difference]:
    """What of it is news; a record that is not known at all is one difference."""
    found = [each for key, changes in told.fields.items() for each in _of_record(key, changes, known.get(key))]
    heard = {key for key in told.fields if key in known and not known[key].is_gone}
    return [*found, *_of_links(told.links, heard, network)]


def _of_record(key: Key, changes: Sequence[FieldChange], before: Record | None) -> Iterator[Difference]:
    after = _learnt(key, changes, before)
    if before is None:
        if not after.is_gone:  # what came and went unnoticed is of no consequence
            yield Difference("missing", key, _since(after))
    elif before.state(ERASED) is not True:
        if after.is_deleted and not before.is_deleted:
            yield Difference("deleted", key, after.history(DELETED)[-1].at)
        elif not after.is_deleted:
            for name in sorted({change.field for change in changes} - {ERASED}):
                yield from _of_field(key, name, before, after)


def _learnt(key: Key, changes: Iterable[FieldChange], before: Record | None) -> Record:
    record = Record(*key, {name: before.history(name) for name in before.fields} if before else {})
    for change in changes:
        record.learn(change.field, Stamp(change.at, change.tie, change.value))
    return record


def _since(record: Record) -> datetime:
    return record.created_at or min(record.history(name)[0].at for name in record.fields)


def _of_field(key: Key, name: str, before: Record, after: Record) -> Iterator[Difference]:
    """Each change of the value that was not known, nor the same one at about that time."""
    if name == CREATED:
        if before.created_at is None and after.created_at is not None:
            yield Difference("changed", key, after.created_at, CREATED, None, after.history(CREATED)[0].value)
        return
    known = before.history(name)
    for stamp in after.transitions(name):
        if any(each.value == stamp.value and abs(each.at - stamp.at) <= TOLERANCE for each in known):
            continue
        earlier = [each.value for each in known if each.at <= stamp.at]
        value = earlier[-1] if earlier else None
        if stamp.value or value:  # that nothing was there is no news
            yield Difference("changed", key, stamp.at, name, value, stamp.value)


def _of_links(links: Iterable[LinkChange], heard: set[Key], network: Network) -> Iterator[Difference]:
    """One for each kind of objects to which a record turns out to be linked."""
    news: dict[tuple[Key, str], list[tuple[str, datetime]]] = defaultdict(list)
    for link in links:
        one, other = link.ends if link.ends[0] in heard else link.ends[::-1]
        if one not in heard or link.removed:
            continue
        (kind, id_) = network.resolve(other)
        if id_ not in {end.id for end in network.ends(network.resolve(one), kind)}:
            news[one, kind].append((id_, link.at))
    for (key, kind), told in news.items():
        known = ", ".join(end.id for end in network.ends(network.resolve(key), kind))
        ids = ", ".join(sorted({id_ for id_, _ in told}))
        yield Difference("changed", key, min(at for _, at in told), f"@{kind}", known or None, ids)
