"""A planned query, and asking its statement for some of its subjects at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from app.employment.facts import Staff
from app.kpis.attribution import Days, Subject
from app.kpis.cells import RowFields
from app.kpis.figures import Figures, Grouped, Whom
from app.kpis.history import KpiHistory, is_latest_additive
from app.kpis.ledger_rows import rows_from_ledger
from app.kpis.measures import Audience
from app.kpis.partials import reading as partials
from app.kpis.planning import Context, Plan
from app.kpis.ports import Targets
from app.kpis.questions import Query
from app.kpis.slicing import Slices
from app.kpis.staffing import Roster, Staffing


@dataclass
class Asked:
    """A query, planned: everything that decides its answer but the events.

    `subjects` with those of whom one must have an event for it to be shown (none: it always is). `groups` are `[None]`
    where the query does not group, else they end with the rest, which is shown where something is in it, or (`is_cut`)
    should be.
    """

    query: Query
    plan: Plan
    kpis: Sequence[KpiHistory]
    subjects: Mapping[Subject, Sequence[Subject]]
    staff: Staff | None = None
    slices: Slices | None = None
    groups: Sequence[Grouped | None] = (None,)
    is_cut: bool = False
    rate_set: str | None = None
    targets: Targets | None = None
    _staffing: list[Staffing] = field(default_factory=list)

    @property
    def context(self) -> Context:
        """Everything but events that decides the answer."""
        return self.plan.context

    @property
    def places(self) -> int:
        """How many values the answer has for each subject."""
        return len(self.kpis) * len(self.plan.places()) * len(self.groups)

    async def figures(self, session: AsyncSession, subjects: Sequence[Subject]) -> Figures:
        """Ask the one statement for these subjects."""
        numbers = self._numbers(subjects)
        rows = await self._rows(session, numbers)
        return Figures(self.plan, numbers, rows, self._roster, await self._targets(session, subjects))

    def _numbers(self, subjects: Sequence[Subject]) -> dict[Whom, int]:
        """Slices of people are subjects of their own for the statement; groups of events are in its rows."""
        slices = [grouped if grouped and grouped.part else None for grouped in self.groups]
        whom: dict[Whom, None] = {(subject, part): None for subject in subjects for part in slices}
        return {each: number for number, each in enumerate(whom)}

    async def _rows(self, session: AsyncSession, numbers: Mapping[Whom, int]) -> Sequence[RowFields]:
        plan = self.plan
        if not plan.windows or not plan.measures or not numbers or not self.context.is_recorded:
            return []
        audience = self._audience(numbers)
        served = await partials.read(session, self.query, plan, audience)
        told = await rows_from_ledger(session, plan, audience, served.measures, served.unions)
        return [*served.rows, *told]

    def _audience(self, numbers: Mapping[Whom, int]) -> Audience:
        everything: list[int] = []
        spans = []
        for (subject, grouped), number in numbers.items():
            if grouped is not None and grouped.part is not None and self.slices is not None:
                spans += [(number, span) for span in self.slices.spans(subject, grouped.part)]
            elif subject.kind == "organization":
                everything.append(number)
            else:
                spans += [(number, span) for span in self.context.attributor.spans(subject)]
        return Audience(everything, spans)

    # --------------------------------------------------------------------------------------------- beside events

    def _roster(self, subject: Subject, grouped: Grouped | None) -> Roster:
        """The members in scope of a subject, or of its slice; those recorded later are not known yet."""
        context = self.context
        members = {
            member: runs if grouped is None or grouped.part is None else grouped.part.clipped(member, runs)
            for member, runs in context.attributor.members_in(subject).items()
            if context.structure.members[member].recorded_at <= context.known_at
        }
        return self._staffing_of().roster(members)

    def _staffing_of(self) -> Staffing:
        if not self._staffing:
            assert self.staff is not None, "the staff is loaded whenever a formula reads it"  # noqa: S101
            days = self.plan.staff_days
            horizon = Days(min(run.start for run in days), max(run.end for run in days))
            self._staffing.append(Staffing(self.staff, at=self.context.at, today=self.context.today, horizon=horizon))
        return self._staffing[0]

    async def _targets(
        self, session: AsyncSession, subjects: Sequence[Subject]
    ) -> Mapping[tuple[str, Subject, Days], Decimal]:
        """What these subjects aim at with the KPIs whose target a formula reads.

        Goals are for all that somebody does, not for their part of a team.
        """
        sought = self.plan.targets
        whole = [subject for subject in subjects if subject.within is None]
        if self.targets is None or not whole or not sought:
            return {}
        histories, additive = self.plan.histories, self.plan.additive
        return await self.targets(
            session,
            self.context.org_id,
            kpis={key: is_latest_additive(histories[key], additive) for key in sought},
            subjects=whole,
            windows=sorted(set().union(*sought.values())),
            known_at=self.context.known_at,
            currency=self.context.currency,
        )


def audience_of(context: Context, subjects: Sequence[Subject]) -> Audience:
    """The subjects, by number, with whose credits they get."""
    return Audience(
        everything=[n for n, subject in enumerate(subjects) if subject.kind == "organization"],
        spans=[(n, span) for n, subject in enumerate(subjects) for span in context.attributor.spans(subject)],
    )
