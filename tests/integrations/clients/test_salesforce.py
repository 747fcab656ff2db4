"""Salesforce is asked as its API documents, and its answers are read."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from app.integrations.clients.base import AccessRefused, ForeignHost, Overloaded, Person, Refused
from tests.integrations.clients.conftest import Connect
from tests.integrations.clients.server import Answer, Asked, Crm

SINCE, UNTIL = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)
FLOW = {"client_id": "3MVG9", "client_secret": "shh", "host": "acme.my.salesforce.com"}
REFRESHED = {**FLOW, "refresh_token": "refresh-1"}


@dataclass
class SalesforceServer(Crm):
    """An organization with opportunities."""

    records: list[dict[str, Any]] = field(default_factory=list)
    projects: list[dict[str, Any]] = field(default_factory=list)
    histories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Answer:
        """By path."""
        assert asked.host == "acme.my.salesforce.com"
        if asked.path == "/services/oauth2/token":
            return self._token(asked)
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return 401, {}, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
        if asked.path.endswith("/query/01g-2000"):
            return 200, {}, {"done": True, "records": [{"Id": "005000000000002AAB", "Name": "Max", "IsActive": False}]}
        query = asked.query["q"]
        if asked.path.endswith("/queryAll"):
            return self._opportunities(query)
        if (table := re.search(r"FROM (\w+History)", query)) is not None:
            return self._history(table[1], query)
        fixed = next(told for name, told in _FIXED.items() if f"FROM {name}" in query)
        return 200, {}, {"done": True, **fixed}

    def _token(self, asked: Asked) -> Answer:
        form = asked.form
        if form["grant_type"] == "refresh_token" and form["refresh_token"] not in self.refresh_tokens:
            return 400, {}, {"error": "invalid_grant", "error_description": "expired access/refresh token"}
        if form.get("client_secret") != "shh":
            return 400, {}, {"error": "invalid_client", "error_description": "shh"}
        return self.grant(instance_url="https://acme.my.salesforce.com", issued_at="1278448101416")

    def _opportunities(self, query: str) -> Answer:
        assert "FIELDS(STANDARD)" in query
        if "FROM Project__c" in query:
            return _records([each for each in self.projects if f"'{each['Id']}'" in query or "Modstamp" in query])
        if "Bad__c" in query:
            return 400, {}, [{"message": "No such column 'Bad__c'", "errorCode": "INVALID_FIELD"}]
        if ids := re.search(r"Id IN \(([^)]*)\)", query):
            return _records([each for each in self.records if f"'{each['Id']}'" in ids[1]])
        last = re.search(r"SystemModstamp = (\S+) AND Id > '(\w+)'", query)
        after = (last[1], last[2]) if last else ("", "")
        left = [each for each in self.records if (each["SystemModstamp"], each["Id"]) > after]
        return _records(left[:200])

    def _history(self, table: str, query: str) -> Answer:
        if table not in self.histories:
            status, code = (400, "INVALID_TYPE") if table == "OpportunityFieldHistory" else (403, "INSUFFICIENT_ACCESS")
            return status, {}, [{"message": f"sObject type '{table}' is not supported.", "errorCode": code}]
        return _records([row for row in self.histories[table] if f"'{row['OpportunityId']}'" in query])


def _records(found: list[dict[str, Any]]) -> Answer:
    return 200, {}, {"totalSize": len(found), "done": True, "records": found}


_FIXED: dict[str, Any] = {
    "Organization": {"records": [{"Id": "00D000000000001EAA"}]},
    "User": {
        "records": [{"Id": "005000000000001AAB", "Name": "Ana", "Email": "ana@example.com", "IsActive": True}],
        "nextRecordsUrl": "/services/data/v62.0/query/01g-2000",
    },
    "Group": {"records": [{"Id": "00G000000000001AAB", "Name": "Inbox"}]},
    "OpportunityStage": {
        "records": [
            {"ApiName": "Offer", "MasterLabel": "Angebot", "IsClosed": False, "IsWon": False, "SortOrder": 1},
            {"ApiName": "Closed Won", "MasterLabel": "Won", "IsClosed": True, "IsWon": True, "SortOrder": 2},
            {"ApiName": "Closed Lost", "MasterLabel": "Lost", "IsClosed": True, "IsWon": False, "SortOrder": 3},
        ]
    },
    "LeadStatus": {"records": [{"ApiName": "New", "MasterLabel": "New", "IsConverted": False, "SortOrder": 1}]},
}


def opportunity(number: int, second: int = 0, *, is_deleted: bool = False) -> dict[str, Any]:
    return {
        "attributes": {"type": "Opportunity"},
        "Id": f"006{number:012}AAA",
        "Amount": 10.5,
        "IsDeleted": is_deleted,
        "SystemModstamp": f"2026-07-10T10:00:{second:02}.000Z",
    }


async def test_records_come_by_their_ids_and_what_is_deleted_or_absent_is_gone(connect: Connect) -> None:
    crm = SalesforceServer(records=[opportunity(1), opportunity(2, is_deleted=True)])
    client = await connect("salesforce", crm, **FLOW)
    one, two, three = (str(opportunity(number)["Id"]) for number in (1, 2, 3))
    fetched = await client.fetch("deal", [one, two, three])
    assert ([item["Id"] for item in fetched.items], fetched.gone) == ([one], [two, three])
    assert crm.asked[0].form["grant_type"] == "client_credentials"


async def test_what_is_no_opportunity_may_be_of_a_table_that_the_mapping_takes_for_one(connect: Connect) -> None:
    project = {"attributes": {"type": "Project__c"}, "Id": "a0X000000000001AAA", "Name": "P"}
    crm = SalesforceServer(records=[opportunity(1)], projects=[project])
    mapping = {"objects": {"Project__c": "deal", "X WHERE": "deal"}, "fields": {"deal": {"amount": "Worth__c"}}}
    client = await connect("salesforce", crm, mapping=mapping, **FLOW)
    one, gone = str(opportunity(1)["Id"]), str(opportunity(2)["Id"])
    fetched = await client.fetch("deal", [one, "a0X000000000001AAA", gone])
    assert ([item["Id"] for item in fetched.items], fetched.gone) == ([one, "a0X000000000001AAA"], [gone])
    queries = [each.query["q"] for each in crm.asked if "FIELDS" in each.query.get("q", "")]
    assert [query.partition(" WHERE")[0] for query in queries] == [
        "SELECT FIELDS(STANDARD), Worth__c FROM Opportunity",
        "SELECT FIELDS(STANDARD), Worth__c FROM Project__c",
    ]
    first = await client.changed("deal", SINCE, UNTIL)
    then = await client.changed("deal", SINCE, UNTIL, first.cursor)
    assert ([item["Id"] for item in then.fetched.items], then.cursor) == (["a0X000000000001AAA"], None)
    with pytest.raises(Refused):
        await client.fetch("X WHERE", [one])
    with pytest.raises(Refused):
        await client.changed("deal", SINCE, UNTIL, '{"of":"User"}')


async def test_opportunities_come_with_their_past(connect: Connect) -> None:
    one, two = opportunity(1), opportunity(2)
    past = [
        {"Id": f"008{n:012}AAA", "OpportunityId": one["Id"], "CreatedDate": f"2026-06-0{n}T10:00:00.000+0000", **told}
        for n, told in enumerate([{"StageName": "Offer", "Amount": 9}, {"StageName": "Closed Won", "Amount": 10.5}], 1)
    ]
    owners = [{**past[1], "Field": "Owner", "NewValue": "005000000000001AAB"}]
    crm = SalesforceServer(records=[one, two])
    crm.histories = {"OpportunityHistory": past, "OpportunityFieldHistory": owners}
    mapping = {"fields": {"deal": {"owner": "Hunter__c", "stage": "x' OR"}}}
    client = await connect("salesforce", crm, mapping=mapping, **FLOW)
    first, second = (await client.changed("deal", SINCE, UNTIL)).fetched.items
    rows: Any = first["Histories"]
    assert [(row["attributes"]["type"], row.get("StageName")) for row in rows] == [
        ("OpportunityFieldHistory", "Closed Won"),
        ("OpportunityHistory", "Offer"),
        ("OpportunityHistory", "Closed Won"),
    ]
    assert "Histories" not in second
    asked = [each.query["q"] for each in crm.asked if "History" in each.query.get("q", "")]
    assert len(asked) == 2
    assert asked[0].endswith("AND Field IN ('StageName', 'Owner', 'Hunter__c')")


async def test_without_permission_for_it_records_come_without_their_past(connect: Connect) -> None:
    crm = SalesforceServer(records=[opportunity(1)])
    client = await connect("salesforce", crm, **FLOW)
    for _ in range(2):
        (item,) = (await client.fetch("deal", [str(opportunity(1)["Id"])])).items
        assert "Histories" not in item
    assert sum("History" in each.query.get("q", "") for each in crm.asked) == 2  # one of each table, once
    client = await connect("salesforce", crm, **FLOW)
    await client.check()
    crm.first = [(200, {}, {"done": True, "records": [opportunity(1)]})]
    crm.first += [(403, {}, [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}])]
    with pytest.raises(Overloaded):
        await client.fetch("deal", [str(opportunity(1)["Id"])])


async def test_ids_are_no_way_into_the_query(connect: Connect) -> None:
    crm = SalesforceServer()
    client = await connect("salesforce", crm, **FLOW)
    for wrong in ("006') OR (Id != '", "x", ""):
        with pytest.raises(Refused):
            await client.fetch("deal", [wrong])
        with pytest.raises(Refused):
            await client.changed("deal", SINCE, UNTIL, f'{{"at":"2026-07-10T10:00:00Z","id":"{wrong}"}}')
    for cursor in ("{", "[]", '{"at":"x\' OR","id":"006000000000001AAA"}'):
        with pytest.raises(Refused):
            await client.changed("deal", SINCE, UNTIL, cursor)
    with pytest.raises(Refused):
        await client.fetch("User", [str(opportunity(1)["Id"])])
    assert crm.asked == []


async def test_changes_are_read_page_by_page_also_of_one_instant(connect: Connect) -> None:
    crm = SalesforceServer(
        records=[opportunity(number, number // 300, is_deleted=number == 7) for number in range(700)]
    )
    client = await connect("salesforce", crm, **FLOW)
    cursor, found, gone = None, list[Any](), list[str]()
    while True:
        page = await client.changed("deal", SINCE, UNTIL, cursor)
        found += [item["Id"] for item in page.fetched.items]
        gone += page.fetched.gone
        if (cursor := page.cursor) is None:
            break
    assert (len(set(found)), len(found), len(gone)) == (699, 699, 1)
    assert "SystemModstamp >= 2026-07-01T00:00:00.000Z" in crm.asked[1].query["q"]


async def test_fields_that_a_mapping_reads_are_asked_for(connect: Connect) -> None:
    mapping = {"fields": {"deal": {"amount": "Worth__c", "owner": "Id FROM User --"}}}
    crm = SalesforceServer()
    client = await connect("salesforce", crm, mapping=mapping, **FLOW)
    await client.changed("deal", SINCE, UNTIL)
    assert crm.asked[1].query["q"].startswith("SELECT FIELDS(STANDARD), Worth__c FROM Opportunity WHERE ")


async def test_people_queues_stages_and_the_organization_are_read(connect: Connect) -> None:
    client = await connect("salesforce", SalesforceServer(), **REFRESHED)
    assert await client.check() == "00D000000000001EAA"
    assert await client.people() == [
        Person("005000000000001AAB", "Ana", "ana@example.com", True),
        Person("005000000000002AAB", "Max", None, False),
        Person("00G000000000001AAB", "Inbox", None, True, "queue"),
    ]
    assert [(stage.object, stage.id, stage.outcome) for stage in await client.stages()] == [
        ("deal", "Offer", "open"),
        ("deal", "Closed Won", "won"),
        ("deal", "Closed Lost", "lost"),
        ("lead", "New", None),
    ]


async def test_refusals_are_told_and_no_other_host_is_asked(connect: Connect) -> None:
    client = await connect("salesforce", SalesforceServer(), **{**FLOW, "client_secret": "wrong"})
    with pytest.raises(AccessRefused) as told:
        await client.check()
    assert str(told.value) == "No access token is granted (status 400, invalid_client)."
    crm = SalesforceServer()
    client = await connect("salesforce", crm, **{**FLOW, "host": "evil.example.com"})
    with pytest.raises(ForeignHost):
        await client.check()
    assert crm.asked == []
