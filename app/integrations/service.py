"""Use cases of sources: connecting a system, its secrets and its mapping."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, clock, etags
from app.core.db import Database, OrganizationId
from app.core.ids import new_id
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import Conflict, NotFound, ValidationFailed
from app.events.sources import Source, SourceCounts, add_source
from app.events.waking import wake
from app.integrations import queries, refolding, schemas, sealed, to_fetch, watching
from app.integrations.adapters import ADAPTERS
from app.integrations.mapping import changed, mapping_of
from app.integrations.models import SourceConnection, SourceDirectory, SourceSecret
from app.integrations.refolding import REFOLD, RETELL

MOST_SECRETS = 5


class SourceNotFound(NotFound):
    """There is no such source in this organization."""

    code, title = "source-not-found", "Source not found"


class SecretNotFound(NotFound):
    """The source has no such active secret."""

    code, title = "secret-not-found", "Secret not found"


class TooManySecrets(Conflict):
    """A source has at most five active secrets: retire one first."""

    code, title = "too-many-secrets", "Too many secrets"


class SourceIsOurs(Conflict):
    """The organization's own sources, `api` and `paceline`, cannot be archived."""

    code, title = "source-is-ours", "The source is the organization's own"


async def create_source(
    database: Database, session: AsyncSession, who: Principal, new: schemas.SourceCreate, base_url: str
) -> schemas.Source:
    """Connect a system. The directory is written first, in its own transaction (`citus.md` rule 24)."""
    _check(new)
    source = await add_source(session, who.org_id, key=new.key, name=new.name, system=new.system, currency=new.currency)
    if new.system != "api":
        await _enter_directory(database, source.id, who.org_id)
        session.add(
            SourceConnection(
                org_id=who.org_id,
                source_id=source.id,
                account_id=new.account_id or "",
                signed_url=new.signed_url,
                mapping=new.mapping.model_dump(mode="json", exclude_none=True),
                version=1,
            )
        )
        await watching.begin(session, who.org_id, source.id)
        for secret in new.secrets:
            session.add(_secret(session, who.org_id, source.id, secret, source.created_at))
    if new.counts is not None:
        await session.flush()  # the row it follows must be there
        await _set_counts(session, who.org_id, source.id, new.counts)
    _note(session, who, "create", source.id, new.model_dump(mode="json", exclude={"secrets"}, exclude_none=True))
    await session.flush()  # the answer reads it back
    return await get_source(session, who.org_id, source.id, base_url)


def _check(new: schemas.SourceCreate) -> None:
    if new.system == "api":
        if new.secrets or new.account_id or new.signed_url:
            raise ValidationFailed.at("/system", "A source of system api posts with an API key: it has no secrets.")
    elif new.account_id is None and ADAPTERS[new.system].has_accounts:
        raise ValidationFailed.at("/account_id", f"A {new.system} source needs the account it is connected to.")
    _check_secrets(new.system, new.secrets)


def _check_secrets(system: str, secrets: Sequence[str]) -> None:
    for position, secret in enumerate(secrets):
        if fault := ADAPTERS[system].fault_of_secret(secret):
            raise ValidationFailed.at(f"/secrets/{position}", fault)


async def _enter_directory(database: Database, source_id: UUID, org_id: OrganizationId) -> None:
    async with database.aside.directory() as session:
        await session.execute(insert(SourceDirectory).values(source_id=source_id, org_id=org_id))


def _secret(session: AsyncSession, org_id: OrganizationId, source_id: UUID, secret: str, at: datetime) -> SourceSecret:
    kept = sealed.seal(session, org_id, source_id, sealed.SECRET, secret)
    return SourceSecret(org_id=org_id, id=new_id(), source_id=source_id, secret=kept, created_at=at)


async def list_sources(
    session: AsyncSession, org_id: OrganizationId, query: PageQuery, base_url: str
) -> schemas.SourcePage:
    """The organization's sources, the oldest first."""
    rows, following = await paginate(session, queries.sources(org_id), [Key(Source.created_at), Key(Source.id)], query)
    return schemas.SourcePage(items=await _shown(session, org_id, rows, base_url), next_cursor=following)


