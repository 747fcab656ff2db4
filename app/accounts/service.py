"""Use cases of organizations and API keys."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import queries, schemas
from app.accounts.access import Principal, new_token
from app.accounts.models import ApiKey, ApiKeyDirectory, Organization, OrganizationSettings
from app.accounts.permissions import ROLE_PERMISSIONS, Permission
from app.core import audit, clock, errands, etags, jobs
from app.core.clock import LedgerClock
from app.core.configuration import remembered
from app.core.db import Database, OrganizationId
from app.core.ids import new_id
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import NotFound, PermissionMissing, Problem, ValidationFailed

REFOLD_SOURCES = "refold-sources"  # close dates of CRM records are local days: integrations answer to this
RETELL_EMPLOYMENTS = "retell-employments"  # who joined or left did so when a local day began
TEND_GOALS = "tend-goals"  # goals open and close by the organization's clock
SETTINGS = (
    "time_zone", "currency", "week_starts_on", "fiscal_year_starts", "fiscal_year_named_after", "fiscal_pattern",
    "fiscal_week_rule",
)  # fmt: skip


class ApiKeyNotFound(NotFound):
    """There is no such API key in this organization."""

    code, title = "api-key-not-found", "API key not found"


class ManualClockOff(Problem):
    """Setting an organization's clock is switched off: the server's setting `manual_clock` allows it."""

    status, code, title = 403, "manual-clock-off", "Manual clock is off"


async def create_organization(
    database: Database,
    name: str,
    *,
    time_zone: str,
    currency: str,
    week_starts_on: int = 0,
    now: datetime | None = None,
    recorded_from: datetime | None = None,
    also: Sequence[Callable[[AsyncSession, OrganizationId], Awaitable[None]]] = (),
) -> tuple[OrganizationId, str]:
    """Make an organization and its first key, an admin's; gives its id and the key's token.

    `now` starts it with a clock of its own (`manual_clock`); `recorded_from` is when it shall have been
    recorded, else that or the present; `also` adds what higher domains start with.
    The directory is written first, in its own transaction: it is a reference table (`citus.md` rule 24).
    """
    org_id = OrganizationId(new_id())
    key_id = new_id()
    token, digest = new_token(key_id)
    await _enter_directory(database, key_id, org_id)
    async with database.write(org_id) as session:
        at = recorded_from or now or await clock.database_now(session)
        session.add(Organization(id=org_id, name=name, version=1, created_at=at))
        await session.flush()  # the clock refers to the organization
        await clock.begin(session, org_id, at, now)
        session.add(
            OrganizationSettings(
                org_id=org_id,
                recorded_at=at,
                time_zone=time_zone,
                currency=currency,
                week_starts_on=week_starts_on,
                fiscal_year_starts=1,
                fiscal_year_named_after="ends",
            )
        )
        session.add(
            ApiKey(
                org_id=org_id,
                id=key_id,
                name="first key",
                role="admin",
                scopes=[permission.value for permission in Permission],
                digest=digest,
                created_at=at,
                version=1,
            )
        )
        await session.flush()  # what is added now may refer to it
        for add in also:
            await add(session, org_id)
        audit.record(session, org_id, "command line", "create", "organization", org_id, {"name": name})
    return org_id, token


async def get_organization(session: AsyncSession, org_id: OrganizationId) -> schemas.Organization:
    """The organization with its present settings."""
    organization, settings = (await session.execute(queries.organization(org_id))).one()
    return schemas.Organization(
        id=organization.id,
        name=organization.name,
        version=organization.version,
        created_at=organization.created_at,
        **{field: getattr(settings, field) for field in SETTINGS},
    )


async def update_organization(
    session: AsyncSession, who: Principal, change: schemas.OrganizationUpdate, if_match: str | None
) -> schemas.Organization:
    """Change the name or settings; the old settings stay known as of earlier instants."""
    at = await clock.tick(session, who.org_id)
    organization, settings = (await session.execute(queries.organization(who.org_id).with_for_update())).one()
    etags.check(if_match, organization.version)
    wanted = change.model_dump(exclude_unset=True)
    organization.name = wanted.pop("name", organization.name)
    organization.version += 1
    current = {field: getattr(settings, field) for field in SETTINGS}
    if any(current[field] != value for field, value in wanted.items()):
        settings.superseded_at = at
        await session.flush()  # before its successor: one current row at a time
        session.add(OrganizationSettings(org_id=who.org_id, recorded_at=at, **current | wanted))
    if wanted.get("time_zone", current["time_zone"]) != current["time_zone"]:
        for kind in (REFOLD_SOURCES, RETELL_EMPLOYMENTS):
            await jobs.enqueue(session, who.org_id, kind, [{}])
    audit.record(session, who.org_id, who.label, "update", "organization", who.org_id, wanted)
    await session.flush()  # the answer reads it back
    return await get_organization(session, who.org_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFacts:
    """One revision of the settings, as plain values."""

    recorded_at: datetime
    time_zone: str
    currency: str
    week_starts_on: int
    fiscal_year_starts: int
    fiscal_year_named_after: str
    fiscal_pattern: str
    fiscal_week_rule: str


async def settings_as_known(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> SettingsFacts | None:
    """The settings as recorded by `known_at`; None before the organization was (S5)."""

    async def load() -> SettingsFacts | None:
        found = (await session.execute(queries.settings_as_known(org_id, known_at))).scalar_one_or_none()
        return None if found is None else _facts(found)

    return await remembered(session, org_id, known_at, "settings", load)


async def first_settings(session: AsyncSession, org_id: OrganizationId, known_at: datetime) -> SettingsFacts:
    """The settings the organization was made with, whatever had been recorded by `known_at`."""

    async def load() -> SettingsFacts:
        return _facts((await session.execute(queries.first_settings(org_id))).scalar_one())

    return await remembered(session, org_id, known_at, "first settings", load)


def _facts(row: OrganizationSettings) -> SettingsFacts:
    return SettingsFacts(recorded_at=row.recorded_at, **{name: getattr(row, name) for name in SETTINGS})


async def get_clock(session: AsyncSession, org_id: OrganizationId) -> schemas.Clock:
    """What time it is for the organization."""
    row = await session.get_one(LedgerClock, org_id)
    return schemas.Clock(
        now=await clock.now(session, org_id), is_manual=row.manual_now is not None, last_recorded_at=row.last_at
    )


async def set_clock(session: AsyncSession, who: Principal, now: datetime | None, *, allowed: bool) -> schemas.Clock:
    """Set the organization's own clock. Raises `ManualClockOff` unless the server allows it."""
    if not allowed:
        raise ManualClockOff("This server runs on the real clock (setting manual_clock).")
    await clock.set_manual(session, who.org_id, now)
    await errands.hasten(session, who.org_id, TEND_GOALS, who.org_id)
    audit.record(session, who.org_id, who.label, "set", "clock", who.org_id, {"now": now and now.isoformat()})
    return await get_clock(session, who.org_id)


