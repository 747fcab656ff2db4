"""Reading of exchange rates."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Date,
    Select,
    TableValuedAlias,
    Text,
    Uuid,
    and_,
    column,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeEngine

from app.core.db import OrganizationId, known_by
from app.rates.models import ExchangeRateRow, RateSetRow
from app.rates.schemas import ExchangeRatesQuery

rate = ExchangeRateRow
rate_set = RateSetRow


def current_sets(org_id: OrganizationId) -> Select[RateSetRow]:
    """The sets there are now."""
    return select(rate_set).where(rate_set.org_id == org_id, rate_set.superseded_at.is_(None))


def current_set(org_id: OrganizationId, rate_set_id: UUID) -> Select[RateSetRow]:
    """One of them."""
    return current_sets(org_id).where(rate_set.id == rate_set_id)


def sets_ever_named(org_id: OrganizationId, key: str) -> Select[*tuple[Any, ...]]:
    """Whether there ever was a set with this key."""
    return select(rate_set.id).where(rate_set.org_id == org_id, rate_set.key == key).limit(1)


def set_as_known(org_id: OrganizationId, key: str, known_at: datetime) -> Select[RateSetRow]:
    """The set with this key as recorded by an instant (S5)."""
    return select(rate_set).where(rate_set.org_id == org_id, rate_set.key == key, known_by(rate_set, known_at))


def rates_as_known(org_id: OrganizationId, rate_set_id: UUID, known_at: datetime) -> Select[*tuple[Any, ...]]:
    """Pair, days and rate of all rates of a set as recorded by an instant (S5)."""
    return select(rate.base, rate.quote, rate.valid_from, rate.valid_to, rate.rate).where(
        rate.org_id == org_id, rate.rate_set_id == rate_set_id, known_by(rate, known_at)
    )


def current_rates(org_id: OrganizationId) -> Select[*tuple[Any, ...]]:
    """The rates there are now, each with the key of its set."""
    return (
        select(rate, rate_set.key)
        .join(rate_set, and_(rate_set.org_id == rate.org_id, rate_set.id == rate.rate_set_id))
        .where(rate.org_id == org_id, rate_set.org_id == org_id)
        .where(rate.superseded_at.is_(None), rate_set.superseded_at.is_(None))
    )


def of_pairs(org_id: OrganizationId, pairs: Iterable[tuple[UUID, str, str]]) -> Select[ExchangeRateRow]:
    """All current rates of these pairs of sets."""
    ids, bases, quotes = zip(*pairs, strict=True)
    wanted = _listed(("set_id", Uuid(), ids), ("base", Text(), bases), ("quote", Text(), quotes))
    return _among(
        org_id, select(wanted.c.set_id, wanted.c.base, wanted.c.quote), rate.rate_set_id, rate.base, rate.quote
    )


def of_days(org_id: OrganizationId, days: Iterable[tuple[UUID, str, str, date]]) -> Select[ExchangeRateRow]:
    """The current rates of these pairs of sets that begin on these days."""
    ids, bases, quotes, starts = zip(*days, strict=True)
    wanted = _listed(
        ("set_id", Uuid(), ids), ("base", Text(), bases), ("quote", Text(), quotes), ("start", Date(), starts)
    )
    named = select(wanted.c.set_id, wanted.c.base, wanted.c.quote, wanted.c.start)
    return _among(org_id, named, rate.rate_set_id, rate.base, rate.quote, rate.valid_from)


def _listed(*columns: tuple[str, TypeEngine[Any], tuple[Any, ...]]) -> TableValuedAlias:
    """Values as a table, a parameter each column however many they are."""
    arrays = [literal(list(values), ARRAY(type_)) for _, type_, values in columns]
    return (
        func.unnest(*arrays)
        .table_valued(*[column(name, type_) for name, type_, _ in columns], name="w")
        .render_derived()
    )


def _among(
    org_id: OrganizationId, named: Select[*tuple[Any, ...]], *columns: InstrumentedAttribute[Any]
) -> Select[ExchangeRateRow]:
    return select(rate).where(rate.org_id == org_id, rate.superseded_at.is_(None), tuple_(*columns).in_(named))


def filtered(org_id: OrganizationId, query: ExchangeRatesQuery) -> Select[*tuple[Any, ...]]:
    """The current rates that a query asks for."""
    conditions = {
        rate_set.key: query.rate_set,
        rate.base: query.base,
        rate.quote: query.quote,
    }
    wanted = current_rates(org_id).where(*[column == value for column, value in conditions.items() if value])
    if query.begins_from is not None:
        wanted = wanted.where(rate.valid_from >= query.begins_from)
    return wanted if query.begins_before is None else wanted.where(rate.valid_from < query.begins_before)
