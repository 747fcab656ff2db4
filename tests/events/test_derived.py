"""Events of records: the ledger is made to say exactly what is desired, and no more is written than differs."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.core.db import OrganizationId
from app.events.facts import Credit, EventFacts, PersonRef
from app.events.models import Event, EventHead
from app.events.service import InvalidFactsError, record_events, settle_derived
from app.events.sources import add_source
from tests.support import Api, World

ADA = PersonRef("910901")


def fact(external_id: str, amount: int | None = None, who: PersonRef | None = ADA, **more: Any) -> EventFacts:
    return EventFacts(
        external_id=external_id,
        type=external_id.split(":")[2],
        occurred_at=datetime(2026, 7, 10, tzinfo=UTC),
        actor=who,
        about={"deal": "hubspot:deal:508"},
        amount=None if amount is None else Decimal(amount),
        currency=None if amount is None else "EUR",
        properties={},
        **more,
    )


class Ledger:
    """The derived events of one organization's CRM."""

    def __init__(self, api: Api, world: World) -> None:
        self.api, self.world = api, world
        self.org_id = OrganizationId(api.org_id)
        self.source_id: UUID

    async def connect(self, currency: str | None = None) -> None:
        async with self.world.database.write(self.org_id) as session:
            made = await add_source(
                session, self.org_id, key="hubspot", name="HubSpot", system="hubspot", currency=currency
            )
            self.source_id = made.id

    async def settle(self, desired: dict[str, list[EventFacts]]) -> int:
        async with self.world.database.write(self.org_id) as session:
            return len(await settle_derived(session, org_id=self.org_id, source_id=self.source_id, desired=desired))

    async def standing(self) -> dict[str, Any]:
        async with self.world.database.read(self.org_id) as session:
            rows = await session.execute(
                select(Event.external_id, Event.amount).where(
                    Event.org_id == self.org_id, Event.superseded_at.is_(None), Event.retracted.is_(False)
                )
            )
            return {row.external_id: row.amount for row in rows}

    async def revisions(self) -> int:
        async with self.world.database.read(self.org_id) as session:
            return len((await session.execute(select(Event.row_id).where(Event.org_id == self.org_id))).all())


@pytest.fixture
async def ledger(api: Api, world: World) -> Ledger:
    made = Ledger(api, world)
    await made.connect()
    return made


CREATED, WON = fact("deal:508:deal.created", 500), fact("deal:508:deal.won", 500)


async def test_only_what_differs_is_written(ledger: Ledger) -> None:
    assert await ledger.settle({"deal:508:": [CREATED, WON]}) == 2
    assert await ledger.settle({"deal:508:": [CREATED, WON]}) == 0
    assert await ledger.settle({"deal:508:": [CREATED, replace(WON, amount=Decimal("450.00"))]}) == 1
    assert await ledger.standing() == {CREATED.external_id: 500, WON.external_id: 450}
    assert await ledger.revisions() == 3


async def test_what_is_not_desired_any_more_is_retracted_and_comes_back(ledger: Ledger) -> None:
    await ledger.settle({"deal:508:": [CREATED, WON]})
    assert await ledger.settle({"deal:508:": [CREATED]}) == 1
    assert await ledger.settle({"deal:508:": [CREATED]}) == 0
    assert await ledger.standing() == {CREATED.external_id: 500}
    assert await ledger.settle({"deal:508:": [CREATED, WON]}) == 1
    assert await ledger.standing() == {CREATED.external_id: 500, WON.external_id: 500}
    assert await ledger.settle({"deal:508:": []}) == 2
    assert await ledger.standing() == {}


async def test_other_records_are_not_touched(ledger: Ledger) -> None:
    others = {f"deal:{n}:": [fact(f"deal:{n}:deal.won", n)] for n in (50, 507, 509, 5080)}
    await ledger.settle({"deal:508:": [WON], **others, "company:508:": [fact("company:508:customer.created")]})
    assert await ledger.settle({"deal:508:": []}) == 1
    assert len(await ledger.standing()) == 5


async def test_each_difference_is_the_heads_version_plus_one(ledger: Ledger) -> None:
    for amount in (1, 2, 3):
        await ledger.settle({"deal:508:": [replace(WON, amount=Decimal(amount))]})
    async with ledger.world.database.read(ledger.org_id) as session:
        head = (await session.execute(select(EventHead).where(EventHead.org_id == ledger.org_id))).scalar_one()
        assert (head.version, head.revision) == (3, 3)


async def test_a_record_can_be_settled_twice_in_one_transaction(ledger: Ledger) -> None:
    async with ledger.world.database.write(ledger.org_id) as session:
        for amount in (1, 2):
            desired = {"deal:508:": [replace(WON, amount=Decimal(amount))]}
            await settle_derived(session, org_id=ledger.org_id, source_id=ledger.source_id, desired=desired)
    assert await ledger.standing() == {WON.external_id: 2}
    assert await ledger.revisions() == 2


async def test_shared_credits_are_retracted_and_revised_with_their_event(ledger: Ledger) -> None:
    halves = tuple(Credit("owner", PersonRef(who), Decimal("0.5")) for who in ("1", "2"))
    await ledger.settle({"deal:508:": [replace(WON, credits=halves)]})
    await ledger.settle({"deal:508:": []})
    event = (await ledger.api.get("/events", include_retracted=True))["items"][0]
    assert [credit["actor"]["id"] for credit in event["credits"]] == ["1", "2"]
    await ledger.settle({"deal:508:": [WON]})
    event = (await ledger.api.get("/events"))["items"][0]
    assert [credit["actor"]["id"] for credit in event["credits"]] == ["910901"]


async def test_bad_facts_of_an_adapter_stop_before_anything_is_written(ledger: Ledger) -> None:
    with pytest.raises(InvalidFactsError, match=r"deal:508:deal\.won: /properties/note"):
        await ledger.settle({"deal:508:": [CREATED, replace(WON, properties={"note": "x" * 2001})]})
    with pytest.raises(InvalidFactsError, match="told twice"):
        await ledger.settle({"deal:508:": [WON, WON]})
    with pytest.raises(InvalidFactsError, match="does not begin with deal:509:"):
        await ledger.settle({"deal:509:": [WON]})
    assert await ledger.revisions() == 0


async def test_the_sources_currency_is_no_difference(api: Api, world: World) -> None:
    ledger = Ledger(api, world)
    await ledger.connect(currency="PLN")
    bare = replace(WON, currency=None)
    assert await ledger.settle({"deal:508:": [bare]}) == 1
    assert await ledger.settle({"deal:508:": [bare]}) == 0
    assert (await api.get("/events"))["items"][0]["amount"]["currency"] == "PLN"


async def test_one_bad_fact_never_keeps_the_others_back(ledger: Ledger) -> None:
    async with ledger.world.database.write(ledger.org_id) as session:
        outcomes = await record_events(
            session,
            org_id=ledger.org_id,
            source_id=ledger.source_id,
            facts=[replace(WON, type="won"), CREATED, replace(WON, amount=Decimal(1))],
        )
    assert [outcome.outcome for outcome in outcomes] == ["rejected", "accepted", "accepted"]
    assert outcomes[0].field == "/type"
