"""Paths of templates of goal sets, and of their library."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Session, Snapshots, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.budget import QueryBudgetExceeded
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute, read_only
from app.goals.problems import GoalNotYours
from app.goals.templates import applying, schemas, service
from app.goals.templates.service import GoalTemplateArchived, GoalTemplateKeyTaken, GoalTemplateNotFound

router = APIRouter(route_class=TransactionalRoute, tags=["goal-planning"])

Reader = Annotated[Principal, requires(Permission.GOALS_READ)]
Writer = Annotated[Principal, requires(Permission.GOALS_WRITE)]
Installer = Annotated[Principal, requires(Permission.GOALS_WRITE, Permission.KPIS_WRITE)]
_CHANGE = problems(GoalTemplateNotFound, GoalTemplateArchived, GoalNotYours, PreconditionFailed)
_APPLY = GoalTemplateNotFound, GoalTemplateArchived, QueryBudgetExceeded


@router.get("/goal-templates")
async def list_goal_templates(
    session: Session, who: Reader, query: Annotated[schemas.TemplateFilters, Query()]
) -> schemas.TemplatePage:
    """List the templates of goal sets, by key."""
    return await service.list_templates(session, who.org_id, query)


@router.post("/goal-templates", status_code=201, responses=problems(GoalTemplateKeyTaken, GoalNotYours))
async def create_goal_template(
    session: Session, who: Writer, new: schemas.TemplateCreate, response: Response
) -> schemas.Template:
    """Define a set of goals for a role.

    Goals without owner and period. A target is a figure, a change, or what each owner's own history gives: `realistic`
    or `ambitious`. Templates are made and changed by whoever may set goals of the organization.
    """
    template = await service.create_template(session, who, new)
    etags.tag(response, template.version)
    return template


@router.get("/goal-templates/{template_id}", responses=problems(GoalTemplateNotFound))
async def get_goal_template(session: Session, who: Reader, template_id: UUID, response: Response) -> schemas.Template:
    """Read a template of a goal set."""
    template = service.shown(await service.find_template(session, who.org_id, template_id))
    etags.tag(response, template.version)
    return template


@router.patch("/goal-templates/{template_id}", responses=_CHANGE)
async def update_goal_template(
    session: Session,
    who: Writer,
    template_id: UUID,
    change: schemas.TemplateUpdate,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Template:
    """Change a template; goals that were made of it stay as they are."""
    template = await service.update_template(session, who, template_id, change, if_match)
    etags.tag(response, template.version)
    return template


@router.delete("/goal-templates/{template_id}", status_code=204, responses=_CHANGE)
async def archive_goal_template(
    session: Session, who: Writer, template_id: UUID, if_match: etags.IfMatch = None
) -> None:
    """Take a template out of use; goals that were made of it stay."""
    await service.archive_template(session, who, template_id, if_match)


@router.post("/goal-templates/{template_id}/preview", responses=problems(*_APPLY))
@read_only
async def preview_goal_template(
    who: Writer, snapshots: Snapshots, template_id: UUID, wanted: schemas.ApplyInput
) -> schemas.TemplatePreview:
    """Preview the goals that a template would make.

    Row by row with the target in figures, what is there already, what is wrong, and the SMART check. Nothing is stored.
    """
    return await applying.preview(snapshots, who, template_id, wanted)


@router.post(
    "/goal-templates/{template_id}/apply",
    status_code=201,
    responses=problems(*_APPLY, applying.GoalsExist, GoalNotYours),
)
async def apply_goal_template(
    session: Session, snapshots: Snapshots, who: Writer, template_id: UUID, wanted: schemas.ApplyInput
) -> schemas.TemplateApplied:
    """Make the goals of a template, all or none.

    For the organization, teams, members, everybody in a team or with a role. Who may only propose goals of an owner
    proposes them. At most 200 goals at once.
    """
    return await applying.apply(session, snapshots, who, template_id, wanted)


@router.get("/goal-template-library")
async def list_goal_template_library(
    session: Session, who: Reader, query: Annotated[schemas.LibrarySetFilters, Query()]
) -> schemas.LibrarySets:
    """List the ready-made sets of goals, by role."""
    return await service.list_sets(session, who.org_id, query)


@router.post("/goal-template-library/install", responses=problems(GoalNotYours))
async def install_goal_template_library(
    session: Session, who: Installer, wanted: schemas.SetsInstall
) -> schemas.SetsInstalled:
    """Install ready-made sets of goals, and the KPIs that they need.

    What the organization has under a key stays as it is. Afterwards they are ordinary templates that can be changed.
    """
    return await service.install_sets(session, who, wanted)
