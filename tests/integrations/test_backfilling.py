"""Backfills and reconciliation: years at once, what webhooks lost, and the report of what differed."""

import asyncio
import copy
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, update

from app.core import errands, jobs
from app.core.clock import database_now
from app.core.jobs import Job
from app.integrations import backfilling, differing
from app.integrations.backfills import BACKFILL
from app.integrations.jobs import errands_of
from tests.integrations import test_pipedrive, test_zoho
from tests.integrations.backfilling import HOUR, SINCE, Asking, Story, asking, the_story
from tests.integrations.clients.hubspot import HubSpotServer
from tests.integrations.clients.test_pipedrive import PipedriveServer
from tests.integrations.clients.test_zoho import GIVEN, ZohoServer
from tests.integrations.crm import DAY, HubSpotBatch, T
from tests.integrations.posting import content, hubspot, pipedrive, zoho
from tests.support import Api, World


async def told_in_full(world: World, story: Story, *more: bytes) -> dict[str, Any]:
    """What stands in the ledger where no webhook was lost."""
    connection = await hubspot(await world.organization())
    await connection.tell(*story.messages().values(), *more)
    return await content(connection)


async def test_what_webhooks_lost_is_named_exactly_and_taken_in(api: Api, world: World) -> None:
    story = the_story()
    deletion = HubSpotBatch().did("deletion", "deal", 5, T + 2 * HOUR).body()
    lost = {(2, number) for number in range(6)} | {(3, 5), (4, 6), (6, 6)}
    connection = await hubspot(api)
    await connection.tell(*(body for key, body in story.messages().items() if key not in lost))
    crm = story.crm()
    del crm.deals["5"]
    async with asking(connection, crm) as crm_asked:
        first = await crm_asked.backfill(apply=False)
        assert first["state"] == "succeeded"
        expected = [
            ("missing", "2", None, None, None),
            ("changed", "3", "dealstage", "presentation", "closedwon"),
            ("changed", "4", "amount", "400", "444"),
            ("unknown_there", "5", None, None, None),
            ("changed", "6", "dealstage", "closedwon", "presentation"),
        ]
        assert await crm_asked.differences(first) == expected
        [part] = first["objects"]
        counts = ("read", "unchanged", "new", "changed", "gone", "asked", "differences", "unreadable")
        assert [part[name] for name in counts] == [5, 1, 1, 3, 1, 5, 5, 0]
        assert "deal:2:deal.won" not in await content(connection)
        second = await crm_asked.backfill()
        assert await crm_asked.differences(second) == expected
        assert await content(connection) == await told_in_full(world, story, deletion)
        third = await crm_asked.backfill()
        assert await crm_asked.differences(third) == []
        [part] = third["objects"]
        assert (part["state"], part["read"], part["unchanged"]) == ("done", 5, 5)


async def test_the_report_can_be_narrowed_and_paged(api: Api) -> None:
    connection = await hubspot(api)
    async with asking(connection, the_story().crm()) as crm:
        backfill = await crm.backfill(mode="backfill")
        path = f"{crm.path}/backfills/{backfill['id']}/differences"
        page = await api.get(path, kind="missing", limit=4)
        rest = await api.get(path, kind="missing", limit=4, cursor=page["next_cursor"])
        assert [each["id"] for each in page["items"] + rest["items"]] == ["1", "2", "3", "4", "5", "6"]
        assert page["items"][0]["at"] == "2026-07-12T23:46:40Z"
        assert (await api.get(path, kind="changed"))["items"] == []
        assert (await api.get(path, object="lead"))["items"] == []
        listed = (await api.get(f"{crm.path}/backfills"))["items"]
        assert [each["id"] for each in listed] == [backfill["id"]]
        await api.get(f"{crm.path}/backfills/{uuid4()}", expect=404)
        await api.get(f"{crm.path}/backfills/{uuid4()}/differences", expect=404)


