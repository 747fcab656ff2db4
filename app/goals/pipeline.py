"""Open deals expected to close in a goal's period, beside its forecast (design section 7)."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from heapq import nsmallest
from typing import Any
from uuid import UUID

from app.accounts.service import settings_as_known
from app.calendars.periods import DayRange
from app.calendars.service import calendar_settings
from app.events.facts import OWNER, with_owner
from app.goals import deals_told
from app.goals.asked import Moment
from app.goals.deals_told import Sought
from app.goals.open_deals import (
    CLOSING_FIELDS,
    Deal,
    Posted,
    closing_day,
    closing_fields,
    first_told,
    made_as_it_stands,
    open_of,
)
from app.goals.progress_schemas import OpenDeal, Pipeline
from app.goals.standing import Standing
from app.goals.work import owner_of
from app.integrations.adapters import ADAPTERS
from app.integrations.mapping import mapping_of
from app.kpis.attribution import Days
from app.kpis.definition import Aggregate, EventMeasure
from app.kpis.formulas import FORMULA
from app.kpis.loading import attributor_of
from app.kpis.service import load_kpis
from app.rates.service import load_rates

SHOWN = 10
_PAGE = 2_000


@dataclass(frozen=True)
class _Counted:
    """How the KPI counts won deals: their amounts or their number, whose credits in which role, split or whole (S9)."""

    is_money: bool
    role: str
    is_split: bool


@dataclass(frozen=True)
class _Whose:
    """The identities that are the owner's today; None: everybody is."""

    identities: frozenset[UUID] | None
    counted: _Counted

    def part(self, credits_: Iterable[tuple[str, UUID, Decimal]]) -> Decimal:
        """The share of these credits that is the owner's."""
        if self.identities is None:
            return Decimal(1)
        mine = [share for role, who, share in credits_ if role == self.counted.role and who in self.identities]
        return sum(mine, Decimal(0)) if self.counted.is_split else Decimal(bool(mine))


async def pipeline_of(standing: Standing) -> Pipeline:
    """Open deals that are expected to close from today to the period's end, of the goal's owner as of today.

    Of connected systems by what their records say, else by the events that opened a deal, with a property `close_date`
    or `expected_close_on`. A deal is open that was neither won nor lost. Filters of the KPI are not asked.
    """
    if standing.is_over:
        return Pipeline(count=None, value=None, because="over")
    counted = await _counted(standing)
    if counted is None:
        return Pipeline(count=None, value=None, because="not_of_won_deals")
    goal = standing.goal
    found = await standing.asking.session.execute(deals_told.connected(goal.org_id, CLOSING_FIELDS))
    sources = found.all()
    if sources and standing.asking.moment != Moment():
        return Pipeline(count=None, value=None, because="as_of_past")
    whose = _Whose(await _identities(standing), counted)
    days = DayRange(max(standing.today, goal.start_on), goal.end_on)
    deals = [deal for source in sources async for deal in _of_records(standing, source, whose, days)]
    deals += await _of_events(standing, [source.id for source in sources], whose, days)
    return await _told(standing, deals, is_money=counted.is_money)


async def _counted(standing: Standing) -> _Counted | None:
    """How the KPI sums amounts of won deals, or counts them; None where it does neither."""
    session, goal = standing.asking.session, standing.goal
    history = (await load_kpis(session, goal.org_id, [goal.kpi_key], standing.answer.known_at))[goal.kpi_key]
    version = history.version_on(goal.last_day)
    measures = list(version.definition.measures.values())
    of_wins = [each for each in measures if isinstance(each, EventMeasure) and each.events == ("deal.won",)]
    if not of_wins or len(of_wins) != len(measures):
        return None
    if not {each.aggregate for each in of_wins} <= {Aggregate.COUNT, Aggregate.SUM}:
        return None
    if {each.value for each in of_wins} > {None, ("amount",)} or len(
        {(each.role, each.credit) for each in of_wins}
    ) > 1:
        return None
    return _Counted(version.unit["kind"] == "money", of_wins[0].role, of_wins[0].credit == "split")


async def _told(standing: Standing, deals: Sequence[Deal], *, is_money: bool) -> Pipeline:
    worth = await _worth(standing, deals)
    known = [value for _, value in worth if value is not None]
    number = reduce(FORMULA.add, (deal.part for deal in deals), Decimal(0))
    largest = nsmallest(
        SHOWN, worth, key=lambda each: (each[1] is None, -(each[1] or 0), each[0].closes_on, each[0].id)
    )
    return Pipeline(
        count=len(deals),
        value=reduce(FORMULA.add, known, Decimal(0)) if is_money else number,
        unconverted=sum(value is None and deal.amount is not None for deal, value in worth),
        without_amount=sum(deal.amount is None for deal in deals),
        deals=[
            OpenDeal(id=deal.id, label=deal.label, url=deal.url, closes_on=deal.closes_on, amount=value)
            for deal, value in largest
        ],
    )


