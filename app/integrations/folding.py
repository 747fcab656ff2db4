"""Records of CRM objects, folded from changes in any order of arrival.

A record is the set of (source time, tie key, value) of each field; the state is the latest by time, then
tie key, then value by code point. Sets do not know in which order they were filled, so every order of
arrival, and every repetition, gives the same record.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

Value: TypeAlias = str | bool | None
Key: TypeAlias = tuple[str, str]

# Reserved fields: what happened to the record as a whole, with times like any other field.
CREATED, DELETED, ERASED, MERGED_INTO, CONTINUES = "@created", "@deleted", "@erased", "@merged_into", "@continues"

# The tie key of what a later message tells in passing about an earlier instant.
HEARSAY = ""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of a CRM object had this value from `at` on, says one message."""

    object: str
    id: str
    field: str
    at: datetime
    tie: str
    value: Value


@dataclass(frozen=True, slots=True)
class LinkChange:
    """Two CRM objects were linked, or no longer, from `at` on. Links have no direction: see `link_between`."""

    from_object: str
    from_id: str
    to_object: str
    to_id: str
    at: datetime
    tie: str
    removed: bool
    is_primary: bool

    @property
    def ends(self) -> tuple[Key, Key]:
        """Both ends, the smaller first."""
        return (self.from_object, self.from_id), (self.to_object, self.to_id)


def link_between(one: Key, other: Key, at: datetime, tie: str, *, removed: bool, is_primary: bool) -> LinkChange:
    """The change of a link, the same whichever side reports it."""
    (a, b), (c, d) = sorted((one, other))
    return LinkChange(a, b, c, d, at, tie, removed, is_primary)


class Stamp(NamedTuple):
    """One value of a field, since when, and what decides between values of the same instant."""

    at: datetime
    tie: str
    value: Value


def canonical(value: Value) -> str:
    """The text by which values of the same time and tie key are ordered, by code point."""
    return json.dumps(value, ensure_ascii=False)


def _order(stamp: Stamp) -> tuple[datetime, str, str]:
    return stamp.at, stamp.tie, canonical(stamp.value)


def _ordered(stamps: AbstractSet[Stamp]) -> tuple[Stamp, ...]:
    """By time, tie key and value; hearsay only where nothing is known first hand of its instant."""
    if len(stamps) == 1:
        return tuple(stamps)
    firsthand = {stamp.at for stamp in stamps if stamp.tie != HEARSAY}
    return tuple(sorted((s for s in stamps if s.tie != HEARSAY or s.at not in firsthand), key=_order))


class Record:
    """One CRM object with the history of each of its fields."""

    __slots__ = ("_histories", "_stamps", "id", "object")

    def __init__(self, object: str, id: str, stamps: Mapping[str, Iterable[Stamp]] | None = None) -> None:  # noqa: A002
        self.object, self.id = object, id
        self._stamps: dict[str, set[Stamp]] = {field: set(known) for field, known in (stamps or {}).items()}
        self._histories: dict[str, tuple[Stamp, ...]] = {}

    @property
    def key(self) -> Key:
        """Object and id."""
        return self.object, self.id

    @property
    def fields(self) -> list[str]:
        """Names of the fields of which something is known, in order."""
        return sorted(self._stamps)

    def learn(self, field: str, stamp: Stamp) -> bool:
        """Add one value to the set; False when it was there already."""
        known = self._stamps.setdefault(field, set())
        if stamp in known:
            return False
        known.add(stamp)
        self._histories.pop(field, None)
        return True

    def history(self, field: str) -> tuple[Stamp, ...]:
        """All values of a field, the oldest first."""
        if field not in self._histories:
            self._histories[field] = _ordered(self._stamps.get(field, set()))
        return self._histories[field]

    def transitions(self, field: str) -> list[Stamp]:
        """The history without repetitions: each entry changed the value."""
        changes: list[Stamp] = []
        for stamp in self.history(field):
            if not changes or changes[-1].value != stamp.value:
                changes.append(stamp)
        return changes

    def state(self, field: str) -> Value:
        """The latest value, or None."""
        history = self.history(field)
        return history[-1].value if history else None

    def text(self, field: str) -> str | None:
        """The latest value if it is text that is not empty."""
        value = self.state(field)
        return value if isinstance(value, str) and value else None

    def value_at(self, field: str, at: datetime) -> Value:
        """The value at an instant; before anything is known of the field: its first known value."""
        history = self.history(field)
        if not history:
            return None
        before = [stamp for stamp in history if stamp.at <= at]
        return (before[-1] if before else history[0]).value

    def entered(self, field: str, values: AbstractSet[str]) -> Stamp | None:
        """When the field came into the values in which it still is; None if it is in none of them."""
        entry = None
        for stamp in reversed(self.transitions(field)):
            if stamp.value not in values:
                break
            entry = stamp
        return entry

    def first_entry(self, field: str, values: AbstractSet[str]) -> Stamp | None:
        """When the field first had one of the values."""
        return next((stamp for stamp in self.history(field) if stamp.value in values), None)

    @property
    def created_at(self) -> datetime | None:
        """When the object was made, as far as a message told it."""
        history = self.history(CREATED)
        return history[0].at if history else None

    @property
    def merged_into(self) -> str | None:
        """The id of the object that this one was merged into."""
        return self.text(MERGED_INTO)

    @property
    def is_deleted(self) -> bool:
        """Deleted and not restored, or erased for privacy."""
        return self.state(DELETED) is True or self.state(ERASED) is True

    @property
    def is_gone(self) -> bool:
        """Deleted, erased or merged away: nothing follows from it any more."""
        return self.is_deleted or self.merged_into is not None

    def without_fields(self) -> "Record":
        """This record with only what happened to it as a whole."""
        kept = {field: stamps for field, stamps in self._stamps.items() if field.startswith("@")}
        return Record(self.object, self.id, kept)

    def continuing(self, earlier: "Record") -> "Record":
        """This record with the history of the one that it continues under a new id."""
        joined = {field: set(stamps) for field, stamps in self._stamps.items()}
        for field in earlier.fields:
            if field == CREATED or not field.startswith("@"):
                joined.setdefault(field, set()).update(earlier.history(field))
        return Record(self.object, self.id, joined)