async def test_years_of_history_have_their_own_times_in_whatever_order_they_come(api: Api, world: World) -> None:
    story = Story()
    for id_ in range(1, 5):
        at = T - id_ * 300 * DAY
        story.deal(id_, at=at).won(id_, at + 9 * DAY).set(id_, at + 9 * DAY, "closedate", str(at + 8 * DAY))
    full = await told_in_full(world, story)
    assert full["deal:4:deal.won"]["occurred_on"] == "2023-04-08"
    messages = list(story.messages().values())
    for number in range(3):
        connection = await hubspot(await world.organization())
        Random(number).shuffle(messages)
        before = messages[: len(messages) * number // 2]
        await connection.tell(*before)
        async with asking(connection, story.crm()) as crm:
            backfill = await crm.backfill(mode="backfill")
        assert (backfill["state"], backfill["objects"][0]["read"]) == ("succeeded", 4)
        assert await content(connection) == full
        await connection.tell(*messages)
        assert await content(connection) == full


async def test_killed_it_goes_on_where_it_stood(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "PATIENCE_SECONDS", 0.0)
    story = Story()
    for id_ in range(1, 121):
        story.deal(id_).won(id_)
    connection = await hubspot(api)
    async with asking(connection, story.crm()) as crm:
        job = await api.post(f"{crm.path}/backfills", {"mode": "backfill", "objects": ["deal"], "since": SINCE})
        work = jobs.Work(UUID(job["id"]), {"backfill_id": job["id"]}, 0)
        run = backfilling._run(crm.outside, api.world.worker_database, api.org_id, work)
        killed = asyncio.create_task(run)
        while len(_searches(crm)) < 2:  # noqa: ASYNC110 - the server has no event
            await asyncio.sleep(0.01)
        killed.cancel()
        await asyncio.gather(killed, return_exceptions=True)
        assert (await crm.found(job["id"]))["objects"][0]["read"] == 50
        await crm.run()
        told = await crm.found(job["id"])
        assert (told["state"], told["objects"][0]["read"], told["objects"][0]["new"]) == ("succeeded", 120, 120)
        assert _searches(crm) == ["0", "50", "50", "100"]
        assert sum(each["origin"] == "backfill" for each in await connection.deliveries(limit=50)) == 3
        assert len(await connection.events(type="deal.won")) == 120


def _searches(crm: Asking) -> list[str]:
    """After which id each search went on."""
    searches = [asked.json for asked in crm.crm.asked if asked.path.endswith("/search")]
    return [
        each["value"] for told in searches for each in told["filterGroups"][0]["filters"] if each["operator"] == "GT"
    ]


async def test_two_that_read_the_same_page_take_it_in_once(api: Api) -> None:
    connection = await hubspot(api)
    async with asking(connection, the_story().crm()) as crm:
        job = await api.post(f"{crm.path}/backfills", {"mode": "backfill", "objects": ["deal"], "since": SINCE})
        work = jobs.Work(UUID(job["id"]), {"backfill_id": job["id"]}, 0)
        database = api.world.worker_database
        await asyncio.gather(*(backfilling._run(crm.outside, database, api.org_id, work) for _ in range(2)))
        await crm.run()
        assert (await crm.found(job["id"]))["objects"][0]["read"] == 6
        assert len(await connection.deliveries()) == 1


async def test_a_system_that_asks_to_wait_is_asked_later(api: Api) -> None:
    connection = await hubspot(api)
    crm = the_story().crm()
    async with asking(connection, crm) as asked:
        crm.first = [(429, {"Retry-After": "120"}, None)]
        backfill = await asked.backfill(mode="backfill")
        assert backfill["state"] == "queued"
        await asked.run()
        assert len(crm.asked) == 1
        await make_due(api)
        await asked.run()
        assert (await asked.found(backfill["id"]))["state"] == "succeeded"


async def test_a_system_that_does_not_answer_is_told_and_asked_again(api: Api) -> None:
    connection = await hubspot(api)
    crm = the_story().crm()
    async with asking(connection, crm) as asked:
        crm.first = [(500, {}, None)] * 4
        backfill = await asked.backfill(mode="backfill")
        assert backfill["finished_at"] is None
        assert backfill["objects"][0]["error"] == "api.hubapi.com fails, also after 4 tries."
        await make_due(api)
        await asked.run()
        backfill = await asked.found(backfill["id"])
        assert (backfill["state"], backfill["objects"][0]["error"]) == ("succeeded", None)


async def make_due(api: Api) -> None:
    """Let all pauses have passed."""
    async with api.world.database.write(api.org_id) as session:
        now = await database_now(session)
        await session.execute(update(Job).where(Job.org_id == api.org_id).values(run_at=now))


async def test_one_of_a_source_runs_at_a_time_and_it_can_be_cancelled(api: Api) -> None:
    connection = await hubspot(api)
    new = {"mode": "backfill", "objects": ["deal"], "since": SINCE}
    async with asking(connection, the_story().crm()) as crm:
        job = await api.post(f"{crm.path}/backfills", new, expect=202)
        refused = await api.post(f"{crm.path}/backfills", new, expect=409)
        assert refused["type"] == "/problems/backfill-running"
        await api.post(f"/jobs/{job['id']}/cancel")
        await crm.run()
        assert crm.crm.asked == []
        assert (await crm.found(job["id"]))["state"] == "cancelled"
        assert (await crm.backfill())["state"] == "succeeded"


async def test_what_cannot_be_read_is_told_in_words_and_keeps_nothing_else_from_being_read(api: Api) -> None:
    connection = await hubspot(api)
    async with asking(connection, the_story().crm()) as crm:
        everything = await crm.backfill(mode="backfill", objects=None)
        assert everything["state"] == "succeeded"
        states = {part["object"]: part["state"] for part in everything["objects"]}
        assert (states.pop("deal"), set(states.values())) == ("done", {"failed"})
        assert everything["objects"][0]["error"] == "The request is refused (status 404, OBJECT_NOT_FOUND)."
        named = await crm.backfill(mode="backfill", objects=["lead", "deal"])
        assert named["state"] == "failed"
        assert named["error"].startswith("Not everything could be read. lead: The request is refused")


async def test_credentials_that_are_refused_are_told(api: Api) -> None:
    connection = await hubspot(api)
    async with asking(connection, the_story().crm(), access_token="pat-withdrawn") as crm:
        backfill = await crm.backfill()
        assert backfill["state"] == "failed"
        assert "The credentials are refused" in backfill["error"]
        assert (await api.get(f"{crm.path}/credentials"))["last_failure"].startswith("The credentials are refused")
        assert "withdrawn" not in str(backfill)


async def test_links_that_webhooks_lost_are_told_and_taken_in(api: Api) -> None:
    story = Story().deal(1).won(1).deal(2).won(2)
    connection = await hubspot(api)
    link = HubSpotBatch().link(("0-3", 2), ("0-2", 88), T, isPrimaryAssociation=True)
    await connection.tell(*story.messages().values(), link.body())
    async with asking(connection, story.crm(companies_of={"1": "77", "2": "88"})) as crm:
        backfill = await crm.backfill()
        assert await crm.differences(backfill) == [("changed", "1", "@company", None, "77")]
        won = await connection.event("deal:1:deal.won")
        assert won["about"]["customer"] == "hubspot:company:77"
        assert await crm.differences(await crm.backfill()) == []


async def test_what_these_credentials_do_not_see_is_not_deleted(api: Api) -> None:
    story = Story()
    for id_ in range(1, 13):
        story.deal(id_).won(id_)
    connection = await hubspot(api)
    await connection.tell(*story.messages().values())
    before = await content(connection)
    async with asking(connection, HubSpotServer()) as crm:
        backfill = await crm.backfill()
        assert backfill["objects"][0]["gone"] == 12
        assert "not shown to these credentials" in backfill["objects"][0]["error"]
        assert await content(connection) == before


async def test_reports_forget_what_was_erased_for_privacy(api: Api) -> None:
    story = the_story()
    connection = await hubspot(api)
    await connection.tell(*(body for (_, number), body in story.messages().items() if number < 5))
    async with asking(connection, story.crm()) as crm:
        backfill = await crm.backfill()
        assert {each[1] for each in await crm.differences(backfill)} == {"1", "2", "3", "4", "6"}
        await connection.tell(HubSpotBatch().did("privacyDeletion", "deal", 4, T + 10 * DAY).body())
        assert {each[1] for each in await crm.differences(backfill)} == {"1", "2", "3", "6"}


async def test_the_report_is_bounded_and_its_counts_are_not(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differing, "MOST_KEPT", 4)
    connection = await hubspot(api)
    async with asking(connection, the_story().crm()) as crm:
        backfill = await crm.backfill(mode="backfill")
        [part] = backfill["objects"]
        assert (part["differences"], part["new"], len(await crm.differences(backfill))) == (6, 6, 4)


async def test_what_cannot_be_begun_is_refused(api: Api) -> None:
    connection = await hubspot(api)
    path = f"/sources/{connection.id}/backfills"
    new = {"mode": "backfill", "since": SINCE}
    assert (await api.post(path, new, expect=409))["type"] == "/problems/credentials-missing"
    async with asking(connection, HubSpotServer()):
        for wrong, pointer in (
            ({"objects": ["deal", "teapot"]}, "/objects/1"),
            ({"objects": []}, "/objects"),
            ({"since": "2026-07-01", "until": "2026-07-01"}, "/since"),
            ({"since": "2099-07-01"}, "/since"),
            ({"since": "1066-10-14"}, "/since"),
            ({"mode": "guess"}, "/mode"),
        ):
            refused = await api.post(path, {**new, **wrong}, expect=422)
            assert refused["errors"][0]["pointer"].startswith(pointer), refused
        await api.delete(f"/sources/{connection.id}")
        assert (await api.post(path, new, expect=409))["type"] == "/problems/source-archived"
    own = (await api.get("/sources"))["items"][0]["id"]
    assert (await api.post(f"/sources/{own}/backfills", new, expect=409))["type"] == "/problems/system-not-asked"


async def test_deals_of_pipedrive_are_reconciled(api: Api, world: World) -> None:
    first, second = test_pipedrive.sample(1), test_pipedrive.sample(2)
    full = await pipedrive(await world.organization())
    await full.tell(test_pipedrive.body(first), test_pipedrive.body(second))
    connection = await pipedrive(api)
    await connection.tell(test_pipedrive.body(first))
    crm = PipedriveServer(deals={"508": copy.deepcopy(second["data"])})
    async with asking(connection, crm, api_token="api-token") as asked:
        backfill = await asked.backfill()
        told = {(kind, field, value) for kind, _, field, _, value in await asked.differences(backfill)}
        assert ("changed", "status", "won") in told
        assert {kind for kind, _, _ in told} == {"changed"}
        assert (await content(connection))["deal:508:deal.won"] == (await content(full))["deal:508:deal.won"]
        assert await asked.differences(await asked.backfill()) == []


async def test_records_of_zoho_come_with_their_close_dates_and_deletions(api: Api) -> None:
    connection = await zoho(api)
    won = test_zoho.sample(7)["data"][0]
    crm = ZohoServer(records=[won])
    async with asking(connection, crm, **{**GIVEN, "system": "zoho"}) as asked:
        backfill = await asked.backfill(mode="backfill", since="2026-07-01T00:00:00Z")
        assert await asked.differences(backfill) == [("missing", won["id"], None, None, None)]
        assert (await content(connection))[f"deal:{won['id']}:deal.won"]["occurred_on"] == "2026-09-30"
        crm.records = []
        crm.deleted = [{"id": won["id"], "deleted_time": "2026-11-03T10:00:00Z"}]
        backfill = await asked.backfill(mode="backfill", since="2026-07-01T00:00:00Z")
        assert await asked.differences(backfill) == [("deleted", won["id"], None, None, None)]
        assert await content(connection) == {}


async def test_after_a_while_it_gives_others_their_turn(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(backfilling, "PATIENCE_SECONDS", 0.0)
    story = Story()
    for id_ in range(1, 61):
        story.deal(id_)
    connection = await hubspot(api)
    async with asking(connection, story.crm()) as crm:
        job = await api.post(f"{crm.path}/backfills", {"mode": "backfill", "objects": ["deal"], "since": SINCE})
        begun = await errands.drain(api.world.worker_database, errands_of(crm.outside))
        assert begun >= 2
        told = await crm.found(job["id"])
        assert (told["state"], told["objects"][0]["read"]) == ("succeeded", 60)


async def test_it_lets_translations_go_first(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfilling, "BACKLOG", 0)
    monkeypatch.setattr(backfilling, "TURN_SECONDS", 2.0)
    monkeypatch.setattr(backfilling, "PAUSE_SECONDS", 0.05)
    story = Story()
    for id_ in range(1, 61):
        story.deal(id_)
    connection = await hubspot(api)
    async with asking(connection, story.crm()) as crm:
        job = await api.post(f"{crm.path}/backfills", {"mode": "backfill", "objects": ["deal"], "since": SINCE})
        held = await errands._claim(api.world.worker_database, api.org_id, BACKFILL, backfilling.UNREACHABLE)
        assert held is not None
        with pytest.raises(errands.Later):
            await backfilling._run(crm.outside, api.world.worker_database, api.org_id, held.work)
        assert (await crm.found(job["id"]))["objects"][0]["read"] == 50
        await connection.translate()
        await make_due(api)
        await crm.run()
        assert (await crm.found(job["id"]))["objects"][0]["read"] == 60
        async with api.world.database.write(api.org_id) as session:
            await session.execute(delete(Job).where(Job.org_id == api.org_id))
