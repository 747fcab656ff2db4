"""Paths of the library of ready-made KPIs."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core.problems import problems
from app.core.routing import TransactionalRoute
from app.kpis.library import schemas, service
from app.kpis.schemas import KpiKey

router = APIRouter(prefix="/kpi-library", route_class=TransactionalRoute, tags=["kpi-library"])

Reader = Annotated[Principal, requires(Permission.KPIS_READ)]
Writer = Annotated[Principal, requires(Permission.KPIS_WRITE)]
EntryKey = Annotated[KpiKey, Path(description="The ready-made KPI's key.", examples=["calls_made"])]


@router.get("")
async def list_library_kpis(
    session: Session, who: Reader, query: Annotated[schemas.LibraryFilters, Query()]
) -> schemas.LibraryPage:
    """List the ready-made KPIs, by area.

    Each tells whether it is installed, what it needs, and whether the organization's recent events have that.
    """
    return await service.list_library(session, who.org_id, query)


@router.post("/install")
async def install_library_kpis(
    session: Session, who: Writer, wanted: schemas.LibraryInstall
) -> schemas.LibraryInstalled:
    """Install ready-made KPIs.

    KPIs that others are computed from are installed before them. What the organization has under a key is never
    changed: the outcome of each KPI tells what was found. Afterwards they are ordinary KPIs that can be changed.
    """
    return await service.install(session, who, wanted)


@router.get("/{key}", responses=problems(service.LibraryKpiNotFound))
async def get_library_kpi(session: Session, who: Reader, key: EntryKey) -> schemas.LibraryKpiDetail:
    """Read a ready-made KPI with the examples that prove it."""
    return await service.get_library_kpi(session, who.org_id, key)
