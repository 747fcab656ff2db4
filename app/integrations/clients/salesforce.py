"""Salesforce: records, users, queues and stages by SOQL over the REST API.

Limits, as documented: requests by day and organization (then 403 with REQUEST_LIMIT_EXCEEDED), and 25 that last long.
`FIELDS(STANDARD)` answers whatever standard fields the organization has, for at most 200 records at once. The past of
opportunities and leads stands in tables of their changes, which are asked for by one request each for a whole page.
"""

import re
from collections import defaultdict
from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from datetime import UTC, datetime

from app.integrations.adapters import wire
from app.integrations.adapters.base import Fetched, Json
from app.integrations.adapters.salesforce_changes import HISTORIES, HISTORY
from app.integrations.clients.base import (
    Access,
    AccessRefused,
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
    held_in,
)
from app.integrations.clients.http import (
    Caller,
    Outside,
    Pace,
    cursor_after,
    cursor_of,
    granted,
    hosts,
    place_in,
    read_cursor,
    renewed_of,
    text_of,
)

HOSTS = hosts(r"[a-z0-9-]+(\.[a-z0-9-]+)?\.my\.salesforce\.com")
VERSION = "v62.0"
PER_SECOND = 10.0
BATCH, PAGE = 100, 200
TOKEN_SECONDS = 3600  # answers do not say; sessions last two hours, unless configured otherwise

OBJECTS = {
    "deal": "Opportunity",
    "lead": "Lead",
    "company": "Account",
    "contact": "Contact",
    "quote": "Quote",
    "meeting": "Event",
    "call": "Task",
    "email": "Task",
    "activity": "Task",
}

_HISTORIC = {"deal": ("StageName", "Owner"), "lead": ("Status", "Owner")}
"""Fields whose changes are asked for, as tables of changes name them, beside those that the mapping reads instead."""

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


