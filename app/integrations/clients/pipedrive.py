"""Pipedrive: deals, activities, people and organizations by API v2, leads, users and webhooks by v1.

Limits, as documented: a burst within 2 seconds by plan (at least 20 requests by API token) and a daily budget of
tokens; both answer 429 with `x-ratelimit-reset`. The changes of a deal's fields are asked for deal by deal, at 20
tokens each, so only where many are listed: for backfills.
"""

from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from app.integrations.adapters import wire
from app.integrations.adapters.base import Fetched, Json
from app.integrations.adapters.pipedrive import CHANGELOG
from app.integrations.clients.base import (
    Access,
    AccessRefused,
    Asked,
    ChangedPage,
    Client,
    NotUnderstood,
    Person,
    Refused,
    Renewed,
    Stage,
    Standing,
    Subscription,
    fetched_of,
)
from app.integrations.clients.http import (
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

API = "https://api.pipedrive.com"
OAUTH = "https://oauth.pipedrive.com/oauth/token"
HOSTS = hosts(r"(api|oauth)\.pipedrive\.com")
PER_SECOND = 5.0
PAGE = 100
PAGE_OF_DEALS = 50  # each of which is one more request
CHANGES, PAGES_OF_CHANGES = 500, 4  # of one deal, the latest first

_PATHS = {"deal": "deals", "activity": "activities", "company": "organizations", "contact": "persons"}
_WEBHOOKS = ("deal", "lead", "activity", "person", "organization")


class PipedriveClient(Client):
    """Asks Pipedrive."""

    system = "pipedrive"
    kinds = ("company", "contact", "lead", "deal", "activity")
    most = PAGE
    _LEADS: ClassVar[Sequence[str]] = ("leads", "leads/archived")

    def __init__(self, outside: Outside, asked: Asked, given: Mapped[str, str], access: Access) -> None:
        token = given.get("api_token")
        self._asked = asked
        self._caller = Caller(outside, HOSTS, Pace(PER_SECOND), access)
        if token is not None:
            self._caller = Caller(outside, HOSTS, Pace(PER_SECOND), Standing(token), scheme="", header="x-api-token")
        self._may_see_changes = True

    @staticmethod
    async def renew_token(outside: Outside, given: Mapped[str, str]) -> Renewed:
        """By the refresh token; tokens last an hour."""
        form = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
        told = await granted(outside, HOSTS, OAUTH, form, basic=(given["client_id"], given["client_secret"]))
        return renewed_of(told, seconds=3600)

    def offers(self, object: str) -> bool:  # noqa: A002
        """The objects that are kept."""
        return object in self.kinds

    async def check(self) -> str | None:
        """Who asks, and of which company."""
        answer = await self._caller.call("GET", f"{API}/v1/users/me")
        return answer.text_at("data", "company_id")

    async def fetch(self, object: str, ids: Sequence[str]) -> Fetched:  # noqa: A002
        """At once but for leads, which can only be asked for one by one; what is deleted or unknown is gone."""
        at = datetime.now(UTC)
        items = await self._leads(ids) if object == "lead" else await self._by_ids(object, ids)
        there = {text_of(item.get("id")) for item in items}
        return fetched_of(self._asked, object, items, [each for each in ids if each not in there], at)

    async def changed(self, object: str, since: datetime, until: datetime, cursor: str | None = None) -> ChangedPage:  # noqa: A002
        """In the order of their updates. Leads have no such filter: all pages are read, and the others left out."""
        if object == "lead":
            return await self._changed_leads(since, until, cursor)
        at = datetime.now(UTC)
        params: dict[str, str | int] = {
            "updated_since": _time(since),
            "updated_until": _time(until),
            "sort_by": "update_time",
            "sort_direction": "asc",
            "limit": PAGE_OF_DEALS if object == "deal" else PAGE,
        }
        if cursor is not None:
            params["cursor"] = str(read_cursor(cursor).get("next", ""))
        answer = await self._caller.call("GET", f"{API}/api/v2/{_path(object)}", params=params)
        following = answer.text_at("additional_data", "next_cursor")
        items = answer.list_of("data")
        if object == "deal":
            items = [await self._with_changes(item) for item in items]
        fetched = fetched_of(self._asked, object, items, (), at)
        return ChangedPage(fetched, cursor_of(next=following) if following else None)

    async def people(self) -> list[Person]:
        """The company's users."""
        answer = await self._caller.call("GET", f"{API}/v1/users")
        return [_person(each) for each in answer.list_of("data")]

    async def stages(self) -> list[Stage]:
        """Of deals; that one is won or lost stands in its status, whatever its stage."""
        pipelines = {text_of(each.get("id")): text_of(each.get("name")) for each in await self._all("pipelines")}
        stages = []
        for told in await self._all("stages"):
            id_, pipeline = text_of(told.get("id")), text_of(told.get("pipeline_id"))
            place = told.get("order_nr")
            if id_ is not None:
                name = text_of(told.get("name")) or id_
                position = place if isinstance(place, int) else 0
                stages.append(Stage("deal", pipeline, pipelines.get(pipeline), id_, name, None, position))
        return sorted(stages, key=lambda stage: (stage.pipeline_id or "", stage.position))

    @staticmethod
    def new_secret() -> str:
        """A user and a password."""
        return f"paceline:{Client.new_secret()}"

    async def subscribe(self, url: str, secret: str) -> list[Subscription]:
        """One webhook of version 2 for each kind of object, proved by `user:password`; those there are, are kept."""
        user, _, password = secret.partition(":")
        there = {each.about for each in await self.subscriptions() if each.url == url}
        made = []
        for name in _WEBHOOKS:
            if f"*.{name}" in there:
                continue
            wanted = {
                "subscription_url": url,
                "event_action": "*",
                "event_object": name,
                "version": "2.0",
                "http_auth_user": user,
                "http_auth_password": password,
            }
            answer = await self._caller.call("POST", f"{API}/v1/webhooks", body=wanted)
            made.append(_subscription(answer.object().get("data")))
        return made

    async def unsubscribe(self, subscription_id: str) -> None:
        """Delete the webhook."""
        id_ = wire.id_or_none(subscription_id)
        if id_ is None:
            raise Refused("This is no id of a webhook.")
        await self._caller.call("DELETE", f"{API}/v1/webhooks/{id_}", accepts=(404,))

    async def subscriptions(self) -> list[Subscription]:
        """The webhooks of the user who asks."""
        answer = await self._caller.call("GET", f"{API}/v1/webhooks")
        return [_subscription(each) for each in answer.list_of("data")]

    async def _by_ids(self, kind: str, ids: Sequence[str]) -> Sequence[dict[str, Json]]:
        params: dict[str, str | int] = {"ids": ",".join(ids), "limit": PAGE}
        found = [*(await self._caller.call("GET", f"{API}/api/v2/{_path(kind)}", params=params)).list_of("data")]
        there = {text_of(each.get("id")) for each in found}
        if kind == "deal" and (left := [each for each in ids if each not in there]):
            params["ids"] = ",".join(left)
            archived = await self._caller.call("GET", f"{API}/api/v2/deals/archived", params=params, accepts=(404,))
            found += archived.list_of("data")
        return found

    async def _with_changes(self, deal: dict[str, Json]) -> dict[str, Json]:
        """The deal with the changes of its fields, as far as they may be seen."""
        id_ = wire.id_or_none(text_of(deal.get("id")))
        if id_ is None or not self._may_see_changes or deal.get("add_time") == deal.get("update_time"):
            return deal
        params: dict[str, str | int] = {"limit": CHANGES}
        changes: list[Json] = []
        for _ in range(PAGES_OF_CHANGES):
            try:
                answer = await self._caller.call("GET", f"{API}/v1/deals/{id_}/changelog", params=params)
            except (AccessRefused, Refused):
                self._may_see_changes = False
                return deal
            changes += answer.list_of("data")
            following = answer.text_at("additional_data", "next_cursor")
            if following is None:
                break
            params["cursor"] = following
        return {**deal, CHANGELOG: changes}

    async def _leads(self, ids: Sequence[str]) -> Sequence[dict[str, Json]]:
        found = []
        for each in ids:
            answer = await self._caller.call("GET", f"{API}/v1/leads/{each}", accepts=(404, 410))
            data = answer.at("data")
            if answer.status == 200 and isinstance(data, dict):
                found.append(data)
        return found

    async def _changed_leads(self, since: datetime, until: datetime, cursor: str | None) -> ChangedPage:
        at = datetime.now(UTC)
        told = read_cursor(cursor)
        which, start = int(told.get("which", 0)), int(told.get("start", 0))
        params: dict[str, str | int] = {"start": start, "limit": PAGE, "sort": "id"}
        url = f"{API}/v1/{self._LEADS[which]}"
        answer = await self._caller.call("GET", url, params=params, accepts=(404,))
        leads = answer.list_of("data") if answer.status == 200 else ()
        within = [lead for lead in leads if _is_within(lead.get("update_time"), since, until)]
        following = None
        if len(leads) == PAGE:
            following = cursor_of(which=which, start=start + PAGE)
        elif which + 1 < len(self._LEADS):
            following = cursor_of(which=which + 1, start=0)
        return ChangedPage(fetched_of(self._asked, "lead", within, (), at), following)

    async def _all(self, path: str) -> list[dict[str, Json]]:
        found: list[dict[str, Json]] = []
        params: dict[str, str | int] = {"limit": PAGE}
        while True:
            answer = await self._caller.call("GET", f"{API}/api/v2/{path}", params=params)
            found += answer.list_of("data")
            following = answer.text_at("additional_data", "next_cursor")
            if following is None:
                return found
            params["cursor"] = following


def _path(kind: str) -> str:
    if kind not in _PATHS:
        raise Refused(f"Pipedrive has no objects {kind} that are kept.")
    return _PATHS[kind]


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_within(told: Json, since: datetime, until: datetime) -> bool:
    at = wire.instant(told)
    return at is None or since <= at < until


def _person(told: dict[str, Json]) -> Person:
    id_ = text_of(told.get("id"))
    if id_ is None:
        raise NotUnderstood("A user has no id.")
    return Person(id_, text_of(told.get("name")), text_of(told.get("email")), told.get("active_flag") is not False)


def _subscription(told: Json) -> Subscription:
    about = told if isinstance(told, dict) else {}
    id_, url = text_of(about.get("id")), about.get("subscription_url")
    if id_ is None or not isinstance(url, str):
        raise NotUnderstood("A webhook has no id or address.")
    return Subscription(id_, url, f"{about.get('event_action')}.{about.get('event_object')}", None)
