"""Gives the parts of one level their targets: shares of what adds up (S35), and of all else the target as it is.

Parts weigh by working time in the team. A re-plan leaves what was due before its day as it was planned and spreads what
is left over those who are there from then on.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from math import ceil
from uuid import UUID

from app.calendars.periods import DayRange
from app.core.problems import ValidationFailed
from app.goals.cascade.people import WHOLE
from app.goals.cascade.plans import Candidate, Row, Setting, Whole, is_beyond, short
from app.goals.cascade.schemas import Step
from app.goals.cascade.splitting import missing, split
from app.goals.cascade.weighing import Weighing
from app.goals.models import GoalTarget
from app.goals.pace import part_of
from app.goals.parts import kept_of, shares_of, time_of
from app.goals.service import period_of
from app.kpis.attribution import Days, Subject, complement, intersect
from app.kpis.formulas import FORMULA

Asked = Mapping[Subject, Candidate]
_SIX_PLACES = Decimal("0.000001")
_TOO_LARGE = Decimal(10) ** 18


class Sharing:
    """Shares out the levels of one plan."""

    def __init__(self, setting: Setting) -> None:
        self._of = setting
        self._weighing = Weighing(setting)

    async def share_out(self, whole: Whole, rows: list[Row], others: list[Row], asked: Asked) -> None:
        """Give the rows what the others leave of the whole, and tell what is done about each goal.

        Raises `ValidationFailed` where nothing is left, nobody is there, or what was written does not add up.
        """
        await self._count(whole, others)
        total = FORMULA.multiply(whole.target, self._of.wanted.overassign)
        if self._of.wanted.overassign != 1:
            total = total.quantize(self._of.unit, ROUND_HALF_EVEN)
        left = missing(total, [row.part for row in others])
        if self._of.wanted.by == "hand":
            self._by_hand(left, rows, asked)
        elif rows:
            self._require_rest(left, others)
            await self._by_weight(whole, left, rows, asked)
        for row in rows:
            await self._fit(row, whole)
        self._share_stretch(whole, rows)
        for row in rows:
            row.step = _step(row)

    async def _count(self, whole: Whole, others: Sequence[Row]) -> None:
        """What parts that keep their goals add to the sum, as progress and cascade count it."""
        if whole.goal is None:
            return
        parts = [(row.goal, row.terms) for row in others if row.goal and row.terms and row.step == "keep"]
        shares = await shares_of(whole.goal, parts, self._of.schedules)
        counted = {share.goal.id: share.target_counted for share in shares}
        for row in others:
            if row.goal is not None:
                row.part = counted.get(row.goal.id) or Decimal(0)

    def _require_rest(self, left: Decimal, others: Sequence[Row]) -> None:
        if left <= 0:
            message = (
                f"Nothing is left to split: {len(others)} parts that keep their targets take all of it already. "
                "Include them, or write others: cancel."
            )
            raise ValidationFailed.at("/to", message, "nothing_left")

    def _by_hand(self, left: Decimal, rows: Sequence[Row], asked: Asked) -> None:
        for row in rows:
            part = asked[row.owner].asked if row.owner in asked else None
            if part is not None and part.target is not None:
                row.part, row.stretch = part.target, part.stretch
            row.weight, row.why = Fraction(row.part), "written by hand"
        total = sum((row.weight for row in rows), Fraction())
        for row in rows:
            row.share = row.weight / total if total else Fraction(0)
        lack = missing(left, [row.part for row in rows])
        if lack and not self._of.wanted.allow_gap:
            word = "missing" if lack > 0 else "too much"
            message = (
                f"The parts add up to {left - lack:f}, {abs(lack).normalize():f} {word}: they should be "
                f"{left.normalize():f}. Write allow_gap to accept it."
            )
            raise ValidationFailed.at("/owners", message, "parts_do_not_add_up")

    async def _by_weight(self, whole: Whole, left: Decimal, rows: Sequence[Row], asked: Asked) -> None:
        days, done = whole.period, [Fraction(0)] * len(rows)
        is_replan = self._of.wanted.mode == "replan"
        if is_replan:
            days = DayRange(max(self._of.on, whole.period.start), whole.period.end)
            done = await self._weighing.done(whole, rows)
        weights = await self._weighing.weights(whole, rows, asked, days)
        if not any(weights):
            message = "Nobody is there to take a part: all weights are 0."
            raise ValidationFailed.at("/by", message, "all_weights_zero")
        rest = max(Fraction(left) - sum(done, Fraction()), Fraction(0))
        if not rest:  # what was due before is more than all of it
            self._of.note(
                "What was planned before takes all of the target: nothing is left for the rest of the period."
            )
            left = self._of.unit * ceil(sum(done, Fraction()) / Fraction(self._of.unit))
        each = rest / sum(weights, Fraction())
        shares = [before + each * weight for before, weight in zip(done, weights, strict=True)]
        parts, all_shares = split(left, shares, self._of.unit), sum(shares, Fraction())
        for row, before, weight, share, part in zip(rows, done, weights, shares, parts, strict=True):
            row.weight, row.share, row.part = weight, share / all_shares, part
            if is_replan:
                was = f"{short(before)} until {self._of.on} as it was planned"
                row.why = f"{was}, and of the {short(rest)} left: {row.why}"

    # ------------------------------------------------------------------------------------------------- each goal

    async def _fit(self, row: Row, whole: Whole) -> None:
        """The target of the part's goal, and what is done about it."""
        if not row.part:
            row.target = None
            row.why += "; there is no goal of 0"
            return
        if row.goal is not None and self._still_fits(row, period_of(row.goal), whole):
            row.period = period_of(row.goal)
        row.ramp_id = self._ramp_of(row, whole)
        counted = await self._counted(row, whole)
        row.target = row.part
        if counted != 1:
            row.why += f"; {short(counted)} of the target counts"
            if counted and self._of.wanted.by != "hand":
                row.target = part_of(row.part, 1 / counted).quantize(_SIX_PLACES, ROUND_HALF_EVEN)
        if row.target >= _TOO_LARGE:
            message = f"The target of {row.name} would be larger than any that can be kept."
            raise ValidationFailed.at("/by", message, "target_out_of_range")

    def _still_fits(self, row: Row, days: DayRange, whole: Whole) -> bool:
        """Whether a goal of other days than planned can stay: all of its work, and all there is, counts here."""
        if row.owner.kind != "member" or self._of.wanted.into is not None:
            return False
        people = self._of.people
        inside = people.presence(row.people, days, whole.period).heads
        return (
            people.is_all(row.owner, row.people, days)
            and inside == people.presence(row.people, whole.period, whole.period).heads
        )

    def _ramp_of(self, row: Row, whole: Whole) -> UUID | None:
        """The ramp of the part's goal: its own, the goal's for other days of the same owner, or the one asked for."""
        present = None if row.terms is None else row.terms.ramp_id
        if row.owner == whole.owner:
            return present if row.terms is not None else whole.ramp_id
        if self._of.wanted.ramp_id is None or row.owner.kind != "member":
            return present
        ramp = self._of.ramps[self._of.wanted.ramp_id]
        plain = self._of.people.presence(row.people, row.period, whole.period)
        is_ramped = self._of.people.presence(row.people, row.period, whole.period, ramp) != plain
        return self._of.wanted.ramp_id if is_ramped else present

    async def _counted(self, row: Row, whole: Whole) -> Fraction:
        """What of the target of the part's goal counts in the whole (S33), by the rule of progress."""
        if row.owner == whole.owner:
            return WHOLE
        schedules = self._of.schedules
        every = self._of.people.within(row.owner, whole.owner)
        span = [Days(row.period.start, row.period.end)]
        taken = {
            member: days
            for member, runs in every.items()
            if (days := intersect(intersect(runs, complement(row.people.get(member, ()))), span))
        }
        kept = await kept_of(row.owner, row.period, whole.owner, row.ramp_id, schedules)
        return kept * await time_of(row.owner, row.period, every, taken, schedules)

    # --------------------------------------------------------------------------------------------------- stretch

    def _share_stretch(self, whole: Whole, rows: Sequence[Row]) -> None:
        """The stretch target, in the proportions of the parts."""
        mine = [row for row in rows if row.target is not None]
        if self._of.wanted.by != "hand" and whole.stretch is not None and mine:
            parts = sum((Fraction(row.part) for row in mine), Fraction())
            total = part_of(whole.stretch, parts / Fraction(whole.target)).quantize(self._of.unit, ROUND_HALF_EVEN)
            for row, part in zip(mine, split(total, [row.share for row in mine], self._of.unit), strict=True):
                row.stretch = self._stretch(row, part)

    def _stretch(self, row: Row, part: Decimal) -> Decimal | None:
        assert row.target is not None  # noqa: S101  # only rows with a target have a stretch
        if row.target != row.part:
            part = part_of(part, Fraction(row.target) / Fraction(row.part)).quantize(_SIX_PLACES, ROUND_HALF_EVEN)
        return part if is_beyond(part, row.target, self._of.goal.direction) else None

    # ------------------------------------------------------------------------------------- what does not add up

    def copy(self, whole: Whole, rows: Sequence[Row], asked: Asked, terms: GoalTarget | None) -> None:
        """Ask each part for the target as it is, or as it was written by hand."""
        self._of.note(
            f"Values of {self._of.kpi.key} do not add up: each part has the target as it is, and no sum is checked."
        )
        for row in rows:
            self._aim(row, whole, terms)
            part = asked[row.owner].asked if row.owner in asked else None
            if self._of.wanted.by == "hand" and part is not None and part.target is not None and row.low is None:
                row.target, row.stretch, row.why = part.target, part.stretch, "written by hand"
            row.share, row.weight = Fraction(1, len(rows)), Fraction(1)
            row.part = row.target or Decimal(0)
            row.period = row.period if row.goal is None else period_of(row.goal)
            row.step = _step(row)

    def _aim(self, row: Row, whole: Whole, terms: GoalTarget | None) -> None:
        row.why = "the target as it is"
        if terms is not None and terms.value is None:
            row.low, row.high = terms.low, terms.high
        else:
            row.target, row.stretch = whole.target, whole.stretch


def _step(row: Row) -> Step:
    """What is done about a part's goal."""
    is_wanted = row.target is not None or row.low is not None
    if row.goal is None or row.terms is None:
        return "create" if is_wanted else "none"
    if not is_wanted:
        return "cancel"
    if (row.goal.start_on, row.goal.end_on) != (row.period.start, row.period.end):
        return "replace"
    then = (row.target, row.low, row.high, row.stretch, row.ramp_id or row.terms.ramp_id)
    now = (row.terms.value, row.terms.low, row.terms.high, row.terms.stretch, row.terms.ramp_id)
    return "keep" if then == now else "change"