async def get_source(session: AsyncSession, org_id: OrganizationId, source_id: UUID, base_url: str) -> schemas.Source:
    """One source. Raises `SourceNotFound`."""
    [shown] = await _shown(session, org_id, [await find_source(session, org_id, source_id)], base_url)
    return shown


async def find_source(
    session: AsyncSession, org_id: OrganizationId, source_id: UUID, *, lock: bool = False
) -> tuple[Source, SourceConnection | None, list[str] | None]:
    """The source with its connection and what it counts for. Raises `SourceNotFound`.

    Who locks it keeps others from changing it meanwhile, and no webhook from being stored, which refers to its row.
    """
    wanted = queries.sources(org_id).where(Source.id == source_id)
    if lock:
        wanted = wanted.with_for_update(of=Source, key_share=True)
    found = (await session.execute(wanted)).one_or_none()
    if found is None:
        raise SourceNotFound(f"No source {source_id}.")
    return found[0], found[1], found[2]


async def _shown(
    session: AsyncSession,
    org_id: OrganizationId,
    rows: Sequence[Any],
    base_url: str,  # Any: rows of `sources`
) -> list[schemas.Source]:
    secrets = (await session.execute(queries.active_secrets(org_id, [row[0].id for row in rows]))).scalars().all()
    of_source: dict[UUID, list[SourceSecret]] = defaultdict(list)
    for secret in secrets:
        of_source[secret.source_id].append(secret)
    return [_show(row[0], row[1], row[2], of_source[row[0].id], base_url) for row in rows]


def _show(
    source: Source,
    connection: SourceConnection | None,
    counts: list[str] | None,
    secrets: Sequence[SourceSecret],
    base_url: str,
) -> schemas.Source:
    webhook_url = hook_url(base_url, source.id) if connection else None
    return schemas.Source(
        id=source.id,
        key=source.key,
        name=source.name,
        system=source.system,
        account_id=(connection.account_id or None) if connection else None,
        webhook_url=webhook_url,
        signed_url=(connection.signed_url or webhook_url) if connection else None,
        secrets=[schemas.SourceSecret.model_validate(secret) for secret in secrets],
        currency=source.currency,
        counts=counts,
        mapping=connection.mapping if connection else {},
        created_at=source.created_at,
        archived_at=source.archived_at,
        version=source.version,
    )


def hook_url(base_url: str, source_id: UUID) -> str:
    """Where a CRM posts to."""
    return f"{base_url.rstrip('/')}/v1/hooks/{source_id}"


async def update_source(
    session: AsyncSession,
    who: Principal,
    source_id: UUID,
    change: schemas.SourceUpdate,
    if_match: str | None,
    base_url: str,
) -> schemas.ChangedSource:
    """Change a source; another mapping or currency translates all of its records again, as a job.

    So does another account, or a mapping that reads more fields, with all of its stored deliveries; where the system
    can be asked, it is asked again for the records of which more is read.
    """
    await clock.tick(session, who.org_id)
    source, connection, counts = await find_source(session, who.org_id, source_id, lock=True)
    etags.check(if_match, source.version)
    wanted = change.model_dump(mode="json", exclude_unset=True)
    follows = REFOLD if wanted.get("currency", source.currency) != source.currency else None
    source.name, source.currency = wanted.get("name", source.name), wanted.get("currency", source.currency)
    source.version += 1
    if connection is not None:
        before = connection.mapping
        follows = _change_connection(connection, wanted) or follows
        now, then = (mapping_of(each, {}, "UTC") for each in (connection.mapping, before))
        await to_fetch.want_again(session, who.org_id, source_id, now.reads_more_of(then))
    elif {"mapping", "account_id", "signed_url"} & wanted.keys():
        raise ValidationFailed.at("", "A source of system api has no account, signed address or mapping.")
    if wanted.get("counts", counts) != counts:
        await _set_counts(session, who.org_id, source_id, wanted["counts"])
    job_id = await refolding.begin(session, who, source, follows) if follows and connection is not None else None
    _note(session, who, "update", source_id, wanted)
    await session.flush()  # the answer reads it back
    shown = await get_source(session, who.org_id, source_id, base_url)
    return schemas.ChangedSource(**shown.model_dump(), refold_job_id=job_id)