class SalesforceClient(Client):
    """Asks Salesforce."""

    system = "salesforce"
    kinds = ("company", "contact", "lead", "deal", "quote", "activity", "meeting")
    most = BATCH

    def __init__(self, outside: Outside, asked: Asked, given: Mapped[str, str], access: Access) -> None:
        self._asked = asked
        self._api = f"https://{given['host']}/services/data/{VERSION}"
        self._caller = Caller(outside, HOSTS, Pace(PER_SECOND), access)
        self._hidden: set[str] = set()  # tables of changes that these credentials may not see

    @staticmethod
    async def renew_token(outside: Outside, given: Mapped[str, str]) -> Renewed:
        """By the refresh token, which may be a new one each time; without one by the client credentials flow."""
        names = ("client_id", "client_secret", "refresh_token")
        form = {name: given[name] for name in names if name in given}
        form["grant_type"] = "refresh_token" if "refresh_token" in given else "client_credentials"
        url = f"https://{given['host']}/services/oauth2/token"
        return renewed_of(await granted(outside, HOSTS, url, form), seconds=TOKEN_SECONDS)

    def offers(self, object: str) -> bool:  # noqa: A002
        """The objects that are kept, by either name, and what the mapping adds."""
        return object in OBJECTS or object in OBJECTS.values() or object in self._asked.mapping.objects

    async def check(self) -> str | None:
        """The organization's id."""
        [organization] = await self._all("SELECT Id FROM Organization") or [{}]
        return text_of(organization.get("Id"))

    async def fetch(self, object: str, ids: Sequence[str]) -> Fetched:  # noqa: A002
        """By their ids, deleted ones too; what is unknown, or not to be seen by whoever asks, is gone."""
        wrong = [each for each in ids if not _ID.fullmatch(each)]
        if wrong:
            raise Refused("An id is none of Salesforce.")
        at = datetime.now(UTC)
        listed = ", ".join(f"'{each}'" for each in ids)
        found: list[dict[str, Json]] = []
        for table in held_in(self._asked, object, OBJECTS):
            found += await self._records(object, table, f"Id IN ({listed})", f"LIMIT {PAGE}")
            if len(found) >= len(ids):
                break
        items = await self._with_history(object, [item for item in found if item.get("IsDeleted") is not True])
        there = {(text_of(item.get("Id")) or "")[:15] for item in items}
        return fetched_of(self._asked, object, items, [each for each in ids if each[:15] not in there], at)

    async def changed(self, object: str, since: datetime, until: datetime, cursor: str | None = None) -> ChangedPage:  # noqa: A002
        """Table by table, in the order of `SystemModstamp`, deleted ones as gone."""
        told = read_cursor(cursor)
        tables = held_in(self._asked, object, OBJECTS)
        table = place_in(tables, told)
        at = datetime.now(UTC)
        where = f"SystemModstamp >= {_time(since)} AND SystemModstamp < {_time(until)}"
        if "at" in told:
            stamp, last = _instant(told.get("at")), str(told.get("id"))
            if not _ID.fullmatch(last):
                raise Refused("The cursor is none of ours.")
            where += f" AND (SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{last}'))"
        found = await self._records(object, table, where, f"ORDER BY SystemModstamp, Id LIMIT {PAGE}")
        items = await self._with_history(object, [item for item in found if item.get("IsDeleted") is not True])
        gone = [id_ for item in found if item.get("IsDeleted") is True and (id_ := text_of(item.get("Id")))]
        following = cursor_after(tables, table)
        if len(found) == PAGE:
            following = cursor_of(
                of=table, at=text_of(found[-1].get("SystemModstamp")), id=text_of(found[-1].get("Id"))
            )
        return ChangedPage(fetched_of(self._asked, object, items, gone, at), following)

    async def people(self) -> list[Person]:
        """Users and queues."""
        users = await self._all("SELECT Id, Name, Email, IsActive FROM User")
        queues = await self._all("SELECT Id, Name FROM Group WHERE Type = 'Queue'")
        return [*map(_user, users), *map(_queue, queues)]

    async def stages(self) -> list[Stage]:
        """Of opportunities (which have no pipelines of their own), and the statuses of leads."""
        deals = await self._all(
            "SELECT ApiName, MasterLabel, IsClosed, IsWon, SortOrder FROM OpportunityStage"
            " WHERE IsActive = true ORDER BY SortOrder"
        )
        leads = await self._all(
            "SELECT ApiName, MasterLabel, IsConverted, SortOrder FROM LeadStatus ORDER BY SortOrder"
        )
        return [*(_stage("deal", told) for told in deals), *(_stage("lead", told) for told in leads)]

    async def _records(self, kind: str, table: str, where: str, rest: str) -> Sequence[dict[str, Json]]:
        """One page of records with their standard fields and those that the mapping reads."""
        if not self.offers(kind) or not _NAME.fullmatch(table):
            raise Refused("Salesforce has no such object that is kept.")
        role = self._asked.mapping.objects.get(table, kind)
        more = sorted(
            name for name in self._asked.mapping.extra_fields(role) if name.endswith("__c") and _NAME.fullmatch(name)
        )
        fields = ", ".join(["FIELDS(STANDARD)", *more])
        query = f"SELECT {fields} FROM {table} WHERE {where} {rest}"  # noqa: S608 - of checked names, ids and times
        answer = await self._caller.call("GET", f"{self._api}/queryAll", params={"q": query})
        return answer.list_of("records")

    async def _with_history(self, kind: str, items: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
        """The records, each with the rows of the tables of its changes, as far as they may be seen."""
        ids = [id_ for item in items if (id_ := text_of(item.get("Id"))) and _ID.fullmatch(id_)]
        rows: dict[str, list[Json]] = defaultdict(list)
        for table, (of, by) in HISTORIES.items() if ids else ():
            for row in await self._history(of, table, by, ids) if OBJECTS[of] == OBJECTS.get(kind, kind) else ():
                rows[text_of(row.get(by)) or ""].append({"attributes": {"type": table}, **row})
        return [{**item, HISTORY: rows[id_]} if (id_ := text_of(item.get("Id"))) in rows else item for item in items]

    async def _history(self, kind: str, table: str, by: str, ids: Sequence[str]) -> Sequence[dict[str, Json]]:
        """Rows of a table of changes; none where fields have no history, or these credentials may not see it."""
        if table in self._hidden:
            return []
        listed = ", ".join(f"'{each}'" for each in ids)
        columns, which = "StageName, Amount, CloseDate", ""
        if table != "OpportunityHistory":
            names = ", ".join(f"'{name}'" for name in self._historic(kind))
            columns, which = "Field, NewValue", f" AND Field IN ({names})"
        query = f"SELECT Id, {by}, CreatedDate, {columns} FROM {table} WHERE {by} IN ({listed}){which}"  # noqa: S608 - checked
        try:
            return await self._all(query)
        except (AccessRefused, Refused):
            self._hidden.add(table)
            return []

    def _historic(self, kind: str) -> list[str]:
        own = (self._asked.mapping.field_of(kind, role, "") for role in ("stage", "owner"))
        return [*_HISTORIC[kind], *(name for name in own if name.endswith("__c") and _NAME.fullmatch(name))]

    async def _all(self, query: str) -> list[dict[str, Json]]:
        answer = await self._caller.call("GET", f"{self._api}/query", params={"q": query})
        found = [*answer.list_of("records")]
        while (following := answer.text_at("nextRecordsUrl")) is not None:
            if not re.fullmatch(r"/services/data/v[0-9.]+/query/[A-Za-z0-9-]+", following):
                raise NotUnderstood("nextRecordsUrl is no address of a query.")
            answer = await self._caller.call("GET", self._api.partition("/services/")[0] + following)
            found += answer.list_of("records")
        return found


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _instant(told: object) -> str:
    at = wire.instant(told) if isinstance(told, str) else None
    if at is None:
        raise Refused("The cursor is none of ours.")
    return _time(at)


def _user(told: dict[str, Json]) -> Person:
    return Person(_id(told), text_of(told.get("Name")), text_of(told.get("Email")), told.get("IsActive") is True)


def _queue(told: dict[str, Json]) -> Person:
    return Person(_id(told), text_of(told.get("Name")), None, True, "queue")


def _id(told: dict[str, Json]) -> str:
    id_ = text_of(told.get("Id"))
    if id_ is None:
        raise NotUnderstood("A record has no Id.")
    return id_


def _stage(kind: str, told: dict[str, Json]) -> Stage:
    """Records have a stage's API name."""
    id_ = text_of(told.get("ApiName")) or text_of(told.get("MasterLabel"))
    if id_ is None:
        raise NotUnderstood("A stage has no name.")
    place = told.get("SortOrder")
    outcome: Outcome | None = None
    if kind == "deal":
        outcome = "open" if told.get("IsClosed") is not True else "won" if told.get("IsWon") is True else "lost"
    position = place if isinstance(place, int) else 0
    return Stage(kind, None, None, id_, text_of(told.get("MasterLabel")) or id_, outcome, position)
