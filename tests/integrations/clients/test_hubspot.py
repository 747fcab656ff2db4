"""HubSpot is asked as its API documents, and its answers are read."""

from datetime import UTC, datetime

import pytest

from app.integrations.clients.base import AccessRefused, NotOffered, Person, Refused
from tests.integrations.clients.conftest import Connect
from tests.integrations.clients.hubspot import STATIC, HubSpotServer, deal

OAUTH = {"client_id": "app", "client_secret": "shh", "refresh_token": "refresh-1"}
SINCE, UNTIL = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)


async def test_objects_come_with_history_and_links_and_what_is_absent_is_gone(connect: Connect) -> None:
    crm = HubSpotServer(deals={"1": deal(1), "2": deal(2)}, companies_of={"1": "77"})
    client = await connect("hubspot", crm, access_token=STATIC)
    fetched = await client.fetch("deal", ["1", "2", "3"])
    assert [item["id"] for item in fetched.items] == ["1", "2"]
    assert fetched.gone == ["3"]
    assert fetched.items[0]["associations"] == {"company": [{"id": "77", "isPrimary": True}], "contact": [], "lead": []}
    read = crm.asked[0].json
    assert {"dealstage", "amount", "hubspot_owner_id"} <= set(read["propertiesWithHistory"]) <= set(read["properties"])
    assert crm.asked[0].host == "api.hubapi.com"


async def test_changes_are_read_in_the_order_of_ids_whatever_changes_meanwhile(connect: Connect) -> None:
    crm = HubSpotServer(deals={str(id_): deal(id_) for id_ in range(1, 121)})
    client = await connect("hubspot", crm, access_token=STATIC)
    cursor, found = None, []
    while True:
        page = await client.changed("deal", SINCE, UNTIL, cursor)
        found += [item["id"] for item in page.fetched.items]
        if (cursor := page.cursor) is None:
            break
    assert found == [str(id_) for id_ in range(1, 121)]


async def test_a_token_that_ended_is_renewed_and_the_request_repeated(connect: Connect) -> None:
    crm = HubSpotServer(deals={"1": deal(1)})
    client = await connect("hubspot", crm, **OAUTH)
    assert await client.check() == "44556677"
    crm.tokens.clear()
    crm.refresh_tokens = {"refresh-1"}
    assert len((await client.fetch("deal", ["1"])).items) == 1
    assert crm.granted == 2


async def test_wrong_credentials_are_told_without_what_the_system_repeats(connect: Connect) -> None:
    crm = HubSpotServer()
    client = await connect("hubspot", crm, **{**OAUTH, "refresh_token": "withdrawn"})
    with pytest.raises(AccessRefused) as told:
        await client.check()
    assert str(told.value) == "No access token is granted (status 400, BAD_REFRESH_TOKEN)."
    client = await connect("hubspot", HubSpotServer(), access_token="pat-wrong")
    with pytest.raises(AccessRefused) as told:
        await client.check()
    assert "pat" not in str(told.value)


async def test_owners_and_stages_are_read(connect: Connect) -> None:
    client = await connect("hubspot", HubSpotServer(), access_token=STATIC)
    assert await client.people() == [
        Person("910901", "Ana Ito", "ana@example.com", True),
        Person("2", "Inbox", None, True, "queue"),
        Person("3", None, None, False),
    ]
    stages = await client.stages()
    assert [(stage.id, stage.name, stage.outcome, stage.position) for stage in stages] == [
        ("appointment", "Met", "open", 0),
        ("48591", "Won", "won", 1),
        ("48592", "Lost", "lost", 2),
    ]
    assert {stage.pipeline for stage in stages} == {"Sales"}


async def test_what_is_not_offered_or_not_kept_is_said(connect: Connect) -> None:
    client = await connect("hubspot", HubSpotServer(), access_token=STATIC)
    with pytest.raises(NotOffered):
        await client.subscribe("https://paceline.example.com", "secret")
    with pytest.raises(Refused):
        await client.fetch("invoice", ["1"])
    assert not client.offers("invoice")


async def test_quotes_and_feedback_are_read_with_their_links(connect: Connect) -> None:
    quotes = {"7": deal(7)}
    client = await connect("hubspot", HubSpotServer(others={"0-14": quotes, "0-19": {}}), access_token=STATIC)
    assert {"quote", "feedback"} <= set(client.kinds)
    page = await client.changed("quote", SINCE, UNTIL)
    assert ([item["id"] for item in page.fetched.items], page.cursor) == (["7"], None)
    assert page.fetched.items[0]["associations"] == {"company": [], "contact": [], "deal": []}
    assert (await client.fetch("feedback", ["8"])).gone == ["8"]


async def test_custom_objects_are_read_as_what_the_mapping_takes_them_for(connect: Connect) -> None:
    visits = {str(id_): deal(id_) for id_ in range(200, 260)}
    crm = HubSpotServer(others={"0-47": {"1": deal(1)}, "2-1234567": visits})
    mapping = {"objects": {"2-1234567": "meeting", "2-9": "message"}}
    client = await connect("hubspot", crm, mapping=mapping, access_token=STATIC)
    fetched = await client.fetch("meeting", ["1", "200", "3"])
    assert ([item["id"] for item in fetched.items], fetched.gone) == (["1", "200"], ["3"])
    assert (await client.fetch("2-1234567", ["201"])).object == "meeting"
    assert (client.offers("2-1234567"), client.offers("2-9"), client.offers("2-1")) == (True, False, False)
    cursor, found = None, []
    while True:
        page = await client.changed("meeting", SINCE, UNTIL, cursor)
        found += [(page.fetched.object, item["id"]) for item in page.fetched.items]
        if (cursor := page.cursor) is None:
            break
    assert found == [("meeting", "1"), *(("meeting", id_) for id_ in visits)]
    with pytest.raises(Refused):
        await client.fetch("2-1", ["1"])
