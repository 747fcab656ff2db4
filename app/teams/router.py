"""Paths of members, teams, identities and what is dated about them."""

from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.pagination import PageQuery
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute
from app.teams import assignments, mappings, memberships, placements, schemas, service, suggestions
from app.teams.lookups import IdentityNotFound, MemberNotFound, TeamNotFound

router = APIRouter(route_class=TransactionalRoute, tags=["teams"])

Reader = Annotated[Principal, requires(Permission.TEAMS_READ)]
Writer = Annotated[Principal, requires(Permission.TEAMS_WRITE)]
Paging = Annotated[PageQuery, Query()]
Shown = TypeVar("Shown", schemas.MemberDetail, schemas.Team)


@router.get("/members")
async def list_members(
    session: Session, who: Reader, query: Annotated[schemas.MembersQuery, Query()]
) -> schemas.MemberPage:
    """List members, by name.

    With `team_id`, those who are directly in that team on a day.
    """
    return await service.list_members(session, who.org_id, query)


@router.post("/members", status_code=201)
async def create_member(
    session: Session, who: Writer, new: schemas.MemberCreate, response: Response
) -> schemas.MemberDetail:
    """Make a member.

    What they do is an assignment, where they belong a membership, who they are in a CRM the mapping of an identity.
    """
    return _tagged(response, await service.create_member(session, who, new))


@router.get("/members/{member_id}", responses=problems(MemberNotFound))
async def get_member(session: Session, who: Reader, member_id: UUID, response: Response) -> schemas.MemberDetail:
    """Read a member, with the teams they are in now."""
    return _tagged(response, await service.show_member(session, who.org_id, member_id))


