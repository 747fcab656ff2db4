"""Open deals expected to close in a goal's period, from posted events and connected systems, over HTTP."""

from datetime import UTC, datetime
from typing import Any

from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.goals.test_progress import goal_of, progress
from tests.integrations.crm import HubSpotBatch
from tests.integrations.posting import PORTAL, hubspot
from tests.support import Api


async def opened(api: Api, deal: str, closes_on: str | None, value: str | None = None, **fields: Any) -> None:
    if closes_on is not None:
        fields["properties"] = {"close_date": closes_on}
    if value is not None:
        fields["amount"] = {"value": value, "currency": fields.pop("currency", "EUR")}
    at = fields.pop("at", "2026-07-02T08:00:00Z")
    await post_events(api, happened("deal.created", at, about={"deal": deal}, name=deal, **fields))


async def test_open_deals_that_close_by_the_periods_end_are_told(api: Api) -> None:
    """The clock stands on 13 July."""
    await define(api, "revenue_won")
    await opened(api, "A", "2026-07-20", "500")
    await opened(api, "B", "2026-07-31", "700")
    await opened(api, "late", "2026-08-01", "900")
    await opened(api, "past", "2026-07-12", "900")
    await opened(api, "won", "2026-07-20", "900")
    await opened(api, "without day", None, "900")
    await opened(api, "strange", "2026-07-21", "100", currency="SEK")
    await opened(api, "bare", "2026-07-22")
    await opened(api, "text", "some day", "1")
    await post_events(api, happened("deal.won", "2026-07-05T08:00:00Z", about={"deal": "won"}))
    told = (await progress(api, await goal_of(api, "1000", kpi="revenue_won")))["pipeline"]
    assert (told["count"], told["value"], told["unconverted"], told["without_amount"]) == (4, 1200, 1, 1)
    assert [(deal["id"], deal["amount"]) for deal in told["deals"]] == [
        ("B", 700), ("A", 500), ("strange", None), ("bare", None)
    ]  # fmt: skip


async def test_the_day_is_the_latest_that_was_told(api: Api) -> None:
    await define(api, "revenue_won")
    await opened(api, "A", "2026-08-20", "500")
    moved: dict[str, Any] = {"about": {"deal": "A"}, "properties": {"expected_close_on": "2026-07-30"}, "name": "moved"}
    await post_events(api, happened("deal.stage_entered", "2026-07-10T08:00:00Z", **moved))
    goal = await goal_of(api, "1000", kpi="revenue_won")
    assert (await progress(api, goal))["pipeline"]["value"] == 500


async def test_of_a_member_only_their_deals_count(api: Api) -> None:
    await define(api, "revenue_won")
    ana = await member_with_identity(api, "Ana", "1")
    await opened(api, "A", "2026-07-20", "500", actor="1")
    await opened(api, "B", "2026-07-20", "300", actor="2")
    half = [{"actor": {"id": "1"}, "share": "0.25"}, {"actor": {"id": "2"}, "share": "0.75"}]
    await opened(api, "C", "2026-07-20", "400", credits=half)
    told = await progress(api, await goal_of(api, "1000", kpi="revenue_won", owner={"type": "member", "id": ana}))
    assert (told["pipeline"]["count"], told["pipeline"]["value"]) == (2, 600)


async def test_it_knows_what_was_known_then(api: Api) -> None:
    """S5."""
    await define(api, "revenue_won")
    goal = await goal_of(api, "1000", kpi="revenue_won")
    await opened(api, "A", "2026-07-20", "500")
    await api.set_clock("2026-07-14T10:00:00Z")
    await post_events(api, happened("deal.lost", "2026-07-14T08:00:00Z", about={"deal": "A"}))
    assert (await progress(api, goal))["pipeline"]["value"] == 0
    assert (await progress(api, goal, as_of="2026-07-13T12:00:00Z"))["pipeline"]["value"] == 500


async def test_of_other_kpis_and_past_periods_nothing_is_told(api: Api) -> None:
    await define(api, "calls_made", "revenue_won")
    assert (await progress(api, await goal_of(api)))["pipeline"]["because"] == "not_of_won_deals"
    goal = await goal_of(api, "1000", kpi="revenue_won")
    await api.set_clock("2026-08-01T10:00:00Z")
    assert (await progress(api, goal))["pipeline"]["because"] == "over"


# ------------------------------------------------------------------------------------------------- connected systems

MADE = int(datetime(2026, 7, 2, 8, tzinfo=UTC).timestamp() * 1000)


def deal(number: int, closes_on: str, value: str, owner: str = "7001") -> HubSpotBatch:
    at = int(datetime.fromisoformat(f"{closes_on}T10:00:00+00:00").timestamp() * 1000)
    told = {"hubspot_owner_id": owner, "amount": value, "deal_currency_code": "EUR", "closedate": str(at)}
    batch = HubSpotBatch().made("deal", number, MADE).set("deal", number, MADE, "dealname", f"Deal {number}")
    batch.set("deal", number, MADE, "dealstage", "appointmentscheduled")
    for name, told_value in told.items():
        batch.set("deal", number, MADE, name, told_value)
    return batch


async def test_a_connected_crms_open_deals_count_by_its_own_close_date(api: Api) -> None:
    await define(api, "revenue_won")
    crm = await hubspot(api)
    await crm.tell(deal(1, "2026-07-20", "500").body(), deal(2, "2026-07-21", "700", owner="7002").body())
    await crm.tell(deal(3, "2026-08-02", "900").body(), deal(4, "2026-07-22", "50").body())
    await crm.tell(HubSpotBatch().set("deal", 4, MADE + 86_400_000, "dealstage", "closedwon").body())
    goal = await goal_of(api, "1000", kpi="revenue_won")
    told = (await progress(api, goal))["pipeline"]
    assert (told["count"], told["value"]) == (2, 1200)
    assert [(each["id"], each["label"], each["closes_on"]) for each in told["deals"]] == [
        ("hubspot:deal:2", "Deal 2", "2026-07-21"), ("hubspot:deal:1", "Deal 1", "2026-07-20")
    ]  # fmt: skip
    assert PORTAL in told["deals"][0]["url"]
    ana = (await api.post("/members", {"name": "Ana"}, expect=201))["id"]
    seven = next(each for each in (await api.get("/identities"))["items"] if each["external_id"] == "7001")
    await api.post(f"/identities/{seven['id']}/mappings", {"member_id": ana}, expect=201)
    own = await goal_of(api, "1000", kpi="revenue_won", owner={"type": "member", "id": ana})
    assert (await progress(api, own))["pipeline"]["value"] == 500
    await api.set_clock("2026-07-15T10:00:00Z")
    past = (await progress(api, goal, as_of="2026-07-14T10:00:00Z"))["pipeline"]
    assert (past["value"], past["because"]) == (None, "as_of_past")
