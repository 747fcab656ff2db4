"""Use cases of credentials: keeping them, asking systems by them, and saying whether they hold."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Update, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, clock
from app.core.clock import database_now
from app.core.db import Database, OrganizationId
from app.core.problems import Conflict, ValidationFailed
from app.core.sealing import CannotOpen, keyring_of
from app.events.sources import Source
from app.integrations import credential_schemas as schemas
from app.integrations import sealed, to_fetch
from app.integrations.adapters import ADAPTERS
from app.integrations.clients import CLIENTS
from app.integrations.clients.base import (
    AccessRefused,
    Asked,
    Client,
    ClientError,
    Renewed,
    Token,
    Unreachable,
)
from app.integrations.clients.http import Outside
from app.integrations.models import SourceCredentials
from app.integrations.service import find_source
from app.integrations.translation import connected

EARLY = timedelta(seconds=60)  # so long before its end a token is renewed
RENEWING = timedelta(seconds=45)
POLL_SECONDS = 0.2
CHECK_SECONDS = 20.0


class CredentialsMissing(Conflict):
    """The source has no credentials by which its system could be asked: put them first."""

    code, title = "credentials-missing", "Credentials missing"


class SystemNotAsked(Conflict):
    """The source's system is one that is not asked: it posts, and has no credentials."""

    code, title = "system-not-asked", "System not asked"


async def put(
    session: AsyncSession, who: Principal, source_id: UUID, given: schemas.AnyCredentials
) -> schemas.Credentials:
    """Keep credentials instead of those there were; what waits to be fetched is fetched by them."""
    source, _, _ = await find_source(session, who.org_id, source_id, lock=True)
    _require_client(source.system)
    if given.system != source.system:
        raise ValidationFailed.at("/system", f"The source is of system {source.system}.")
    told = given.model_dump(exclude={"system"}, exclude_none=True)
    now = await clock.now(session, who.org_id)
    row = await _find(session, who.org_id, source_id)
    if row is None:
        row = SourceCredentials(org_id=who.org_id, source_id=source_id, created_at=now, version=0)
        session.add(row)
    row.sealed = sealed.seal(session, who.org_id, source_id, sealed.CREDENTIALS, json.dumps(told))
    row.fields, row.changed_at, row.version = sorted(told), now, row.version + 1
    row.token = row.token_ends_at = row.renewing_until = row.last_failed_at = row.last_failure = None
    audit.record(session, who.org_id, who.label, "put-credentials", "source", source_id, {"fields": row.fields})
    await session.flush()  # before the errand is wanted that reads them
    await to_fetch.begin(session, who.org_id, source_id)
    return _shown(source.system, row)


def _require_client(system: str) -> None:
    if system not in CLIENTS:
        raise SystemNotAsked(f"Sources of system {system} are not asked for anything: they have no credentials.")