@router.patch("/members/{member_id}", responses=problems(MemberNotFound, PreconditionFailed))
async def update_member(
    session: Session,
    who: Writer,
    member_id: UUID,
    change: schemas.MemberUpdate,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.MemberDetail:
    """Change a member, or bring an archived one back."""
    return _tagged(response, await service.update_member(session, who, member_id, change, if_match))


@router.delete("/members/{member_id}", status_code=204, responses=problems(MemberNotFound, PreconditionFailed))
async def archive_member(session: Session, who: Writer, member_id: UUID, if_match: etags.IfMatch = None) -> None:
    """Archive a member.

    They are no longer listed. All that was theirs stays, and so do their memberships and mappings until they are ended.
    """
    await service.archive_member(session, who, member_id, if_match)


@router.get("/members/{member_id}/assignments", responses=problems(MemberNotFound))
async def list_assignments(session: Session, who: Reader, member_id: UUID, query: Paging) -> schemas.AssignmentPage:
    """List what a member did, for whom and how much, in time order."""
    return await assignments.list_assignments(session, who.org_id, member_id, query)


@router.post(
    "/members/{member_id}/assignments",
    status_code=201,
    responses=problems(MemberNotFound, assignments.AssignmentsOverlap),
)
async def create_assignment(
    session: Session, who: Writer, member_id: UUID, new: schemas.AssignmentCreate
) -> schemas.Assignment:
    """Assign a member: role, manager, country, part time, work calendar.

    One assignment holds at a time. For a change from a day on, end the running one (`valid_to`), then post the next.
    """
    return await assignments.add_assignment(session, who, member_id, new)


@router.patch(
    "/members/{member_id}/assignments/{assignment_id}",
    responses=problems(MemberNotFound, assignments.AssignmentNotFound, assignments.AssignmentsOverlap),
)
async def update_assignment(
    session: Session, who: Writer, member_id: UUID, assignment_id: UUID, change: schemas.AssignmentUpdate
) -> schemas.Assignment:
    """Change an assignment; answers as of an earlier instant keep what it was."""
    return await assignments.update_assignment(session, who, member_id, assignment_id, change)


@router.delete(
    "/members/{member_id}/assignments/{assignment_id}",
    status_code=204,
    responses=problems(MemberNotFound, assignments.AssignmentNotFound),
)
async def delete_assignment(session: Session, who: Writer, member_id: UUID, assignment_id: UUID) -> None:
    """Take back an assignment that should never have been; to end one, set its `valid_to`."""
    await assignments.delete_assignment(session, who, member_id, assignment_id)


@router.get("/teams")
async def list_teams(session: Session, who: Reader, query: Annotated[schemas.TeamsQuery, Query()]) -> schemas.TeamPage:
    """List teams, by name, each with its parent on a day."""
    return await service.list_teams(session, who.org_id, query)


@router.post("/teams", status_code=201)
async def create_team(session: Session, who: Writer, new: schemas.TeamCreate, response: Response) -> schemas.Team:
    """Make a team, and put it under another."""
    return _tagged(response, await service.create_team(session, who, new))


@router.get("/teams/{team_id}", responses=problems(TeamNotFound))
async def get_team(session: Session, who: Reader, team_id: UUID, response: Response) -> schemas.Team:
    """Read a team, with its present parent."""
    return _tagged(response, await service.show_team(session, who.org_id, team_id))


@router.patch("/teams/{team_id}", responses=problems(TeamNotFound, PreconditionFailed))
async def update_team(
    session: Session,
    who: Writer,
    team_id: UUID,
    change: schemas.TeamUpdate,
    response: Response,
    *,
    if_match: etags.IfMatch = None,
) -> schemas.Team:
    """Change a team, or bring an archived one back."""
    return _tagged(response, await service.update_team(session, who, team_id, change, if_match))


@router.delete("/teams/{team_id}", status_code=204, responses=problems(TeamNotFound, PreconditionFailed))
async def archive_team(session: Session, who: Writer, team_id: UUID, if_match: etags.IfMatch = None) -> None:
    """Archive a team.

    It is no longer listed. Its past stays, and so do its place and memberships until they are ended.
    """
    await service.archive_team(session, who, team_id, if_match)


@router.get("/teams/{team_id}/placements", responses=problems(TeamNotFound))
async def list_team_placements(
    session: Session, who: Reader, team_id: UUID, query: Paging
) -> schemas.TeamPlacementPage:
    """List where a team stood in the tree, in time order; on days without a place it stands at the top."""
    return await placements.list_placements(session, who.org_id, team_id, query)


@router.post("/teams/{team_id}/placements", status_code=201, responses=problems(TeamNotFound, placements.TeamCycle))
async def move_team(
    session: Session, who: Writer, team_id: UUID, new: schemas.TeamPlacementCreate
) -> schemas.TeamPlacement:
    """Move a team within the tree from a day on.

    The place before ends on that day; the new one holds until the next move that is recorded already. A move from the
    day on which a place starts replaces that place.
    """
    return await placements.move_team(session, who, team_id, new)


@router.get("/teams/{team_id}/memberships", responses=problems(TeamNotFound))
async def list_memberships(
    session: Session, who: Reader, team_id: UUID, query: Annotated[schemas.MembershipsQuery, Query()]
) -> schemas.MembershipPage:
    """List who was in a team, in time order; `on` asks for one day."""
    return await memberships.list_memberships(session, who.org_id, team_id, query)


@router.post(
    "/teams/{team_id}/memberships", status_code=201, responses=problems(TeamNotFound, memberships.MembershipsOverlap)
)
async def create_membership(
    session: Session, who: Writer, team_id: UUID, new: schemas.MembershipCreate
) -> schemas.Membership:
    """Put a member into a team, to work in it or to lead it.

    A member may be in several teams, but only once at a time in the same one. Figures of the team count what its
    members did on their days in it (S8).
    """
    return await memberships.add_membership(session, who, team_id, new)


@router.patch(
    "/teams/{team_id}/memberships/{membership_id}",
    responses=problems(TeamNotFound, memberships.MembershipNotFound, memberships.MembershipsOverlap),
)
async def update_membership(
    session: Session, who: Writer, team_id: UUID, membership_id: UUID, change: schemas.MembershipUpdate
) -> schemas.Membership:
    """Change a membership, or end it with `valid_to`; answers as of an earlier instant keep what it was."""
    return await memberships.update_membership(session, who, team_id, membership_id, change)


@router.delete(
    "/teams/{team_id}/memberships/{membership_id}",
    status_code=204,
    responses=problems(TeamNotFound, memberships.MembershipNotFound),
)
async def delete_membership(session: Session, who: Writer, team_id: UUID, membership_id: UUID) -> None:
    """Take back a membership that should never have been; to end one, set its `valid_to`."""
    await memberships.delete_membership(session, who, team_id, membership_id)


@router.post("/identities", status_code=201, responses=problems(mappings.IdentityExists))
async def create_identity(session: Session, who: Writer, new: schemas.IdentityCreate) -> schemas.Identity:
    """Make an identity before its first event.

    Identities that events name appear by themselves.
    """
    return await mappings.create_identity(session, who, new)


@router.get("/identity-suggestions")
async def list_identity_suggestions(
    session: Session, who: Reader, query: Annotated[schemas.SuggestionQuery, Query()]
) -> schemas.SuggestionPage:
    """List identities that stand for no member yet, with those whom they may be.

    By their address, else by their name. Nothing is mapped by this: give what is right to the bulk mapping.
    """
    return await suggestions.suggest(session, who.org_id, query)


@router.post("/identity-mappings")
async def map_identities(session: Session, who: Writer, new: schemas.BulkMappingCreate) -> schemas.BulkMappingResult:
    """Say of many identities which members they are; one that cannot be mapped does not stop the others."""
    return await suggestions.map_many(session, who, new)


@router.get("/identities/{identity_id}/mappings", responses=problems(IdentityNotFound))
async def list_identity_mappings(
    session: Session, who: Reader, identity_id: UUID, query: Paging
) -> schemas.IdentityMappingPage:
    """List which members an identity stands for, in time order."""
    return await mappings.list_mappings(session, who.org_id, identity_id, query)


@router.post(
    "/identities/{identity_id}/mappings",
    status_code=201,
    responses=problems(IdentityNotFound, mappings.MappingsOverlap, mappings.IdentityIsOurs, mappings.IdentityIsNobody),
)
async def create_identity_mapping(
    session: Session, who: Writer, identity_id: UUID, new: schemas.IdentityMappingCreate
) -> schemas.IdentityMapping:
    """Say which member an identity is.

    Its events of those days count for the member at once, those of last year too (S6); no event is rewritten.
    """
    return await mappings.map_identity(session, who, identity_id, new)


@router.patch(
    "/identities/{identity_id}/mappings/{mapping_id}",
    responses=problems(
        IdentityNotFound,
        mappings.MappingNotFound,
        mappings.MappingsOverlap,
        mappings.IdentityIsOurs,
        mappings.IdentityIsNobody,
    ),
)
async def update_identity_mapping(
    session: Session, who: Writer, identity_id: UUID, mapping_id: UUID, change: schemas.IdentityMappingUpdate
) -> schemas.IdentityMapping:
    """Change a mapping; answers as of an earlier instant keep what it was."""
    return await mappings.update_mapping(session, who, identity_id, mapping_id, change)


@router.delete(
    "/identities/{identity_id}/mappings/{mapping_id}",
    status_code=204,
    responses=problems(IdentityNotFound, mappings.MappingNotFound, mappings.IdentityIsOurs, mappings.IdentityIsNobody),
)
async def delete_identity_mapping(session: Session, who: Writer, identity_id: UUID, mapping_id: UUID) -> None:
    """Take back a mapping; its events are nobody's again."""
    await mappings.delete_mapping(session, who, identity_id, mapping_id)


def _tagged(response: Response, shown: Shown) -> Shown:
    """Put an ETag on: the version, and a digest since the present teams or parent change without one."""
    etags.tag_shown(response, shown.version, shown.model_dump_json())
    return shown
