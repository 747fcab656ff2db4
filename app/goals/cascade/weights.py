"""How much of a period's work somebody does, in figures that splits weigh by: heads, full-time equivalents (S33)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from app.calendars.periods import DayRange
from app.goals.schedule import Hours, Work

NONE = Fraction(0)


@dataclass(frozen=True, slots=True)
class Presence:
    """Shares of a whole period: 1 is one person, all of its working time by their own calendar.

    `heads` and `fte` are there, `fte` by part time, both as far as a ramp asks (S33). Holidays and other absences that
    only move the work are there too. `waived` is what absences take away together with its part of a target
    (`prorate_target`), by part time.
    """

    heads: Fraction = NONE
    fte: Fraction = NONE
    waived: Fraction = NONE

    def __add__(self, other: "Presence") -> "Presence":
        return Presence(self.heads + other.heads, self.fte + other.fte, self.waived + other.waived)

    @property
    def planned(self) -> Fraction:
        """All working time by part time, whoever is on leave."""
        return self.fte + self.waived

    @property
    def is_nothing(self) -> bool:
        """Whether nobody is there, or absent, at all."""
        return not self.heads and not self.waived


NOBODY = Presence()


def presence(work: Iterable[Work], during: DayRange, period: DayRange, hours: Hours) -> Presence:
    """The part of a person's work that lies in some days, as shares of the working time of the whole period.

    Where the period has no working time (a goal for one weekend) its days count.
    """
    found = NOBODY
    for item in work:
        share = _share(item, during, period, hours)
        if item.absence == "prorate_target":
            found += Presence(waived=share * item.part)
        else:
            found += Presence(share * item.ramp, share * item.ramp * item.part)
    return found


def _share(item: Work, during: DayRange, period: DayRange, hours: Hours) -> Fraction:
    first = max(item.days.start, during.start, period.start)
    last = min(item.days.end, during.end, period.end)
    if last <= first:
        return NONE
    times = hours.of(item.calendar, period)
    whole = sum(times)
    if not whole:
        return Fraction((last - first).days, period.days)
    return Fraction(sum(times[(first - period.start).days : (last - period.start).days]), whole)


@dataclass(frozen=True, slots=True)
class Past:
    """What somebody achieved in past periods, and the presence in which they did."""

    achieved: Fraction
    heads: Fraction


def rates(pasts: Sequence[Past]) -> list[Fraction] | None:
    """What each achieved for each head; who was not there then takes the mean of all who were.

    None where nobody was there, or nothing was achieved. A sum below 0 counts as 0.
    """
    there = [past for past in pasts if past.heads]
    achieved = sum((max(past.achieved, NONE) for past in there), NONE)
    if not achieved:
        return None
    mean = achieved / sum((past.heads for past in there), NONE)
    return [max(past.achieved, NONE) / past.heads if past.heads else mean for past in pasts]
