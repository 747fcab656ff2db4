"""The path of the set-up check."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.accounts.access import Principal, Snapshots, requires
from app.accounts.permissions import Permission
from app.checkup import schemas, service
from app.core.budget import QueryBudgetExceeded
from app.core.problems import problems
from app.core.routing import TransactionalRoute

router = APIRouter(prefix="/setup-check", route_class=TransactionalRoute, tags=["setup-check"])

Reader = Annotated[
    Principal,
    requires(
        Permission.EVENTS_READ,
        Permission.GOALS_READ,
        Permission.KPIS_READ,
        Permission.RESULTS_READ,
        Permission.SOURCES_READ,
        Permission.TEAMS_READ,
    ),
]


@router.get("", responses=problems(QueryBudgetExceeded))
async def check_setup(
    snapshots: Snapshots, who: Reader, query: Annotated[schemas.CheckQuery, Query()]
) -> schemas.SetupCheck:
    """Check the set-up.

    Looks for the six usual mistakes in the organization's own data, and for what two sources may both have told. Each
    verdict has its figures, what exactly was found, and what to do.
    """
    async with snapshots.at() as session:
        return await service.check_setup(session, who.org_id, query.show)
