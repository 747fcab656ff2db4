"""Open deals of each connected system, as its own messages tell of them, beside a goal; over HTTP."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from app.goals.open_deals import CLOSING_FIELDS, closing_day
from app.integrations.adapters import ADAPTERS, dynamics365, hubspot, salesforce_fields
from app.integrations.adapters import fxiaoke as fxiaoke_adapter
from app.integrations.adapters import pipedrive as pipedrive_adapter
from app.integrations.adapters import zoho as zoho_adapter
from tests.goals.facts import define, happened, post_events
from tests.goals.test_progress import goal_of, progress
from tests.integrations import salesforce as sf
from tests.integrations import test_dynamics365 as dynamics
from tests.integrations import test_fxiaoke as fx
from tests.integrations import test_pipedrive as pd
from tests.integrations import test_zoho as zo
from tests.integrations.posting import Connection, fetch, fxiaoke, pipedrive, zoho
from tests.integrations.test_salesforce_hooks import salesforce
from tests.support import Api

MADE = datetime(2026, 7, 2, 8, tzinfo=UTC)
LATER = datetime(2026, 7, 3, 8, tzinfo=UTC)
DAYS = {"july": date(2026, 7, 20), "august": date(2026, 8, 2)}
"""The zone is Warsaw's, the period July."""


async def by_salesforce(api: Api) -> str:
    connection = await salesforce(api, currency="EUR")
    for id_, day in (("006000000000001AAA", "july"), ("006000000000002AAA", "august")):
        told = sf.won(MADE, Id=id_, Amount="500.0", CloseDate=str(DAYS[day]), CreatedDate=MADE, StageName="Prospecting")
        del told["CurrencyIsoCode"]  # organizations with one currency do not tell it
        await connection.accept(sf.outbound(1, "Opportunity", told | {"IsClosed": False, "IsWon": False}))
    return sf.ADA


async def by_pipedrive(api: Api) -> str:
    connection = await pipedrive(api)
    for id_, day in ((7, "july"), (8, "august")):
        message = pd.sample(1)
        message["data"].update(id=id_, value=500, expected_close_date=str(DAYS[day]), add_time="2026-07-02T08:00:00Z")
        message["data"].update(update_time="2026-07-02T08:00:00Z")
        message["meta"].update(entity_id=str(id_), id=f"71825ee0-0054-4267-b5fd-d28b7a41420{id_}")
        await connection.tell(pd.body(message))
    return str(pd.sample(1)["data"]["owner_id"])


async def by_zoho(api: Api) -> str:
    connection = await zoho(api)
    for id_, day in (("5725767000003000065", "july"), ("5725767000003000066", "august")):
        told = zo.record(MADE, id=id_, Stage="Qualification", Amount=500, Closing_Date=str(DAYS[day]))
        await fetch(connection, "deal", told | {"Created_Time": MADE.isoformat(timespec="seconds")}, at=LATER)
    return str(zo.sample(7)["data"][0]["Owner"]["id"])


async def by_fxiaoke(api: Api) -> str:
    connection = await fxiaoke(api)
    for id_, day in (("5f9cd4e6e4400e0001217fb1", "july"), ("5f9cd4e6e4400e0001217fb2", "august")):
        midnight = fx.ms(datetime.combine(DAYS[day], datetime.min.time(), UTC)) - 2 * 3_600_000
        told = fx.deal(MADE, _id=id_, amount="500", sales_stage="2", sales_status="1", mc_currency="EUR")
        told |= {"close_date": midnight, "create_time": fx.ms(MADE)}
        await fetch(connection, "deal", fx.answered(told), at=LATER)
    return "1000"


