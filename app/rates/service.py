"""Use cases of sets of exchange rates, and what those who compute figures ask of them."""

from datetime import datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.access import Principal
from app.core import audit, clock, etags
from app.core.configuration import remembered
from app.core.db import OrganizationId
from app.core.pagination import Key, PageQuery, paginate
from app.core.problems import Conflict, NotFound, ValidationFailed, constraint_problem
from app.rates import queries, schemas
from app.rates.conversion import EMPTY, Kind, Rate, RateBook
from app.rates.models import ExchangeRateRow, RateSetRow

DEFAULT_SET = "daily"


class RateSetNotFound(NotFound):
    """There is no such set of exchange rates in this organization."""

    code, title = "rate-set-not-found", "Rate set not found"


class RateSetKeyTaken(Conflict):
    """Another set of exchange rates has this key already: choose another."""

    code, title = "rate-set-key-taken", "Rate set key taken"


constraint_problem("uq_rate_set_key", RateSetKeyTaken)


async def load_rates(
    session: AsyncSession, org_id: OrganizationId, set_key: str | None, known_at: datetime
) -> RateBook:
    """The rates of a set as recorded by `known_at` (S5); None: of the set `daily`, or none where there is no such set.

    A set that was made later has no rates yet. Raises `ValidationFailed` at `/rate_set` for a key that no set ever had.
    """
    load = partial(_load_rates, session, org_id, set_key, known_at)
    return await remembered(session, org_id, known_at, ("rates", set_key), load)


async def _load_rates(
    session: AsyncSession, org_id: OrganizationId, set_key: str | None, known_at: datetime
) -> RateBook:
    found = await _set_as_known(session, org_id, set_key, known_at)
    if found is None:
        return EMPTY
    rows = await session.execute(queries.rates_as_known(org_id, found.id, known_at))
    return RateBook.of(cast(Kind, found.kind), [Rate(*row) for row in rows])


async def has_rates(session: AsyncSession, org_id: OrganizationId, set_key: str | None, known_at: datetime) -> bool:
    """Whether `load_rates` would find any rate. Raises as it does."""
    load = partial(_look_for_rates, session, org_id, set_key, known_at)
    return await remembered(session, org_id, known_at, ("has rates", set_key), load)


async def _look_for_rates(
    session: AsyncSession, org_id: OrganizationId, set_key: str | None, known_at: datetime
) -> bool:
    found = await _set_as_known(session, org_id, set_key, known_at)
    if found is None:
        return False
    return (await session.execute(queries.rates_as_known(org_id, found.id, known_at).limit(1))).first() is not None


async def _set_as_known(
    session: AsyncSession, org_id: OrganizationId, set_key: str | None, known_at: datetime
) -> RateSetRow | None:
    key = DEFAULT_SET if set_key is None else set_key
    found = (await session.execute(queries.set_as_known(org_id, key, known_at))).scalar_one_or_none()
    if found is None and set_key is not None:
        await _insist(session, org_id, key)
    return found


async def _insist(session: AsyncSession, org_id: OrganizationId, key: str) -> None:
    if (await session.execute(queries.sets_ever_named(org_id, key))).first() is None:
        raise ValidationFailed.at("/rate_set", f"There is no set of exchange rates {key[:100]!r}.", "rate_set_unknown")


async def list_sets(session: AsyncSession, org_id: OrganizationId, query: PageQuery) -> schemas.RateSetPage:
    """The sets, by key."""
    rows, following = await paginate(session, queries.current_sets(org_id), [Key(RateSetRow.key)], query)
    return schemas.RateSetPage(items=[schemas.RateSet.model_validate(row) for row in rows], next_cursor=following)


async def get_set(session: AsyncSession, org_id: OrganizationId, rate_set_id: UUID) -> RateSetRow:
    """One set as it is now. Raises `RateSetNotFound`."""
    found = (await session.execute(queries.current_set(org_id, rate_set_id))).scalar_one_or_none()
    if found is None:
        raise RateSetNotFound(f"No set of exchange rates {rate_set_id}.")
    return found


async def create_set(session: AsyncSession, who: Principal, new: schemas.RateSetCreate) -> RateSetRow:
    """Store a set; a taken key is `RateSetKeyTaken`."""
    at = await clock.tick(session, who.org_id)
    row = RateSetRow(org_id=who.org_id, recorded_at=at, created_at=at, version=1, **new.model_dump())
    session.add(row)
    await session.flush()  # the answer shows the stored row
    audit.record(session, who.org_id, who.label, "create", "rate-set", row.id, new.model_dump(mode="json"))
    return row


async def update_set(
    session: AsyncSession, who: Principal, rate_set_id: UUID, change: schemas.RateSetUpdate, if_match: str | None
) -> RateSetRow:
    """Record a new revision of a set."""
    at = await clock.tick(session, who.org_id)
    old = await get_set(session, who.org_id, rate_set_id)
    etags.check(if_match, old.version)
    wanted = change.model_dump(exclude_unset=True)
    if all(getattr(old, name) == value for name, value in wanted.items()):
        return old
    kept: dict[str, Any] = {name: getattr(old, name) for name in ("org_id", "id", "key", "kind", "name", "created_at")}
    old.superseded_at = at
    await session.flush()  # before its successor: one current row at a time
    row = RateSetRow(**kept | wanted, version=old.version + 1, recorded_at=at)
    session.add(row)
    await session.flush()  # the answer shows the stored row
    changes = change.model_dump(mode="json", exclude_unset=True)
    audit.record(session, who.org_id, who.label, "update", "rate-set", row.id, changes)
    return row


async def delete_set(session: AsyncSession, who: Principal, rate_set_id: UUID, if_match: str | None) -> None:
    """End a set with all its rates; answers as of earlier instants keep them."""
    at = await clock.tick(session, who.org_id)
    old = await get_set(session, who.org_id, rate_set_id)
    etags.check(if_match, old.version)
    old.superseded_at = at
    await session.execute(
        update(ExchangeRateRow)
        .where(
            ExchangeRateRow.org_id == who.org_id,
            ExchangeRateRow.rate_set_id == rate_set_id,
            ExchangeRateRow.superseded_at.is_(None),
        )
        .values(superseded_at=at)
        .execution_options(synchronize_session=False)
    )
    audit.record(session, who.org_id, who.label, "delete", "rate-set", rate_set_id)
