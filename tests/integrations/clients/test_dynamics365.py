"""Dynamics 365 is asked as its API documents, and its answers are read."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from app.integrations.clients.base import AccessRefused, NotUnderstood, Person, Refused
from tests.integrations.clients.conftest import Connect
from tests.integrations.clients.server import Answer, Asked, Crm

SINCE, UNTIL = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)
TENANT = str(UUID(int=7))
HOST = "acme.crm4.dynamics.com"
GIVEN = {"tenant_id": TENANT, "client_id": "app", "client_secret": "shh", "host": HOST}
API = "/api/data/v9.2"


@dataclass
class DynamicsServer(Crm):
    """An environment with opportunities."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    next_host: str = HOST

    def answer(self, asked: Asked) -> Answer:
        """By path."""
        if asked.path == f"/{TENANT}/oauth2/v2.0/token":
            assert asked.host == "login.microsoftonline.com"
            if asked.form["client_secret"] != "shh" or asked.form["scope"] != f"https://{HOST}/.default":
                return 401, {}, {"error": "invalid_client", "error_description": "AADSTS7000215: shh"}
            return self.grant(expires_in=3599)
        assert asked.host == HOST
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return 401, {}, {"error": {"code": "0x80040220", "message": "..."}}
        path = asked.path.removeprefix(API)
        if path != "/opportunities":
            return 200, {}, _FIXED[path]
        assert "lookuplogicalname" in asked.headers["prefer"]
        condition = asked.query.get("$filter", "")
        if condition.startswith("Microsoft.Dynamics.CRM.In("):
            return 200, {}, {"value": [row for row in self.rows if f"'{row['opportunityid']}'" in condition]}
        start = int(asked.query.get("$skiptoken", 0))
        told: dict[str, Any] = {"value": self.rows[start : start + 100]}
        if start + 100 < len(self.rows):
            told["@odata.nextLink"] = f"https://{self.next_host}{API}/opportunities?$skiptoken={start + 100}"
        return 200, {}, told


_FIXED: dict[str, Any] = {
    "/WhoAmI": {"OrganizationId": str(UUID(int=9)), "UserId": str(UUID(int=1))},
    "/systemusers": {
        "value": [
            {
                "systemuserid": str(UUID(int=1)),
                "fullname": "Ana",
                "internalemailaddress": "ana@example.com",
                "isdisabled": False,
            },
            {"systemuserid": str(UUID(int=2)), "fullname": "Max", "internalemailaddress": None, "isdisabled": True},
        ]
    },
    "/teams": {"value": [{"teamid": str(UUID(int=3)), "name": "North"}]},
    "/transactioncurrencies": {"value": [{"transactioncurrencyid": str(UUID(int=4)), "isocurrencycode": "EUR"}]},
    "/EntityDefinitions(LogicalName='opportunity')/Attributes(LogicalName='statuscode')"
    "/Microsoft.Dynamics.CRM.StatusAttributeMetadata": {
        "LogicalName": "statuscode",
        "OptionSet": {
            "Options": [
                {"Value": 1, "State": 0, "Label": {"UserLocalizedLabel": {"Label": "In progress"}}},
                {"Value": 3, "State": 1, "Label": {"UserLocalizedLabel": {"Label": "Won"}}},
                {"Value": 5, "State": 2, "Label": {"UserLocalizedLabel": None}},
            ]
        },
    },
}


def row(number: int) -> dict[str, Any]:
    return {"opportunityid": str(UUID(int=number)), "estimatedvalue": 10.5, "modifiedon": "2026-07-10T10:00:00Z"}


async def test_rows_come_by_their_ids_and_what_is_absent_is_gone(connect: Connect) -> None:
    client = await connect("dynamics365", DynamicsServer(rows=[row(1)]), **GIVEN)
    one, two = row(1)["opportunityid"], row(2)["opportunityid"]
    fetched = await client.fetch("deal", [one, two])
    assert ([item["opportunityid"] for item in fetched.items], fetched.gone) == ([one], [two])
    assert str(fetched.items[0]["estimatedvalue"]) == "10.5"
    with pytest.raises(Refused):
        await client.fetch("deal", ["') or (1 eq 1"])


async def test_changes_are_read_by_links_of_the_same_environment(connect: Connect) -> None:
    crm = DynamicsServer(rows=[row(number) for number in range(250)])
    client = await connect("dynamics365", crm, **GIVEN)
    cursor, found = None, 0
    while True:
        page = await client.changed("deal", SINCE, UNTIL, cursor)
        found += len(page.fetched.items)
        if (cursor := page.cursor) is None:
            break
    assert found == 250
    assert crm.asked[1].query["$filter"] == "modifiedon ge 2026-07-01T00:00:00Z and modifiedon lt 2026-08-01T00:00:00Z"
    crm.next_host = "evil.example.com"
    with pytest.raises(NotUnderstood):
        await client.changed("deal", SINCE, UNTIL)
    with pytest.raises(NotUnderstood):
        await client.changed("deal", SINCE, UNTIL, '{"next":"https://evil.example.com/"}')


async def test_people_teams_stages_currencies_and_the_organization_are_read(connect: Connect) -> None:
    client = await connect("dynamics365", DynamicsServer(), **GIVEN)
    assert await client.check() == str(UUID(int=9))
    assert await client.people() == [
        Person(str(UUID(int=1)), "Ana", "ana@example.com", True),
        Person(str(UUID(int=2)), "Max", None, False),
        Person(str(UUID(int=3)), "North", None, True, "team"),
    ]
    assert [(stage.id, stage.name, stage.outcome) for stage in await client.stages()] == [
        ("1", "In progress", "open"),
        ("3", "Won", "won"),
        ("5", "5", "lost"),
    ]
    assert await client.currencies() == {str(UUID(int=4)): "EUR"}


async def test_a_refusal_is_told(connect: Connect) -> None:
    client = await connect("dynamics365", DynamicsServer(), **{**GIVEN, "client_secret": "wrong"})
    with pytest.raises(AccessRefused) as told:
        await client.check()
    assert str(told.value) == "No access token is granted (status 401, invalid_client)."