async def by_dynamics(api: Api) -> str:
    """A currency is an id, which the mapping names."""
    secret = "11111111-2222-3333-4444-555555555555"
    account = dynamics.sample(1)["OrganizationId"].upper()
    new: dict[str, Any] = {
        "key": "d365",
        "name": "D",
        "system": "dynamics365",
        "account_id": account,
        "secrets": [secret],
    }
    new["mapping"] = {"currencies": {dynamics.EURO: "EUR"}}
    source = await api.post("/sources", new, expect=201)
    caller = api.world.caller(api.org_id, None)
    euro = dynamics.reference(dynamics.EURO, "transactioncurrency")
    for number, day in ((1, "july"), (2, "august")):
        closes = dynamics.ms(datetime.combine(DAYS[day], datetime.min.time(), UTC))
        told: dict[str, Any] = {"ownerid": dynamics.reference(dynamics.ADA), "statecode": dynamics.option(0)}
        told |= {"estimatedvalue": dynamics.money(500.0), "estimatedclosedate": closes, "transactioncurrencyid": euro}
        message = dynamics.made(MADE, told, id_=f"0f82f6f2-bf8e-e911-a95a-000d3a1bca9{number}")
        answer = await caller.call("POST", f"/hooks/{source['id']}?code={secret}", dynamics.body(message))
        assert answer.status_code == 200
    await Connection(api, source).translate()
    return dynamics.ADA


@pytest.mark.parametrize("told", [by_salesforce, by_pipedrive, by_zoho, by_fxiaoke, by_dynamics])
async def test_each_systems_open_deals_count_by_its_own_close_date(
    api: Api, told: Callable[[Api], Awaitable[str]]
) -> None:
    await define(api, "revenue_won")
    owner = await told(api)
    found = (await progress(api, await goal_of(api, "1000", kpi="revenue_won")))["pipeline"]
    assert [(each["closes_on"], each["amount"]) for each in found["deals"]] == [("2026-07-20", 500)]
    assert (found["count"], found["value"], found["unconverted"], found["without_amount"]) == (1, 500, 0, 0)
    ana = (await api.post("/members", {"name": "Ana"}, expect=201))["id"]
    identity = next(each for each in (await api.get("/identities"))["items"] if each["external_id"] == owner)
    await api.post(f"/identities/{identity['id']}/mappings", {"member_id": ana}, expect=201)
    bo = (await api.post("/members", {"name": "Bo"}, expect=201))["id"]
    for member, value in ((ana, 500), (bo, 0)):
        goal = await goal_of(api, "1000", kpi="revenue_won", owner={"type": "member", "id": member})
        assert (await progress(api, goal))["pipeline"]["value"] == value


def test_every_system_says_when_its_deals_close_in_a_field_that_is_read() -> None:
    read: dict[str, Any] = {
        "dynamics365": dynamics365,
        "fxiaoke": fxiaoke_adapter,
        "hubspot": hubspot,
        "pipedrive": pipedrive_adapter,
        "salesforce": salesforce_fields,
        "zoho": zoho_adapter,
    }
    assert set(CLOSING_FIELDS) == set(ADAPTERS) - {"webhook"}
    for system, fields in CLOSING_FIELDS.items():
        assert set(fields) <= read[system].FIELDS["deal"]


def test_a_date_of_dynamics_is_a_day_wherever_the_organization_is() -> None:
    assert closing_day("dynamics365", "2026-07-20T00:00:00Z", "America/New_York") == date(2026, 7, 20)
    assert closing_day("hubspot", "2026-07-20T00:00:00Z", "America/New_York") == date(2026, 7, 19)


async def test_all_are_counted_and_the_ten_largest_shown_whatever_stands_in_the_property(api: Api) -> None:
    await define(api, "revenue_won")
    events = []
    for number in range(30):
        amount = {"value": str(number + 1), "currency": "EUR"}
        one = {"about": {"deal": f"D{number}"}, "amount": amount, "properties": {"close_date": "2026-07-20"}}
        [made] = happened("deal.created", "2026-07-02T08:00:00Z", name=f"made-{number}")
        events.append(made | one)
    odd: list[Any] = [
        "",
        20260720,
        True,
        "2026-02-31",
        "x" * 200,
        "2026-07-20T22:30:00Z",
        "1784548800000",
        "0000-01-01",
    ]
    for number, told in enumerate(odd):
        [made] = happened("deal.created", "2026-07-02T08:00:00Z", name=f"odd-{number}")
        events.append(made | {"about": {"deal": f"O{number}"}, "properties": {"close_date": told}})
    events[-len(odd)]["properties"]["expected_close_on"] = "2026-07-31"
    await post_events(api, events)
    found = (await progress(api, await goal_of(api, "1000", kpi="revenue_won")))["pipeline"]
    assert (found["count"], found["value"], found["without_amount"]) == (33, 30 * 31 / 2, 3)
    assert [each["amount"] for each in found["deals"]] == list(range(30, 20, -1))
