"""Fxiaoke (纷享销客): objects, employees and stages by the open platform's `cgi` interfaces.

All are POSTs with the token in the body, and answer status 200 with an `errorCode`. Limits are not documented by
figures; we stay at five requests a second.
"""

from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.integrations.adapters.base import Fetched, Json
from app.integrations.adapters.fxiaoke import API_NAME_OF, OBJECTS
from app.integrations.clients.base import (
    Access,
    AccessRefused,
    Asked,
    ChangedPage,
    Client,
    NotUnderstood,
    Overloaded,
    Person,
    Refused,
    Renewed,
    Stage,
    Unreachable,
    fetched_of,
    held_in,
    left_of,
)
from app.integrations.clients.http import (
    Answer,
    Caller,
    Outside,
    Pace,
    cursor_after,
    cursor_of,
    hosts,
    place_in,
    read_cursor,
    text_of,
)

API = "https://open.fxiaoke.com/cgi"
HOSTS = hosts(r"open\.fxiaoke\.com")
PER_SECOND = 5.0
PAGE = 100

# Of the open platform: tokens that ended or are unknown, and calls that are too many.
_TOKEN_ENDED = frozenset({20005, 20016, 20017})
_TOO_MANY = frozenset({10006, 30006, 320004})
_CUSTOM = "__c"


class FxiaokeClient(Client):
    """Asks Fxiaoke."""

    system = "fxiaoke"
    kinds = ("company", "contact", "lead", "deal", "activity", "quote")
    most = PAGE

    def __init__(self, outside: Outside, asked: Asked, given: Mapped[str, str], access: Access) -> None:
        self._asked, self._given, self._access = asked, given, access
        self._caller = Caller(outside, HOSTS, Pace(PER_SECOND))

    @staticmethod
    async def renew_token(outside: Outside, given: Mapped[str, str]) -> Renewed:
        """By the permanent code; tokens last two hours."""
        body = {
            "appId": given["app_id"],
            "appSecret": given["app_secret"],
            "permanentCode": given["permanent_code"],
        }
        caller = Caller(outside, HOSTS, Pace(PER_SECOND))
        answer = await caller.call("POST", f"{API}/corpAccessToken/get/V2", body=body, is_safe=True)
        token, corp_id, lasts = answer.at("corpAccessToken"), answer.text_at("corpId"), answer.at("expiresIn")
        if answer.at("errorCode") != 0 or not isinstance(token, str):
            raise AccessRefused(f"No access token is granted (errorCode {_code(answer)}).")
        seconds = lasts if isinstance(lasts, int) and lasts > 0 else 7200
        return Renewed(token, seconds, {"corp_id": corp_id} if corp_id else {})

    def offers(self, object: str) -> bool:  # noqa: A002
        """The objects that are kept, by either name, and what the mapping adds."""
        return object in API_NAME_OF or object in OBJECTS or object in self._asked.mapping.objects

    async def check(self) -> str | None:
        """Whether data can be read in the administrator's name. The account is not told in its own spelling."""
        await self._query(API_NAME_OF["company"], [], 0, limit=1)
        return None

    async def fetch(self, object: str, ids: Sequence[str]) -> Fetched:  # noqa: A002
        """At once of each object that may be theirs; what is deleted or unknown is gone."""
        at = datetime.now(UTC)
        items: list[dict[str, Json]] = []
        left = ids
        for name in held_in(self._asked, object, API_NAME_OF):
            items += await self._query(self._api_name(name), [_filter("_id", "IN", list(left))], 0)
            if not (left := left_of(ids, items, "_id")):
                break
        return fetched_of(self._asked, object, items, left, at)

    async def changed(self, object: str, since: datetime, until: datetime, cursor: str | None = None) -> ChangedPage:  # noqa: A002
        """Object by object, in the order of their changes; deleted ones are not told, voided ones are."""
        at = datetime.now(UTC)
        names, told = held_in(self._asked, object, API_NAME_OF), read_cursor(cursor)
        name = self._api_name(place_in(names, told))
        offset = int(told.get("offset", 0))
        within = [
            _filter("last_modified_time", "GTE", [_ms(since)]),
            _filter("last_modified_time", "LT", [_ms(until)]),
        ]
        items = await self._query(name, within, offset)
        is_more = len(items) == PAGE
        following = cursor_of(of=name, offset=offset + PAGE) if is_more else cursor_after(names, name)
        return ChangedPage(fetched_of(self._asked, object, items, (), at), following)

    async def people(self) -> list[Person]:
        """The employees of all departments, by their `openUserId`."""
        body = {"departmentId": 0, "fetchChild": True}
        answer = await self._call("user/list", body)
        return [_person(each) for each in answer.list_of("userList")]

    async def stages(self) -> list[Stage]:
        """The options of the field `sales_stage`; what they come to is the mapping's to say."""
        name = API_NAME_OF["deal"]
        answer = await self._call("crm/v2/object/describe", {"apiName": name, "includeDetail": False})
        options = answer.list_of("data", "describe", "fields", "sales_stage", "options")
        return [stage for position, told in enumerate(options) if (stage := _stage(told, position))]

    def _api_name(self, object_: str) -> str:
        if not self.offers(object_):
            raise Refused("Fxiaoke has no such object that is kept.")
        return API_NAME_OF.get(object_, object_)

    async def _query(
        self, api_name: str, filters: Sequence[dict[str, Any]], offset: int, limit: int = PAGE
    ) -> Sequence[dict[str, Json]]:
        path = "crm/custom/v2/data/query" if api_name.endswith(_CUSTOM) else "crm/v2/data/query"
        search = {
            "limit": limit,
            "offset": offset,
            "filters": filters,
            "orders": [{"fieldName": "last_modified_time", "isAsc": True}],
        }
        answer = await self._call(path, {"data": {"dataObjectApiName": api_name, "search_query_info": search}})
        return answer.list_of("data", "dataList")

    async def _call(self, path: str, body: dict[str, Any]) -> Answer:
        """One request, with the token in its body; a token that ended is renewed once."""
        token = await self._access.token()
        answer = await self._send(path, body, token.text, token.about)
        if answer.at("errorCode") in _TOKEN_ENDED:
            token = await self._access.token(stale=token.text)
            answer = await self._send(path, body, token.text, token.about)
        if answer.at("errorCode") == 0:
            return answer
        raise _error_of(answer)

    async def _send(self, path: str, body: dict[str, Any], token: str, about: Mapped[str, str]) -> Answer:
        who = {
            "corpAccessToken": token,
            "corpId": self._given.get("corp_id") or about.get("corp_id", ""),
            "currentOpenUserId": self._given["user_id"],
        }
        return await self._caller.call("POST", f"{API}/{path}", body={**who, **body}, is_safe=True)


