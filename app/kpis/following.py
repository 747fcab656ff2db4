"""The next end after each start about the same thing (S14), found by window functions."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Subquery, and_, case, func, tuple_

OF_PAIR = ("row_id", "identity_id", "is_shared", "day", "occurred_at", "source_key", "external_id")
"""What is kept of both ends of a pair."""


@dataclass(frozen=True)
class Following:
    """The next end of one kind after each start about the same thing, found from the last event backwards.

    Pure ends, whose type is no start type, follow a start of the same instant whatever their key; mixed
    ones only in the order of S11, and never themselves.
    """

    name: Literal["pure", "mixed"]
    is_of_kind: ColumnElement[bool]

    def count(self, both: Subquery) -> ColumnElement[Any]:
        """How many ends of the kind come after a row or are it: rows with one number share their next end."""
        is_end = and_(both.c.is_start.is_(False), self.is_of_kind)
        counted = func.count().filter(is_end)
        over = counted.over(partition_by=both.c.thing, order_by=self._backwards(both), rows=(None, 0))
        return over.label(f"{self.name}_count")

    def first(self, counted: Subquery) -> list[ColumnElement[Any]]:
        """The fields of that end, NULL where none follows."""
        number = counted.c[f"{self.name}_count"]
        group, order = (counted.c.thing, number), self._backwards(counted)
        next_end = {
            field: func.first_value(counted.c[field]).over(partition_by=group, order_by=order) for field in OF_PAIR
        }
        return [case((number > 0, told)).label(f"{self.name}_{field}") for field, told in next_end.items()]

    def is_before(self, other: "Following", found: Subquery) -> ColumnElement[bool]:
        """Whether this kind's end comes before the other's, or is the only one (S11)."""
        mine, theirs = (
            tuple_(*[found.c[f"{kind.name}_{field}"] for field in ("occurred_at", "source_key", "external_id")])
            for kind in (self, other)
        )
        return func.coalesce(mine < theirs, found.c[f"{other.name}_row_id"].is_(None))

    def _backwards(self, rows: Subquery) -> list[ColumnElement[Any]]:
        key = [rows.c.source_key, rows.c.external_id]
        at_same_instant = [~rows.c.is_start, *key] if self.name == "pure" else [*key, rows.c.is_start]
        return [column.desc() for column in (rows.c.occurred_at, *at_same_instant)]
