"""Charts of signal and noise, computed when asked (S28)."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.kpis.questions import Answer, Series
from app.kpis.service import load_kpis_with_references
from app.results import signals
from app.results import signals_schemas as schemas
from app.results.asking import Asking, heading, moment, one_subject, pointing, question
from app.results.faces import face_of
from app.results.service import figures_out, subject_out, windows_out


async def find_signals(asking: Asking, query: schemas.SignalQuery) -> schemas.SignalChart:
    """The chart of one KPI of one subject, from one snapshot."""
    subject = one_subject(query.subject)
    with pointing({"/kpis/0": "/kpi", "/subjects/0": "/subject"}):
        async with asking.at(query.as_of, query.known_at) as session:
            seen = await moment(session, asking.org_id, query.as_of, query.known_at)
            answer = await asking.compute(
                session, question(query, seen, [query.kpi], [subject], query.period, grain=query.grain)
            )
            can_fall = await can_be_negative(session, asking.org_id, query.kpi, answer.known_at)
    return _chart(answer, can_be_negative=can_fall)


async def can_be_negative(session: AsyncSession, org_id: OrganizationId, key: str, known_at: datetime) -> bool:
    """Whether a version of the KPI, or of one that it refers to, takes something away (S28)."""
    known = await load_kpis_with_references(session, org_id, [key], known_at)

    def is_safe(name: str) -> bool:
        return all(signals.takes_nothing_away(v.definition.formula, is_safe) for v in known[name].versions)

    return not is_safe(key)


def _chart(answer: Answer, *, can_be_negative: bool) -> schemas.SignalChart:
    series = answer.series[0]
    used = _used(answer, series)
    values = [value for _, value in used]
    places = {place: n for n, (place, _) in enumerate(used)}
    cannot_be_negative = not can_be_negative and all(value >= 0 for value in values)
    limits = signals.limits(values, cannot_be_negative=cannot_be_negative) if len(values) >= _LEAST else None
    ranges = [None, *signals.moving_ranges(values)]
    return schemas.SignalChart(
        **heading(answer),
        kpi=face_of(answer, series.kpi),
        subject=subject_out(series.subject, answer.names[series.subject]),
        verdict="ok" if limits else "too_few",
        used=len(values),
        missing=max(0, _LEAST - len(values)),
        limits=schemas.Limits.model_validate(limits) if limits else None,
        points=[
            schemas.SignalPoint(
                window=window,
                figure=figures_out(cell),
                is_used=place in places,
                moving_range=ranges[places[place]] if place in places else None,
            )
            for place, (window, cell) in enumerate(zip(windows_out(answer), series.cells, strict=True))
        ],
        signals=[_told(signal, used, answer) for signal in signals.signals(values, limits)] if limits else [],
    )


_LEAST = signals.LEAST_VALUES


def _used(answer: Answer, series: Series) -> list[tuple[int, Decimal]]:
    """The values that the chart is made of, each with its window: `ok`, and of complete windows (S28)."""
    rows = zip(series.cells, answer.is_complete, strict=True)
    return [
        (place, cell.value)
        for place, (cell, is_complete) in enumerate(rows)
        if is_complete and cell.status == "ok" and cell.value is not None
    ]


def _told(signal: signals.Signal, used: Sequence[tuple[int, Decimal]], answer: Answer) -> schemas.Signal:
    windows = [answer.windows[used[place][0]].label for place in signal.places]
    return schemas.Signal(
        rule=signal.rule, side=signal.side, windows=windows, values=[used[place][1] for place in signal.places]
    )
