"""The path of a KPI's change, before it is made."""

from fastapi import APIRouter

from app.core.budget import QueryBudgetExceeded
from app.core.problems import TooExpensive, ValidationFailed, problems
from app.core.routing import TransactionalRoute, read_only
from app.kpis import service as kpis
from app.kpis.engine import QueryTooLarge
from app.kpis.router import KpiKey
from app.kpis.schemas import KpiVersionCreate
from app.results import preview, preview_schemas
from app.results.analysis_router import Asks, Reader

router = APIRouter(route_class=TransactionalRoute, prefix="/kpis", tags=["kpis"])


@router.post(
    "/{key}/versions/preview",
    responses=problems(
        kpis.KpiNotFound,
        kpis.KpiArchived,
        kpis.KpiDefinitionInvalid,
        ValidationFailed,
        QueryTooLarge,
        TooExpensive,
        QueryBudgetExceeded,
    ),
)
@read_only
async def preview_kpi_version(
    who: Reader, asking: Asks, key: KpiKey, new: KpiVersionCreate
) -> preview_schemas.KpiPreview:
    """Preview a new version of a KPI.

    The figures that would move, month by month over the last year, of the KPI and of those computed from it; and the
    open goals on them. Nothing is stored.
    """
    return await preview.preview_version(asking, key, new)
