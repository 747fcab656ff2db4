"""Who does best with which product or segment (V8), computed when asked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import cast

from app.kpis.attribution import Subject
from app.kpis.formulas import FORMULA
from app.kpis.questions import Answer, Cell, Group, MembersOf
from app.results import benchmark
from app.results import matrix_schemas as schemas
from app.results.asking import Asking, heading, moment, pointing, question
from app.results.benchmark import Direction
from app.results.faces import face_of
from app.results.segments import segmented
from app.results.service import figures_out, group_by_of, subject_out

SEGMENTS = 10
MOST_SEGMENTS = 50
_EMPTY = Cell(None, "no_data")


async def compute_matrix(asking: Asking, query: schemas.MatrixQuery) -> schemas.Matrix:
    """Every member of the team in every segment, from one snapshot."""
    by = group_by_of(query.group_by)
    assert by is not None  # noqa: S101 - the field is required
    by = replace(by, top=min(by.top or SEGMENTS, MOST_SEGMENTS))
    team = Subject("team", query.team)
    subjects: list[Subject | MembersOf] = [team, MembersOf(query.team)]
    async with asking.at(query.as_of, query.known_at) as session:
        seen = await moment(session, asking.org_id, query.as_of, query.known_at)
        with pointing({"/kpis/0": "/kpi", "/kpis": "/kpi", "/subjects/0": "/team", "/subjects/1": "/team"}):
            whole = await asking.compute(session, question(query, seen, [query.kpi], subjects, query.period))
            grouped = await asking.compute(
                session, question(query, seen, [query.kpi], subjects, query.period, group_by=by)
            )
    return _Matrix(query, team, whole, grouped).told()


class _Matrix:
    """The two answers, side by side."""

    def __init__(self, query: schemas.MatrixQuery, team: Subject, whole: Answer, grouped: Answer) -> None:
        self._query, self._team, self._whole, self._grouped = query, team, whole, grouped
        self._face = whole.kpis[query.kpi]
        self._totals: Mapping[Subject, Cell] = {series.subject: series.total for series in whole.series}
        self._cells: Mapping[tuple[Subject, Group | None], Cell] = {
            (series.subject, series.group): series.total for series in grouped.series
        }
        self._groups = [s.group for s in grouped.series if s.subject == team and s.group is not None]
        self._people = [subject for subject in self._totals if subject != team]

    def told(self) -> schemas.Matrix:
        """The matrix."""
        return schemas.Matrix(
            **heading(self._whole),
            kpi=face_of(self._whole, self._query.kpi),
            team=subject_out(self._team, self._whole.names[self._team]),
            period=self._whole.period.label,
            minimum_sample=self._query.minimum_sample,
            total=figures_out(self._totals[self._team]),
            segments=[
                schemas.MatrixSegment(group=segmented(group), figures=figures_out(self._cell(self._team, group)))
                for group in self._groups
            ],
            rows=[self._row(person) for person in self._people],
            best=[self._best(group) for group in self._groups if group.kind != "rest"],
        )

    def _cell(self, subject: Subject, group: Group) -> Cell:
        return self._cells.get((subject, group), _EMPTY)

    def _row(self, person: Subject) -> schemas.MatrixRow:
        return schemas.MatrixRow(
            member=subject_out(person, self._whole.names[person]),
            total=figures_out(self._totals[person]),
            cells=[self._shown(person, group) for group in self._groups],
        )

    def _shown(self, person: Subject, group: Group) -> schemas.MatrixCell:
        cell, overall = self._cell(person, group), self._cell(self._team, group)
        pair = self._compared(person, cell, overall)
        is_small = self._is_small(cell)
        return schemas.MatrixCell(
            figures=figures_out(cell),
            is_small=is_small,
            lead=FORMULA.subtract(*pair) if pair else None,
            standing=benchmark.lead(*pair, self._direction) if pair and not is_small else None,
        )

    @property
    def _direction(self) -> Direction:
        return cast("Direction", self._face.direction)

    def _is_small(self, cell: Cell) -> bool:
        return cell.value is None or cell.sample < self._query.minimum_sample

    def _compared(self, person: Subject, cell: Cell, overall: Cell) -> tuple[Decimal, Decimal] | None:
        """The two values whose difference is the lead."""
        if not self._face.is_additive:
            return None if cell.value is None or overall.value is None else (cell.value, overall.value)
        shares = _share(cell, overall), _share(self._totals[person], self._totals[self._team])
        return None if shares[0] is None or shares[1] is None else (shares[0], shares[1])

    def _best(self, group: Group) -> schemas.Best:
        compared = {
            person: cell.value
            for person in self._people
            if not self._is_small(cell := self._cell(person, group)) and cell.value is not None
        }
        ranks = benchmark.ranks(compared, self._direction) if len(compared) > 1 else {}
        first: Sequence[Subject] = [person for person, rank in ranks.items() if rank == 1]
        return schemas.Best(
            group=segmented(group),
            compared=len(compared),
            members=[subject_out(person, self._whole.names[person]) for person in first],
        )


def _share(part: Cell, whole: Cell) -> Decimal | None:
    if part.value is None or not whole.value:
        return None
    return FORMULA.divide(part.value, whole.value)
