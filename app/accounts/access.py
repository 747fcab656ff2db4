"""The only place where a credential is read: who calls, for which organization, with which permissions."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from sqlalchemy import TIMESTAMP, literal_column, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import ApiKey
from app.accounts.permissions import ROLE_PERMISSIONS, Permission
from app.core.clock import LedgerClock
from app.core.db import OrganizationId
from app.core.problems import NotAuthenticated, PermissionMissing
from app.core.routing import begin_idempotent
from app.core.snapshots import Snapshots as OrganizationSnapshots

_TOKEN = re.compile(r"pl_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")
_bearer = HTTPBearer(scheme_name="apiKey", description="`Authorization: Bearer pl_…`", auto_error=False)
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="paceline"'}


@dataclass(frozen=True)
class Principal:
    """Who calls: a key of an organization, and perhaps the member it stands for."""

    org_id: OrganizationId
    key_id: UUID
    key_name: str
    role: str
    permissions: frozenset[Permission]
    member_id: UUID | None

    @property
    def label(self) -> str:
        """How the audit trail names this caller."""
        return f"key:{self.key_id}"


def new_token(key_id: UUID) -> tuple[str, bytes]:
    """A new token and the digest that is kept of it: 256 random bits, so a plain hash is enough."""
    secret = secrets.token_urlsafe(32)
    return f"pl_{key_id.hex}_{secret}", digest_of(secret)


def digest_of(secret: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).digest()


async def identify(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> Principal:
    """The caller of this request; opens its transaction."""
    if (known := getattr(request.state, "principal", None)) is not None:
        return known  # type: ignore[no-any-return]  # request.state is untyped
    match = _TOKEN.fullmatch(credentials.credentials) if credentials else None
    if match is None:
        raise NotAuthenticated("Send an API key as `Authorization: Bearer pl_…`.", headers=_CHALLENGE)
    key_id = UUID(match.group(1))
    org_id = await request.app.state.directory.organization_of(key_id)
    if org_id is None:
        raise NotAuthenticated("The API key is not valid.", headers=_CHALLENGE)
    session = await request.state.transaction.open(org_id)
    key, now = await _verify(session, org_id, key_id, match.group(2))
    await request.app.state.key_use.note(org_id, key_id, key.last_used_on, now.astimezone(UTC).date())
    request.state.principal = principal = _principal(key)
    await begin_idempotent(request, session, org_id, principal.key_id)
    return principal


async def _verify(session: AsyncSession, org_id: OrganizationId, key_id: UUID, secret: str) -> tuple[ApiKey, datetime]:
    """The key, and what time it is for its organization: in one statement, since every request begins with it."""
    manual_now = select(LedgerClock.manual_now).where(LedgerClock.org_id == org_id).scalar_subquery()
    real_now = literal_column("clock_timestamp()", TIMESTAMP(timezone=True))
    found = await session.execute(
        select(ApiKey, manual_now, real_now).where(
            ApiKey.org_id == org_id,
            ApiKey.id == key_id,
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > text("clock_timestamp()")),
        )
    )
    row = found.one_or_none()
    if row is None or not hmac.compare_digest(row[0].digest, digest_of(secret)):
        raise NotAuthenticated("The API key is not valid.", headers=_CHALLENGE)
    return row[0], row[1] or row[2]


def _principal(key: ApiKey) -> Principal:
    return Principal(
        org_id=key.org_id,
        key_id=key.id,
        key_name=key.name,
        role=key.role,
        permissions=ROLE_PERMISSIONS[key.role] & {Permission(scope) for scope in key.scopes},
        member_id=key.member_id,
    )


async def authorize(needed: SecurityScopes, who: Annotated[Principal, Depends(identify)]) -> Principal:
    """The caller, who has every scope that the operation asks for."""
    missing = sorted(set(needed.scopes) - who.permissions)
    if missing:
        raise PermissionMissing(
            f"This key lacks {', '.join(missing)}; a key has what is in its scopes and in its role {who.role!r}."
        )
    return who


def requires(*needed: Permission) -> Any:
    """Dependency: the caller, with these permissions. `Annotated[Principal, requires(Permission.GOALS_READ)]`."""
    return Security(authorize, scopes=[permission.value for permission in needed])


async def session_of_caller(request: Request, who: Annotated[Principal, Depends(identify)]) -> AsyncSession:
    """The request's transaction, in the caller's organization."""
    session: AsyncSession = await request.state.transaction.open(who.org_id)
    return session


Session = Annotated[AsyncSession, Depends(session_of_caller)]
Caller = Annotated[Principal, requires()]


async def snapshots_of_caller(request: Request, who: Annotated[Principal, Depends(identify)]) -> OrganizationSnapshots:
    """Opens snapshots of the caller's organization, for what is computed and charged to its budget."""
    return OrganizationSnapshots(request.app.state.database, who.org_id, request.app.state.query_budget)


Snapshots = Annotated[OrganizationSnapshots, Depends(snapshots_of_caller)]
