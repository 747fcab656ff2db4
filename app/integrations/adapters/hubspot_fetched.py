"""HubSpot's objects as they were fetched: properties with their history, which says when each value began."""

from collections.abc import Collection
from collections.abc import Mapping as Mapped
from collections.abc import Set as AbstractSet
from datetime import datetime

from app.integrations.adapters import snapshots, wire
from app.integrations.adapters.base import Changes, Fetched, Item, Json
from app.integrations.adapters.personal import BUSINESS, is_personal
from app.integrations.adapters.wire import dictionary, elements
from app.integrations.folding import (
    CREATED,
    DELETED,
    HEARSAY,
    MERGED_INTO,
    FieldChange,
    Key,
    LinkChange,
    link_between,
)

SOURCE, MERGED = "hs_object_source", "hs_merged_object_ids"
_MOST_VERSIONS, _MOST_LINKED = 1000, 1000


def redacted(fetched: Fetched, read: AbstractSet[str]) -> Json:
    """The objects with the properties that are read, or may be by a later mapping."""
    return snapshots.stored(fetched, [_kept(item, fetched.object, read) for item in fetched.items])


def items(body: Mapped[str, Json]) -> list[Item]:
    """A message for each object that was fetched, and for each that is gone."""
    return snapshots.items_of(body, system="hubspot", id_field="id", version_field="updatedAt")


def forgotten(body: Mapped[str, Json], erased: Collection[Key]) -> Json:
    """The body without what it holds of objects that were erased for privacy."""
    told = body.get("items")
    kept = [
        {"id": item.get("id")}
        if isinstance(item, dict) and (body.get("fetched"), str(item.get("id"))) in erased
        else item
        for item in (told if isinstance(told, list) else ())
    ]
    return {**body, "items": kept}


def changes(told: Mapped[str, Json], read: AbstractSet[str]) -> Changes:
    """What a message says of its object. Raises `Unparseable`."""
    kind, seen = str(told["fetched"]), snapshots.seen_at(told)
    if "gone" in told:
        return snapshots.gone((kind, wire.id_of(told["gone"], "id")), seen)
    item = dictionary(told.get("item"))
    key = (kind, wire.id_of(item.get("id"), "id"))
    changed = wire.instant(item.get("updatedAt"))
    if changed is None:
        return Changes()  # it was erased meanwhile
    fields = [*_existence(key, item, changed, seen), *_values(key, item, changed, read)]
    return Changes(fields, _links(key, item, seen))


def _kept(item: Mapped[str, Json], kind: str, read: AbstractSet[str]) -> Json:
    values, versions = dictionary(item.get("properties")), dictionary(item.get("propertiesWithHistory"))
    told = {*values, *versions}
    names = {name for name in told if name in read or (kind in BUSINESS and not is_personal(name, values.get(name)))}
    kept: dict[str, Json] = {
        name: wire.scalar(item[name])
        for name in ("id", "createdAt", "updatedAt", "archived", "archivedAt")
        if name in item
    }
    kept["properties"] = {
        wire.storable(name): wire.scalar(values[name]) for name in (*sorted(names), SOURCE, MERGED) if name in values
    }
    kept["history"] = {wire.storable(name): _versions(versions[name]) for name in sorted(names) if name in versions}
    kept["associations"] = {
        wire.storable(other): [
            {
                "id": wire.scalar(dictionary(each).get("id")),
                "isPrimary": dictionary(each).get("isPrimary") is True,
            }
            for each in elements(linked)[:_MOST_LINKED]
        ]
        for other, linked in dictionary(item.get("associations")).items()
    }
    return kept


def _versions(told: Json) -> Json:
    """Pairs of an instant and the value that began then."""
    versions = [dictionary(each) for each in elements(told)[:_MOST_VERSIONS]]
    return [[wire.scalar(each.get("timestamp")), wire.scalar(each.get("value"))] for each in versions]


def _existence(key: Key, item: Mapped[str, Json], changed: datetime, seen: datetime) -> list[FieldChange]:
    """When it was made, whether it is there, and which others it took in."""
    properties = dictionary(item.get("properties"))
    is_archived = item.get("archived") is True
    at = (wire.instant(item.get("archivedAt")) or seen) if is_archived else changed
    found = [FieldChange(*key, DELETED, at, HEARSAY, is_archived)]
    if made := wire.instant(item.get("createdAt")):
        found.append(FieldChange(*key, CREATED, made, HEARSAY, wire.value_of(properties.get(SOURCE)) or True))
    merged = wire.value_of(properties.get(MERGED))
    others = merged.split(";") if isinstance(merged, str) else []
    ids = {id_ for each in others if (id_ := wire.id_or_none(each.strip()))} - {key[1]}
    return [*found, *(FieldChange(key[0], id_, MERGED_INTO, changed, HEARSAY, key[1]) for id_ in sorted(ids))]


def _values(key: Key, item: Mapped[str, Json], changed: datetime, read: AbstractSet[str]) -> list[FieldChange]:
    """Each value since it began. A webhook that told the same instant knows better, by its own order."""
    properties, history = dictionary(item.get("properties")), dictionary(item.get("history"))
    found = []
    for name in sorted(read & {*properties, *history}):
        versions = [each for each in map(elements, elements(history.get(name))) if len(each) == 2]
        told = [(at, wire.value_of(value)) for when, value in versions if (at := wire.instant(when))]
        if not told:
            told = [(changed, wire.value_of(properties.get(name)))]
        found += [FieldChange(*key, name, at, HEARSAY, value) for at, value in told]
    return found


def _links(key: Key, item: Mapped[str, Json], seen: datetime) -> list[LinkChange]:
    """What it is linked to, as it was seen: HubSpot does not tell since when."""
    found = []
    for other, linked in dictionary(item.get("associations")).items():
        for each in map(dictionary, elements(linked)):
            if id_ := wire.id_or_none(wire.value_of(each.get("id"))):
                is_primary = each.get("isPrimary") is True
                found.append(link_between(key, (other, id_), seen, HEARSAY, removed=False, is_primary=is_primary))
    return found
