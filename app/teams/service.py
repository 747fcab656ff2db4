"""Use cases of members and teams; and identities, as those who write events need them."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Text, Uuid, any_, bindparam, column, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.accounts.service import settings_as_known
from app.core import clock, etags
from app.core.db import OrganizationId, Ready
from app.core.ids import new_id
from app.core.pagination import Key, paginate
from app.core.problems import ValidationFailed
from app.core.schemas import zone
from app.teams import placements, queries, schemas
from app.teams.dated import note
from app.teams.facts import Person
from app.teams.lookups import TeamNotFound, get_member, get_team, named_team
from app.teams.models import Identity, Member, Team


async def today(session: AsyncSession, org_id: OrganizationId) -> date:
    """The organization's present day, in its own zone."""
    settings = await settings_as_known(session, org_id, await clock.last_recorded(session, org_id))
    assert settings is not None, "whatever was recorded is known"  # noqa: S101
    return (await clock.now(session, org_id)).astimezone(zone(settings.time_zone)).date()


async def list_members(
    session: AsyncSession, org_id: OrganizationId, query: schemas.MembersQuery
) -> schemas.MemberPage:
    """The members that a query asks for, by name."""
    wanted = queries.members(org_id, is_archived=query.is_archived, prefix=query.name)
    if query.team_id is not None:
        wanted = wanted.where(queries.in_team(org_id, query.team_id, query.on or await today(session, org_id)))
    rows, following = await paginate(session, wanted, [Key(Member.name), Key(Member.id)], query)
    return schemas.MemberPage(items=[schemas.Member.model_validate(row) for row in rows], next_cursor=following)


async def show_member(session: AsyncSession, org_id: OrganizationId, member_id: UUID) -> schemas.MemberDetail:
    """A member with the teams they are in now. Raises `MemberNotFound`."""
    member = schemas.Member.model_validate(await get_member(session, org_id, member_id))
    found = await session.execute(queries.teams_of(org_id, member_id, await today(session, org_id)))
    teams = [schemas.TeamOfMember.model_validate(row) for row in found]
    return schemas.MemberDetail(**member.model_dump(), teams=teams)


async def create_member(session: AsyncSession, who: Principal, new: schemas.MemberCreate) -> schemas.MemberDetail:
    """Store a member."""
    at = await clock.tick(session, who.org_id)
    member = Member(org_id=who.org_id, id=new_id(), recorded_at=at, version=1, **new.model_dump())
    session.add(member)
    note(session, who, "create", "member", member.id, changes=new.model_dump(mode="json"))
    await session.flush()  # the answer reads it back
    return await show_member(session, who.org_id, member.id)


async def update_member(
    session: AsyncSession, who: Principal, member_id: UUID, change: schemas.MemberUpdate, if_match: str | None
) -> schemas.MemberDetail:
    """Change a member."""
    await clock.configure(session, who.org_id)
    member = await get_member(session, who.org_id, member_id, lock=True)
    etags.check(if_match, member.version)
    await _change(session, who, "member", member, change.model_dump(exclude_unset=True))
    return await show_member(session, who.org_id, member_id)


async def archive_member(session: AsyncSession, who: Principal, member_id: UUID, if_match: str | None) -> None:
    """Take a member out of the lists; all that was theirs stays."""
    await clock.configure(session, who.org_id)
    member = await get_member(session, who.org_id, member_id, lock=True)
    etags.check(if_match, member.version)
    await _change(session, who, "member", member, {"is_archived": True})


async def list_teams(session: AsyncSession, org_id: OrganizationId, query: schemas.TeamsQuery) -> schemas.TeamPage:
    """The teams that a query asks for, by name."""
    wanted = queries.teams(
        org_id,
        query.on or await today(session, org_id),
        is_archived=query.is_archived,
        prefix=query.name,
        parent_id=query.parent_id,
    )
    rows, following = await paginate(session, wanted, [Key(Team.name), Key(Team.id)], query)
    return schemas.TeamPage(items=[_team(*row) for row in rows], next_cursor=following)