async def get(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> schemas.Credentials:
    """What is known of the credentials, without themselves."""
    source, _, _ = await find_source(session, org_id, source_id)
    return _shown(source.system, await _find(session, org_id, source_id))


async def remove(session: AsyncSession, who: Principal, source_id: UUID) -> None:
    """Forget them; what is to be fetched waits for others."""
    await find_source(session, who.org_id, source_id, lock=True)
    row = await _find(session, who.org_id, source_id)
    if row is not None:
        await session.delete(row)
        audit.record(session, who.org_id, who.label, "remove-credentials", "source", source_id, {})


async def _find(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> SourceCredentials | None:
    found = await session.execute(
        select(SourceCredentials)
        .where(SourceCredentials.org_id == org_id, SourceCredentials.source_id == source_id)
        .execution_options(populate_existing=True)
    )
    return found.scalar_one_or_none()


def _shown(system: str, row: SourceCredentials | None) -> schemas.Credentials:
    names = ("created_at", "changed_at", "last_used_at", "last_failed_at", "last_failure")
    return schemas.Credentials(
        system=system, fields=row.fields if row else [], **{name: getattr(row, name, None) for name in names}
    )


async def standing(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> tuple[bool, str | None]:
    """Whether a source has credentials, and why its system could not be asked the last time."""
    row = await _find(session, org_id, source_id)
    return row is not None, row.last_failure if row else None


async def require(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> Source:
    """The source, if its system can be asked. Raises `SourceNotFound`, `SystemNotAsked`, `CredentialsMissing`."""
    source, _, _ = await find_source(session, org_id, source_id)
    _require_client(source.system)
    if await _find(session, org_id, source_id) is None:
        raise CredentialsMissing("The source has no credentials yet.")
    return source


async def check(
    database: Database, outside: Outside, org_id: OrganizationId, source_id: UUID
) -> schemas.CredentialsCheck:
    """Ask the system something harmless. Raises `SourceNotFound`, `SystemNotAsked`."""
    async with database.read(org_id) as session:
        source, connection, _ = await find_source(session, org_id, source_id)
        _require_client(source.system)
        assert connection is not None, "systems that are asked are connected"  # noqa: S101
        is_there = await _find(session, org_id, source_id) is not None
    if not is_there:
        return schemas.CredentialsCheck(is_ok=False, account_id=None, problem="The source has no credentials yet.")
    try:
        async with asyncio.timeout(CHECK_SECONDS), asking(database, outside, org_id, source_id) as client:
            account = await client.check()
    except TimeoutError:
        return schemas.CredentialsCheck(is_ok=False, account_id=None, problem="The system did not answer in time.")
    except ClientError as error:
        return schemas.CredentialsCheck(is_ok=False, account_id=None, problem=str(error))
    if account is not None and not ADAPTERS[source.system].is_of_account(account, connection.account_id):
        problem = f"The credentials are of the account {account}, and the source of {connection.account_id}."
        return schemas.CredentialsCheck(is_ok=False, account_id=account, problem=problem)
    return schemas.CredentialsCheck(is_ok=True, account_id=account, problem=None)


@asynccontextmanager
async def asking(
    database: Database, outside: Outside, org_id: OrganizationId, source_id: UUID
) -> AsyncIterator[Client]:
    """The client of a source, outside of any transaction; whether it could ask is told with the credentials.

    Raises `ClientError`, as all that the client does; `AccessRefused` where there are no credentials.
    """
    try:
        client = await _client(database, outside, org_id, source_id)
        yield client
    except ClientError as error:
        await _note_failure(database, org_id, source_id, str(error))
        raise
    await _note_use(database, org_id, source_id)


async def _client(database: Database, outside: Outside, org_id: OrganizationId, source_id: UUID) -> Client:
    async with database.read(org_id) as session:
        source = await connected(session, org_id, source_id)
        row = await _find(session, org_id, source_id)
        if row is None or source.adapter.system not in CLIENTS:
            raise AccessRefused("The source has no credentials.")
        given = _opened(session, row)
    kind = CLIENTS[source.adapter.system]
    access = StoredAccess(database, outside, org_id, source_id, source.adapter.system)
    return kind(outside, Asked(source.adapter.account(source.account_id), source.mapping), given, access)


def _opened(session: AsyncSession, row: SourceCredentials) -> dict[str, str]:
    place = (row.org_id, row.source_id, sealed.CREDENTIALS)
    try:
        [text] = sealed.opened(keyring_of(session), *place, [row.sealed])
    except CannotOpen:
        raise AccessRefused("The credentials cannot be opened: the server lacks their encryption key.") from None
    given: dict[str, str] = json.loads(text)
    return given


async def _note_failure(database: Database, org_id: OrganizationId, source_id: UUID, failure: str) -> None:
    async with database.write(org_id) as session:
        at = await clock.now(session, org_id)
        await session.execute(_of(org_id, source_id).values(last_failed_at=at, last_failure=failure))


async def _note_use(database: Database, org_id: OrganizationId, source_id: UUID) -> None:
    async with database.write(org_id) as session:
        at = await clock.now(session, org_id)
        await session.execute(_of(org_id, source_id).values(last_used_at=at, last_failure=None))


def _of(org_id: OrganizationId, source_id: UUID) -> Update:
    return update(SourceCredentials).where(SourceCredentials.org_id == org_id, SourceCredentials.source_id == source_id)


class StoredAccess:
    """Access tokens of one source, shared by all processes: kept sealed, and renewed by one of them at a time."""

    def __init__(
        self, database: Database, outside: Outside, org_id: OrganizationId, source_id: UUID, system: str
    ) -> None:
        self._database, self._outside = database, outside
        self._org_id, self._source_id, self._system = org_id, source_id, system
        self._known: Token | None = None

    async def token(self, stale: str | None = None) -> Token:
        """A token that holds for a minute at least. Raises `AccessRefused`, `Unreachable` and what renewing raises."""
        if self._known is not None and self._holds(self._known, stale, datetime.now(UTC)):
            return self._known
        for _ in range(int(RENEWING.total_seconds() / POLL_SECONDS)):
            found = await self._look(stale)
            if isinstance(found, Token):
                self._known = found
                return found
            if found is not None:
                return await self._renew(found)
            await asyncio.sleep(POLL_SECONDS)
        raise Unreachable("The access token is being renewed for too long.")

    @staticmethod
    def _holds(token: Token, stale: str | None, now: datetime) -> bool:
        return token.text != stale and (token.ends_at is None or token.ends_at > now + EARLY)

    async def _look(self, stale: str | None) -> "Token | _Right | None":
        """A token that holds, or the right to renew it; None while another process has that right."""
        async with self._database.write(self._org_id) as session:
            row = await _find_locked(session, self._org_id, self._source_id)
            now = await database_now(session)
            token = self._token_of(session, row)
            if token is not None and self._holds(token, stale, now):
                return token
            if row.renewing_until is not None and row.renewing_until > now:
                return None
            row.renewing_until = now + RENEWING
            return _Right(_opened(session, row), row.version)

    def _token_of(self, session: AsyncSession, row: SourceCredentials) -> Token | None:
        if row.token is None:
            return None
        place = (self._org_id, self._source_id, sealed.TOKEN)
        try:
            [text] = sealed.opened(keyring_of(session), *place, [row.token])
        except CannotOpen:
            return None
        kept = json.loads(text)
        return Token(kept["text"], row.token_ends_at, kept["about"])

    async def _renew(self, right: "_Right") -> Token:
        try:
            renewed = await CLIENTS[self._system].renew_token(self._outside, right.given)
        except BaseException:
            async with self._database.write(self._org_id) as session:
                row = await _find_locked(session, self._org_id, self._source_id)
                if row.version == right.version:
                    row.renewing_until = None
            raise
        async with self._database.write(self._org_id) as session:
            row = await _find_locked(session, self._org_id, self._source_id)
            ends_at = await database_now(session) + timedelta(seconds=renewed.seconds)
            self._known = Token(renewed.text, ends_at, renewed.about)
            if row.version == right.version:  # else others were put meanwhile
                self._keep(session, row, right.given, renewed, ends_at)
        return self._known

    def _keep(
        self,
        session: AsyncSession,
        row: SourceCredentials,
        given: Mapping[str, str],
        renewed: Renewed,
        ends_at: datetime,
    ) -> None:
        kept = json.dumps({"text": renewed.text, "about": dict(renewed.about)})
        row.token = sealed.seal(session, self._org_id, self._source_id, sealed.TOKEN, kept)
        row.token_ends_at, row.renewing_until = ends_at, None
        if renewed.refresh_token is not None and renewed.refresh_token != given.get("refresh_token"):
            told = json.dumps({**given, "refresh_token": renewed.refresh_token})
            row.sealed = sealed.seal(session, self._org_id, self._source_id, sealed.CREDENTIALS, told)


@dataclass(frozen=True, slots=True)
class _Right:
    """The right to renew a token: by what was given, in this version."""

    given: Mapping[str, str]
    version: int


async def _find_locked(session: AsyncSession, org_id: OrganizationId, source_id: UUID) -> SourceCredentials:
    found = await session.execute(
        select(SourceCredentials)
        .where(SourceCredentials.org_id == org_id, SourceCredentials.source_id == source_id)
        .with_for_update()
    )
    row = found.scalar_one_or_none()
    if row is None:
        raise AccessRefused("The source has no credentials any more.")
    return row
