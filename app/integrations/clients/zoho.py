"""Zoho CRM: records of modules, users, pipelines and notifications (API v7).

Limits, as documented: credits by day, and 10 to 25 requests at the same time; both answer 429. Access tokens last an
hour; at most 10 are granted in 10 minutes, so they are kept. A source's account is the channel of its notifications.
The stages that a deal was in are asked for deal by deal, so only where many are listed: for backfills.
"""

from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from app.integrations.adapters import wire
from app.integrations.adapters.base import Fetched, Json
from app.integrations.adapters.zoho import FIELDS, HISTORY, LINKS, MODULE_OF, MODULES
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
    Subscription,
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

_ENDS = r"(com|eu|in|com\.au|jp|ca|sa|com\.cn)"
HOSTS = hosts(rf"accounts\.zoho\.{_ENDS}", r"accounts\.zohocloud\.ca", rf"www\.zohoapis\.{_ENDS}")
PER_SECOND = 5.0
BATCH, PAGE = 100, 200
PAGE_OF_DEALS = 50  # each of which is one more request
MOST_FIELDS = 50
LASTS = timedelta(days=6, hours=20)  # of a subscription: a week is the longest that is allowed

_WATCHED = ("Deals", "Leads", "Calls", "Events", "Accounts", "Contacts", "Quotes")
_ALWAYS = ("Created_Time", "Modified_Time", "Owner")
_OUTCOMES: Mapped[str, Outcome] = {"open": "open", "closed won": "won", "closed lost": "lost"}