async def show_team(session: AsyncSession, org_id: OrganizationId, team_id: UUID) -> schemas.Team:
    """A team with its present place. Raises `TeamNotFound`."""
    found = await queries.PLACED_TEAM.row(session, org_id=org_id, team_id=team_id, day=await today(session, org_id))
    if found is None:
        raise TeamNotFound(f"No team {team_id}.")
    return schemas.Team(**found)


async def create_team(session: AsyncSession, who: Principal, new: schemas.TeamCreate) -> schemas.Team:
    """Store a team, and put it where it belongs."""
    at = await clock.tick(session, who.org_id)
    if new.parent_id is not None:
        await named_team(session, who.org_id, new.parent_id, "/parent_id")
    elif new.placed_from is not None:
        raise ValidationFailed.at(
            "/placed_from", "Says since when it stands under `parent_id`: name that too.", "alone"
        )
    team = Team(org_id=who.org_id, id=new_id(), name=new.name, recorded_at=at, version=1)
    session.add(team)
    note(session, who, "create", "team", team.id, changes=new.model_dump(mode="json"))
    await session.flush()  # its place refers to it
    if new.parent_id is not None:
        await placements.place(session, team, new.parent_id, new.placed_from, at)
    return await show_team(session, who.org_id, team.id)


async def update_team(
    session: AsyncSession, who: Principal, team_id: UUID, change: schemas.TeamUpdate, if_match: str | None
) -> schemas.Team:
    """Change a team."""
    await clock.configure(session, who.org_id)
    team = await get_team(session, who.org_id, team_id, lock=True)
    etags.check(if_match, team.version)
    await _change(session, who, "team", team, change.model_dump(exclude_unset=True))
    return await show_team(session, who.org_id, team_id)


async def archive_team(session: AsyncSession, who: Principal, team_id: UUID, if_match: str | None) -> None:
    """Take a team out of the lists; its past stays."""
    await clock.configure(session, who.org_id)
    team = await get_team(session, who.org_id, team_id, lock=True)
    etags.check(if_match, team.version)
    await _change(session, who, "team", team, {"is_archived": True})


async def _change(
    session: AsyncSession, who: Principal, resource: str, row: Member | Team, change: dict[str, Any]
) -> None:
    """Change a member or team; nothing happens where nothing changes."""
    wanted = dict(change)
    archives = wanted.pop("is_archived", row.archived_at is not None)
    if archives != (row.archived_at is not None):
        wanted["archived_at"] = await clock.now(session, who.org_id) if archives else None
    wanted = {field: value for field, value in wanted.items() if getattr(row, field) != value}
    if not wanted:
        return
    for field, value in wanted.items():
        setattr(row, field, value)
    row.version += 1
    action = "archive" if wanted.get("archived_at") else "update"
    note(session, who, action, resource, row.id, changes=change)
    await session.flush()  # the answer reads it back


def _team(team: Team, parent_id: UUID | None) -> schemas.Team:
    columns = ("id", "name", "recorded_at", "archived_at", "version")
    return schemas.Team(parent_id=parent_id, **{name: getattr(team, name) for name in columns})


async def resolve_identities(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, people: Iterable[Person]
) -> dict[str, UUID]:
    """The identity of each external id, made where it is new; an address or name not known yet is filled in.

    External ids are exact text. Of several mentions of one person the first address and name count.
    """
    wanted = _merged(people)
    known = await _known(session, org_id, source_id, wanted)
    if missing := [wanted[key] for key in sorted(wanted.keys() - known.keys())]:
        await _insert(session, org_id, source_id, missing)
        known = await _known(session, org_id, source_id, wanted)
    await _fill(session, org_id, [(row, wanted[key]) for key, row in known.items()])
    return {key: row["id"] for key, row in known.items()}


async def known_identities(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, people: Iterable[Person]
) -> dict[str, UUID] | None:
    """What `resolve_identities` gives where it has nothing to store; None where it has. Identities stay for ever."""
    wanted = _merged(people)
    known = await _known(session, org_id, source_id, wanted)
    if wanted.keys() != known.keys() or any(_is_news(known[key], person) for key, person in wanted.items()):
        return None
    return {key: row["id"] for key, row in known.items()}


class Named(NamedTuple):
    """Who owns records in a source, as the source's own directory tells."""

    external_id: str
    email: str | None
    name: str | None
    kind: str


