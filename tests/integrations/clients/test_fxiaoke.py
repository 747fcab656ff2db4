"""Fxiaoke is asked as its open platform is known to be, and its answers are read."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from app.integrations.clients.base import AccessRefused, Overloaded, Person, Refused
from tests.integrations.clients.conftest import Connect
from tests.integrations.clients.server import Answer, Asked, Crm

SINCE, UNTIL = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)
GIVEN = {"app_id": "FSAID_1", "app_secret": "shh", "permanent_code": "code", "user_id": "FSUID_1"}


@dataclass
class FxiaokeServer(Crm):
    """An enterprise with opportunities."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    code: int = 0

    def answer(self, asked: Asked) -> Answer:
        """By path; always with status 200."""
        assert asked.host == "open.fxiaoke.com"
        told = asked.json
        if asked.path == "/cgi/corpAccessToken/get/V2":
            if (told["appSecret"], told["permanentCode"]) != ("shh", "code"):
                return 200, {}, {"errorCode": 20002, "errorMessage": "wrong shh"}
            self.granted += 1
            self.tokens = {f"token-{self.granted}"}
            return _ok(corpAccessToken=f"token-{self.granted}", corpId="FSCID_1", expiresIn=7200)
        if told["corpAccessToken"] not in self.tokens:
            return 200, {}, {"errorCode": 20016, "errorMessage": "corpAccessToken expired"}
        assert (told["corpId"], told["currentOpenUserId"]) == ("FSCID_1", "FSUID_1")
        if self.code:
            return 200, {}, {"errorCode": self.code, "errorMessage": "secret"}
        if asked.path == "/cgi/user/list":
            return _ok(userList=[{"openUserId": "FSUID_1", "name": "王", "email": "w@example.com", "isStop": False}])
        if asked.path == "/cgi/crm/v2/object/describe":
            options = [{"value": "1", "label": "验证客户"}, {"value": "5", "label": "赢单"}]
            return _ok(data={"describe": {"fields": {"sales_stage": {"options": options}}}})
        return self._rows(asked.path, told["data"])

    def _rows(self, path: str, data: dict[str, Any]) -> Answer:
        is_custom = data["dataObjectApiName"].endswith("__c")
        assert path == ("/cgi/crm/custom/v2/data/query" if is_custom else "/cgi/crm/v2/data/query")
        search = data["search_query_info"]
        found = self.rows
        for each in search["filters"]:
            if each["operator"] == "IN":
                found = [row for row in found if row[each["field_name"]] in each["field_values"]]
        start = search["offset"]
        return _ok(data={"dataList": found[start : start + search["limit"]], "total": len(found)})


def _ok(**told: Any) -> Answer:
    return 200, {}, {"errorCode": 0, "errorMessage": "success", **told}


def row(number: int) -> dict[str, Any]:
    return {"_id": f"5f9c{number:020}", "owner": ["FSUID_1"], "last_modified_time": 1783900000000 + number}


async def test_objects_come_by_their_ids_and_what_is_absent_is_gone(connect: Connect) -> None:
    client = await connect("fxiaoke", FxiaokeServer(rows=[row(1)]), **GIVEN)
    one, two = row(1)["_id"], row(2)["_id"]
    fetched = await client.fetch("deal", [one, two])
    assert ([item["_id"] for item in fetched.items], fetched.gone, fetched.object) == ([one], [two], "deal")
    mapped = await connect("fxiaoke", FxiaokeServer(), mapping={"objects": {"visit__c": "activity"}}, **GIVEN)
    assert (await mapped.fetch("visit__c", [one])).object == "visit__c"
    with pytest.raises(Refused):
        await client.fetch("visit__c", [one])


async def test_changes_are_read_page_by_page_and_a_token_that_ended_is_renewed(connect: Connect) -> None:
    crm = FxiaokeServer(rows=[row(number) for number in range(250)])
    client = await connect("fxiaoke", crm, **GIVEN)
    cursor, found = None, 0
    while True:
        page = await client.changed("deal", SINCE, UNTIL, cursor)
        found += len(page.fetched.items)
        crm.tokens = set()
        if (cursor := page.cursor) is None:
            break
    assert (found, crm.granted) == (250, 3)


async def test_employees_and_stages_are_read(connect: Connect) -> None:
    client = await connect("fxiaoke", FxiaokeServer(), **GIVEN)
    assert await client.check() is None
    assert await client.people() == [Person("FSUID_1", "王", "w@example.com", True)]
    assert [(stage.id, stage.name, stage.outcome) for stage in await client.stages()] == [
        ("1", "验证客户", None),
        ("5", "赢单", None),
    ]


async def test_errors_that_come_with_success_are_errors(connect: Connect) -> None:
    crm = FxiaokeServer()
    client = await connect("fxiaoke", crm, **GIVEN)
    for code, error in ((10006, Overloaded), (999, Refused)):
        crm.code = code
        with pytest.raises(error) as told:
            await client.check()
        assert "secret" not in str(told.value)
    client = await connect("fxiaoke", FxiaokeServer(), **{**GIVEN, "app_secret": "wrong"})
    with pytest.raises(AccessRefused) as refused:
        await client.check()
    assert str(refused.value) == "No access token is granted (errorCode 20002)."
