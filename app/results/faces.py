"""How a KPI is named in the answer of an analysis."""

from app.kpis.questions import Answer
from app.results.analysis_schemas import KpiOf


def face_of(answer: Answer, key: str) -> KpiOf:
    """The KPI as its latest version shows it."""
    face = answer.kpis[key]
    return KpiOf(
        key=key,
        name=face.name,
        unit=dict(face.unit),
        direction=face.direction,
        display=dict(face.display),
        is_additive=face.is_additive,
    )
