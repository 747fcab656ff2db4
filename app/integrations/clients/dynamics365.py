"""Microsoft Dynamics 365: rows of tables, users, teams, stages and currencies by the Dataverse Web API v9.2.

Limits, as documented, by user and web server: 6,000 requests in 5 minutes, 52 at the same time; then 429 with
`Retry-After`. Application users sign in by Microsoft's identity platform; tokens last an hour.
"""

import re
from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from app.integrations.adapters.base import Fetched, Json
from app.integrations.adapters.dynamics365 import TABLES
from app.integrations.clients.base import (
    Access,
    Asked,
    ChangedPage,
    Client,
    NotUnderstood,
    Outcome,
    Person,
    Refused,
    Renewed,
    Stage,
    fetched_of,
)
from app.integrations.clients.http import (
    Answer,
    Caller,
    Outside,
    Pace,
    cursor_of,
    granted,
    hosts,
    read_cursor,
    renewed_of,
    text_of,
)

HOSTS = hosts(
    r"[a-z0-9-]+\.(api\.)?crm[0-9]{0,2}\.dynamics\.(com|cn)",
    r"login\.microsoftonline\.com",
    r"login\.partner\.microsoftonline\.cn",
)
PER_SECOND = 10.0
BATCH, PAGE = 50, 250

SETS = {
    "opportunity": "opportunities",
    "lead": "leads",
    "account": "accounts",
    "contact": "contacts",
    "phonecall": "phonecalls",
    "appointment": "appointments",
    "email": "emails",
    "quote": "quotes",
}
"""The entity set of each table."""
_KEYS = {"phonecall": "activityid", "appointment": "activityid", "email": "activityid"}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PREFER = 'odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname"'
_OUTCOMES: Mapped[Json, Outcome] = {0: "open", 1: "won", 2: "lost"}


