"""Zoho CRM is asked as its API documents, and its answers are read."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.integrations.clients.base import AccessRefused, Person, Refused
from tests.integrations.clients.conftest import Connect
from tests.integrations.clients.server import Answer, Asked, Crm

SINCE, UNTIL = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)
GIVEN = {"client_id": "1000.A", "client_secret": "shh", "refresh_token": "1000.r", "data_center": "eu"}
URL = "https://paceline.example.com/v1/hooks/1"


@dataclass
class ZohoServer(Crm):
    """An organization in the European data center."""

    records: list[dict[str, Any]] = field(default_factory=list)
    deleted: list[dict[str, Any]] = field(default_factory=list)
    watched: dict[str, dict[str, Any]] = field(default_factory=dict)
    histories: dict[str, list[dict[str, Any]]] | None = None

    def answer(self, asked: Asked) -> Answer:
        """By path."""
        if asked.path == "/oauth/v2/token":
            assert asked.host == "accounts.zoho.eu"
            ok = asked.form["refresh_token"] == "1000.r"
            return self.grant(expires_in=3600, api_domain="x") if ok else (200, {}, {"error": "invalid_code"})
        assert asked.host == "www.zohoapis.eu"
        if asked.headers.get("authorization", "").removeprefix("Zoho-oauthtoken ") not in self.tokens:
            return 401, {}, {"code": "INVALID_TOKEN", "message": "invalid oauth token", "status": "error"}
        path = asked.path.removeprefix("/crm/v7")
        if path == "/actions/watch":
            return self._watch(asked)
        if path in {"/Deals", "/Leads"}:
            return self._records(asked)
        if path.startswith("/Projects") and "ids" not in asked.query:
            return _listed("data", [{"id": "77"}] if path == "/Projects" else [])
        if path == "/Projects":
            ids = asked.query["ids"].split(",")
            return _listed("data", [{"id": each} for each in ids if each == "77"])
        if path == "/Deals/deleted":
            return _listed("data", self.deleted) if self.deleted else (204, {}, None)
        if path.endswith("/Stage_History"):
            return self._history(path.split("/")[2])
        return 200, {}, _FIXED[path]

    def _records(self, asked: Asked) -> Answer:
        assert len(asked.query["fields"].split(",")) <= 50
        if "ids" in asked.query:
            ids = asked.query["ids"].split(",")
            found = [each for each in self.records if each["id"] in ids]
            return _listed("data", found) if found else (204, {}, None)
        assert asked.headers["if-modified-since"] == "2026-07-01T00:00:00+00:00"
        if not self.records:
            return 304, {}, None
        start = int(asked.query.get("page_token", 0))
        end = start + int(asked.query["per_page"])
        return _listed("data", self.records[start:end], more=end < len(self.records), token=str(end))

    def _history(self, deal: str) -> Answer:
        if self.histories is None:
            return 403, {}, {"code": "NO_PERMISSION", "message": "permission denied", "status": "error"}
        return _listed("data", self.histories[deal]) if deal in self.histories else (204, {}, None)

    def _watch(self, asked: Asked) -> Answer:
        if asked.method in {"POST", "PUT"}:
            (watch,) = asked.json["watch"]
            if watch["channel_expiry"] > (datetime.now(UTC) + timedelta(days=7)).isoformat():
                return 400, {}, {"watch": [{"code": "INVALID_DATA", "status": "error"}]}
            self.watched[watch["channel_id"]] = watch
            return 200, {}, {"watch": [{"code": "SUCCESS", "status": "success", "details": {}}]}
        if asked.method == "DELETE":
            self.watched.pop(asked.query["channel_ids"], None)
        return _listed("watch", list(self.watched.values()))


def _listed(name: str, found: list[Any], more: bool = False, token: str | None = None) -> Answer:
    return 200, {}, {name: found, "info": {"more_records": more, "next_page_token": token if more else None}}


_FIXED: dict[str, Any] = {
    "/org": {"org": [{"id": "1", "zgid": "20099"}]},
    "/users": {
        "users": [
            {"id": "5725767000000420001", "full_name": "Ana Ito", "email": "ana@example.com", "status": "active"},
            {"id": "5725767000000420002", "full_name": "Max", "email": None, "status": "inactive"},
        ],
        "info": {"more_records": False},
    },
    "/settings/layouts": {"layouts": [{"id": "7"}]},
    "/settings/pipeline": {
        "pipeline": [
            {
                "id": "70",
                "display_value": "Standard",
                "maps": [
                    {
                        "id": "1",
                        "actual_value": "Offer",
                        "display_value": "Angebot",
                        "sequence_number": 1,
                        "forecast_type": "Open",
                    },
                    {
                        "id": "2",
                        "actual_value": "Closed Won",
                        "display_value": "Won",
                        "sequence_number": 2,
                        "forecast_type": "Closed Won",
                    },
                    {
                        "id": "3",
                        "actual_value": "Closed Lost",
                        "display_value": "Lost",
                        "sequence_number": 3,
                        "forecast_type": "Closed Lost",
                    },
                ],
            }
        ]
    },
}


def record(number: int, day: str = "10") -> dict[str, Any]:
    return {"id": f"57257670000000{number:05}", "Stage": "Offer", "Modified_Time": f"2026-07-{day}T10:00:00+02:00"}


async def test_records_come_by_their_ids_and_what_is_absent_is_gone(connect: Connect) -> None:
    crm = ZohoServer(records=[record(1)])
    client = await connect("zoho", crm, **GIVEN)
    here, gone = record(1)["id"], record(2)["id"]
    fetched = await client.fetch("deal", [here, gone])
    assert ([item["id"] for item in fetched.items], fetched.gone, fetched.object) == ([here], [gone], "deal")
    assert {"Stage", "Amount", "Owner", "Modified_Time"} <= set(crm.asked[-1].query["fields"].split(","))
    assert (await client.fetch("deal", [gone])).gone == [gone]
    await client.fetch("lead", [here])
    assert crm.asked[-1].query["converted"] == "both"


async def test_what_is_in_no_standard_module_may_be_in_one_that_the_mapping_adds(connect: Connect) -> None:
    mapping = {"objects": {"Projects": "deal", "Visits": "meeting", "../org": "deal"}}
    client = await connect("zoho", ZohoServer(records=[record(1)]), mapping=mapping, **GIVEN)
    fetched = await client.fetch("deal", [record(1)["id"], "77", "78"])
    assert ([item["id"] for item in fetched.items], fetched.gone) == ([record(1)["id"], "77"], ["78"])
    cursor, found = None, []
    while True:
        page = await client.changed("deal", SINCE, UNTIL, cursor)
        found += [(page.fetched.object, item["id"]) for item in page.fetched.items]
        if (cursor := page.cursor) is None:
            break
    assert found == [("deal", record(1)["id"]), ("Projects", "77")]
    with pytest.raises(Refused):
        await client.changed("deal", SINCE, UNTIL, '{"of":"Users"}')


async def test_changes_and_deletions_are_read_page_by_page(connect: Connect) -> None:
    crm = ZohoServer(records=[record(number) for number in range(450)] + [record(999, "31")])
    crm.deleted = [
        {"id": "1", "deleted_time": "2026-07-03T10:00:00+02:00"},
        {"id": "2", "deleted_time": "2026-07-30T10:00:00Z"},
    ]
    client = await connect("zoho", crm, **GIVEN)
    cursor, found, gone = None, 0, list[str]()
    while True:
        page = await client.changed("deal", SINCE, datetime(2026, 7, 20, tzinfo=UTC), cursor)
        found, gone = found + len(page.fetched.items), [*gone, *page.fetched.gone]
        if (cursor := page.cursor) is None:
            break
    assert (found, gone) == (450, ["1"])
    assert crm.granted == 1


async def test_deals_that_are_listed_come_with_the_stages_that_they_were_in(connect: Connect) -> None:
    fresh = {**record(3), "Created_Time": record(3)["Modified_Time"]}
    crm = ZohoServer(records=[record(1), record(2), fresh])
    rows = [{"id": "9", "Stage": "Qualification", "Modified_Time": "2026-05-10T10:00:00+02:00"}]
    crm.histories = {str(record(1)["id"]): rows}
    client = await connect("zoho", crm, **GIVEN)
    first = await client.changed("deal", SINCE, UNTIL)
    page = await client.changed("deal", SINCE, UNTIL, first.cursor)
    assert [item.get("Stage_History") for item in page.fetched.items] == [rows, [], None]
    assert sum(each.path.endswith("/Stage_History") for each in crm.asked) == 2
    crm.histories = None
    client = await connect("zoho", crm, **GIVEN)
    page = await client.changed("deal", SINCE, UNTIL, first.cursor)
    assert [item.get("Stage_History") for item in page.fetched.items] == [None] * 3
    assert sum(each.path.endswith("/Stage_History") for each in crm.asked) == 3


async def test_users_and_stages_are_read(connect: Connect) -> None:
    client = await connect("zoho", ZohoServer(), **GIVEN)
    assert await client.check() is None
    assert await client.people() == [
        Person("5725767000000420001", "Ana Ito", "ana@example.com", True),
        Person("5725767000000420002", "Max", None, False),
    ]
    assert [(stage.id, stage.name, stage.outcome) for stage in await client.stages()] == [
        ("Offer", "Angebot", "open"),
        ("Closed Won", "Won", "won"),
        ("Closed Lost", "Lost", "lost"),
    ]


async def test_a_channel_is_watched_renewed_and_ended(connect: Connect) -> None:
    crm = ZohoServer()
    client = await connect("zoho", crm, account_id="1000000068001", **GIVEN)
    (made,) = await client.subscribe(URL, "channel-token")
    assert (made.id, crm.watched[made.id]["token"]) == ("1000000068001", "channel-token")
    assert made.ends_at is not None
    assert timedelta(days=6) < made.ends_at - datetime.now(UTC) < timedelta(days=7)
    renewed = await client.renew(made.id, URL, "channel-token")
    assert renewed.id == made.id
    assert [(each.id, each.url, each.ends_at) for each in await client.subscriptions()] == [
        (made.id, URL, renewed.ends_at)
    ]
    await client.unsubscribe(made.id)
    assert await client.subscriptions() == []
    named = await connect("zoho", ZohoServer(), account_id="acme", **GIVEN)
    with pytest.raises(Refused):
        await named.subscribe(URL, "channel-token")


async def test_a_refusal_with_status_200_is_one(connect: Connect) -> None:
    client = await connect("zoho", ZohoServer(), **{**GIVEN, "refresh_token": "1000.withdrawn"})
    with pytest.raises(AccessRefused) as told:
        await client.check()
    assert str(told.value) == "No access token is granted (status 200, invalid_code)."
