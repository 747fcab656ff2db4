"""A simulated webhook call does what the real one does, and nothing of it stays."""

import asyncio
import base64
import json
import random
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from app.core import clock, rehearsals
from app.integrations.models import VERDICTS, CrmRecord
from tests.integrations.crm import DAY, INDEX, HubSpotBatch, T, body_of, random_message, won
from tests.integrations.posting import (
    COMPANY,
    ENTERPRISE,
    PORTAL,
    STANDING,
    ZOHO_CHANNEL,
    Connection,
    hubspot,
    pipedrive,
)
from tests.integrations.stored import everything, jobs_of
from tests.results.team import CALLS, REVENUE, count, define, euros, event, kpi, post
from tests.support import Api

DOUBLE_CALLS = kpi("double_calls", "2 * kpi.calls_made")
QUOTES = kpi("quotes_sent", "n", n=count("quote.sent"))


async def simulated(connection: Connection, body: bytes, *, expect: int = 200, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await connection.api.post(
        f"/sources/{connection.id}/simulate", {"body": body.decode(), **more}, expect=expect
    )
    return answer


async def signed(connection: Connection, body: bytes, **more: Any) -> dict[str, str]:
    now = datetime.fromisoformat((await connection.api.get("/me"))["now"])
    return connection.headers(body, now, **more)


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_ids(each) for name, each in value.items() if name not in {"identity_id", "id"}}
    return [without_ids(each) for each in value] if isinstance(value, list) else value


async def standing(connection: Connection) -> dict[str, Any]:
    listed = await connection.events(include_retracted=True)
    return {each["external_id"]: without_ids({n: each[n] for n in (*STANDING, "retracted")}) for each in listed}


@pytest.mark.parametrize("seed", range(8))
async def test_posting_gives_exactly_the_simulated_events(api: Api, seed: int) -> None:
    connection = await hubspot(api)
    chance = random.Random(seed)
    for _ in range(5):
        body = json.dumps([random_message(chance, T, 10) for _ in range(8)]).encode()
        before = await standing(connection)
        foreseen = await simulated(connection, body)
        await connection.tell(body)
        after = await standing(connection)
        changes = {
            each["after"]["external_id"]: (
                each["outcome"],
                without_ids({n: each["after"][n] for n in (*STANDING, "retracted")}),
            )
            for each in foreseen["events"]
        }
        assert changes == {
            key: (outcome(before.get(key), now), now) for key, now in after.items() if before.get(key) != now
        }
        delivery = await connection.last()
        assert foreseen["verdict"] == delivery["verdict"]
        assert [{n: item[n] for n in ("kind", "verdict", "problem")} for item in foreseen["items"]] == [
            {n: item[n] for n in ("kind", "verdict", "problem")} for item in delivery["items"]
        ]
        again = await simulated(connection, body)
        assert again["events"] == []
        assert all(item["told_before"] or item["verdict"] != "translated" for item in again["items"])


def outcome(before: Any, after: Any) -> str:
    return "retracted" if after["retracted"] else "created" if before is None else "corrected"


async def test_nothing_of_a_simulation_is_stored_and_answers_stay_the_same(api: Api) -> None:
    connection = await hubspot(api)
    await define(api, CALLS, REVENUE)
    await connection.tell(won(1).body())
    question = {"kpis": ["revenue", "calls_made"], "subjects": [{"organization": True}], "period": "2026-07"}
    await api.set_clock("2026-07-20T10:00:00Z")
    before, stored, jobs = await api.post("/kpi-results/query", question), await everything(api), await jobs_of(api)
    await simulated(connection, won(2).set("deal", 1, T + DAY, "amount", "900").made("0-48", 5, T).body())
    now = await everything(api)
    assert [table for table in stored if stored[table] != now[table]] == []
    assert await jobs_of(api) == jobs
    assert await api.post("/kpi-results/query", question) == before


