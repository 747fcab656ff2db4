"""Deliveries become records and events: in any order, whoever else is at work, and again after a change."""

import asyncio
import json
import random
from typing import Any

import pytest

from app.core import jobs
from app.core.db import OrganizationId
from app.integrations import refolding, translation
from app.integrations.adapters import hubspot_events
from app.integrations.jobs import HANDLERS
from app.integrations.mapping import Mapping
from tests.integrations.crm import DAY, HubSpotBatch, T, World, body_of, random_message, won
from tests.integrations.posting import content, hubspot, pipedrive
from tests.support import Api


async def test_golden_11_stage_before_amount_is_one_win_of_500(api: Api) -> None:
    connection = await hubspot(api)
    stage = HubSpotBatch().set("deal", 1, T + 100, "dealstage", "closedwon")
    amount = HubSpotBatch().set("deal", 1, T + 50, "amount", "500").set("deal", 1, T + 50, "deal_currency_code", "EUR")
    await connection.tell(stage.body())
    await connection.tell(amount.body())
    wins = await connection.events(type="deal.won")
    assert [win["amount"] for win in wins] == [{"value": "500", "currency": "EUR"}]


async def test_a_message_that_is_repeated_changes_nothing(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(won(1).body())
    before = await connection.events()
    again = won(1)
    for item in again.items:
        item["attemptNumber"] = 1
    await connection.tell(again.body(), *again.bodies())
    assert await connection.events() == before


async def test_reopening_retracts_the_win_and_the_past_is_kept(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(won(1).body())
    win = await connection.event("deal:1:deal.won")
    await connection.tell(HubSpotBatch().set("deal", 1, T + 2 * DAY, "dealstage", "contractsent").body())
    assert await connection.events(type="deal.won") == []
    revisions = (await api.get(f"/events/{win['id']}/revisions"))["items"]
    assert sorted(revision["retracted"] for revision in revisions) == [False, True]
    await connection.tell(HubSpotBatch().set("deal", 1, T + 3 * DAY, "dealstage", "closedwon").body())
    assert (await connection.event("deal:1:deal.won"))["id"] == win["id"]


async def test_a_corrected_amount_and_owner_are_revisions_of_the_win(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(won(1).body())
    change = HubSpotBatch().set("deal", 1, T + 2 * DAY, "amount", "450")
    await connection.tell(change.set("deal", 1, T + 2 * DAY, "hubspot_owner_id", "910902").body())
    win = await connection.event("deal:1:deal.won")
    assert (win["amount"]["value"], win["actor"]["id"], win["revision"]) == ("450", "910902", 2)
    await connection.tell(HubSpotBatch().set("deal", 1, T + 30 * DAY, "hubspot_owner_id", "910903").body())
    assert await connection.event("deal:1:deal.won") == win


async def test_an_amount_takes_the_currency_of_its_source(api: Api) -> None:
    connection = await hubspot(api, currency="PLN")
    await connection.tell(won(1).body())
    assert (await connection.event("deal:1:deal.won"))["amount"] == {"value": "500", "currency": "PLN"}
    await api.patch(f"/sources/{connection.id}", {"currency": "CZK"})
    await connection.translate()
    assert (await connection.event("deal:1:deal.won"))["amount"] == {"value": "500", "currency": "CZK"}


async def test_events_follow_links_that_are_told_later_and_taken_away(api: Api) -> None:
    connection = await hubspot(api)
    call = HubSpotBatch().made("0-48", 5, T).link(("0-48", 5), ("0-3", 1), T)
    await connection.tell(won(1).body(), call.body())
    assert "customer" not in (await connection.event("call:5:call.made"))["about"]
    await connection.tell(HubSpotBatch().link(("0-2", 40), ("0-3", 1), T, isPrimaryAssociation=True).body())
    for external_id in ("call:5:call.made", "deal:1:deal.won", "deal:1:deal.created"):
        assert (await connection.event(external_id))["about"]["customer"] == "hubspot:company:40"
    await connection.tell(HubSpotBatch().link(("0-3", 1), ("0-2", 40), T + 1, associationRemoved=True).body())
    for external_id in ("call:5:call.made", "deal:1:deal.won"):
        assert "customer" not in (await connection.event(external_id))["about"]


async def test_a_call_is_about_a_lead_that_becomes_known_after_it(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(HubSpotBatch().made("0-48", 5, T + 10).link(("0-48", 5), ("0-1", 70), T).body())
    await connection.tell(HubSpotBatch().link(("0-136", 21), ("0-1", 70), T).body())
    assert "lead" not in (await connection.event("call:5:call.made"))["about"]
    await connection.tell(HubSpotBatch().made("0-136", 21, T).body())
    assert (await connection.event("call:5:call.made"))["about"]["lead"] == "hubspot:lead:21"
    await connection.tell(HubSpotBatch().made("0-136", 22, T + 5).link(("0-1", 70), ("0-136", 22), T + 5).body())
    assert (await connection.event("call:5:call.made"))["about"]["lead"] == "hubspot:lead:22"
    await connection.tell(HubSpotBatch().did("deletion", "0-136", 22, T + 20).body())
    assert (await connection.event("call:5:call.made"))["about"]["lead"] == "hubspot:lead:21"


async def test_a_merge_moves_what_pointed_to_the_merged_record(api: Api) -> None:
    connection = await hubspot(api)
    links = HubSpotBatch().link(("0-3", 1), ("0-1", 70), T).link(("0-48", 5), ("0-3", 1), T).made("0-48", 5, T)
    await connection.tell(won(1).body(), won(2).body(), links.body())
    merged = HubSpotBatch().did("merge", "contact", 71, T + 5, primaryObjectId=71, mergedObjectIds=[70], newObjectId=71)
    await connection.tell(merged.body())
    for external_id in ("deal:1:deal.won", "call:5:call.made"):
        assert (await connection.event(external_id))["about"]["customer"] == "hubspot:contact:71"
    merged = HubSpotBatch().did("merge", "deal", 2, T + 6, primaryObjectId=2, mergedObjectIds=[1], newObjectId=2)
    await connection.tell(merged.body())
    call = await connection.event("call:5:call.made")
    assert call["about"]["deal"] == "hubspot:deal:2"
    assert call["about"]["contact"] == "hubspot:contact:71"
    assert [win["external_id"] for win in await connection.events(type="deal.won")] == ["deal:2:deal.won"]


async def test_a_merge_into_a_third_id_keeps_the_win_of_the_primary_one(api: Api) -> None:
    connection = await hubspot(api)
    merge = HubSpotBatch().did("merge", "deal", 1, T + 6, primaryObjectId=1, mergedObjectIds=[2], newObjectId=3)
    await connection.tell(merge.body())
    await connection.tell(won(1).body(), won(2).body())
    assert [win["external_id"] for win in await connection.events(type="deal.won")] == ["deal:3:deal.won"]
    await connection.tell(HubSpotBatch().set("deal", 3, T + 2 * DAY, "amount", "700").body())
    assert (await connection.event("deal:3:deal.won"))["amount"]["value"] == "700"


async def test_erasure_for_privacy_forgets_the_fields_whatever_comes_later(api: Api) -> None:
    connection = await hubspot(api)
    batch = HubSpotBatch().made("contact", 70, T).set("contact", 70, T, "lifecyclestage", "lead")
    await connection.tell(batch.body(), HubSpotBatch().did("privacyDeletion", "contact", 70, T + 5).body())
    await connection.tell(HubSpotBatch().set("contact", 70, T + 9, "lifecyclestage", "customer").body())
    (record,) = (await api.get("/records", object="contact"))["items"]
    assert record["is_deleted"]
    assert record["state"] == {}
    detail = await api.get(f"/records/{record['id']}")
    assert sorted(detail["fields"]) == ["@created", "@erased"]


async def test_another_mapping_translates_all_records_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refolding, "REFOLD_ROWS", 2)
    connection = await hubspot(api)
    for deal in range(1, 6):
        await connection.tell(won(deal).set("deal", deal, T + 2 * DAY, "dealstage", "4711").body())
    assert await connection.events(type="deal.won") == []
    await api.patch(f"/sources/{connection.id}", {"mapping": {"won_stages": ["closedwon", "4711"]}})
    await connection.translate()
    assert len(await connection.events(type="deal.won")) == 5
    await api.patch(f"/sources/{connection.id}", {"mapping": {"won_stages": None}})
    await connection.translate()
    assert await connection.events(type="deal.won") == []


async def test_a_record_shows_its_state_history_and_links(api: Api) -> None:
    connection = await hubspot(api)
    batch = won(1).set("deal", 1, T + 1, "dealname", "WMS rollout").set("deal", 1, T + 2 * DAY, "amount", "450")
    await connection.tell(batch.link(("0-3", 1), ("0-2", 40), T).body())
    (record,) = (await api.get("/records", object="deal", external_id="1"))["items"]
    assert (record["label"], record["state"]["amount"], record["needs_fetch"]) == ("WMS rollout", "450", False)
    detail = await api.get(f"/records/{record['id']}")
    assert [each["value"] for each in detail["fields"]["amount"]] == ["500", "450"]
    assert [(link["object"], link["external_id"]) for link in detail["links"]] == [("company", "40")]
    assert (await api.get("/records", needs_fetch=True))["items"] == []
    await api.get("/records", object="person", expect=422)


async def test_pipedrive_end_to_end(api: Api) -> None:
    connection = await pipedrive(api)
    for number in (4, 7, 2, 3, 8, 6, 1):
        await connection.tell(body_of(f"pipedrive/{number}.json"))
    win = await connection.event("deal:508:deal.won")
    assert win["amount"] == {"value": "11800", "currency": "EUR"}
    assert win["occurred_at"] == "2026-10-01T08:00:00Z"
    call = await connection.event("activity:7701:call.made")
    assert call["about"]["deal"] == "pipedrive:deal:508"
    assert call["about"]["customer"] == "pipedrive:company:31"
    await connection.tell(body_of("pipedrive/10.json"))
    assert await connection.events(type="deal.won") == []


def mixed_messages(seed: int, count: int = 60) -> list[dict[str, Any]]:
    """Deals, calls, leads and their links made, changed, merged, deleted and restored at random."""
    chance = random.Random(seed)
    return [random_message(chance, T, 20) for _ in range(count)]


@pytest.mark.parametrize("seed", [*range(4), 125, 161, 418, 462])
async def test_any_order_and_grouping_ends_in_the_same_ledger_as_folding_all_at_once(api: Api, seed: int) -> None:
    messages = mixed_messages(seed)
    expected = World("hubspot", Mapping(time_zone="Europe/Warsaw")).tell(json.dumps(messages).encode()).events()
    chance = random.Random(seed)
    shuffled = messages + chance.sample(messages, 10)
    chance.shuffle(shuffled)
    connection = await hubspot(api)
    while shuffled:
        count = chance.randint(1, 9)
        some, shuffled = shuffled[:count], shuffled[count:]
        assert (await connection.post(json.dumps(some).encode())).status_code == 200
        if chance.random() < 0.6:
            await connection.translate()
    await connection.translate()
    stored = await content(connection)
    assert {key: (event["about"], event["occurred_on"]) for key, event in stored.items()} == {
        key: (dict(event.about), event.occurred_on and event.occurred_on.isoformat()) for key, event in expected.items()
    }
    actors = {key: event.actor and event.actor.external_id for key, event in expected.items()}
    assert {key: event["actor"] and event["actor"]["id"] for key, event in stored.items()} == actors


async def test_the_same_facts_posted_and_translated_by_several_at_once_are_written_once(api: Api) -> None:
    connection = await hubspot(api)
    bodies = [json.dumps(mixed_messages(3)).encode(), *(json.dumps([item]).encode() for item in mixed_messages(3)[:12])]
    answers = await asyncio.gather(*(connection.post(body) for body in bodies * 2))
    assert {answer.status_code for answer in answers} == {200}
    await asyncio.gather(*(connection.translate() for _ in range(4)))
    await connection.translate()
    assert {delivery["verdict"] for delivery in await connection.deliveries(limit=100)} <= {"translated", "ignored"}
    other = await hubspot(await api.world.organization())
    await other.tell(json.dumps(mixed_messages(3)).encode())
    assert await content(connection) == await content(other)


async def test_one_poisoned_delivery_fails_alone_and_can_be_replayed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = await hubspot(api)
    good = translation.settle

    async def break_on_deal_13(session: Any, source: Any, keys: Any, *rest: Any) -> Any:
        if ("deal", "13") in keys:
            raise ZeroDivisionError("hs-app-client-secret-0001")
        return await good(session, source, keys, *rest)

    monkeypatch.setattr(translation, "settle", break_on_deal_13)  # a defect of ours, as it might be
    for deal in (12, 13, 14):
        await connection.post(won(deal).body())
    await connection.translate()
    assert [delivery["verdict"] for delivery in await connection.deliveries()] == ["translated", "failed", "translated"]
    failed = (await connection.deliveries(verdict="failed"))[0]
    assert failed["error"] == "ZeroDivisionError"
    assert len(await connection.events(type="deal.won")) == 2
    monkeypatch.setattr(translation, "settle", good)
    await api.post(f"/sources/{connection.id}/deliveries/{failed['id']}/replay")
    await connection.translate()
    assert len(await connection.events(type="deal.won")) == 3


async def test_a_worker_killed_in_the_middle_leaves_nothing_half_done(api: Api) -> None:
    connection = await hubspot(api)
    await connection.post(won(1).body())

    async def work_and_die() -> None:
        org_id = OrganizationId(api.org_id)
        async with api.world.worker_database.write(org_id) as session:
            works = await jobs.claim(session, org_id, translation.TRANSLATE, 10)
            await HANDLERS[translation.TRANSLATE].run(session, org_id, works)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await work_and_die()
    assert await connection.events() == []
    assert (await connection.last())["verdict"] == "received"
    await connection.translate()
    assert len(await connection.events()) == 3


async def test_two_accounts_with_the_same_ids_do_not_mix(api: Api) -> None:
    one = await hubspot(api)
    other = await hubspot(api, key="second", account_id="99")
    await one.tell(won(1).body())
    second = HubSpotBatch(portal=99)
    second.items = [{**item, "portalId": 99} for item in won(1, owner="5").items]
    await other.tell(second.body())
    wins = await one.events(type="deal.won")
    assert sorted(win["about"]["deal"] for win in wins) == ["hubspot:deal:1", "second:deal:1"]


async def test_another_time_zone_moves_close_dates(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(won(1).set("deal", 1, T, "closedate", "1783897200000").body())  # 23:00 UTC on 12 July
    assert (await connection.event("deal:1:deal.won"))["occurred_on"] == "2026-07-13"
    await api.patch("/organization", {"time_zone": "America/New_York"})
    async with api.world.database.write(OrganizationId(api.org_id)) as session:
        await jobs.enqueue(session, OrganizationId(api.org_id), refolding.REFOLD_ALL, [{}])
    await connection.translate()
    assert (await connection.event("deal:1:deal.won"))["occurred_on"] == "2026-07-12"


async def test_a_replay_sees_what_a_mended_adapter_sees(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = await hubspot(api)
    good = hubspot_events.translate
    monkeypatch.setattr(hubspot_events, "translate", lambda told: [])  # a defect of ours, as it might be
    await connection.tell(won(1).body())
    assert await connection.events() == []
    monkeypatch.setattr(hubspot_events, "translate", good)
    delivery = await connection.last()
    await api.post(f"/sources/{connection.id}/deliveries/{delivery['id']}/replay")
    await connection.translate()
    assert len(await connection.events()) == 3


@pytest.mark.parametrize("seed", range(3))
async def test_feedback_follows_the_owner_of_its_contact_whenever_that_is_told(api: Api, seed: int) -> None:
    connection = await hubspot(api)
    batch = HubSpotBatch().made("0-19", 4, T).link(("0-19", 4), ("0-1", 7), T)
    bodies = batch.set("contact", 7, T, "hubspot_owner_id", "70").bodies()
    random.Random(seed).shuffle(bodies)
    for body in bodies:
        await connection.tell(body)
    (event,) = await connection.events()
    assert event["actor"]["id"] == "70"
    await connection.tell(HubSpotBatch().set("contact", 7, T + 1000, "hubspot_owner_id", "71").body())
    (event,) = await connection.events()
    assert event["actor"]["id"] == "71"
