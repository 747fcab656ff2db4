"""Identities made by hand, and which member an identity is, and since when."""

from uuid import UUID

from sqlalchemy import Text, Uuid, column, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import clock
from app.core.db import OrganizationId
from app.core.ids import new_id
from app.core.pagination import PageQuery, paginate
from app.core.problems import Conflict, NotFound, ValidationFailed, constraint_problem
from app.teams import queries, schemas
from app.teams.dated import current, note, replace, store, withdraw
from app.teams.lookups import get_identity, named_member
from app.teams.models import Identity, IdentityMapping

_OURS = "paceline"
# Sources belong to the ledger above: known here by the name of their table only.
_source = table("source", column("org_id", Uuid()), column("id", Uuid()), column("system", Text()))


class IdentityExists(Conflict):
    """The source has an identity with this external id already."""

    code, title = "identity-exists", "Identity exists"


class IdentityIsOurs(Conflict):
    """An identity of Paceline's own source stands for its member for all time."""

    code, title = "identity-is-ours", "The identity is Paceline's own"


class IdentityIsNobody(Conflict):
    """A queue or team owns records in the source, and is no member."""

    code, title = "identity-is-nobody", "The identity is a queue or team"


class MappingNotFound(NotFound):
    """There is no such mapping of this identity."""

    code, title = "mapping-not-found", "Mapping not found"


class MappingsOverlap(Conflict):
    """An identity stands for one member at a time."""

    code, title = "mappings-overlap", "Mappings overlap"


constraint_problem("uq_identity_org_id_source_id_external_id", IdentityExists)
constraint_problem("ex_identity_mapping_overlap", MappingsOverlap)


async def create_identity(session: AsyncSession, who: Principal, new: schemas.IdentityCreate) -> schemas.Identity:
    """Store an identity before its first event. Raises `IdentityExists`."""
    at = await clock.tick(session, who.org_id)
    system = await _system(session, who.org_id, new.source_id)
    if system is None:
        message = f"There is no source {new.source_id} in this organization."
        raise ValidationFailed.at("/source_id", message, "source_unknown")
    if system == _OURS:
        message = "Paceline makes the identities of this source itself: name one of your own systems."
        raise ValidationFailed.at("/source_id", message, "source_ours")
    row = Identity(org_id=who.org_id, id=new_id(), recorded_at=at, **new.model_dump())
    session.add(row)
    await session.flush()  # the database refuses a second one
    note(session, who, "create", "identity", row.id, changes=new.model_dump(mode="json"))
    return schemas.Identity.model_validate(row)


async def list_mappings(
    session: AsyncSession, org_id: OrganizationId, identity_id: UUID, query: PageQuery
) -> schemas.IdentityMappingPage:
    """Whom the identity stands for, in time order."""
    await get_identity(session, org_id, identity_id)
    wanted = select(IdentityMapping).where(
        IdentityMapping.org_id == org_id,
        IdentityMapping.identity_id == identity_id,
        IdentityMapping.superseded_at.is_(None),
    )
    rows, following = await paginate(session, wanted, queries.in_time_order(IdentityMapping), query)
    return schemas.IdentityMappingPage(
        items=[schemas.IdentityMapping.model_validate(row) for row in rows], next_cursor=following
    )


async def map_identity(
    session: AsyncSession, who: Principal, identity_id: UUID, new: schemas.IdentityMappingCreate
) -> schemas.IdentityMapping:
    """Say which member the identity is; all its events of those days follow (S6). Raises `MappingsOverlap`."""
    at = await clock.tick(session, who.org_id)
    await _changeable(session, who.org_id, identity_id)
    await named_member(session, who.org_id, new.member_id, "/member_id")
    row = IdentityMapping(org_id=who.org_id, identity_id=identity_id, recorded_at=at, **new.model_dump())
    await store(session, row, MappingsOverlap, "identity_id")
    changes = {"identity_id": str(identity_id)} | new.model_dump(mode="json")
    note(session, who, "create", "identity-mapping", row.id, changes=changes)
    return schemas.IdentityMapping.model_validate(row)


async def update_mapping(
    session: AsyncSession, who: Principal, identity_id: UUID, mapping_id: UUID, change: schemas.IdentityMappingUpdate
) -> schemas.IdentityMapping:
    """Change member or days of a mapping. Raises `MappingsOverlap`."""
    at = await clock.tick(session, who.org_id)
    await _changeable(session, who.org_id, identity_id)
    old = await _get(session, who.org_id, identity_id, mapping_id)
    wanted = change.model_dump(exclude_unset=True)
    if "member_id" in wanted:
        await named_member(session, who.org_id, wanted["member_id"], "/member_id")
    row = await replace(session, old, at, wanted, MappingsOverlap, "identity_id")
    if row is not old:
        note(
            session,
            who,
            "update",
            "identity-mapping",
            row.id,
            changes=change.model_dump(mode="json", exclude_unset=True),
        )
    return schemas.IdentityMapping.model_validate(row)


async def delete_mapping(session: AsyncSession, who: Principal, identity_id: UUID, mapping_id: UUID) -> None:
    """Take back a mapping; answers as of an earlier instant keep it."""
    at = await clock.tick(session, who.org_id)
    await _changeable(session, who.org_id, identity_id)
    row = await _get(session, who.org_id, identity_id, mapping_id)
    await withdraw(session, row, at)
    note(session, who, "delete", "identity-mapping", row.id, changes={"identity_id": str(identity_id)})


async def _get(session: AsyncSession, org_id: OrganizationId, identity_id: UUID, mapping_id: UUID) -> IdentityMapping:
    await get_identity(session, org_id, identity_id)
    if (row := await current(session, IdentityMapping, org_id, mapping_id, identity_id=identity_id)) is None:
        raise MappingNotFound(f"No mapping {mapping_id} of this identity.")
    return row


async def _changeable(session: AsyncSession, org_id: OrganizationId, identity_id: UUID) -> None:
    """Refuse to say otherwise whom an identity of Paceline's own source stands for. Raises `IdentityIsOurs`."""
    identity = await get_identity(session, org_id, identity_id)
    if identity.kind != "person":
        raise IdentityIsNobody(f"The identity is a {identity.kind} of the source: people have identities of their own.")
    if await _system(session, org_id, identity.source_id) == _OURS:
        raise IdentityIsOurs("Paceline made this identity for a member, and it stays theirs.")


async def _system(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> str | None:
    found = await session.execute(select(_source.c.system).where(_source.c.org_id == org_id, _source.c.id == source_id))
    return found.scalar_one_or_none()