class End(NamedTuple):
    """The other end of a link that exists: its id, since when, and whether it is the primary one of its kind."""

    id: str
    at: datetime
    is_primary: bool


@dataclass(frozen=True, slots=True)
class _Tie:
    """The state of one pair of ids as they were reported, before merges are resolved."""

    at: datetime
    is_linked: bool
    is_primary: bool


def _state_of(changes: Iterable[LinkChange]) -> _Tie:
    ordered = sorted(changes, key=lambda link: (link.at, link.tie, link.removed, link.is_primary))
    primary = next((link for link in reversed(ordered) if link.is_primary or link.removed), None)
    return _Tie(ordered[-1].at, not ordered[-1].removed, primary is not None and not primary.removed)


class Network:
    """The links around some records, resolved through merges, with what is needed of the records they lead to.

    `merged` tells what was merged into what, `created` when leads and deals were made, `deleted` which
    of them are no more, `owners` whose deals and contacts are, where records without an owner go by them.
    """

    def __init__(
        self,
        links: Iterable[LinkChange] = (),
        *,
        merged: Mapping[Key, Key] | None = None,
        created: Mapping[Key, datetime] | None = None,
        deleted: AbstractSet[Key] = frozenset(),
        owners: Mapping[Key, str] | None = None,
    ) -> None:
        self._merged = dict(merged or {})
        self.created: Mapping[Key, datetime] = created or {}
        self.deleted = deleted
        self.owners: Mapping[Key, str] = owners or {}
        self._ends: dict[Key, dict[str, list[End]]] = defaultdict(lambda: defaultdict(list))
        for (one, other), ties in self._pairs(links).items():
            if end := _joined(ties):
                self._ends[one][other[0]].append(End(other[1], *end))
                self._ends[other][one[0]].append(End(one[1], *end))

    def resolve(self, key: Key) -> Key:
        """Where merges lead to; of objects merged into each other in a circle, the smallest."""
        seen = [key]
        while (key := self._merged.get(key, key)) != seen[-1]:
            if key in seen:
                return min(seen[seen.index(key) :])
            seen.append(key)
        return key

    def ends(self, key: Key, kind: str) -> Sequence[End]:
        """The objects of a kind that something is linked to, primary ones first, the latest of them;
        then the others, the earliest first."""
        ends = self._ends.get(key, {}).get(kind, ())
        return sorted(ends, key=lambda end: (not end.is_primary, _rank(end), end.id))

    def pick(self, key: Key, kind: str) -> str | None:
        """The one object of a kind that counts for this one: the first of `ends`."""
        return next((end.id for end in self.ends(key, kind)), None)

    def _pairs(self, links: Iterable[LinkChange]) -> dict[tuple[Key, Key], list[tuple[bool, _Tie]]]:
        told: dict[tuple[Key, Key], set[LinkChange]] = defaultdict(set)
        for link in links:
            told[link.ends].add(link)
        pairs: dict[tuple[Key, Key], list[tuple[bool, _Tie]]] = defaultdict(list)
        for ends, changes in told.items():
            one, other = sorted(map(self.resolve, ends))
            if one != other:
                pairs[one, other].append(((one, other) == tuple(sorted(ends)), _state_of(changes)))
        return pairs


def _rank(end: End) -> float:
    return -end.at.timestamp() if end.is_primary else end.at.timestamp()


def _joined(ties: Sequence[tuple[bool, _Tie]]) -> tuple[datetime, bool] | None:
    """One state of what was reported under several ids.

    What was reported of the survivors themselves decides, unless a merged id was linked later: a CRM
    may take links away from the merged object in the moment in which it gives them to the survivor.
    """
    own = max((tie.at for is_own, tie in ties if is_own), default=None)
    linked = [tie for is_own, tie in ties if tie.is_linked and (is_own or own is None or tie.at > own)]
    if not linked:
        return None
    return min(tie.at for tie in linked), any(tie.is_primary for tie in linked)
