"""Identifiers: UUIDv7, made by us so that a row is known before it is written."""

from uuid import UUID

from uuid_utils.compat import uuid7

NIL = UUID(int=0)


def new_id() -> UUID:
    """A new UUIDv7; sorts by the moment it was made, but is never used as an order of facts."""
    return uuid7()
