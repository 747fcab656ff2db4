"""HubSpot: CRM objects with the history of their properties, owners and pipelines (API v3, associations v4).

Limits, as documented: 100 requests in 10 seconds for a private app, 5 searches a second.
"""

from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.integrations.adapters.base import Fetched, Json
from app.integrations.adapters.hubspot import FIELDS, OBJECT_TYPES
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
    Standing,
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
    granted,
    hosts,
    place_in,
    read_cursor,
    renewed_of,
    text_of,
)

API = "https://api.hubapi.com"
HOSTS = hosts(r"api\.hubapi\.com")
PER_SECOND, SEARCHES_PER_SECOND = 8.0, 3.0
PAGE = 50  # objects with history in one request

TYPES = {name: kind for kind, name in OBJECT_TYPES.items()}
ASSOCIATED: Mapped[str, Sequence[str]] = {
    "deal": ("company", "contact", "lead"),
    "lead": ("company", "contact"),
    "contact": ("company",),
    "call": ("company", "contact", "deal"),
    "meeting": ("company", "contact", "deal"),
    "email": ("company", "contact", "deal"),
    "quote": ("company", "contact", "deal"),
    "feedback": ("contact",),
}
"""Objects whose links are asked for, from one side each."""

_ALWAYS = ("hs_object_source", "hs_merged_object_ids")
_PRIMARY = frozenset({"Primary", "primary"})
_PRIMARY_TYPES = frozenset({1, 5, 7})  # contact to its primary company, deal to it, and the unlabeled counterpart


