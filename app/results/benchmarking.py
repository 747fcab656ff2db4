"""A member against their team and their role, computed when asked (P5)."""

from collections.abc import Mapping, Sequence
from typing import Literal, cast
from uuid import UUID

from app.calendars.periods import DayRange, PeriodError, parse_period
from app.core.problems import ValidationFailed
from app.kpis.attribution import Subject
from app.kpis.questions import Answer, Cell
from app.results import benchmark
from app.results import benchmark_schemas as schemas
from app.results.asking import Asking, Moment, heading, moment, pointing, question
from app.results.benchmark import Direction
from app.results.faces import face_of
from app.results.peers import Group, day_of, groups_of
from app.results.schemas import Subject as SubjectOut
from app.results.service import figures_out, subject_out

LEAST_SAMPLE = 5
_Unranked = Literal["no_data", "not_recorded_yet", "not_retained", "mixed_versions", "sample_too_small"]


async def benchmark_member(asking: Asking, query: schemas.BenchmarkQuery) -> schemas.Benchmark:
    """Where the member stands in each group, from one snapshot."""
    async with asking.at(query.as_of, query.known_at) as session:
        seen = await moment(session, asking.org_id, query.as_of, query.known_at)
        period = resolved(query.period, seen)
        day = day_of(period, seen.today)
        groups = await groups_of(session, asking.org_id, query.member, day, seen)
        people = dict.fromkeys([query.member, *(person for group in groups for person in group.people)])
        asked = question(query, seen, query.kpis, [Subject("member", person) for person in people], query.period)
        with pointing({"/subjects/0": "/member"}):
            answer = await asking.compute(session, asked)
    cells = {(series.kpi, series.subject.id): series.total for series in answer.series if series.subject.id}
    return schemas.Benchmark(
        **heading(answer),
        member=_person(query.member, answer),
        period=answer.period.label,
        day=day,
        kpis=[_of_kpi(query, kpi, groups, cells, answer) for kpi in dict.fromkeys(query.kpis)],
        notes=_notes(groups),
    )


def resolved(text: str, seen: Moment, pointer: str = "/period") -> DayRange:
    """The days of a period at an answer's instant. Raises `ValidationFailed`."""
    try:
        return parse_period(text, seen.today, seen.cut)
    except PeriodError as error:
        raise ValidationFailed.at(pointer, str(error), "period_invalid") from None


def _notes(groups: Sequence[Group]) -> list[str]:
    notes = []
    if not any(group.team_id for group in groups):
        notes.append("The member is in no team on that day.")
    if not any(group.revenue_role for group in groups):
        notes.append("The member has no revenue role on that day.")
    return notes


Cells = Mapping[tuple[str, UUID], Cell]


def _of_kpi(
    query: schemas.BenchmarkQuery, kpi: str, groups: Sequence[Group], cells: Cells, answer: Answer
) -> schemas.KpiBenchmark:
    face = answer.kpis[kpi]
    least = query.minimum_sample
    if least is None:
        least = 0 if face.is_additive else LEAST_SAMPLE
    return schemas.KpiBenchmark(
        kpi=face_of(answer, kpi),
        minimum_sample=least,
        figure=figures_out(cells[kpi, query.member]),
        groups=[_in_group(group, query.member, kpi, cells, answer, least) for group in groups],
    )


def _in_group(group: Group, member: UUID, kpi: str, cells: Cells, answer: Answer, least: int) -> schemas.PeerGroup:
    direction = cast("Direction", answer.kpis[kpi].direction)
    reasons = {person: unranked(cells[kpi, person], least) for person in group.people}
    values = {
        person: value
        for person in group.people
        if reasons[person] is None and (value := cells[kpi, person].value) is not None
    }
    enough = len(values) >= benchmark.LEAST_PEOPLE
    spread = benchmark.spread(list(values.values())) if enough else None
    places = benchmark.ranks(values, direction) if enough else {}
    own = values.get(member)
    peers = [
        schemas.Peer(
            member=_person(person, answer),
            figure=figures_out(cells[kpi, person]),
            rank=places.get(person),
            unranked=reasons[person],
        )
        for person in sorted(group.people, key=lambda person: places.get(person, len(places) + 1))
    ]
    return schemas.PeerGroup(
        kind="team" if group.team_id else "revenue_role",
        team=subject_out(Subject("team", group.team_id), group.team_name) if group.team_id else None,
        revenue_role=group.revenue_role,
        verdict="too_few" if not enough else "ok" if own is not None else "member_not_compared",
        n=len(values),
        spread=schemas.Spread.model_validate(spread) if spread else None,
        rank=places.get(member),
        standing=benchmark.lead(own, spread.median, direction) if spread and own is not None else None,
        peers=peers,
    )


def unranked(cell: Cell, least: int) -> _Unranked | None:
    """Why a value cannot be compared; None where it can (S29)."""
    if cell.value is None:
        return cell.status if cell.status in {"not_recorded_yet", "not_retained", "mixed_versions"} else "no_data"
    return "sample_too_small" if cell.sample < least else None


def _person(member: UUID, answer: Answer) -> SubjectOut:
    subject = Subject("member", member)
    return subject_out(subject, answer.names[subject])
