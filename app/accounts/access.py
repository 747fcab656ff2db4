"""The only place where a credential is read: who calls, for which organization, with which permissions."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from sqlalchemy import bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import ApiKey
from app.accounts.permissions import ROLE_PERMISSIONS, Permission
from app.core import clock
from app.core.clock import REAL_NOW, LedgerClock, Present
from app.core.db import OrganizationId, Ready
from app.core.problems import NotAuthenticated, PermissionMissing
from app.core.routing import begin_idempotent
from app.core.snapshots import Snapshots as OrganizationSnapshots

_TOKEN = re.compile(r"pl_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")
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


async def identify(request: Request) -> Principal:
    """The caller of this request; opens its transaction."""
    if (known := getattr(request.state, "principal", None)) is not None:
        return known  # type: ignore[no-any-return]  # request.state is untyped
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    match = _TOKEN.fullmatch(token.strip(" ")) if scheme.lower() == "bearer" else None
    if match is None:
        raise NotAuthenticated("Send an API key as `Authorization: Bearer pl_…`.", headers=_CHALLENGE)
    key_id = UUID(match.group(1))
    org_id = await request.app.state.directory.organization_of(key_id)
    if org_id is None:
        raise NotAuthenticated("The API key is not valid.", headers=_CHALLENGE)
    session = await request.state.transaction.open(org_id)
    key, present = await _verify(session, org_id, key_id, match.group(2))
    clock.notice(session, present)
    await request.app.state.key_use.note(org_id, key_id, key["last_used_on"], present.now.date())
    request.state.principal = principal = _principal(key)
    await begin_idempotent(request, session, org_id, principal.key_id)
    return principal


async def _verify(session: AsyncSession, org_id: OrganizationId, key_id: UUID, secret: str) -> tuple[Any, Present]:
    """The key and the clock of its organization: in one statement, since every request begins with it."""
    row = await _KEY.row(session, org_id=org_id, key_id=key_id)
    if row is None or not hmac.compare_digest(row["digest"], digest_of(secret)):
        raise NotAuthenticated("The API key is not valid.", headers=_CHALLENGE)
    return row, Present(row["last_at"], row["configured"], row["manual_now"], row["real_now"])


_KEY = Ready(
    select(
        *(getattr(ApiKey, name) for name in ("org_id", "id", "name", "role", "scopes", "member_id", "digest")),
        ApiKey.last_used_on,
        LedgerClock.last_at,
        LedgerClock.configured,
        LedgerClock.manual_now,
        REAL_NOW.label("real_now"),
    )
    .join(LedgerClock, LedgerClock.org_id == ApiKey.org_id)
    .where(
        ApiKey.org_id == bindparam("org_id"),
        LedgerClock.org_id == bindparam("org_id"),
        ApiKey.id == bindparam("key_id"),
        ApiKey.revoked_at.is_(None),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > REAL_NOW),
    )
)


def _principal(key: Any) -> Principal:
    return Principal(
        org_id=OrganizationId(key["org_id"]),
        key_id=key["id"],
        key_name=key["name"],
        role=key["role"],
        permissions=_permissions(key["role"], tuple(key["scopes"])),
        member_id=key["member_id"],
    )


@lru_cache(maxsize=256)
def _permissions(role: str, scopes: tuple[str, ...]) -> frozenset[Permission]:
    return ROLE_PERMISSIONS[role] & {Permission(scope) for scope in scopes}


class _Bearer(HTTPBearer):
    """The scheme of the document: whom it lets in is the caller, who has every permission that is needed."""

    def __init__(self, needed: Iterable[Permission]) -> None:
        super().__init__(scheme_name="apiKey", description="`Authorization: Bearer pl_…`")
        self.needed = frozenset(needed)

    async def __call__(self, request: Request) -> Principal:  # type: ignore[override]  # of more than its credentials
        who = await identify(request)
        if not self.needed <= who.permissions:
            missing = ", ".join(sorted(self.needed - who.permissions))
            raise PermissionMissing(
                f"This key lacks {missing}; a key has what is in its scopes and in its role {who.role!r}."
            )
        return who


def requires(*needed: Permission) -> Any:
    """Dependency: the caller, with these permissions. `Annotated[Principal, requires(Permission.GOALS_READ)]`."""
    return Security(_Bearer(needed), scopes=[permission.value for permission in needed])


async def session_of_caller(request: Request) -> AsyncSession:
    """The request's transaction, in the caller's organization."""
    who = await identify(request)
    session: AsyncSession = await request.state.transaction.open(who.org_id)
    return session


Session = Annotated[AsyncSession, Depends(session_of_caller)]
Caller = Annotated[Principal, requires()]


async def snapshots_of_caller(request: Request) -> OrganizationSnapshots:
    """Gives snapshots of the caller's organization, for what is computed and charged to its budget."""
    who = await identify(request)
    state, transaction = request.app.state, request.state.transaction
    reading = transaction if transaction.reads else None
    return OrganizationSnapshots(state.database, who.org_id, state.query_budget, reading)


Snapshots = Annotated[OrganizationSnapshots, Depends(snapshots_of_caller)]
