"""Funnels (K9, S17): each step's number asked of the engine as a count of its own, over one cohort."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.ids import NIL
from app.core.problems import ErrorItem, ValidationFailed
from app.core.units import COUNT, DURATION
from app.kpis.attribution import Subject
from app.kpis.definition import Aggregate, Definition, ElapsedMeasure, FunnelMeasure, Measure
from app.kpis.expressions.syntax import Name
from app.kpis.formulas import FORMULA
from app.kpis.history import KpiHistory, KpiVersionFacts
from app.kpis.questions import Answer, Cell
from app.kpis.service import UnknownKpi, load_kpis
from app.kpis.wire.definitions import read_definition
from app.kpis.wire.findings import DefinitionError
from app.kpis.wire.shapes import DefinitionWire
from app.results import funnel_schemas as schemas
from app.results.asking import Asking, Moment, heading, moment, pointing, question
from app.results.faces import face_of
from app.results.schemas import Figures
from app.results.service import figures_out, subject_of, subject_out, windows_out

_M = "measure"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Chosen:
    """The funnel, and the KPI that it is of."""

    funnel: FunnelMeasure
    kpi: str | None = None
    version: int | None = None


async def compute_funnel(asking: Asking, query: schemas.FunnelQuery) -> schemas.Funnel:
    """The funnel of every subject and window, from one snapshot."""
    async with asking.at(query.as_of, query.known_at) as session:
        seen = await moment(session, asking.org_id, query.as_of, query.known_at)
        chosen = await _of_kpi(session, asking, query, seen) if query.kpi else _Chosen(_described(query))
        definitions = _definitions(chosen.funnel)
        kpis = [*definitions, *([chosen.kpi] if chosen.kpi else [])]
        subjects = [subject_of(subject) for subject in query.subjects]
        asked = question(query, seen, kpis, subjects, query.period, grain=query.grain, definitions=definitions)
        with pointing({f"/kpis/{len(definitions)}": "/kpi"}):
            answer = await asking.compute(session, asked)
    return _told(chosen, answer)


async def _of_kpi(session: AsyncSession, asking: Asking, query: schemas.FunnelQuery, seen: Moment) -> _Chosen:
    """The funnel of the KPI's latest version. Raises `ValidationFailed`."""
    key = cast("str", query.kpi)
    try:
        history = (await load_kpis(session, asking.org_id, [key], seen.known_at))[key]
    except UnknownKpi:
        raise ValidationFailed.at("/kpi", f"There is no KPI {key}.", "kpi_unknown") from None
    if not history.versions:
        raise ValidationFailed.at("/kpi", f"{key} was not recorded yet at that instant.", "kpi_not_recorded_yet")
    latest = history.versions[-1]
    measures = latest.definition.measures
    found = {name: measure for name, measure in measures.items() if isinstance(measure, FunnelMeasure)}
    name = query.measure or next(iter(found), None)
    if name not in found:
        known = ", ".join(found) or "none"
        pointer = "/measure" if query.measure else "/kpi"
        raise ValidationFailed.at(pointer, f"{key} has no such funnel; its funnels are: {known}.", "no_funnel")
    return _Chosen(found[name], key, latest.number)


def _described(query: schemas.FunnelQuery) -> FunnelMeasure:
    """The funnel of the request's own steps, read as a KPI's would be. Raises `ValidationFailed`."""
    steps = [step.model_dump(exclude_none=True) for step in query.steps or []]
    measure = {
        "aggregate": "count",
        "funnel": {"steps": steps, "match": query.match, "skipped": query.skipped},
        "role": query.role,
        **({"within": query.within} if query.within else {}),
    }
    wire = {"measures": {_M: measure}, "formula": _M, "unit": {"kind": "count"}, "direction": "increase"}
    try:
        return cast("FunnelMeasure", read_definition(cast("DefinitionWire", wire)).measures[_M])
    except DefinitionError as error:
        items = [
            ErrorItem(
                pointer=finding.pointer.removeprefix(f"/measures/{_M}").removeprefix("/funnel"),
                message=finding.message,
                code="expression_invalid" if finding.position is not None else "definition_invalid",
                position=finding.position,
                length=finding.length,
                suggestion=finding.suggestion,
            )
            for finding in error.findings
        ]
        raise ValidationFailed(items[0].message, items) from None


