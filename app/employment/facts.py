"""What figures need to know of people's work, as plain values: who is employed, away, part time, by which calendar.

Days are half-open `[start, end)`; None is unbounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, Protocol, TypeVar
from uuid import UUID

from app.calendars.working import WorkCalendar

Effect = Literal["reschedule", "prorate_target"]


class Calendars(Protocol):
    """The organization's working calendars as known at an instant (`app.calendars.service.Calendars`)."""

    @property
    def default(self) -> WorkCalendar:
        """The organization's own."""

    def of(self, calendar_id: UUID | None) -> WorkCalendar:
        """Somebody's own, else the organization's."""


@dataclass(frozen=True, slots=True)
class Days:
    """Some local days."""

    start: date | None
    end: date | None

    def __contains__(self, day: date) -> bool:
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class AbsenceDays(Days):
    """Days away: the work moves to others (`reschedule`), or its part of the target is waived (S31)."""

    effect: Effect


@dataclass(frozen=True, slots=True)
class Terms(Days):
    """What a member does on some days, how much, by which calendar and for whom (an assignment)."""

    fte: Decimal
    calendar_id: UUID | None
    revenue_role: str | None
    country: str | None
    manager_id: UUID | None


_Spell = TypeVar("_Spell", bound=Days)
FULL_TIME = Decimal(1)


@dataclass(frozen=True)
class Staff:
    """Everybody's terms, employments and absences as known at an instant, each in time order, by member.

    Spells of one kind never share a day. Members of whom nothing is recorded are absent from the mappings.
    """

    terms: Mapping[UUID, Sequence[Terms]]
    employments: Mapping[UUID, Sequence[Days]]
    absences: Mapping[UUID, Sequence[AbsenceDays]]
    calendars: Calendars

    def is_employed(self, member_id: UUID, day: date) -> bool:
        """Whether the member is with the organization on a day; without any employment recorded: always."""
        spells = self.employments.get(member_id)
        return not spells or _on(spells, day) is not None

    def absence_on(self, member_id: UUID, day: date) -> AbsenceDays | None:
        """The absence that holds on a day."""
        return _on(self.absences.get(member_id, ()), day)

    def works_on(self, member_id: UUID, day: date) -> bool:
        """Whether the member is employed and not absent; their calendar may still have the day off (S23)."""
        return self.is_employed(member_id, day) and self.absence_on(member_id, day) is None

    def terms_on(self, member_id: UUID, day: date) -> Terms | None:
        """The assignment that holds on a day."""
        return _on(self.terms.get(member_id, ()), day)

    def fte_on(self, member_id: UUID, day: date) -> Decimal:
        """The part of a full-time job; 1 without an assignment."""
        terms = self.terms_on(member_id, day)
        return FULL_TIME if terms is None else terms.fte

    def calendar_on(self, member_id: UUID, day: date) -> WorkCalendar:
        """The calendar by which the member works on a day: their assignment's, else the organization's."""
        terms = self.terms_on(member_id, day)
        return self.calendars.of(None if terms is None else terms.calendar_id)


def _on(spells: Sequence[_Spell], day: date) -> _Spell | None:
    return next((spell for spell in spells if day in spell), None)