def _code(answer: Answer) -> str:
    code = answer.at("errorCode")
    return str(code) if isinstance(code, int) else "unknown"


def _error_of(answer: Answer) -> AccessRefused | Overloaded | Refused | Unreachable:
    """By its code; the message may repeat what was asked."""
    code = answer.at("errorCode")
    if code in _TOKEN_ENDED:
        return AccessRefused(f"The credentials are refused (errorCode {_code(answer)}).")
    if code in _TOO_MANY:
        return Overloaded("open.fxiaoke.com asks to wait: its limit of requests is reached.", 60.0)
    if code == -1:
        return Unreachable("The system fails (errorCode -1).")
    return Refused(f"The request is refused (errorCode {_code(answer)}).")


def _filter(name: str, operator: str, values: list[Any]) -> dict[str, Any]:
    return {"field_name": name, "operator": operator, "field_values": values}


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _person(told: dict[str, Json]) -> Person:
    id_ = text_of(told.get("openUserId"))
    if id_ is None:
        raise NotUnderstood("An employee has no openUserId.")
    return Person(id_, text_of(told.get("name")), text_of(told.get("email")), told.get("isStop") is not True)


def _stage(told: dict[str, Json], position: int) -> Stage | None:
    id_ = text_of(told.get("value"))
    return Stage("deal", None, None, id_, text_of(told.get("label")) or id_, None, position) if id_ else None
