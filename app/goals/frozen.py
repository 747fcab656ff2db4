"""Frozen figures: content that never changes, and the digest that shows it."""

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import rfc8785
from pydantic import BaseModel, JsonValue

from app.core import clock
from app.core.snapshots import Snapshots, snapshot

Content = dict[str, JsonValue]


async def present(snapshots: Snapshots) -> datetime:
    """The instant to freeze figures at: now, or what was recorded last where a clock set by hand stands behind it."""
    async with snapshot(snapshots.database, snapshots.org_id) as session:
        now = await clock.now(session, snapshots.org_id)
        return max(now, await clock.last_recorded(session, snapshots.org_id))


def digest_of(content: Content) -> str:
    """SHA-256 over the canonical JSON of the content (RFC 8785), in hexadecimal digits."""
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()


def exact(value: Decimal | None) -> str | None:
    """A figure as text, to the 15 significant digits that every answer has (S19)."""
    if value is None:
        return None
    plain = Decimal(f"{value:.15g}")
    return format(plain.normalize() if plain else Decimal(0), "f")


def jsonable(value: object) -> JsonValue:
    """The value with decimals, instants, dates and ids as text: nothing that a reader of JSON could round."""
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return exact(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case BaseModel():  # by its fields: dumped, a figure would be the rounded number of an answer
            return {key: jsonable(item) for key, item in value}
        case dict():
            return {str(key): jsonable(item) for key, item in value.items()}
        case list() | tuple():
            return [jsonable(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be frozen")