class ZohoClient(Client):
    """Asks Zoho CRM."""

    system = "zoho"
    kinds = ("company", "contact", "lead", "deal", "call", "meeting", "quote")
    most = BATCH

    def __init__(self, outside: Outside, asked: Asked, given: Mapped[str, str], access: Access) -> None:
        self._asked = asked
        self._api = f"https://www.zohoapis.{given['data_center']}/crm/v7"
        self._caller = Caller(outside, HOSTS, Pace(PER_SECOND), access, scheme="Zoho-oauthtoken")
        self._may_see_history = True

    @staticmethod
    async def renew_token(outside: Outside, given: Mapped[str, str]) -> Renewed:
        """By the refresh token, which stays the same. A refusal has status 200 and no token."""
        end = given["data_center"]
        host = "accounts.zohocloud.ca" if end == "ca" else f"accounts.zoho.{end}"
        names = ("client_id", "client_secret", "refresh_token")
        form = {"grant_type": "refresh_token", **{name: given[name] for name in names}}
        return renewed_of(await granted(outside, HOSTS, f"https://{host}/oauth/v2/token", form), seconds=3600)

    def offers(self, object: str) -> bool:  # noqa: A002
        """The objects that are kept, by either name, and what the mapping adds."""
        return object in MODULE_OF or object in MODULES or object in self._asked.mapping.objects

    async def check(self) -> str | None:
        """The organization's own details. Its id is not what sources are known by."""
        await self._caller.call("GET", f"{self._api}/org")
        return None

    async def fetch(self, object: str, ids: Sequence[str]) -> Fetched:  # noqa: A002
        """At once from each module that may hold them; what is deleted or unknown is gone."""
        at = datetime.now(UTC)
        items: list[dict[str, Json]] = []
        left = ids
        for name in held_in(self._asked, object, MODULE_OF):
            module = self._module(name)
            params: dict[str, str | int] = {"ids": ",".join(left), "fields": self._fields(module), **_also(module)}
            items += (await self._caller.call("GET", f"{self._api}/{module}", params=params)).list_of("data")
            if not (left := left_of(ids, items, "id")):
                break
        return fetched_of(self._asked, object, items, left, at)

    async def changed(self, object: str, since: datetime, until: datetime, cursor: str | None = None) -> ChangedPage:  # noqa: A002
        """Module by module, in the order of their changes; first what was deleted.

        Zoho knows no end: what changed later is left out. What is in no standard module is told by the name of its own.
        """
        names, told = held_in(self._asked, object, MODULE_OF), read_cursor(cursor)
        name = place_in(names, told)
        module = self._module(name)
        object_ = object if name == names[0] else name
        at = datetime.now(UTC)
        if told.get("part") != "changed":
            page = int(told.get("page", 1))
            gone, more = await self._deleted(module, since, until, page)
            then = cursor_of(of=name, page=page + 1) if more else cursor_of(of=name, part="changed")
            return ChangedPage(fetched_of(self._asked, object_, (), gone, at), then)
        params: dict[str, str | int] = {
            "fields": self._fields(module),
            "sort_by": "Modified_Time",
            "sort_order": "asc",
            "per_page": PAGE_OF_DEALS if module == "Deals" else PAGE,
            **_also(module),
        }
        if (token := told.get("token")) is not None:
            params["page_token"] = str(token)
        answer = await self._caller.call(
            "GET", f"{self._api}/{module}", params=params, headers=_since(since), accepts=(304,)
        )
        items = answer.list_of("data")
        within = [
            item for item in items if not (modified := wire.instant(item.get("Modified_Time"))) or modified < until
        ]
        if module == "Deals":
            within = [await self._with_history(item) for item in within]
        is_over = len(within) < len(items) or answer.at("info", "more_records") is not True
        following_token = answer.text_at("info", "next_page_token")
        following: str | None = cursor_of(of=name, part="changed", token=following_token)
        if is_over or following_token is None:
            following = cursor_after(names, name)
        return ChangedPage(fetched_of(self._asked, object_, within, (), at), following)

    async def people(self) -> list[Person]:
        """All users, those who were deactivated too."""
        people: list[Person] = []
        page = 1
        while True:
            params: dict[str, str | int] = {"type": "AllUsers", "page": page, "per_page": PAGE}
            answer = await self._caller.call("GET", f"{self._api}/users", params=params)
            people += [_person(each) for each in answer.list_of("users")]
            if answer.at("info", "more_records") is not True:
                return people
            page += 1

    async def stages(self) -> list[Stage]:
        """Of deals, by the pipelines of each layout."""
        layouts = await self._caller.call("GET", f"{self._api}/settings/layouts", params={"module": "Deals"})
        stages: dict[tuple[str | None, str], Stage] = {}
        for layout in layouts.list_of("layouts"):
            if (layout_id := text_of(layout.get("id"))) is None:
                continue
            params = {"layout_id": layout_id}
            answer = await self._caller.call("GET", f"{self._api}/settings/pipeline", params=params, accepts=(400,))
            for pipeline in answer.list_of("pipeline") if answer.status == 200 else ():
                for stage in _stages_of(pipeline):
                    stages[stage.pipeline_id, stage.id] = stage
        return list(stages.values())

    async def subscribe(self, url: str, secret: str) -> list[Subscription]:
        """One channel for everything that is kept; asked for again it is the same one, for another week."""
        if not self._asked.account_id.isdigit():
            raise Refused("The source's account must be a number: that of its channel.")
        return [await self._watch("POST", self._asked.account_id, url, secret)]

    async def renew(self, subscription_id: str, url: str, secret: str) -> Subscription:
        """Let the channel live for another week."""
        return await self._watch("PUT", subscription_id, url, secret)

    async def unsubscribe(self, subscription_id: str) -> None:
        """End the channel."""
        params = {"channel_ids": subscription_id}
        await self._caller.call("DELETE", f"{self._api}/actions/watch", params=params, accepts=(400, 404))

    async def subscriptions(self) -> list[Subscription]:
        """The channels that this app made."""
        answer = await self._caller.call("GET", f"{self._api}/actions/watch", params={"per_page": PAGE})
        return [_subscription(each) for each in answer.list_of("watch")]

    def _module(self, object_: str) -> str:
        if object_ in MODULE_OF:
            return MODULE_OF[object_]
        if not self.offers(object_):
            raise Refused("Zoho CRM has no such module that is kept.")
        return "Events" if object_ == "Meetings" else object_

    def _fields(self, module: str) -> str:
        kind = self._asked.mapping.objects.get(module) or MODULES.get(module, "")
        links = {name for name in LINKS.get(kind, ()) if not name.startswith("$")}
        wanted = dict.fromkeys([*_ALWAYS, *sorted(self._asked.mapping.extra_fields(kind))])
        if "What_Id" in links:
            wanted["$se_module"] = None  # of what module that is
        wanted |= dict.fromkeys(sorted(FIELDS.get(kind, frozenset()) | links))
        return ",".join(list(wanted)[:MOST_FIELDS])

    async def _with_history(self, deal: dict[str, Json]) -> dict[str, Json]:
        """The deal with the stages that it was in, as far as they are kept and may be seen."""
        id_ = wire.id_or_none(text_of(deal.get("id")))
        if id_ is None or not self._may_see_history or deal.get("Created_Time") == deal.get("Modified_Time"):
            return deal
        params: dict[str, str | int] = {"fields": "Stage,Modified_Time", "per_page": PAGE}
        try:
            answer = await self._caller.call("GET", f"{self._api}/Deals/{id_}/{HISTORY}", params=params)
        except (AccessRefused, Refused):
            self._may_see_history = False
            return deal
        return {**deal, HISTORY: list(answer.list_of("data"))}

    async def _deleted(self, module: str, since: datetime, until: datetime, page: int) -> tuple[list[str], bool]:
        params: dict[str, str | int] = {"type": "all", "page": page, "per_page": PAGE}
        url = f"{self._api}/{module}/deleted"
        answer = await self._caller.call("GET", url, params=params, headers=_since(since), accepts=(304,))
        gone = [
            id_
            for each in answer.list_of("data")
            if (id_ := text_of(each.get("id"))) and _is_within(each.get("deleted_time"), since, until)
        ]
        return gone, answer.at("info", "more_records") is True

    async def _watch(self, how: Literal["POST", "PUT"], channel_id: str, url: str, secret: str) -> Subscription:
        ends_at = datetime.now(UTC).replace(microsecond=0) + LASTS
        watch = {
            "channel_id": channel_id,
            "events": [f"{module}.all" for module in _WATCHED],
            "channel_expiry": ends_at.isoformat(),
            "token": secret,
            "notify_url": url,
            "return_affected_field_values": True,
            "notify_on_related_action": False,
        }
        answer = await self._caller.call(how, f"{self._api}/actions/watch", body={"watch": [watch]}, is_safe=True)
        told = answer.list_of("watch")
        if not told or told[0].get("status") != "success":
            code = text_of(told[0].get("code")) if told else None
            raise Refused(f"Zoho CRM does not subscribe ({wire.id_or_none(code) or 'no reason given'}).")
        return Subscription(channel_id, url, ", ".join(_WATCHED), ends_at)


