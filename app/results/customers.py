"""Customers of an organization or a team as the ledger tells of them: days, contacts, open deals."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Subquery, and_, any_, cast, func, literal, or_, select
from sqlalchemy import Text as SqlText
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import OrganizationId
from app.events.models import EventCredit
from app.kpis.attribution import Days
from app.kpis.measures import Scope
from app.kpis.measures.ledger import Ledger

LOOKED_BACK = timedelta(days=730)
_TEXT = SqlText(collation="C")


@dataclass
class Customer:
    """What is known of one within two years: the days of its habits, contacts, and deals that began or ended."""

    habits: Sequence[date] = ()
    last_contact: date | None = None
    first_deal: date | None = None
    contacts: int = 0
    open_deals: int = 0
    has_won: bool = False
    has_left: bool = False


async def load_customers(
    session: AsyncSession,
    scope: Scope,
    today: date,
    habits: Collection[str],
    contacts: Collection[str],
    identities: Collection[UUID] | None,
) -> dict[str, Customer]:
    """The customers with an event in the two years before a day; with `identities` only theirs."""
    ledger = Ledger(scope, Days(today - LOOKED_BACK, today + timedelta(days=1)))
    found: dict[str, Customer] = {}
    for customer, days in await session.execute(_days(ledger, habits, identities, scope.org_id)):
        _of(found, customer).habits = days
    for customer, last, number in await session.execute(_last(ledger, contacts, identities, scope.org_id)):
        one = _of(found, customer)
        one.last_contact, one.contacts = last, number
    for customer, first, is_open, is_won in await session.execute(_deals(ledger, identities, scope.org_id)):
        one = _of(found, customer)
        one.first_deal = min(first, one.first_deal or first)
        one.open_deals += bool(is_open)
        one.has_won = one.has_won or bool(is_won)
    for (customer,) in await session.execute(_left(ledger, scope.org_id)):
        if customer in found:
            found[customer].has_left = True
    return found


def _of(found: dict[str, Customer], customer: str) -> Customer:
    return found.setdefault(customer, Customer())


def _thing(view: Subquery, thing: str) -> Any:
    return view.c.about.op("->>")(literal(thing, SqlText())).cast(_TEXT)


def _days(
    ledger: Ledger, types: Collection[str], identities: Collection[UUID] | None, org_id: OrganizationId
) -> Select[*tuple[Any, ...]]:
    """Each customer's different days, in order."""
    view, _ = ledger.view(sorted(types), in_days=True)
    customer = _thing(view, "customer")
    days = func.array_agg(aggregate_order_by(view.c.day.distinct(), view.c.day))
    return (
        _theirs(select(customer, days), view, ledger, identities, org_id)
        .where(customer.is_not(None))
        .group_by(customer)
    )


def _last(
    ledger: Ledger, types: Collection[str], identities: Collection[UUID] | None, org_id: OrganizationId
) -> Select[*tuple[Any, ...]]:
    view, _ = ledger.view(sorted(types), in_days=True)
    customer = _thing(view, "customer")
    told = select(customer, func.max(view.c.day), func.count())
    return _theirs(told, view, ledger, identities, org_id).where(customer.is_not(None)).group_by(customer)


def _deals(ledger: Ledger, identities: Collection[UUID] | None, org_id: OrganizationId) -> Select[*tuple[Any, ...]]:
    """Each deal (a win that names none is one) with its customer: is it open, is it won?"""
    view, _ = ledger.view(["deal.created", "deal.lost", "deal.won"], in_days=True)
    deal = _thing(view, "deal")
    customer = func.max(_thing(view, "customer"))
    is_open = func.bool_and(and_(view.c.type == "deal.created", deal.is_not(None)))
    is_won = func.bool_or(view.c.type == "deal.won")
    return (
        _theirs(select(customer, func.min(view.c.day), is_open, is_won), view, ledger, identities, org_id)
        .group_by(func.coalesce(deal, cast(view.c.row_id, _TEXT)))
        .having(customer.is_not(None))
    )


def _left(ledger: Ledger, org_id: OrganizationId) -> Select[*tuple[Any, ...]]:
    view, _ = ledger.view(["customer.churned"], in_days=True)
    customer = _thing(view, "customer")
    return _theirs(select(customer).distinct(), view, ledger, None, org_id).where(customer.is_not(None))


def _theirs(
    told: Select[*tuple[Any, ...]],
    view: Subquery,
    ledger: Ledger,
    identities: Collection[UUID] | None,
    org_id: OrganizationId,
) -> Select[*tuple[Any, ...]]:
    chosen = told.select_from(view).where(view.c.day >= ledger.days.start, view.c.day < ledger.days.end)
    if identities is None:
        return chosen
    own = literal(sorted(identities), ARRAY(SqlUuid()))
    credited = (
        select(EventCredit.row_id)
        .where(EventCredit.org_id == org_id, EventCredit.identity_id == any_(own), EventCredit.row_id == view.c.row_id)
        .correlate(view)
        .exists()
    )
    return chosen.where(or_(view.c.identity_id == any_(own), and_(view.c.is_shared, credited)))
