"""What a plan of a split is made of, as plain values, and what all levels of one share."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from uuid import UUID

from iso4217 import Currency
from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import CalendarSettings, DayRange, local_day
from app.calendars.service import calendar_settings
from app.core import clock
from app.core.db import OrganizationId
from app.core.problems import ValidationFailed
from app.goals import precision
from app.goals import queries as goal_queries
from app.goals.cascade import queries
from app.goals.cascade.people import People
from app.goals.cascade.schemas import PartInput, SplitInput, Step
from app.goals.models import Goal, GoalTarget
from app.goals.ramping import Ramp, ramp_of
from app.goals.work import Members, Schedules, schedules_of
from app.kpis.attribution import Subject
from app.kpis.schemas import Kpi

Part = tuple[Goal, GoalTarget]
"""A part that there is, with its present terms."""


@dataclass
class Row:
    """A part as planned: of whom, for which days, and what becomes of its goal.

    `people` are those whose work it is, with the days on which it counts here and in no wider part.
    """

    owner: Subject
    name: str | None
    period: DayRange
    people: Members = field(default_factory=dict)
    weight: Fraction = Fraction(0)
    share: Fraction = Fraction(0)
    part: Decimal = Decimal(0)
    target: Decimal | None = None
    stretch: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    why: str = ""
    ramp_id: UUID | None = None
    goal: Goal | None = None
    terms: GoalTarget | None = None
    step: Step = "none"
    made_id: UUID | None = None
    parts: "list[Row]" = field(default_factory=list)

    @property
    def aim(self) -> dict[str, Decimal | None]:
        """What its goal aims at then, by the names of terms."""
        return {"value": self.target, "low": self.low, "high": self.high, "stretch": self.stretch}


@dataclass(frozen=True)
class Whole:
    """What is split: a goal, or the part of one that is yet to be made."""

    owner: Subject
    period: DayRange
    target: Decimal
    stretch: Decimal | None
    goal: Goal | None
    ramp_id: UUID | None = None


@dataclass
class Plan:
    """A split of a goal as known at an instant."""

    goal: Goal
    terms: GoalTarget
    kpi: Kpi
    unit: Decimal
    rows: list[Row]
    as_of: datetime
    known_at: datetime
    today: date
    on: date | None
    notes: list[str]


@dataclass(frozen=True)
class Candidate:
    """Somebody who may get a part, or the same owner's shorter period; `people` as of a row."""

    owner: Subject
    period: DayRange
    people: Members = field(default_factory=dict)
    asked: PartInput | None = None
    pointer: str = "/to"


@dataclass(frozen=True)
class Setting:
    """What a plan is made from, read once for all levels, and the notes that they leave."""

    session: AsyncSession
    goal: Goal
    kpi: Kpi
    wanted: SplitInput
    people: People
    cut: CalendarSettings
    now: datetime
    known_at: datetime
    archived: frozenset[UUID]
    ramps: Mapping[UUID, Ramp]
    notes: list[str] = field(default_factory=list)

    @classmethod
    async def known(
        cls, session: AsyncSession, org_id: OrganizationId, goal: Goal, kpi: Kpi, wanted: SplitInput
    ) -> "Setting":
        """As of now, in the snapshot that the session reads. Raises `ValidationFailed`."""
        known_at = await clock.last_recorded(session, org_id)
        gone = [*(await session.execute(queries.archived_members(org_id))).scalars()]
        gone += (await session.execute(queries.archived_teams(org_id))).scalars()
        ramps = (await session.execute(goal_queries.ramps(org_id))).scalars().all()
        _check_ramp(goal, kpi, wanted.ramp_id, {row.id for row in ramps if row.archived_at is None})
        setting = cls(
            session,
            goal,
            kpi,
            wanted,
            await People.known(session, org_id, known_at),
            await calendar_settings(session, org_id, known_at),
            await clock.now(session, org_id),
            known_at,
            frozenset(gone),
            {row.id: ramp_of(row.shares) for row in ramps},
        )
        if wanted.mode == "replan" and setting.on >= goal.end_on:
            message = f"Nothing is left to plan from {setting.on} on: the goal's last day is {goal.last_day}."
            raise ValidationFailed.at("/on", message, "replan_after_period")
        return setting

    @property
    def today(self) -> date:
        """The organization's local day."""
        return local_day(self.now, self.cut.zone)

    @property
    def on(self) -> date:
        """The first day that a re-plan plans anew."""
        return max(self.wanted.on or self.today, self.goal.start_on)

    @property
    def schedules(self) -> Schedules:
        """The working time of owners as known then."""
        return schedules_of(self.session, self.goal.org_id, self.known_at)

    @property
    def is_additive(self) -> bool:
        """Whether parts add up to the goal's target."""
        return adds_up(self.goal, self.kpi)

    @property
    def unit(self) -> Decimal:
        """The step of parts."""
        return unit_of(self.kpi, self.goal, self.wanted.round_to)

    def ramp_of(self, terms: GoalTarget | None) -> Ramp | None:
        """The ramp that is asked for, else the one that a part has already."""
        ramp_id = self.wanted.ramp_id or (None if terms is None else terms.ramp_id)
        return None if ramp_id is None else self.ramps.get(ramp_id)

    def note(self, text: str) -> None:
        """Leave a note, once."""
        if text not in self.notes:
            self.notes.append(text)


def adds_up(goal: Goal, kpi: Kpi) -> bool:
    """Whether parts of the goal add up to it: not of averages and ratios, nor of bands."""
    return kpi.is_additive and goal.direction != "maintain"


def unit_of(kpi: Kpi, goal: Goal, round_to: Decimal | None) -> Decimal:
    """The step of parts: what is asked for, else the KPI's precision.

    Money is rounded to its currency's smallest unit, counts and seconds to whole ones, all else as it is shown.
    """
    if round_to is not None:
        return round_to
    kind = kpi.unit.kind
    if kind == "money":
        return Decimal(1).scaleb(-(Currency(goal.currency).exponent or 0)) if goal.currency else Decimal("0.01")
    return Decimal(1) if kind in {"count", "duration"} else precision.unit_of(kpi, None)


def is_fixed(goal: Goal) -> bool:
    """Whether nobody may change the goal as it stands."""
    return goal.locked_at is not None or goal.state == "closed"


def _check_ramp(goal: Goal, kpi: Kpi, ramp_id: UUID | None, in_use: Collection[UUID]) -> None:
    if ramp_id is None:
        return
    if ramp_id not in in_use:
        raise ValidationFailed.at("/ramp_id", f"There is no ramp {ramp_id} in use.", "ramp_unknown")
    if not adds_up(goal, kpi):
        message = f"Only targets of counts and sums grow by a ramp; those of {kpi.key} do not."
        raise ValidationFailed.at("/ramp_id", message, "ramp_not_additive")


def is_beyond(stretch: Decimal, target: Decimal, direction: str) -> bool:
    """Whether a stretch target asks for more than the target, in its direction (above 0)."""
    return stretch > target if direction == "increase" else 0 < stretch < target


def short(value: Fraction) -> str:
    """A figure in words: at most four decimals."""
    rounded = (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
    return f"{rounded.normalize():f}"