# ----------------------------------------------------------------------------------------------------- as KPIs


def _definitions(funnel: FunnelMeasure) -> dict[str, KpiHistory]:
    """A count for each step, and the times from the first to each later one; no KPI can have these keys."""
    found: dict[str, KpiHistory] = {}
    for place in range(len(funnel.steps)):
        counted = replace(funnel, aggregate=Aggregate.COUNT, reached=place, base=0)
        found[_reached(place)] = _as_kpi(_reached(place), counted)
        if place and funnel.over is None:
            found[_elapsed(place)] = _as_kpi(_elapsed(place), _time(funnel, place))
    return found


def _reached(place: int) -> str:
    return f"-reached-{place}"


def _elapsed(place: int) -> str:
    return f"-elapsed-{place}"


def _time(funnel: FunnelMeasure, place: int) -> ElapsedMeasure:
    return ElapsedMeasure(
        aggregate=Aggregate.MEDIAN,
        start=funnel.steps[0],
        end=funnel.steps[place],
        match=funnel.match,
        credited_to="start",
        role=funnel.role,
        credit=funnel.credit,
    )


def _as_kpi(key: str, measure: Measure) -> KpiHistory:
    is_time = isinstance(measure, ElapsedMeasure)
    definition = Definition(
        measures={_M: measure}, formula=Name((_M,)), unit=DURATION if is_time else COUNT, direction="increase"
    )
    version = KpiVersionFacts(number=1, valid_from=None, recorded_at=_EPOCH, definition=definition, unit={})
    return KpiHistory(
        id=NIL, key=key, name=key, state="draft", recorded_at=_EPOCH, display={}, thresholds={}, versions=(version,)
    )


# ---------------------------------------------------------------------------------------------------- answering

Cells = Mapping[tuple[str, Subject], Sequence[Cell]]


def _told(chosen: _Chosen, answer: Answer) -> schemas.Funnel:
    # The total last, after the windows.
    cells: Cells = {(series.kpi, series.subject): [*series.cells, series.total] for series in answer.series}
    windows = windows_out(answer)
    return schemas.Funnel(
        **heading(answer),
        kpi=face_of(answer, chosen.kpi) if chosen.kpi else None,
        kpi_version=chosen.version,
        steps=list(chosen.funnel.names),
        series=[
            schemas.FunnelSeries(
                subject=subject_out(subject, name),
                windows=[
                    schemas.FunnelWindow(window=window, steps=_steps(chosen.funnel, subject, cells, place))
                    for place, window in enumerate(windows)
                ],
                total=_steps(chosen.funnel, subject, cells, len(windows)),
            )
            for subject, name in answer.names.items()
        ],
    )


def _steps(funnel: FunnelMeasure, subject: Subject, cells: Cells, place: int) -> list[schemas.FunnelStep]:
    reached = [cells[_reached(step), subject][place] for step in range(len(funnel.steps))]
    times = [cells.get((_elapsed(step), subject)) for step in range(len(funnel.steps))]
    return [
        schemas.FunnelStep(
            name=name,
            reached=figures_out(reached[step]).model_copy(update={"kpi_version": None}),
            from_previous=_share(reached[step], reached[step - 1]) if step else None,
            from_first=_share(reached[step], reached[0]),
            drop_out=_drop_out(reached[step], reached[step - 1]) if step else None,
            median_seconds=_median(times[step], place),
        )
        for step, name in enumerate(funnel.names)
    ]


def _median(cells: Sequence[Cell] | None, place: int) -> Figures | None:
    return figures_out(cells[place]).model_copy(update={"kpi_version": None}) if cells else None


def _share(part: Cell, whole: Cell) -> Decimal | None:
    if part.value is None or not whole.value:
        return None
    return FORMULA.divide(part.value, whole.value)


def _drop_out(part: Cell, whole: Cell) -> Decimal | None:
    share = _share(part, whole)
    return None if share is None else FORMULA.subtract(Decimal(1), share)
