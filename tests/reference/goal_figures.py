"""What a goal's figures are, and how far a value reaches what is aimed at (S30)."""

from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Literal

from tests.reference.questions import Cell
from tests.reference.world import Goal

Verdict = Literal["attained", "on_course", "missed"]
PaceVerdict = Literal["too_early", "behind", "on_track", "ahead"]
MilestoneStatus = Literal["reached", "open", "overdue", "missed"]
TWICE = Fraction(2)


@dataclass(frozen=True)
class Aim:
    """What is aimed at: a value to reach or not to exceed, or a band."""

    direction: Literal["increase", "decrease", "maintain"]
    value: Fraction | None
    low: Fraction | None = None
    high: Fraction | None = None

    def attainment(self, actual: Fraction) -> Fraction:
        """How far it is reached; 1 is exactly (S30)."""
        if self.direction == "increase":
            return actual / self._value
        if self.direction == "decrease":
            return TWICE if actual <= 0 else min(self._value / actual, TWICE)
        low, high = self._band
        if actual < low:
            return actual / low
        return high / actual if actual > high else Fraction(1)

    def is_reached(self, actual: Fraction) -> bool:
        """Whether a value reaches it, does not exceed it, or lies in the band."""
        if self.direction == "increase":
            return actual >= self._value
        if self.direction == "decrease":
            return actual <= self._value
        low, high = self._band
        return low <= actual <= high

    @property
    def _band(self) -> tuple[Fraction, Fraction]:
        assert self.low is not None
        assert self.high is not None
        return self.low, self.high

    @property
    def _value(self) -> Fraction:
        assert self.value is not None
        return self.value


@dataclass(frozen=True)
class Point:
    """The burn-up at the end of a day."""

    on: date
    actual: Fraction | None
    expected: Fraction | None


@dataclass(frozen=True)
class Reached:
    """A milestone, and when it was reached."""

    key: str
    value: Fraction
    status: MilestoneStatus | None
    at: datetime | None = None


@dataclass(frozen=True)
class PartStanding:
    """A part within the whole."""

    key: str
    actual: Fraction
    target: Fraction | None
    share: Fraction


@dataclass
class Standing:
    """The figures of a goal; None is what has no value."""

    goal: Goal
    cell: Cell
    actual: Fraction | None
    aim: Aim
    ramp_share: Fraction | None
    effective: Fraction | None
    attainment: Fraction | None = None
    change_attainment: Fraction | None = None
    stretch_attainment: Fraction | None = None
    share: Fraction = Fraction(0)
    expected: Fraction | None = None
    follows: str = "working_time"
    working_days: tuple[int, int] = (0, 0)
    pace: Fraction | None = None
    pace_verdict: PaceVerdict | None = None
    verdict: Verdict | None = None
    remaining: Fraction | None = None
    working_days_left: int = 0
    working_days_behind: int = 0
    curve: list[Point] = field(default_factory=list)
    milestones: list[Reached] = field(default_factory=list)
    parts: list[PartStanding] = field(default_factory=list)
    contributions: dict[str, Fraction] = field(default_factory=dict)