class Dynamics365Client(Client):
    """Asks Dynamics 365."""

    system = "dynamics365"
    kinds = ("company", "contact", "lead", "deal", "quote", "call", "meeting", "email")
    most = BATCH

    def __init__(self, outside: Outside, asked: Asked, given: Mapped[str, str], access: Access) -> None:
        self._asked = asked
        self._host = given["host"]
        self._api = f"https://{self._host}/api/data/v9.2"
        self._caller = Caller(outside, HOSTS, Pace(PER_SECOND), access)

    @staticmethod
    async def renew_token(outside: Outside, given: Mapped[str, str]) -> Renewed:
        """By the client credentials flow."""
        login = "login.partner.microsoftonline.cn" if given["host"].endswith(".cn") else "login.microsoftonline.com"
        form = {
            "grant_type": "client_credentials",
            "client_id": given["client_id"],
            "client_secret": given["client_secret"],
            "scope": f"https://{given['host']}/.default",
        }
        url = f"https://{login}/{given['tenant_id']}/oauth2/v2.0/token"
        return renewed_of(await granted(outside, HOSTS, url, form), seconds=3600)

    def offers(self, object: str) -> bool:  # noqa: A002
        """The objects that are kept."""
        return object in TABLES

    async def check(self) -> str | None:
        """Who asks, and of which organization."""
        return (await self._caller.call("GET", f"{self._api}/WhoAmI")).text_at("OrganizationId")

    async def fetch(self, object: str, ids: Sequence[str]) -> Fetched:  # noqa: A002
        """By their ids; what is deleted, or not to be seen by whoever asks, is gone."""
        if not all(_UUID.fullmatch(each) for each in ids):
            raise Refused("An id is none of Dynamics 365.")
        at = datetime.now(UTC)
        table = _table(object)
        key = _key(table)
        listed = ",".join(f"'{each}'" for each in ids)
        condition = f"Microsoft.Dynamics.CRM.In(PropertyName='{key}',PropertyValues=[{listed}])"
        answer = await self._get(f"{self._api}/{SETS[table]}", {"$filter": condition}, BATCH)
        items = answer.list_of("value")
        there = {(text_of(item.get(key)) or "").lower() for item in items}
        return fetched_of(self._asked, object, items, [each for each in ids if each.lower() not in there], at)

    async def changed(self, object: str, since: datetime, until: datetime, cursor: str | None = None) -> ChangedPage:  # noqa: A002
        """In the order of their changes. Deleted rows are not told."""
        at = datetime.now(UTC)
        table, told = _table(object), read_cursor(cursor)
        if told:
            answer = await self._get(self._following(told.get("next")), {}, PAGE)
        else:
            condition = f"modifiedon ge {_time(since)} and modifiedon lt {_time(until)}"
            params = {"$filter": condition, "$orderby": f"modifiedon,{_key(table)}"}
            answer = await self._get(f"{self._api}/{SETS[table]}", params, PAGE)
        link = answer.at("@odata.nextLink")
        following = cursor_of(next=self._following(link)) if link is not None else None
        return ChangedPage(fetched_of(self._asked, object, answer.list_of("value"), (), at), following)

    async def people(self) -> list[Person]:
        """Users and the teams that may own rows."""
        users = await self._all("systemusers", "systemuserid,fullname,internalemailaddress,isdisabled")
        teams = await self._all("teams", "teamid,name")
        return [*map(_user, users), *map(_team, teams)]

    async def stages(self) -> list[Stage]:
        """The status reasons of opportunities, which tell a win from a loss by their state."""
        url = (
            f"{self._api}/EntityDefinitions(LogicalName='opportunity')/Attributes(LogicalName='statuscode')"
            "/Microsoft.Dynamics.CRM.StatusAttributeMetadata"
        )
        answer = await self._caller.call("GET", url, params={"$select": "LogicalName", "$expand": "OptionSet"})
        options = answer.list_of("OptionSet", "Options")
        return [stage for position, told in enumerate(options) if (stage := _stage(told, position))]

    async def currencies(self) -> dict[str, str]:
        """The ISO code of each currency's id."""
        rows = await self._all("transactioncurrencies", "transactioncurrencyid,isocurrencycode")
        pairs = ((text_of(row.get("transactioncurrencyid")), text_of(row.get("isocurrencycode"))) for row in rows)
        return {id_: code for id_, code in pairs if id_ and code}

    async def _get(self, url: str, params: Mapped[str, str], page: int) -> Answer:
        headers = {"Prefer": f"{_PREFER},odata.maxpagesize={page}", "OData-Version": "4.0"}
        return await self._caller.call("GET", url, params=params or None, headers=headers)

    async def _all(self, entity_set: str, columns: str) -> list[dict[str, Json]]:
        answer = await self._get(f"{self._api}/{entity_set}", {"$select": columns}, 1000)
        found = [*answer.list_of("value")]
        while (link := answer.at("@odata.nextLink")) is not None:
            answer = await self._get(self._following(link), {}, 1000)
            found += answer.list_of("value")
        return found

    def _following(self, link: object) -> str:
        """The address of the next page, which must be of the same environment."""
        if not isinstance(link, str) or urlsplit(link)[:2] != ("https", self._host):
            raise NotUnderstood("The link to the next page leads elsewhere.")
        return link


def _table(kind: str) -> str:
    if kind not in TABLES:
        raise Refused(f"Dynamics 365 has no objects {kind} that are kept.")
    return TABLES[kind]


def _key(table: str) -> str:
    return _KEYS.get(table, f"{table}id")


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _user(told: dict[str, Json]) -> Person:
    email = text_of(told.get("internalemailaddress"))
    return Person(_id(told, "systemuserid"), text_of(told.get("fullname")), email, told.get("isdisabled") is not True)


def _team(told: dict[str, Json]) -> Person:
    return Person(_id(told, "teamid"), text_of(told.get("name")), None, True, "team")


def _id(told: dict[str, Json], name: str) -> str:
    id_ = text_of(told.get(name))
    if id_ is None:
        raise NotUnderstood(f"A row has no {name}.")
    return id_


def _stage(told: dict[str, Json], position: int) -> Stage | None:
    id_ = text_of(told.get("Value"))
    label = Answer(200, {}, told).text_at("Label", "UserLocalizedLabel", "Label")
    if id_ is None:
        return None
    return Stage("deal", None, None, id_, label or id_, _OUTCOMES.get(told.get("State")), position)
