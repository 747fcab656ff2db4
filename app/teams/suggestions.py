"""Mapping of many identities: whom each may be, and what became of what was chosen."""

from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core.db import OrganizationId
from app.core.pagination import Key, paginate
from app.core.problems import Problem
from app.teams import schemas
from app.teams.mappings import map_identity
from app.teams.matching import Known, Match, Matcher, is_clear
from app.teams.models import Identity, IdentityMapping, Member


async def suggest(
    session: AsyncSession, org_id: OrganizationId, query: schemas.SuggestionQuery
) -> schemas.SuggestionPage:
    """People of sources who stand for no member on any day, each with the members whom they may be."""
    is_mapped = exists().where(
        IdentityMapping.org_id == org_id,
        IdentityMapping.identity_id == Identity.id,
        IdentityMapping.superseded_at.is_(None),
    )
    wanted = select(Identity).where(Identity.org_id == org_id, Identity.kind == "person", ~is_mapped)
    if query.source_id is not None:
        wanted = wanted.where(Identity.source_id == query.source_id)
    rows, following = await paginate(session, wanted, [Key(Identity.recorded_at), Key(Identity.id)], query)
    found = await session.execute(select(Member).where(Member.org_id == org_id, Member.archived_at.is_(None)))
    members = {member.id: member for member in found.scalars()}
    matcher = Matcher(Known(member.id, member.email, member.name) for member in members.values())
    names = {id_: member.name for id_, member in members.items()}
    items = [_shown(row, matcher.matches(Known(row.id, row.email, row.name)), names) for row in rows]
    return schemas.SuggestionPage(items=items, next_cursor=following)


def _shown(row: Identity, matches: Sequence[Match], names: Mapping[UUID, str]) -> schemas.Suggestion:
    return schemas.Suggestion(
        identity=schemas.Identity.model_validate(row),
        candidates=[schemas.Candidate(member_id=id_, name=names[id_], reason=reason) for id_, reason in matches],
        is_clear=is_clear(matches),
    )


async def map_many(session: AsyncSession, who: Principal, new: schemas.BulkMappingCreate) -> schemas.BulkMappingResult:
    """Map each identity for itself: one that cannot be mapped says why, and the others are."""
    items = [await _map(session, who, each) for each in new.mappings]
    return schemas.BulkMappingResult(items=items, mapped=sum(item.outcome == "mapped" for item in items))


async def _map(session: AsyncSession, who: Principal, each: schemas.BulkMapping) -> schemas.BulkOutcome:
    wanted = schemas.IdentityMappingCreate(**each.model_dump(exclude={"identity_id"}))
    try:
        async with session.begin_nested():
            made = await map_identity(session, who, each.identity_id, wanted)
    except Problem as refused:
        return _outcome(each, "rejected", problem=refused.detail)
    return _outcome(each, "mapped", mapping_id=made.id)


def _outcome(
    each: schemas.BulkMapping,
    outcome: Literal["mapped", "rejected"],
    *,
    mapping_id: UUID | None = None,
    problem: str | None = None,
) -> schemas.BulkOutcome:
    return schemas.BulkOutcome(identity_id=each.identity_id, outcome=outcome, mapping_id=mapping_id, problem=problem)