def _change_connection(connection: SourceConnection, wanted: dict[str, Any]) -> str | None:
    """Take over what is wanted; gives the job that makes the past follow, if it must."""
    account, before = connection.account_id, connection.mapping
    connection.account_id = wanted.get("account_id", account)
    connection.signed_url = wanted.get("signed_url", connection.signed_url)
    connection.mapping = changed(before, wanted.get("mapping", {}))
    connection.version += 1
    now, then = (mapping_of(each, {}, "UTC") for each in (connection.mapping, before))
    reads_more = now.reads_more_than(then)
    if reads_more or connection.account_id != account:
        return RETELL
    return REFOLD if connection.mapping != before else None


async def _set_counts(session: AsyncSession, org_id: OrganizationId, source_id: UUID, counts: list[str] | None) -> None:
    at = await clock.tick(session, org_id)
    found = await session.execute(
        select(SourceCounts).where(
            SourceCounts.org_id == org_id, SourceCounts.source_id == source_id, SourceCounts.superseded_at.is_(None)
        )
    )
    old = found.scalar_one()
    if old.recorded_at == at:
        old.counts = counts
        return
    old.superseded_at = at
    await session.flush()  # before its successor: one current row at a time
    session.add(SourceCounts(org_id=org_id, source_id=source_id, counts=counts, recorded_at=at))
    await wake(session, org_id)  # figures kept ready are begun anew


async def archive_source(session: AsyncSession, who: Principal, source_id: UUID) -> None:
    """Accept nothing from the source any more; what came from it stays."""
    at = await clock.tick(session, who.org_id)
    source, _, _ = await find_source(session, who.org_id, source_id, lock=True)
    if source.key == "api" or source.system == "paceline":
        raise SourceIsOurs(f"The source {source.key} belongs to the organization and stays.")
    if source.archived_at is None:
        source.archived_at = at
        source.version += 1
        _note(session, who, "archive", source_id, {})


async def add_secret(
    session: AsyncSession, who: Principal, source_id: UUID, new: schemas.SourceSecretCreate
) -> schemas.SourceSecret:
    """One more active secret."""
    source, connection, _ = await find_source(session, who.org_id, source_id, lock=True)
    if connection is None:
        raise ValidationFailed.at("/secret", "A source of system api has no secrets: it posts with an API key.")
    _check_secrets(source.system, [new.secret])
    active = (await session.execute(queries.active_secrets(who.org_id, [source_id]))).scalars().all()
    if len(active) >= MOST_SECRETS:
        raise TooManySecrets(f"The source has {len(active)} active secrets: retire one first.")
    secret = _secret(session, who.org_id, source_id, new.secret, await clock.now(session, who.org_id))
    session.add(secret)
    _note(session, who, "add-secret", source_id, {"secret_id": str(secret.id)})
    await session.flush()  # the answer shows the stored row
    return schemas.SourceSecret.model_validate(secret)


async def retire_secret(session: AsyncSession, who: Principal, source_id: UUID, secret_id: UUID) -> None:
    """Accept deliveries by this secret no longer, at once."""
    await find_source(session, who.org_id, source_id, lock=True)
    found = await session.execute(queries.active_secrets(who.org_id, [source_id]).where(SourceSecret.id == secret_id))
    secret = found.scalar_one_or_none()
    if secret is None:
        raise SecretNotFound(f"No active secret {secret_id}.")
    secret.retired_at = await clock.now(session, who.org_id)
    _note(session, who, "retire-secret", source_id, {"secret_id": str(secret_id)})


def _note(session: AsyncSession, who: Principal, action: str, source_id: UUID, changes: dict[str, Any]) -> None:
    audit.record(session, who.org_id, who.label, action, "source", source_id, changes)
