"""Which members, teams or segments made the difference between two periods, computed when asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.calendars.periods import DayRange, previous_period
from app.core.problems import Problem
from app.kpis.attribution import Subject
from app.kpis.history import KpiHistory
from app.kpis.questions import Answer, Cell, Group, GroupBy, MembersOf, Query
from app.kpis.service import load_kpis_with_references
from app.results import contribution
from app.results import contribution_schemas as schemas
from app.results.asking import Asking, Moment, heading, moment, one_subject, pointing, question
from app.results.benchmarking import resolved
from app.results.contribution import NOTHING, Change, Effect, Sums, decimal
from app.results.faces import face_of
from app.results.quotients import DENOMINATOR, NUMERATOR, taken_apart
from app.results.segments import segmented
from app.results.service import figures_out, group_by_of, subject_out
from app.teams.facts import Structure
from app.teams.structure import load_structure

MOST_GROUPS = 200


class KpiNotDecomposable(Problem):
    """Differences of this KPI cannot be split into parts exactly: it is no sum, and no quotient of two sums."""

    status, code, title = 422, "kpi-not-decomposable", "KPI not decomposable"


@dataclass(frozen=True)
class _Asked:
    """A KPI with what it is taken apart into, in the period and before."""

    kpi: str
    method: Literal["sum", "ratio"]
    before: Answer
    after: Answer


async def find_contributions(asking: Asking, query: schemas.ContributionQuery) -> schemas.Contributions:
    """The difference and its parts, from one snapshot. Raises `KpiNotDecomposable`."""
    subject = one_subject(query.subject)
    places = {"/kpis/0": "/kpi", "/kpis": "/kpi", "/subjects/0": "/subject"}
    async with asking.at(query.as_of, query.known_at) as session:
        seen = await moment(session, asking.org_id, query.as_of, query.known_at)
        after = resolved(query.period, seen)
        before = (
            resolved(query.compare_to, seen, "/compare_to") if query.compare_to else previous_period(after, seen.cut)
        )
        with pointing(places):
            asked = await _ask(asking, session, query, subject, seen, (before, after))
    return _told(query, subject, asked)


async def _ask(
    asking: Asking,
    session: AsyncSession,
    query: schemas.ContributionQuery,
    subject: Subject,
    seen: Moment,
    periods: tuple[DayRange, DayRange],
) -> _Asked:
    method, definitions = await _taken_apart(asking, session, query, subject, seen)
    structure = await load_structure(session, asking.org_id, seen.known_at)
    by, rows = _parts(query, subject, structure, seen)
    kpis = [query.kpi, *definitions]
    answers = []
    for period in periods:
        wanted = [question(query, seen, kpis, [subject, *rows], period.label, definitions=definitions)]
        if by is not None:
            wanted.append(question(query, seen, kpis, [subject], period.label, definitions=definitions, group_by=by))
        answers.append(await _together(asking, session, wanted))
    return _Asked(query.kpi, method, *answers)


async def _together(asking: Asking, session: AsyncSession, wanted: Sequence[Query]) -> Answer:
    """The first answer, with the series of all."""
    first, *others = [await asking.compute(session, query) for query in wanted]
    series = [each for answer in (first, *others) for each in answer.series]
    return replace(first, series=tuple(series))


async def _taken_apart(
    asking: Asking, session: AsyncSession, query: schemas.ContributionQuery, subject: Subject, seen: Moment
) -> tuple[Literal["sum", "ratio"], Mapping[str, KpiHistory]]:
    """How the KPI is split. Raises `KpiNotDecomposable`; an unknown KPI is the engine's to tell."""
    await asking.compute(session, question(query, seen, [query.kpi], [subject], query.period))
    histories = await load_kpis_with_references(session, asking.org_id, [query.kpi], seen.known_at)
    found = taken_apart(histories[query.kpi], histories, among_people=query.group_by is None)
    if found is None:
        raise KpiNotDecomposable(
            f"The difference of {query.kpi} cannot be split exactly: its formula must be a sum, or a sum divided by a "
            "sum, of counts and sums with split credit (or one average or conversion)."
        )
    method, definitions = found
    return method, definitions or {}


def _parts(
    query: schemas.ContributionQuery, subject: Subject, structure: Structure, seen: Moment
) -> tuple[GroupBy | None, list[Subject | MembersOf]]:
    """By what the engine groups, or the subjects that are the rows."""
    if (by := group_by_of(query.group_by)) is not None:
        return replace(by, top=MOST_GROUPS), []
    if query.by == "members":
        return None, _members(subject, structure, seen)
    return None, _teams(subject, structure, seen)


def _members(subject: Subject, structure: Structure, seen: Moment) -> list[Subject | MembersOf]:
    match subject.kind:
        case "team" if subject.id:
            return [MembersOf(subject.id)]
        case "organization":
            known = [each for each in structure.members.values() if each.recorded_at <= seen.known_at]
            return [Subject("member", each.id) for each in sorted(known, key=lambda each: (each.name, str(each.id)))]
    return []


def _teams(subject: Subject, structure: Structure, seen: Moment) -> list[Subject | MembersOf]:
    """The teams directly below on T's day: at the top of the tree for the organization, and the unassigned."""
    today = seen.today
    parents: dict[UUID, UUID | None] = {
        place.team_id: place.parent_id
        for place in structure.placements
        if (place.start is None or place.start <= today) and (place.end is None or place.end > today)
    }
    known = [team for team in structure.teams.values() if team.recorded_at <= seen.known_at]
    if subject.kind not in {"team", "organization"}:
        return []
    below = [team for team in known if parents.get(team.id) == subject.id]
    rows: list[Subject | MembersOf] = [
        Subject("team", team.id) for team in sorted(below, key=lambda team: (team.name, str(team.id)))
    ]
    return [*rows, Subject("unassigned")] if subject.kind == "organization" else rows


