"""One figure at two instants, and what made the difference (S5, S6).

Knowledge is moved on in steps: everything that decides figures is recorded at an instant of the organization's
clock, one a transaction, so the figure before and after each instant isolates what its changes did, for every KPI.
Time is moved first, by the earlier knowledge; so the effects of time and of all steps add up to the difference.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.calendars.periods import first_instant
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import ValidationFailed
from app.core.schemas import zone
from app.goals.frozen import jsonable
from app.kpis.attribution import Subject
from app.kpis.definition import Aggregate, EventMeasure, Measure, looks
from app.kpis.formulas import FORMULA
from app.kpis.history import KpiHistory, counts_places
from app.kpis.questions import Answer, Cell
from app.kpis.service import load_kpis_with_references
from app.results import diff_schemas as schemas
from app.results import recordings
from app.results.asking import Asking, Moment, moment, one_subject, pointing, question
from app.results.dependencies import functions_of, measures_of
from app.results.faces import face_of
from app.results.recordings import Concern, Kind, Recording, Span, Told
from app.results.service import figures_out, subject_out
from app.teams.structure import load_structure

_STAFF = frozenset({"working_hours", "headcount", "fte"})
_ELSEWHERE = frozenset({"previous", "same_period_last_year"})
_DAY = timedelta(days=1)


class _Page(PageQuery):
    """The position in the list of changes, bound to the question."""

    question: str


async def explain_difference(asking: Asking, who: Principal, query: schemas.DiffQuery) -> schemas.Difference:
    """The figure at both instants and a page of the changes between them, from one snapshot."""
    subject = _subject(query)
    places = {"/kpis/0": "/kpi", "/subjects/0": "/subject"}
    with pointing(places):
        # The earlier instant is settled, too: it may lie after all that was recorded.
        async with asking.at(query.to_as_of, query.from_as_of) as session:
            return await _Difference(asking, session, query, subject).told(who)


def _subject(query: schemas.DiffQuery) -> Subject:
    subject = one_subject(query.subject)
    if query.within_team is None:
        return subject
    if subject.kind != "member":
        raise ValidationFailed.at("/within_team", "belongs to a member")
    return Subject("member", subject.id, query.within_team)


class _Difference:
    """One question, asked in one snapshot."""

    def __init__(self, asking: Asking, session: AsyncSession, query: schemas.DiffQuery, subject: Subject) -> None:
        self._asking, self._session = asking, session
        self._query, self._subject = query, subject

    async def told(self, who: Principal) -> schemas.Difference:
        """The answer, as the caller may see it."""
        later, earlier = await self._moments()
        after = await self._asked(later, self._query.period)
        period = after.period.label
        before = await self._asked(earlier, period)
        by_time = await self._asked(Moment(later.at, earlier.known_at, later.cut), period)
        rows, following = await self._page(after, earlier.known_at, later.known_at)
        told = await recordings.tell(self._session, who, rows)
        return schemas.Difference(
            kpi=face_of(after, self._query.kpi),
            subject=subject_out(self._subject, after.names[self._subject]),
            period=period,
            start=after.period.start,
            end=after.period.end,
            before=_seen(before),
            after=_seen(after),
            difference=_minus(_cell(after), _cell(before)),
            by_time=schemas.ByTime(figure=figures_out(_cell(by_time)), effect=_minus(_cell(by_time), _cell(before))),
            by_recordings=_minus(_cell(after), _cell(by_time)),
            changes=[_change(each) for each in told],
            steps=await self._steps(rows, later, period),
            names=await self._names(told, later.known_at),
            next_cursor=following,
        )

    async def _moments(self) -> tuple[Moment, Moment]:
        later = await moment(self._session, self._asking.org_id, self._query.to_as_of)
        at = self._query.from_as_of
        if at > later.at:
            message = f"must not be later than the later instant, {later.at.isoformat()}"
            raise ValidationFailed.at("/from_as_of", message, "instants_reversed")
        return later, await moment(self._session, self._asking.org_id, at)

    async def _asked(self, seen: Moment, period: str) -> Answer:
        asked = question(self._query, seen, [self._query.kpi], [self._subject], period)
        return await self._asking.compute(self._session, asked)

    async def _page(self, after: Answer, since: datetime, until: datetime) -> tuple[list[Recording], str | None]:
        histories = await load_kpis_with_references(self._session, self._asking.org_id, [self._query.kpi], until)
        concern = _concern(histories, self._subject, after)
        span = Span(org_id=self._asking.org_id, since=since, until=until)
        statement, found = recordings.recordings(span, concern)
        text = self._query.model_dump_json(exclude={"limit", "cursor"})
        page = _Page(limit=self._query.limit, cursor=self._query.cursor, question=text)
        keys = [Key(found.c.recorded_at, descending=True), Key(found.c.kind), Key(found.c.row_id)]
        rows, following = await paginate(self._session, statement, keys, page)
        return [Recording(*row) for row in rows], following

    async def _steps(self, rows: Sequence[Recording], later: Moment, period: str) -> list[schemas.Step]:
        """The figure before and after each instant of the page."""
        steps = []
        for at in dict.fromkeys(row.recorded_at for row in rows):
            before, after = [
                _cell(await self._asked(Moment(later.at, known_at, later.cut), period))
                for known_at in (at - timedelta(microseconds=1), at)
            ]
            steps.append(
                schemas.Step(
                    recorded_at=at,
                    before=figures_out(before),
                    after=figures_out(after),
                    effect=_minus(after, before),
                )
            )
        return steps

    async def _names(self, told: Sequence[Told], known_at: datetime) -> dict[str, str]:
        mentioned = {
            value for each in told for pair in each.fields.values() for value in pair if isinstance(value, UUID)
        }
        if not mentioned:
            return {}
        structure = await load_structure(self._session, self._asking.org_id, known_at)
        known = {id_: member.name for id_, member in structure.members.items()}
        known |= {id_: team.name for id_, team in structure.teams.items()}
        return {str(id_): known[id_] for id_ in sorted(mentioned) if id_ in known}


def _cell(answer: Answer) -> Cell:
    return answer.series[0].total


def _minus(after: Cell, before: Cell) -> Decimal | None:
    if after.value is None or before.value is None:
        return None
    return FORMULA.subtract(after.value, before.value)


def _seen(answer: Answer) -> schemas.Seen:
    return schemas.Seen(
        as_of=answer.as_of,
        known_at=answer.known_at,
        currency=answer.currency,
        time_zone=answer.time_zone,
        figure=figures_out(_cell(answer)),
    )


def _change(told: Told) -> schemas.Change:
    is_retraction = told.fields.get("retracted", (None, None))[1] is True
    return schemas.Change(
        recorded_at=told.recording.recorded_at,
        kind=told.recording.kind,
        action="retracted" if is_retraction else told.recording.action,
        id=told.id,
        name=told.name,
        fields=[
            schemas.FieldChange(field=name, before=jsonable(before), after=jsonable(after))
            for name, (before, after) in told.fields.items()
        ],
    )


# ------------------------------------------------------------------------------------------- what can touch a figure


def _concern(histories: Mapping[str, KpiHistory], subject: Subject, answer: Answer) -> Concern:
    measures, functions = measures_of(histories), functions_of(histories)
    types = sorted({type_ for measure in measures for look in looks(measure) for type_ in look.events})
    kinds: set[Kind] = {"settings", "counts", "rate", "rate_set", "named_period"}
    uses_hours = any(getattr(measure, "clock", "wall") != "wall" for measure in measures)
    uses_staff = bool(functions & _STAFF) or uses_hours
    is_by_person = any(measure.aggregate is Aggregate.COVERED for measure in measures)
    if subject.kind != "organization" or uses_staff or is_by_person:
        kinds |= {"mapping", "membership", "placement"}
    if uses_staff:
        kinds |= {"assignment", "employment", "absence", "calendar"}
    if "target" in functions:
        # By whose working time a part of a target is (S22, S31).
        kinds |= {"target", "calendar", "assignment", "employment", "absence", "membership", "placement"}
    only_here = not functions & _ELSEWHERE and all(_looks_only_there(measure) for measure in measures)
    return Concern(
        kinds=frozenset(kinds), types=types, kpis=sorted(histories), occurred=_around(answer) if only_here else None
    )


def _looks_only_there(measure: Measure) -> bool:
    """Whether events of other days than the window's cannot matter."""
    if not isinstance(measure, EventMeasure) or measure.over is not None or measure.aggregate is Aggregate.COVERED:
        return False
    return not counts_places(measure.where)


def _around(answer: Answer) -> tuple[datetime, datetime]:
    """The period with a day on either side: the zone may have been another one."""
    days = answer.period.start, answer.period.end
    start, end = (first_instant(day, zone(answer.time_zone)) for day in days)
    return start - _DAY, end + _DAY
