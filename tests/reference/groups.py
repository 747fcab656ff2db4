"""Groups of events by a value of theirs, or of credits by what the credited member is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from app.kpis.expressions.syntax import Name
from tests.reference.snapshot import Among, Fact, Snapshot
from tests.reference.world import PropertyValue


@dataclass(frozen=True)
class Group:
    """What has a value, what has none, or the rest of what is not shown by itself (the texts of that are `kept`)."""

    kind: Literal["value", "none", "rest"]
    value: PropertyValue | None = None
    kept: frozenset[str] = field(default=frozenset(), compare=False)

    def holds(self, value: PropertyValue | None) -> bool:
        """Whether a value belongs to the group."""
        if self.kind == "rest":
            return group_text(value) not in self.kept
        return group_text(value) == group_text(self.value)


def group_of(value: PropertyValue | None) -> Group:
    """The group of its own that a value makes."""
    return Group("none") if value is None else Group("value", value)


def group_text(value: PropertyValue | None) -> str:
    """A value as JSON text: text, numbers and truth are never the same."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return json.dumps(value, ensure_ascii=False)


def top_groups(values: Sequence[tuple[Group, Decimal | None]], top: int) -> frozenset[str]:
    """The texts of the first groups by value, descending, no data last; ties by text, no value last."""

    def place(item: tuple[Group, Decimal | None]) -> tuple[bool, Decimal, bool, str]:
        group, value = item
        return value is None, -(value or Decimal(0)), group.kind == "none", group_text(group.value)

    return frozenset(group_text(group.value) for group, _ in sorted(values, key=place)[:top])


def value_of(fact: Fact, by: Name, snapshot: Snapshot) -> PropertyValue | None:
    """By what an event is grouped."""
    return snapshot.field(fact, by.path)


def attribute_of(member: str | None, day: date, attribute: str, snapshot: Snapshot) -> str | None:
    """What a member is on a day; nobody is nothing."""
    assignment = None if member is None else snapshot.assignment_of(member, day)
    found: str | None = None if assignment is None else getattr(assignment, attribute)
    return found


def members_among(group: Group, attribute: str, snapshot: Snapshot) -> Among:
    """Who belongs to a group on a day."""
    return lambda member, day: group.holds(attribute_of(member, day, attribute, snapshot))