# ------------------------------------------------------------------------------------------------------- answering


def _told(query: schemas.ContributionQuery, subject: Subject, asked: _Asked) -> schemas.Contributions:
    before, after = asked.before, asked.after
    whole = _cells(before)[asked.kpi, subject, None], _cells(after)[asked.kpi, subject, None]
    reason = _reason(asked, *whole)
    return schemas.Contributions(
        **heading(after),
        kpi=face_of(after, asked.kpi),
        subject=subject_out(subject, after.names[subject]),
        method=asked.method,
        before=_period(before, whole[0]),
        after=_period(after, whole[1]),
        difference=_minus(*whole),
        reason=reason,
        contributions=[] if reason else _contributions(query, subject, asked),
    )


def _reason(asked: _Asked, before: Cell, after: Cell) -> str | None:
    for answer, cell in ((asked.before, before), (asked.after, after)):
        if cell.value is None:
            return f"{answer.period.label} has no value: {cell.status}."
    return None


def _minus(before: Cell, after: Cell) -> Decimal | None:
    if before.value is None or after.value is None:
        return None
    return decimal(Fraction(after.value) - Fraction(before.value))


def _period(answer: Answer, cell: Cell) -> schemas.PeriodFigure:
    return schemas.PeriodFigure(
        period=answer.period.label,
        start=answer.period.start,
        end=answer.period.end,
        is_complete=all(answer.is_complete),
        figures=figures_out(cell),
    )


Cells = Mapping[tuple[str, Subject, Group | None], Cell]


def _cells(answer: Answer) -> Cells:
    return {(series.kpi, series.subject, series.group): series.total for series in answer.series}


def _contributions(query: schemas.ContributionQuery, subject: Subject, asked: _Asked) -> list[schemas.Contribution]:
    """The greatest parts, then the rest: what the rows shown do not add up to."""
    cells = _cells(asked.before), _cells(asked.after)
    whole: _Key = (subject, None)
    keys = [
        key for key in dict.fromkeys((s, g) for of in cells for _, s, g in of) if key != whole and not _is_rest(key)
    ]
    rows: dict[_Key | None, Change] = {key: Change(*(_sums(of, asked, key) for of in cells)) for key in keys}
    total = Change(*(_sums(of, asked, whole) for of in cells))
    shown = sum(rows.values(), Change(NOTHING, NOTHING))
    rows[None] = Change(total.before - shown.before, total.after - shown.after)
    effects = contribution.of_sums(rows) if asked.method == "sum" else contribution.of_ratio(rows)
    kept = sorted(keys, key=lambda key: -abs(effects[key].total))[: query.top]
    others = [key for key in rows if key not in kept]
    difference = sum((effect.total for effect in effects.values()), Fraction(0))
    out = [_row(asked, key, cells, rows[key], effects[key], difference) for key in kept if _matters(rows[key])]
    rest = sum((rows[key] for key in others), Change(NOTHING, NOTHING))
    if any(_matters(rows[key]) for key in others):
        effect = reduce(Effect.__add__, (effects[key] for key in others))
        out.append(_row(asked, None, cells, rest, effect, difference))
    return out


_Key = tuple[Subject, Group | None]


def _is_rest(key: _Key) -> bool:
    return key[1] is not None and key[1].kind == "rest"


def _matters(change: Change) -> bool:
    return change != Change(NOTHING, NOTHING)


def _sums(cells: Cells, asked: _Asked, key: _Key) -> Sums:
    """What a part has of the sums; a part that is not there has nothing."""

    def of(kpi: str) -> Fraction:
        cell = cells.get((kpi, *key))
        return Fraction(cell.value) if cell is not None and cell.value is not None else Fraction(0)

    if asked.method == "sum":
        return Sums(of(asked.kpi), Fraction(0))
    return Sums(of(NUMERATOR), of(DENOMINATOR))


def _row(
    asked: _Asked, key: _Key | None, cells: tuple[Cells, Cells], change: Change, effect: Effect, difference: Fraction
) -> schemas.Contribution:
    return schemas.Contribution(
        part=_part(asked, key),
        before=_figures(asked, key, cells[0], change.before),
        after=_figures(asked, key, cells[1], change.after),
        effect=decimal(effect.total),
        mix=None if effect.mix is None else decimal(effect.mix),
        rate=None if effect.rate is None else decimal(effect.rate),
        share=decimal(effect.total / difference) if difference else None,
    )


def _part(asked: _Asked, key: _Key | None) -> schemas.PartOf:
    if key is None:
        return schemas.PartOf(kind="rest", subject=None, group=None)
    subject, group = key
    if group is not None:
        return schemas.PartOf(kind="group", subject=None, group=segmented(group))
    names = {**asked.before.names, **asked.after.names}
    return schemas.PartOf(kind="subject", subject=subject_out(subject, names[subject]), group=None)


def _figures(asked: _Asked, key: _Key | None, cells: Cells, sums: Sums) -> schemas.PartFigures:
    cell = cells.get((asked.kpi, *key)) if key else None
    return schemas.PartFigures(
        figures=figures_out(cell) if cell else None,
        numerator=decimal(sums.a),
        denominator=decimal(sums.b) if asked.method == "ratio" else None,
    )
