"""What parts weigh: working time, written weights, the past; and what a re-plan leaves as it was planned."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction

from app.calendars.periods import DayRange, previous_period
from app.calendars.periods import same_period_last_year as a_year_before
from app.core.problems import ValidationFailed
from app.goals.cascade.people import WHOLE, People
from app.goals.cascade.plans import Candidate, Row, Setting, Whole, short
from app.goals.cascade.weights import Past, Presence, rates
from app.goals.ramping import Ramp
from app.goals.service import period_of
from app.goals.targets import target_values
from app.kpis.attribution import Subject
from app.kpis.engine import compute
from app.kpis.questions import Query

MOST_INSTANTS = 8
"""Of so many instants people are loaded at most for a re-plan."""


class Weighing:
    """Weighs the rows of one plan, and tells each why."""

    def __init__(self, setting: Setting) -> None:
        self._of = setting
        self._then: dict[datetime, People] = {}

    async def done(self, whole: Whole, rows: Sequence[Row]) -> list[Fraction]:
        """What of each target was due before the day of the re-plan; of who left perhaps what they achieved."""
        before, rest = whole.period.until(self._of.on), DayRange(self._of.on, whole.period.end)
        done: list[Fraction] = []
        for row in rows:
            if row.goal is None or row.terms is None or row.terms.value is None:
                done.append(Fraction(0))
                continue
            ramp = None if row.terms.ramp_id is None else self._of.ramps.get(row.terms.ramp_id)
            then = await self._people_at(row.terms.recorded_at, rows)
            done.append(Fraction(row.terms.value) * self._due_by(row, period_of(row.goal), whole, ramp, then))
        if self._of.wanted.leavers == "achieved" and before.days:
            gone = [
                n
                for n, row in enumerate(rows)
                if done[n] and not self._of.people.presence(row.people, rest, whole.period).heads
            ]
            achieved = await self._achieved([rows[n].owner for n in gone], whole, before) if gone else []
            for n, value in zip(gone, achieved, strict=True):
                done[n] = max(value or Fraction(0), Fraction(0))
        return done

    def _due_by(self, row: Row, period: DayRange, whole: Whole, ramp: Ramp | None, then: People) -> Fraction:
        """The share of a target that was due before the day: work done until then, of all that was planned with."""
        every = then.presence(then.members_of(row.owner), period, period)
        planned = every.fte if row.owner.kind == "team" else every.planned
        days = period.until(self._of.on)
        if not planned:
            return self._of.people.elapsed(row.owner, days, period)
        return min(self._of.people.presence(row.people, days, period, ramp).fte / planned, WHOLE)

    async def _people_at(self, planned_at: datetime, rows: Sequence[Row]) -> People:
        """People as they were known when a target was set; of very many such instants the nearest before of a few."""
        instants = sorted({row.terms.recorded_at for row in rows if row.terms is not None})
        few = instants[:: -(-len(instants) // MOST_INSTANTS)]
        at = max(instant for instant in few if instant <= planned_at)
        if at not in self._then:
            self._then[at] = await People.known(self._of.session, self._of.goal.org_id, at)
        return self._then[at]

    async def _achieved(self, owners: Sequence[Subject], whole: Whole, days: DayRange) -> list[Fraction | None]:
        """The KPI of each over some days, of members their part in the team that is split; None without data."""
        within = whole.owner.id if whole.owner.kind == "team" else None
        subjects = [Subject("member", each.id, within) if each.kind == "member" else each for each in owners]
        query = Query(
            kpis=[self._of.kpi.key],
            subjects=subjects,
            period=DayRange(days.start, days.end).label,
            currency=self._of.goal.currency,
            rate_set=self._of.goal.rate_set,
        )
        answer = await compute(self._of.session, self._of.goal.org_id, query, targets=target_values)
        found = {series.subject: series.total.value for series in answer.series}
        return [None if (value := found.get(subject)) is None else Fraction(value) for subject in subjects]

    async def weights(
        self, whole: Whole, rows: Sequence[Row], asked: Mapping[Subject, Candidate], days: DayRange
    ) -> list[Fraction]:
        """What each weighs over some days; the rows are told why."""
        by = self._of.wanted.by
        if self._of.wanted.into is not None:
            return await self._weights_of_windows(whole, rows)
        there = [self._there(row, whole, days) for row in rows]
        heads = sum((each.heads for each in there), Fraction())
        fte = sum((each.fte for each in there), Fraction())
        if by == "history":
            return await self._weights_by_history(whole, rows, there)
        if by == "weight":
            given = [self._given(row, asked, here) for row, here in zip(rows, there, strict=True)]
            all_weights = short(sum(given, Fraction()))
            for row, weight in zip(rows, given, strict=True):
                row.why = f"weight {short(weight)} of {all_weights}"
            return given
        for row, here in zip(rows, there, strict=True):
            if by == "fte":
                row.why = f"{short(here.fte)} of {short(fte)} full-time equivalents by working time"
            else:
                row.why = f"{short(here.heads)} of {short(heads)} heads by working time"
            if here.waived:
                row.why += f"; absences take {short(here.waived)} away"
        return [here.fte if by == "fte" else here.heads for here in there]

    def _there(self, row: Row, whole: Whole, days: DayRange) -> Presence:
        return self._of.people.presence(row.people, days, whole.period, self._of.ramp_of(row.terms))

    def _given(self, row: Row, asked: Mapping[Subject, Candidate], here: Presence) -> Fraction:
        """The weight that was written; in a re-plan for the presence that is left."""
        part = asked[row.owner].asked if row.owner in asked else None
        weight = Fraction(part.weight if part is not None and part.weight is not None else 0)
        return weight * here.heads if self._of.wanted.mode == "replan" else weight

    async def _weights_of_windows(self, whole: Whole, rows: Sequence[Row]) -> list[Fraction]:
        if self._of.wanted.by == "history":
            found = []
            for row in rows:
                before = a_year_before(row.period, self._of.cut)
                value = ((await self._achieved([whole.owner], whole, before))[0] if before else None) or Fraction(0)
                row.why = f"{short(value)} in {before.label if before else 'no such days'} a year earlier"
                found.append(max(value, Fraction(0)))
            if not any(found):
                raise ValidationFailed.at("/by", "Nothing was achieved a year earlier: split by time.", "no_history")
            return found
        shares = [self._of.people.elapsed(whole.owner, row.period, whole.period) for row in rows]
        for row, share in zip(rows, shares, strict=True):
            row.why = f"{short(share)} of the period's working time"
        return shares

    async def _weights_by_history(self, whole: Whole, rows: Sequence[Row], there: Sequence[Presence]) -> list[Fraction]:
        pasts = [Past(Fraction(0), Fraction(0)) for _ in rows]
        period, labels = whole.period, []
        for _ in range(self._of.wanted.history.periods):
            period = previous_period(period, self._of.cut)
            labels.append(period.label)
            values = await self._achieved([row.owner for row in rows], whole, period)
            for n, (row, value) in enumerate(zip(rows, values, strict=True)):
                if value is None:  # nothing was recorded yet: those days say nothing of anybody
                    continue
                heads = self._of.people.presence(row.people, period, period).heads
                pasts[n] = Past(pasts[n].achieved + value, pasts[n].heads + heads)
        each = rates(pasts)
        span = labels[-1] if len(labels) == 1 else f"{labels[-1]} to {labels[0]}"
        if each is None:
            message = f"Nobody achieved anything in {span}: split by heads, weight or hand."
            raise ValidationFailed.at("/by", message, "no_history")
        weights = [rate * here.heads for rate, here in zip(each, there, strict=True)]
        for row, past, rate, here in zip(rows, pasts, each, there, strict=True):
            told = f"{short(past.achieved)} with {short(past.heads)} heads in {span}"
            if not past.heads:
                told = f"no history in {span}, so the mean of the others"
            row.why = f"{told}: {short(rate)} a head, times {short(here.heads)} heads"
        return weights