class HubSpotClient(Client):
    """Asks HubSpot."""

    system = "hubspot"
    kinds = ("company", "contact", "lead", "deal", "call", "meeting", "email", "quote", "feedback")
    most = PAGE

    def __init__(self, outside: Outside, asked: Asked, given: Mapped[str, str], access: Access) -> None:
        token = given.get("access_token")
        self._asked = asked
        self._caller = Caller(outside, HOSTS, Pace(PER_SECOND), Standing(token) if token else access)
        self._searches = Pace(SEARCHES_PER_SECOND)

    @staticmethod
    async def renew_token(outside: Outside, given: Mapped[str, str]) -> Renewed:
        """By the refresh token; tokens last 30 minutes."""
        names = ("client_id", "client_secret", "refresh_token")
        form = {"grant_type": "refresh_token", **{name: given[name] for name in names}}
        return renewed_of(await granted(outside, HOSTS, f"{API}/oauth/v1/token", form), seconds=1800)

    def offers(self, object: str) -> bool:  # noqa: A002
        """The objects that are kept, and types of objects that the mapping takes for one of these."""
        return object in TYPES or self._asked.mapping.objects.get(object) in TYPES

    async def check(self) -> str | None:
        """The account's own details."""
        answer = await self._caller.call("GET", f"{API}/account-info/v3/details")
        return answer.text_at("portalId")

    async def fetch(self, object: str, ids: Sequence[str]) -> Fetched:  # noqa: A002
        """By one batch, and one for each kind of link; what is archived or unknown is gone.

        What is no standard object of the kind may be one of those that the mapping takes for it.
        """
        at = datetime.now(UTC)
        kind, types = self._types(object)
        items: list[dict[str, Json]] = []
        left = ids
        for type_id in types:
            items += await self._read(kind, type_id, left) if left else []
            left = left_of(ids, items, "id")
        return fetched_of(self._asked, kind, items, left, at)

    async def changed(self, object: str, since: datetime, until: datetime, cursor: str | None = None) -> ChangedPage:  # noqa: A002
        """In the order of ids, which stays the same while objects change. Archived ones are not found."""
        told = read_cursor(cursor)
        kind, types = self._types(object)
        type_id, after = place_in(types, told), str(told.get("after", "0"))
        at = datetime.now(UTC)
        found = await self._search(type_id, since, until, after)
        ids = [id_ for each in found if (id_ := text_of(each.get("id")))]
        items = await self._read(kind, type_id, ids) if ids else []
        is_more = len(found) == PAGE and ids
        following = cursor_of(of=type_id, after=ids[-1]) if is_more else cursor_after(types, type_id)
        return ChangedPage(fetched_of(self._asked, kind, items, (), at), following)

    async def people(self) -> list[Person]:
        """Owners, with those that were archived."""
        return [*await self._owners("false"), *await self._owners("true")]

    async def stages(self) -> list[Stage]:
        """Of deals and leads; the probability of a closed stage tells a win from a loss."""
        return [*await self._stages("deal"), *await self._stages("lead")]

    def _types(self, object_: str) -> tuple[str, list[str]]:
        """The kind of records, and the object types that hold them, HubSpot's own one first."""
        if not self.offers(object_):
            raise Refused(f"HubSpot has no objects {object_} that are kept.")
        types = [each for each in held_in(self._asked, object_, TYPES) if OBJECT_TYPES.get(each, object_) == object_]
        return (object_, types) if object_ in TYPES else (self._asked.mapping.objects[object_], types)

    async def _read(self, kind: str, type_id: str, ids: Sequence[str]) -> list[dict[str, Json]]:
        names = sorted({*FIELDS.get(kind, ()), *self._asked.mapping.extra_fields(kind)})
        wanted = {
            "properties": [*names, *_ALWAYS],
            "propertiesWithHistory": names,
            "inputs": [{"id": each} for each in ids],
        }
        url = f"{API}/crm/v3/objects/{type_id}/batch/read"
        answer = await self._caller.call("POST", url, body=wanted, is_safe=True, accepts=(404,))
        items = [dict(each) for each in answer.list_of("results")]
        there = [id_ for each in items if (id_ := text_of(each.get("id")))]
        links = {other: await self._links(type_id, other, there) for other in ASSOCIATED.get(kind, ()) if there}
        for item in items:
            id_ = text_of(item.get("id")) or ""
            item["associations"] = {other: list(of.get(id_, ())) for other, of in links.items()}
        return items

    async def _links(self, type_id: str, other: str, ids: Sequence[str]) -> dict[str, list[Json]]:
        """By id; none where these credentials may not see the other objects, as in accounts without leads."""
        url = f"{API}/crm/v4/associations/{type_id}/{TYPES[other]}/batch/read"
        body = {"inputs": [{"id": each} for each in ids]}
        answer = await self._caller.call("POST", url, body=body, is_safe=True, accepts=(403, 404))
        return {
            from_id: [_link(each) for each in Answer(200, {}, told).list_of("to")]
            for told in answer.list_of("results")
            if (from_id := Answer(200, {}, told).text_at("from", "id"))
        }

    async def _search(self, type_id: str, since: datetime, until: datetime, after: str) -> Sequence[dict[str, Json]]:
        modified = "lastmodifieddate" if type_id == TYPES["contact"] else "hs_lastmodifieddate"
        filters: list[dict[str, Any]] = [
            {"propertyName": modified, "operator": "GTE", "value": str(_ms(since))},
            {"propertyName": modified, "operator": "LT", "value": str(_ms(until))},
            {"propertyName": "hs_object_id", "operator": "GT", "value": after},
        ]
        body = {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": ["hs_object_id"],
            "limit": PAGE,
        }
        await self._searches.wait()
        url = f"{API}/crm/v3/objects/{type_id}/search"
        return (await self._caller.call("POST", url, body=body, is_safe=True)).list_of("results")

    async def _owners(self, archived: str) -> list[Person]:
        people: list[Person] = []
        after: str | None = "0"
        while after is not None:
            params: dict[str, str | int] = {"limit": 500, "archived": archived}
            if after != "0":
                params["after"] = after
            answer = await self._caller.call("GET", f"{API}/crm/v3/owners", params=params)
            people += [_person(each) for each in answer.list_of("results")]
            after = answer.text_at("paging", "next", "after")
        return people

    async def _stages(self, kind: str) -> list[Stage]:
        answer = await self._caller.call("GET", f"{API}/crm/v3/pipelines/{TYPES[kind]}", accepts=(403, 404))
        if answer.status != 200:
            return []  # accounts without leads
        return [
            stage
            for pipeline in answer.list_of("results")
            for stage in _stages_of(kind, pipeline, Answer(200, {}, pipeline).list_of("stages"))
        ]


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _link(told: dict[str, Json]) -> Json:
    types = Answer(200, {}, told).list_of("associationTypes")
    is_primary = any(each.get("label") in _PRIMARY for each in types) or any(
        each.get("category") == "HUBSPOT_DEFINED" and each.get("typeId") in _PRIMARY_TYPES for each in types
    )
    return {"id": text_of(told.get("toObjectId")), "isPrimary": is_primary}


def _person(told: dict[str, Json]) -> Person:
    id_ = text_of(told.get("id"))
    if id_ is None:
        raise NotUnderstood("An owner has no id.")
    names = [name for part in ("firstName", "lastName") if (name := text_of(told.get(part)))]
    kind = "queue" if told.get("type") == "QUEUE" else "person"
    email = text_of(told.get("email"))
    is_active = told.get("archived") is not True
    return Person(id_, " ".join(names) or None, email, is_active, "queue" if kind == "queue" else "person")


def _stages_of(kind: str, pipeline: dict[str, Json], stages: Sequence[dict[str, Json]]) -> list[Stage]:
    found = []
    for position, told in enumerate(sorted(stages, key=_place)):
        id_ = text_of(told.get("id"))
        if id_ is None or told.get("archived") is True:
            continue
        outcome = _outcome(told.get("metadata")) if kind == "deal" else None
        name = text_of(told.get("label")) or id_
        found.append(
            Stage(kind, text_of(pipeline.get("id")), text_of(pipeline.get("label")), id_, name, outcome, position)
        )
    return found


def _place(told: dict[str, Json]) -> int:
    order = told.get("displayOrder")
    return order if isinstance(order, int) else 0


def _outcome(metadata: Json) -> Outcome | None:
    told = metadata if isinstance(metadata, dict) else {}
    if str(told.get("isClosed")).lower() != "true":
        return "open"
    return "won" if str(told.get("probability")) in {"1.0", "1"} else "lost"