async def test_the_effect_on_kpis_is_the_one_that_posting_has(api: Api) -> None:
    connection = await hubspot(api, currency="EUR")
    await api.set_clock("2026-07-20T10:00:00Z")
    await define(api, CALLS, DOUBLE_CALLS, REVENUE, QUOTES)
    ana = (await api.post("/members", {"name": "Ana"}, expect=201))["id"]
    await connection.tell(won(1).body())
    (identity,) = [each for each in (await api.get("/identities"))["items"] if each["external_id"] == "910901"]
    await api.post(f"/identities/{identity['id']}/mappings", {"member_id": ana}, expect=201)
    body = HubSpotBatch().set("deal", 1, T + DAY, "amount", "900").body()
    foreseen = await simulated(connection, body)
    told = {(each["kpi"]["key"], each["subject"]["type"]): each for each in foreseen["effects"]}
    assert set(told) == {("revenue", "organization"), ("revenue", "member")}
    for effect in told.values():
        assert effect["window"]["label"] == "2026-07"
        assert (effect["before"]["value"], effect["after"]["value"], effect["moves"]) == (500, 900, True)
    assert foreseen["kpis_left_out"] == []
    calls = await simulated(
        connection, HubSpotBatch().made("0-48", 5, T).set("0-48", 5, T, "hs_timestamp", str(T)).body()
    )
    moved = {each["kpi"]["key"]: each["after"]["value"] for each in calls["effects"]}
    await connection.tell(body, HubSpotBatch().made("0-48", 5, T).set("0-48", 5, T, "hs_timestamp", str(T)).body())
    question = {"kpis": ["revenue", "calls_made", "double_calls"], "subjects": [{"member": ana}], "period": "2026-07"}
    answered = {
        each["kpi"]: each["total"]["value"] for each in (await api.post("/kpi-results/query", question))["series"]
    }
    assert answered["revenue"] == 900
    assert set(moved) == {"calls_made", "double_calls"}
    organization = {**question, "subjects": [{"organization": True}]}
    whole = {
        each["kpi"]: each["total"]["value"] for each in (await api.post("/kpi-results/query", organization))["series"]
    }
    assert moved == {key: whole[key] for key in moved}


