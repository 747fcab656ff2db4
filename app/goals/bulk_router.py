"""Paths of changes of many goals at once."""

from typing import Annotated

from fastapi import APIRouter

from app.accounts.access import Principal, Session, Snapshots, requires
from app.accounts.permissions import Permission
from app.core.budget import QueryBudgetExceeded
from app.core.problems import problems
from app.core.routing import TransactionalRoute, read_only
from app.goals import bulk, bulk_schemas
from app.goals.bulk import BulkEditRefused

router = APIRouter(prefix="/goals/bulk-edit", route_class=TransactionalRoute, tags=["goals"])

Writer = Annotated[Principal, requires(Permission.GOALS_WRITE)]


@router.post("", responses=problems(BulkEditRefused, QueryBudgetExceeded))
async def bulk_edit_goals(
    session: Session, snapshots: Snapshots, who: Writer, wanted: bulk_schemas.BulkEdit
) -> bulk_schemas.BulkEdited:
    """Change up to 500 goals at once.

    Items change goals one by one, each guarded by its `version`; a filter with a change does the same to all that it
    finds, such as `{"scale": "1.10"}`. Every check of a single change holds for each row. Unless the mode is `each`,
    one refused row refuses all, and nothing is changed.
    """
    return await bulk.bulk_edit(session, snapshots, who, wanted)


@router.post("/preview", responses=problems(QueryBudgetExceeded))
@read_only
async def preview_bulk_edit_of_goals(
    snapshots: Snapshots, who: Writer, wanted: bulk_schemas.BulkEdit
) -> bulk_schemas.BulkEdited:
    """See what a bulk edit would do to each goal, with old and new target; nothing is changed.

    Refused rows are told beside the others, in both modes.
    """
    return await bulk.preview_bulk_edit(snapshots, who, wanted)
