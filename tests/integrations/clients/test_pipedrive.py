"""Pipedrive is asked as its API documents, and its answers are read."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from app.integrations.clients.base import AccessRefused, Person, Subscription
from tests.integrations.clients.conftest import Connect
from tests.integrations.clients.server import Answer, Asked, Crm

SINCE, UNTIL = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)
URL = "https://paceline.example.com/v1/hooks/1"


@dataclass
class PipedriveServer(Crm):
    """A company with deals, archived ones, and leads."""

    deals: dict[str, dict[str, Any]] = field(default_factory=dict)
    archived: dict[str, dict[str, Any]] = field(default_factory=dict)
    leads: list[dict[str, Any]] = field(default_factory=list)
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    changes: dict[str, list[dict[str, Any]]] | None = None
    made: int = 0

    def answer(self, asked: Asked) -> Answer:
        """By path."""
        if asked.path == "/oauth/token":
            ok = asked.headers["authorization"] == "Basic YXBwOnNoaA==" and asked.form["refresh_token"] == "r"
            return self.grant(expires_in=3599) if ok else (400, {}, {"success": False, "error": "invalid_grant"})
        bearer = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if asked.headers.get("x-api-token") != "api-token" and bearer not in self.tokens:
            return 401, {}, {"success": False, "error": "unauthorized access", "errorCode": 401}
        assert "api-token" not in str(asked.query), "tokens do not belong into addresses"
        return self._told(asked)

    def _told(self, asked: Asked) -> Answer:
        name = asked.path.rpartition("/")[2]
        if asked.path in {"/api/v2/deals", "/api/v2/deals/archived"}:
            kept = self.archived if name == "archived" else self.deals
            if "ids" in asked.query:
                return _data([kept[each] for each in asked.query["ids"].split(",") if each in kept])
            start = int(asked.query.get("cursor", 0))
            end = start + int(asked.query["limit"])
            return _data(list(kept.values())[start:end], next_cursor=str(end) if len(kept) > end else None)
        if name == "changelog":
            return self._changes(asked)
        if asked.path in {"/v1/leads", "/v1/leads/archived"}:
            start = int(asked.query["start"])
            return _data(self.leads[start : start + 100] if name == "leads" else [])
        if asked.path.startswith("/v1/leads/"):
            found = next((lead for lead in self.leads if lead["id"] == name), None)
            return _data(found) if found else (404, {}, {"success": False, "error": "Lead not found"})
        if asked.path == "/v1/users/me":
            return _data({"id": 1, "company_id": 8087566})
        if asked.path == "/v1/users":
            return _data(
                [
                    {"id": 1, "name": "Ana", "email": "ana@example.com", "active_flag": True},
                    {"id": 2, "active_flag": False},
                ]
            )
        if asked.path == "/api/v2/pipelines":
            return _data([{"id": 1, "name": "Sales"}])
        if asked.path == "/api/v2/stages":
            return _data(
                [
                    {"id": 12, "name": "Offer", "pipeline_id": 1, "order_nr": 2},
                    {"id": 11, "name": "Met", "pipeline_id": 1, "order_nr": 1},
                ]
            )
        return self._webhook(asked)

    def _changes(self, asked: Asked) -> Answer:
        if self.changes is None:
            return 403, {}, {"success": False, "error": "Scope and URL mismatch", "errorCode": 403}
        told, start = self.changes.get(asked.path.split("/")[3], []), int(asked.query.get("cursor", 0))
        return _data(told[start : start + 2], next_cursor=str(start + 2) if len(told) > start + 2 else None)

    def _webhook(self, asked: Asked) -> Answer:
        if asked.method == "POST":
            self.made += 1
            self.webhooks.append({**asked.json, "id": self.made})
            return 201, {}, {"status": "ok", "success": True, "data": self.webhooks[-1]}
        if asked.method == "DELETE":
            self.webhooks = [each for each in self.webhooks if str(each["id"]) != asked.path.rpartition("/")[2]]
        return _data(self.webhooks)


def _data(data: Any, **more: Any) -> Answer:
    return 200, {}, {"success": True, "data": data, "additional_data": more}


def a_deal(id_: int) -> dict[str, Any]:
    return {"id": id_, "title": "x", "value": 10.5, "currency": "EUR", "update_time": "2026-07-10T09:00:00Z"}


def lead(number: int, day: str) -> dict[str, Any]:
    return {"id": f"adf21080-0e10-11eb-879b-{number:012}", "update_time": f"2026-07-{day}T11:30:36.551Z"}


async def test_objects_come_by_their_ids_and_what_is_absent_is_gone(connect: Connect) -> None:
    crm = PipedriveServer(deals={"1": a_deal(1)}, archived={"2": a_deal(2)}, leads=[lead(1, "10")])
    client = await connect("pipedrive", crm, api_token="api-token")
    fetched = await client.fetch("deal", ["1", "2", "3"])
    assert ([item["id"] for item in fetched.items], fetched.gone) == ([1, 2], ["3"])
    assert str(fetched.items[0]["value"]) == "10.5"
    here, gone = lead(1, "10")["id"], lead(2, "10")["id"]
    fetched = await client.fetch("lead", [here, gone])
    assert ([item["id"] for item in fetched.items], fetched.gone) == ([here], [gone])


async def test_changes_are_read_page_by_page(connect: Connect) -> None:
    crm = PipedriveServer(deals={str(id_): a_deal(id_) for id_ in range(250)})
    crm.leads = [lead(number, "10" if number % 2 else "31") for number in range(150)]
    client = await connect("pipedrive", crm, api_token="api-token")
    found: dict[str, list[Any]] = {"deal": [], "lead": []}
    for kind, ids in found.items():
        cursor = None
        while True:
            page = await client.changed(kind, SINCE, datetime(2026, 7, 20, tzinfo=UTC), cursor)
            ids += [item["id"] for item in page.fetched.items]
            if (cursor := page.cursor) is None:
                break
    assert (len(found["deal"]), len(found["lead"])) == (250, 75)
    assert crm.asked[0].query["updated_since"] == "2026-07-01T00:00:00Z"


async def test_deals_that_are_listed_come_with_the_changes_of_their_fields(connect: Connect) -> None:
    fresh = {**a_deal(3), "add_time": a_deal(3)["update_time"]}
    crm = PipedriveServer(deals={"1": a_deal(1), "2": a_deal(2), "3": fresh})
    changes = [{"field_key": "stage_id", "new_value": str(n), "time": f"2026-07-0{n} 09:00:00"} for n in (3, 2, 1)]
    crm.changes = {"1": changes}
    client = await connect("pipedrive", crm, api_token="api-token")
    page = await client.changed("deal", SINCE, UNTIL)
    assert [item.get("changelog") for item in page.fetched.items] == [changes, [], None]
    assert sum(each.path.endswith("/changelog") for each in crm.asked) == 3
    crm.changes = None
    client = await connect("pipedrive", crm, api_token="api-token")
    page = await client.changed("deal", SINCE, UNTIL)
    assert [item.get("changelog") for item in page.fetched.items] == [None] * 3
    assert sum(each.path.endswith("/changelog") for each in crm.asked) == 4


async def test_users_stages_and_the_company_are_read(connect: Connect) -> None:
    client = await connect("pipedrive", PipedriveServer(), client_id="app", client_secret="shh", refresh_token="r")
    assert await client.check() == "8087566"
    assert await client.people() == [Person("1", "Ana", "ana@example.com", True), Person("2", None, None, False)]
    assert [(stage.pipeline, stage.id, stage.name) for stage in await client.stages()] == [
        ("Sales", "11", "Met"),
        ("Sales", "12", "Offer"),
    ]


async def test_webhooks_are_made_once_and_ended(connect: Connect) -> None:
    crm = PipedriveServer()
    client = await connect("pipedrive", crm, api_token="api-token")
    made = await client.subscribe(URL, "user:pass:word")
    assert made[0] == Subscription("1", URL, "*.deal", None)
    assert {each["http_auth_password"] for each in crm.webhooks} == {"pass:word"}
    assert {each["version"] for each in crm.webhooks} == {"2.0"}
    assert await client.subscribe(URL, "user:pass:word") == []
    assert [each.id for each in await client.subscriptions()] == [each.id for each in made]
    await client.unsubscribe("1")
    assert len(await client.subscriptions()) == len(made) - 1


async def test_a_wrong_token_is_told(connect: Connect) -> None:
    client = await connect("pipedrive", PipedriveServer(), api_token="wrong-token")
    with pytest.raises(AccessRefused) as told:
        await client.check()
    assert "wrong-token" not in str(told.value)
