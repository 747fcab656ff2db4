"""The path of the simulator."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request

from app.accounts.access import Principal, requires
from app.accounts.permissions import Permission
from app.core.budget import QueryBudgetExceeded
from app.core.problems import BodyTooLarge, TooExpensive, ValidationFailed, problems
from app.core.routing import TransactionalRoute, read_only
from app.integrations.backfills import SourceArchived
from app.integrations.service import SourceNotFound
from app.results.analysis_router import Asks
from app.simulation import schemas, service

# It shows what events and figures would be, and tells why a call is refused.
Simulator = Annotated[Principal, requires(Permission.EVENTS_READ, Permission.RESULTS_READ, Permission.SOURCES_WRITE)]

router = APIRouter(prefix="/sources/{source_id}", route_class=TransactionalRoute, tags=["integrations"])


@router.post(
    "/simulate",
    responses=problems(
        SourceNotFound, SourceArchived, ValidationFailed, BodyTooLarge, TooExpensive, QueryBudgetExceeded
    ),
)
@read_only
async def simulate_webhook(
    request: Request, who: Simulator, asking: Asks, source_id: UUID, call: schemas.SimulatedCall
) -> schemas.Simulation:
    """Simulate a webhook call.

    A raw body in; out: whether it is proved, what would be read in it, the records and events that would change, what
    another source may have told already, and the effect on KPIs. It goes through everything that a call goes through,
    and is undone: nothing is stored. With `mapping` a change of the mapping is tried on it.
    A body may have a megabyte.
    """
    return await service.simulate(asking, source_id, call, base_url=str(request.app.state.settings.public_base_url))