async def name_identities(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, people: Sequence[Named]
) -> None:
    """Make the identities of a source's directory, or bring their names, addresses and kinds up to date."""
    at = await clock.tick(session, org_id)
    once = {person.external_id: person for person in people}.values()
    rows = (
        func.unnest(
            literal([new_id() for _ in once], ARRAY(Uuid())),
            *(literal([getattr(person, name) for person in once], ARRAY(Text())) for name in Named._fields),
        )
        .table_valued("id", *Named._fields, name="p")
        .render_derived()
    )
    told = insert(Identity).from_select(
        ["org_id", "source_id", "recorded_at", "id", *Named._fields],
        select(literal(org_id, Uuid()), literal(source_id, Uuid()), literal(at), *rows.c),
        include_defaults=False,
    )
    new = told.excluded
    await session.execute(
        told.on_conflict_do_update(
            index_elements=["org_id", "source_id", "external_id"],
            set_={
                "email": func.coalesce(new.email, Identity.email),
                "name": func.coalesce(new.name, Identity.name),
                "kind": new.kind,
            },
        )
    )


def _merged(people: Iterable[Person]) -> dict[str, Person]:
    merged: dict[str, Person] = {}
    for person in people:
        first = merged.get(person.external_id, person)
        merged[person.external_id] = Person(person.external_id, first.email or person.email, first.name or person.name)
    return merged


async def _known(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, wanted: Iterable[str]
) -> dict[str, Any]:
    found = await _KNOWN.rows(session, org_id=org_id, source_id=source_id, external_ids=list(wanted))
    return {row["external_id"]: row for row in found}


_KNOWN = Ready(
    select(Identity.external_id, Identity.id, Identity.email, Identity.name).where(
        Identity.org_id == bindparam("org_id"),
        Identity.source_id == bindparam("source_id"),
        Identity.external_id == any_(bindparam("external_ids", type_=ARRAY(Text()))),
    )
)


async def _insert(session: AsyncSession, org_id: OrganizationId, source_id: UUID, people: list[Person]) -> None:
    """One statement for all; somebody else's insert of the same person is no error."""
    at = await clock.tick(session, org_id)
    rows = (
        func.unnest(
            literal([new_id() for _ in people], ARRAY(Uuid())),
            literal([person.external_id for person in people], ARRAY(Text())),
            literal([person.email for person in people], ARRAY(Text())),
            literal([person.name for person in people], ARRAY(Text())),
        )
        .table_valued("id", "external_id", "email", "name", name="p")
        .render_derived()
    )
    await session.execute(
        insert(Identity)
        .from_select(
            ["org_id", "source_id", "recorded_at", "id", "external_id", "email", "name"],
            select(
                literal(org_id, Uuid()),
                literal(source_id, Uuid()),
                literal(at),
                rows.c.id,
                rows.c.external_id,
                rows.c.email,
                rows.c.name,
            ),
            include_defaults=False,
        )
        .on_conflict_do_nothing(index_elements=["org_id", "source_id", "external_id"])
    )


async def _fill(session: AsyncSession, org_id: OrganizationId, pairs: list[tuple[Any, Person]]) -> None:
    """Store the address and name of identities that have had none."""
    news = [
        (row["id"], row["email"] or person.email, row["name"] or person.name)
        for row, person in pairs
        if _is_news(row, person)
    ]
    if not news:
        return
    await clock.configure(session, org_id)
    ids, emails, names = zip(*news, strict=True)
    rows = (
        func.unnest(
            literal(list(ids), ARRAY(Uuid())), literal(list(emails), ARRAY(Text())), literal(list(names), ARRAY(Text()))
        )
        .table_valued(column("id", Uuid()), column("email", Text()), column("name", Text()), name="p")
        .render_derived()
    )
    await session.execute(
        update(Identity)
        .where(Identity.org_id == org_id, Identity.id == rows.c.id)
        .values(email=rows.c.email, name=rows.c.name)
        .execution_options(synchronize_session=False)
    )


def _is_news(known: Any, person: Person) -> bool:
    return bool((person.email and not known["email"]) or (person.name and not known["name"]))