def _also(module: str) -> dict[str, str]:
    """Leads that were converted are not listed unless they are asked for."""
    return {"converted": "both"} if module == "Leads" else {}


def _since(since: datetime) -> dict[str, str]:
    return {"If-Modified-Since": since.astimezone(UTC).replace(microsecond=0).isoformat()}


def _is_within(told: Json, since: datetime, until: datetime) -> bool:
    at = wire.instant(told)
    return at is None or since.replace(microsecond=0) <= at < until


def _person(told: dict[str, Json]) -> Person:
    id_ = text_of(told.get("id"))
    if id_ is None:
        raise NotUnderstood("A user has no id.")
    return Person(id_, text_of(told.get("full_name")), text_of(told.get("email")), told.get("status") == "active")


def _stages_of(pipeline: dict[str, Json]) -> list[Stage]:
    """Records have a stage's actual value, which is its id here."""
    found = []
    for number, told in enumerate(Answer(200, {}, pipeline).list_of("maps")):
        id_ = text_of(told.get("actual_value")) or text_of(told.get("display_value"))
        if id_ is None or told.get("delete") is True:
            continue
        place = told.get("sequence_number")
        forecast = (text_of(told.get("forecast_type")) or "").lower()
        name = text_of(told.get("display_value")) or id_
        pipeline_name = text_of(pipeline.get("display_value"))
        position = place if isinstance(place, int) else number
        found.append(
            Stage("deal", text_of(pipeline.get("id")), pipeline_name, id_, name, _OUTCOMES.get(forecast), position)
        )
    return found


def _subscription(told: dict[str, Json]) -> Subscription:
    id_, url = text_of(told.get("channel_id")), told.get("notify_url")
    if id_ is None or not isinstance(url, str):
        raise NotUnderstood("A channel has no id or address.")
    about = {name.partition(".")[0] for each in _texts(told.get("events")) if (name := each)}
    return Subscription(id_, url, ", ".join(sorted(about)), wire.instant(told.get("channel_expiry")))


def _texts(value: Json) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