async def _worth(standing: Standing, deals: Sequence[Deal]) -> list[tuple[Deal, Decimal | None]]:
    """Each deal with the owner's part of its amount in the goal's currency, by today's rates."""
    session, goal, known_at = standing.asking.session, standing.goal, standing.answer.known_at
    settings = await settings_as_known(session, goal.org_id, known_at)
    currency = standing.answer.currency
    home = settings.currency if settings is not None else currency
    told = {deal.currency for deal in deals if deal.currency is not None and deal.amount is not None}
    book = await load_rates(session, goal.org_id, goal.rate_set, known_at) if told else None
    factors = {each: book.factor(each, currency, standing.today, home) for each in told} if book else {}

    def worth(deal: Deal) -> Decimal | None:
        factor = factors.get(deal.currency) if deal.currency else None
        if deal.amount is None or factor is None:
            return None
        return FORMULA.multiply(factor.convert(deal.amount), deal.part)

    return [(deal, worth(deal)) for deal in deals]


async def _identities(standing: Standing) -> frozenset[UUID] | None:
    """The owner's, as of today."""
    goal, today = standing.goal, standing.today
    owner = owner_of(goal)
    if owner.kind == "organization":
        return None
    session, known_at = standing.asking.session, standing.answer.known_at
    attributor = await attributor_of(session, goal.org_id, known_at, "at_event", today)
    return frozenset(span.identity_id for span in attributor.spans(owner) if _holds(span.days, standing))


def _holds(days: Days, standing: Standing) -> bool:
    return days.start <= standing.today < days.end


# ------------------------------------------------------------------------------------------- what systems tell


async def _of_records(standing: Standing, source: Any, whose: _Whose, days: DayRange) -> AsyncIterator[Deal]:
    """Page by page: a page of records is all that is held, however many there are. `source`: a row of `connected`."""
    session, org_id = standing.asking.session, standing.goal.org_id
    zone = (await calendar_settings(session, org_id, standing.answer.known_at)).zone.key
    adapter = ADAPTERS[source.system]
    mapping = mapping_of(source.mapping, adapter.defaults, zone)
    fields = closing_fields(source.system, mapping)
    people: dict[str, UUID] = {}
    if whose.identities is not None:
        found = await session.execute(deals_told.people_of(org_id, source.id, whose.identities))
        people = {row.external_id: row.id for row in found}
        if not people:
            return
    after, is_more = "", True
    while is_more:
        page = await session.execute(deals_told.open_records(org_id, Sought(source.id, fields, days), after, _PAGE))
        rows = page.all()
        is_more = len(rows) == _PAGE
        for external_id, label, state in rows:
            after = external_id
            closes_on = closing_day(source.system, first_told(state, fields), zone)
            facts = made_as_it_stands(adapter, mapping, source.key, external_id, state)
            if closes_on is None or closes_on not in days or facts is None:
                continue
            credits_ = with_owner(facts.actor, facts.credits)
            mine = [
                (each.role, people[each.person.external_id], each.share)
                for each in credits_
                if each.person.external_id in people
            ]
            if part := whose.part(mine):
                yield Deal(
                    id=f"{source.key}:deal:{external_id}",
                    closes_on=closes_on,
                    amount=facts.amount,
                    currency=None if facts.amount is None else facts.currency or source.currency,
                    part=part,
                    label=label,
                    url=adapter.address(source.account_id, "deal", external_id),
                )


# -------------------------------------------------------------------------------------------- what was posted


async def _of_events(standing: Standing, connected: Sequence[UUID], whose: _Whose, days: DayRange) -> list[Deal]:
    """Deals that posted events opened, and none has closed by T."""
    session, org_id = standing.asking.session, standing.goal.org_id
    known_at, at = standing.answer.known_at, standing.answer.as_of
    told = await session.execute(deals_told.posted_deals(org_id, known_at, at, connected, days))
    ids = told.scalars().all()
    if not ids:
        return []
    zone = (await calendar_settings(session, org_id, known_at)).zone.key
    rows = await session.execute(deals_told.events_of(org_id, known_at, at, connected, ids))
    found = {id_: deal for id_, deal in open_of(map(Posted._make, rows), zone).items() if deal.closes_on in days}
    shared = await _credits(standing, [deal.latest for deal in found.values()])
    return [
        Deal(id=id_, closes_on=deal.closes_on, amount=deal.amount, currency=deal.currency, part=part)
        for id_, deal in found.items()
        if (part := whose.part(shared[deal.latest.row_id]))
    ]


async def _credits(standing: Standing, events: Sequence[Posted]) -> dict[UUID, list[tuple[str, UUID, Decimal]]]:
    """Whose these events are."""
    found: dict[UUID, list[tuple[str, UUID, Decimal]]] = defaultdict(list)
    for event in events:
        if event.identity_id is not None:
            found[event.row_id].append((OWNER, event.identity_id, Decimal(1)))
    if shared := [event.row_id for event in events if event.is_shared]:
        rows = await standing.asking.session.execute(deals_told.credits_of(standing.goal.org_id, shared))
        for row in rows:
            found[row.row_id].append((row.role, row.identity_id, row.share))
    return found