async def test_records_are_shown_before_and_after(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(won(1).body())
    body = HubSpotBatch().set("deal", 1, T + DAY, "amount", "900").link(("0-3", 1), ("0-2", 40), T).body()
    foreseen = await simulated(connection, body)
    (deal,) = [each for each in foreseen["records"] if each["object"] == "deal"]
    assert (deal["is_new"], deal["fields"]) == (False, [{"field": "amount", "before": "500", "after": "900"}])
    assert [(link["object"], link["external_id"]) for link in deal["links"]] == [("company", "40")]
    assert [item["told_before"] for item in foreseen["items"]] == [False, False]
    assert {each["after"]["external_id"] for each in foreseen["events"]} >= {"deal:1:deal.won"}
    won_ = next(each for each in foreseen["events"] if each["after"]["external_id"] == "deal:1:deal.won")
    assert won_["fields"] == ["about", "amount"]
    assert (await simulated(connection, won(1).body()))["unchanged_events"] != []


async def test_whether_a_call_is_proved_is_told_in_words_without_secrets(api: Api) -> None:
    connection = await hubspot(api)
    body = won(1).body()
    proved = await simulated(connection, body, headers=await signed(connection, body))
    assert (proved["is_authentic"], proved["verdict"]) == (True, "translated")
    wrong = await signed(connection, body, secret="another-secret-0000001")
    refused = await simulated(connection, body, headers=wrong)
    assert refused["is_authentic"] is False
    assert "It would be refused" in refused["reason"]
    assert len(refused["events"]) == len(proved["events"]) > 0
    nothing = await simulated(connection, body, headers={"Content-Type": "application/json"})
    assert nothing["is_authentic"] is None
    for answer in (proved, refused):
        assert wrong["X-HubSpot-Signature-v3"] not in json.dumps(answer)
        assert "hs-app-client-secret" not in json.dumps(answer)
    (secret,) = (await api.get(f"/sources/{connection.id}"))["secrets"]
    await api.delete(f"/sources/{connection.id}/secrets/{secret['id']}")
    assert "no active secret" in (await simulated(connection, body))["reason"]


async def test_a_change_of_the_mapping_can_be_tried_on_a_call(api: Api) -> None:
    connection = await hubspot(api)
    body = won(1).set("deal", 1, T + DAY, "dealstage", "4711").body()
    kinds = {each["after"]["type"] for each in (await simulated(connection, body))["events"]}
    assert "deal.won" not in kinds
    tried = await simulated(connection, body, mapping={"won_stages": ["4711"]})
    assert "deal.won" in {each["after"]["type"] for each in tried["events"]}
    assert (await api.get(f"/sources/{connection.id}"))["mapping"] == {}


async def test_what_another_source_told_already_is_suspected(api: Api) -> None:
    connection = await hubspot(api)
    ana = (await api.post("/members", {"name": "Ana"}, expect=201))["id"]
    await connection.tell(won(7).body())
    at = (await connection.event("deal:7:deal.won"))["occurred_at"]
    await post(api, [{**event("w-1", "deal.won", actor="ana", amount=euros(500)), "occurred_at": at}])
    for identity in (await api.get("/identities"))["items"]:
        if identity["external_id"] in {"ana", "910901"}:
            await api.post(f"/identities/{identity['id']}/mappings", {"member_id": ana}, expect=201)
    body = won(1).set("deal", 1, T, "deal_currency_code", "EUR").body()
    foreseen = await simulated(connection, body)
    pairs = [(each["external_id"], each["other"]["external_id"]) for each in foreseen["suspected_duplicates"]]
    assert pairs == [("deal:1:deal.won", "w-1")]


@pytest.mark.parametrize(
    ("body", "verdict"),
    [(b"", "unparseable"), (b"not json", "unparseable"), (b"{}", "unparseable"), (b"[1]", "unparseable")],
)
async def test_what_cannot_be_read_is_told_and_never_an_error(api: Api, body: bytes, verdict: str) -> None:
    connection = await hubspot(api)
    assert (await simulated(connection, body))["verdict"] == verdict


SYSTEMS = {"generic": "webhook", "dynamics": "dynamics365"}
ACCOUNTS = {
    "dynamics365": "8f5f5b43-1111-2222-3333-444455556666",
    "fxiaoke": ENTERPRISE,
    "hubspot": PORTAL,
    "pipedrive": COMPANY,
    "salesforce": "00D000000000001EAA",
    "zoho": ZOHO_CHANNEL,
}


@pytest.mark.parametrize("folder", sorted({sample["file"].split("/")[0] for sample in INDEX}))
async def test_samples_of_every_system_can_be_simulated(api: Api, folder: str) -> None:
    system = SYSTEMS.get(folder, folder)
    new = {"key": "crm", "name": "CRM", "system": system, "account_id": ACCOUNTS.get(system)}
    connection = Connection(api, await api.post("/sources", {k: v for k, v in new.items() if v}, expect=201))
    stored = await everything(api)
    for sample in INDEX:
        if sample["file"].startswith(f"{folder}/"):
            body = base64.b64encode(body_of(sample["file"]))
            shown = await simulated(connection, body, encoding="base64", headers=sample["headers"])
            assert (shown["is_authentic"], shown["verdict"] in VERDICTS) == (None, True), sample
    assert await everything(api) == stored


async def test_bad_requests_are_refused_in_words(api: Api) -> None:
    connection = await pipedrive(api)
    encoded = base64.b64encode(b"\xff\xfe not text").decode()
    assert (await simulated(connection, encoded.encode(), encoding="base64"))["verdict"] == "unparseable"
    refused = await simulated(connection, b"%%%", encoding="base64", expect=422)
    assert refused["errors"][0]["pointer"] == "/body"
    large = base64.b64encode(b" " * 1_000_001)
    assert (await simulated(connection, large, encoding="base64", expect=413))["type"].endswith("/body-too-large")
    await simulated(connection, b"{}", headers={"x": "y" * 9_000}, expect=422)
    (own,) = [each for each in (await api.get("/sources"))["items"] if each["key"] == "api"]
    await api.post(f"/sources/{own['id']}/simulate", {"body": "{}"}, expect=422)
    await api.delete(f"/sources/{connection.id}")
    assert (await simulated(connection, b"{}", expect=409))["type"].endswith("/source-archived")
    reader = await api.key("service", ["sources:read", "events:read", "results:read"])
    await reader.post(f"/sources/{connection.id}/simulate", {"body": "{}"}, expect=403)


async def test_simulations_and_real_calls_at_the_same_time_do_not_disturb_each_other(api: Api) -> None:
    connection = await hubspot(api)
    await connection.tell(won(1).body())
    bodies = [HubSpotBatch().set("deal", 1, T + DAY + n, "amount", str(600 + n)).body() for n in range(6)]
    answers = await asyncio.gather(
        *(simulated(connection, bodies[0]) for _ in range(4)), *(connection.post(body) for body in bodies[1:])
    )
    await asyncio.gather(connection.translate(), simulated(connection, bodies[0]))
    await connection.translate()
    assert all(answer.status_code == 200 for answer in answers[4:])
    assert (await connection.event("deal:1:deal.won"))["amount"]["value"] == "605"


async def test_a_simulation_waits_for_no_writer_and_lets_none_wait(api: Api) -> None:
    connection = await hubspot(api)
    body = won(1).body()
    async with api.world.database.write(api.org_id) as session:
        await clock.tick(session, api.org_id)  # locks the organization's clock until the end
        foreseen = await asyncio.wait_for(simulated(connection, body), 10)
    assert foreseen["verdict"] == "translated"


async def test_what_somebody_else_is_writing_for_long_is_a_conflict(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsals, "ATTEMPTS", 2)
    connection = await hubspot(api)
    await connection.tell(won(1).body())
    body = HubSpotBatch().set("deal", 1, T + DAY, "amount", "900").body()
    async with api.world.database.write(api.org_id) as session:
        await session.execute(select(CrmRecord).where(CrmRecord.org_id == api.org_id).with_for_update())
        refused = await simulated(connection, body, expect=409)
    assert "retry" in refused["detail"]
    assert (await simulated(connection, body))["verdict"] == "translated"