async def create_api_key(
    database: Database, session: AsyncSession, who: Principal, new: schemas.ApiKeyCreate
) -> schemas.ApiKeyCreated:
    """Make a key that can do no more than its maker."""
    missing = sorted(set(new.scopes) - who.permissions)
    if missing:
        raise PermissionMissing(f"You cannot give what you do not have: {', '.join(missing)}.")
    unusable = sorted(set(new.scopes) - ROLE_PERMISSIONS[new.role])
    if unusable:
        raise ValidationFailed.at(
            "/scopes", f"the role {new.role} never has {', '.join(unusable)}", "scope_outside_role"
        )
    key_id = new_id()
    token, digest = new_token(key_id)
    await _enter_directory(database, key_id, who.org_id)
    key = ApiKey(
        org_id=who.org_id,
        id=key_id,
        name=new.name,
        role=new.role,
        scopes=sorted(new.scopes),
        member_id=new.member_id,
        digest=digest,
        created_at=await clock.database_now(session),
        expires_at=new.expires_at,
        version=1,
    )
    session.add(key)
    audit.record(session, who.org_id, who.label, "create", "api-key", key_id, new.model_dump(mode="json"))
    await session.flush()  # the answer shows the stored row
    return schemas.ApiKeyCreated(**schemas.ApiKey.model_validate(key).model_dump(), token=token)


async def _enter_directory(database: Database, key_id: UUID, org_id: OrganizationId) -> None:
    async with database.aside.directory() as session:
        await session.execute(insert(ApiKeyDirectory).values(key_id=key_id, org_id=org_id))


async def list_api_keys(session: AsyncSession, org_id: OrganizationId, query: PageQuery) -> schemas.ApiKeyPage:
    """The organization's keys, oldest first, revoked ones too."""
    rows, following = await paginate(session, queries.api_keys(org_id), [Key(ApiKey.created_at), Key(ApiKey.id)], query)
    return schemas.ApiKeyPage(items=[schemas.ApiKey.model_validate(row) for row in rows], next_cursor=following)


async def revoke_api_key(session: AsyncSession, who: Principal, key_id: UUID) -> None:
    """Stop a key from working, at once."""
    found = await session.execute(queries.api_keys(who.org_id).where(ApiKey.id == key_id).with_for_update())
    key = found.scalar_one_or_none()
    if key is None:
        raise ApiKeyNotFound(f"No API key {key_id}.")
    if key.revoked_at is None:
        key.revoked_at = datetime.now(UTC)
        audit.record(session, who.org_id, who.label, "revoke", "api-key", key_id)
