"""Use cases of templates: make, list, change, take from the library."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, clock, etags
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.core.problems import Conflict, ErrorItem, NotFound, ValidationFailed, constraint_problem
from app.goals.deciding import rights_of
from app.goals.models import GoalTemplate
from app.goals.problems import GoalNotYours
from app.goals.templates import queries, schemas
from app.goals.templates.library import SETS, GoalSet
from app.kpis.expressions.checker import nearest
from app.kpis.library.queries import in_order
from app.kpis.library.schemas import LibraryInstall
from app.kpis.library.service import install


class GoalTemplateNotFound(NotFound):
    """There is no such template of goals in this organization."""

    code, title = "goal-template-not-found", "Goal template not found"


class GoalTemplateKeyTaken(Conflict):
    """Another template of the organization has this key, perhaps one out of use: choose another."""

    code, title = "goal-template-key-taken", "Goal template key taken"


class GoalTemplateArchived(Conflict):
    """The template is out of use: no goals are made of it, and it changes no more."""

    code, title = "goal-template-archived", "Goal template archived"


constraint_problem("uq_goal_template_org_id_key", GoalTemplateKeyTaken)


async def list_templates(
    session: AsyncSession, org_id: OrganizationId, query: schemas.TemplateFilters
) -> schemas.TemplatePage:
    """The templates by key."""
    gone = GoalTemplate.archived_at
    statement = queries.templates(org_id).where(gone.is_not(None) if query.is_archived else gone.is_(None))
    if query.revenue_role is not None:
        statement = statement.where(GoalTemplate.revenue_role == query.revenue_role)
    rows, following = await paginate(session, statement, [Key(GoalTemplate.key)], query)
    return schemas.TemplatePage(items=[shown(row) for row in rows], next_cursor=following)


async def find_template(session: AsyncSession, org_id: OrganizationId, template_id: UUID) -> GoalTemplate:
    """One of them. Raises `GoalTemplateNotFound`."""
    row = (await session.execute(queries.template(org_id, template_id))).scalar_one_or_none()
    if row is None:
        raise GoalTemplateNotFound(f"No goal template {template_id}.")
    return row


async def create_template(session: AsyncSession, who: Principal, new: schemas.TemplateCreate) -> schemas.Template:
    """Store a set of goals; what its KPIs need is asked when it is applied. Raises `GoalNotYours`."""
    await _require_setter(session, who)
    at = await clock.tick(session, who.org_id)
    content = new.model_dump(mode="json")
    row = GoalTemplate(org_id=who.org_id, created_at=at, version=1, **content)
    session.add(row)
    await session.flush()  # a taken key shows here
    audit.record(session, who.org_id, who.label, "create", "goal_template", row.id, content)
    return shown(row)


async def update_template(
    session: AsyncSession, who: Principal, template_id: UUID, change: schemas.TemplateUpdate, if_match: str | None
) -> schemas.Template:
    """Change what a set is called, whom it is for or what is in it. Raises `GoalNotYours`."""
    await clock.tick(session, who.org_id)
    row = await find_template(session, who.org_id, template_id)
    await _require_setter(session, who)
    etags.check(if_match, row.version)
    require_in_use(row)
    wanted = change.model_dump(mode="json", exclude_unset=True)
    for name, value in wanted.items():
        setattr(row, name, value)
    row.version += 1
    audit.record(session, who.org_id, who.label, "update", "goal_template", row.id, wanted)
    return shown(row)


async def archive_template(session: AsyncSession, who: Principal, template_id: UUID, if_match: str | None) -> None:
    """Take a set out of use; goals that were made of it stay. Raises `GoalNotYours`."""
    at = await clock.tick(session, who.org_id)
    row = await find_template(session, who.org_id, template_id)
    await _require_setter(session, who)
    etags.check(if_match, row.version)
    if row.archived_at is None:
        row.archived_at = at
        row.version += 1
        audit.record(session, who.org_id, who.label, "archive", "goal_template", row.id)


async def list_sets(
    session: AsyncSession, org_id: OrganizationId, query: schemas.LibrarySetFilters
) -> schemas.LibrarySets:
    """The ready-made sets."""
    statement, place = in_order([each.key for each in SETS.values() if query.role in {None, each.role}])
    keys, following = await paginate(session, statement, [Key(place)], query)
    there = {row.key for row in (await session.execute(queries.with_keys(org_id, keys))).scalars()}
    items = [_set(SETS[key], is_installed=key in there) for key in keys]
    return schemas.LibrarySets(items=items, next_cursor=following)


async def install_sets(session: AsyncSession, who: Principal, wanted: schemas.SetsInstall) -> schemas.SetsInstalled:
    """Make templates of ready-made sets, and install the KPIs that they need. Raises `GoalNotYours`."""
    await _require_setter(session, who)
    keys = list(dict.fromkeys(wanted.keys))
    _require_known(wanted.keys)
    await clock.tick(session, who.org_id)  # two installers at once: the second sees what the first made
    kpis = list(dict.fromkeys(kpi for key in keys for kpi in SETS[key].kpis))
    installed = await install(session, who, LibraryInstall(keys=kpis, state=wanted.kpi_state))
    rows = {row.key: row for row in (await session.execute(queries.with_keys(who.org_id, keys))).scalars()}
    items = []
    for key in keys:
        if key in rows:
            items.append(schemas.SetOutcome(key=key, outcome="exists", template_id=rows[key].id))
        else:
            made = await create_template(session, who, _created(SETS[key]))
            items.append(schemas.SetOutcome(key=key, outcome="installed", template_id=made.id))
    return schemas.SetsInstalled(items=items, kpis=installed.items)


def shown(row: GoalTemplate) -> schemas.Template:
    """A template as it is answered."""
    return schemas.Template.model_validate(row)


def require_in_use(row: GoalTemplate) -> None:
    """Raises `GoalTemplateArchived`."""
    if row.archived_at is not None:
        raise GoalTemplateArchived(f"The goal template {row.key} is out of use.")


async def _require_setter(session: AsyncSession, who: Principal) -> None:
    """Templates are everybody's: of who sets the organization's goals."""
    if "set" not in (await rights_of(session, who)).over("organization", None):
        message = "Templates are made and changed by who may set goals of the organization; anybody may apply them "
        message += "where they may set or propose goals."
        raise GoalNotYours(message)


def _created(each: GoalSet) -> schemas.TemplateCreate:
    return schemas.TemplateCreate.model_validate(
        {
            "key": each.key,
            "name": each.name,
            "description": each.description,
            "revenue_role": each.role,
            "items": list(each.items),
        }
    )


def _set(each: GoalSet, *, is_installed: bool) -> schemas.LibrarySet:
    return schemas.LibrarySet(
        key=each.key,
        name=each.name,
        description=each.description,
        role=each.role,
        sources=list(each.sources),
        items=_created(each).items,
        kpis=list(each.kpis),
        is_installed=is_installed,
    )


def _require_known(keys: list[str]) -> None:
    unknown = [
        ErrorItem(
            pointer=f"/keys/{place}",
            message=f"The library has no set of goals {key}.",
            code="goal_set_unknown",
            suggestion=nearest(key, SETS),
        )
        for place, key in enumerate(keys)
        if key not in SETS
    ]
    if unknown:
        raise ValidationFailed(unknown[0].message, unknown)
