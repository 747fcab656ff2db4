"""The story as Pipedrive tells it: a webhook for each change, with the whole object; first version 1, later 2."""

import base64
import json
import random
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

from app.demo.messages import Json, Message, in_time, ms
from app.demo.story import ZONE, Activity, Company, Contact, Deal, Lead, Scale, Story, of_system

COMPANY = "8087566"
HOST = "example-demo.pipedrive.com"
PIPELINE = 1
VERSION_1_DAYS = 50
"""For how long the account's webhooks are still of version 1; leads have none of that version."""

Object = dict[str, Json]
_TIMES = ("add_time", "update_time", "won_time", "lost_time", "close_time", "first_won_time", "stage_change_time")
_VERSION_1_ACTIONS = {"create": "added", "change": "updated", "delete": "deleted"}


def messages(story: Story) -> list[Message]:
    """All webhooks until the end of the story, in order of time."""
    account = _Account(story.scale)
    for company in of_system(story.companies, "pipedrive"):
        account.company(company)
    for contact in {deal.contact: None for deal in of_system(story.deals, "pipedrive")}:  # of others it knows companies
        account.contact(contact)
    deals = {deal.lead: deal for deal in story.deals if deal.lead}
    for lead in of_system(story.leads, "pipedrive"):
        account.lead(lead, deals.get(lead))
    twins = {deal.merged_into: deal for deal in story.deals if deal.merged_into}
    for deal in of_system(story.deals, "pipedrive"):
        account.deal(deal, twins.get(deal))
    for activity in of_system(story.activities, "pipedrive"):
        account.activity(activity)
    return in_time(account.told, story.scale.ends_at)


def again(payload: Object) -> Object:
    """The same webhook, sent once more."""
    meta = payload["meta"]
    if isinstance(meta, dict) and meta.get("version") == "2.0":
        return {**payload, "meta": {**meta, "attempt": 2}}
    return {**payload, "retry": 1}


def body(payload: Object) -> bytes:
    """The body that is posted."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def headers(secret: str) -> dict[str, str]:
    """HTTP Basic: a secret is `user:password`."""
    token = base64.b64encode(secret.encode()).decode()
    return {"Content-Type": "application/json", "Authorization": f"Basic {token}", "User-Agent": "Pipedrive Webhooks"}


class _Account:
    """Collects the webhooks."""

    def __init__(self, scale: Scale) -> None:
        self.told: list[Message] = []
        self._random = random.Random(scale.seed + 2)  # noqa: S311 - invents, keeps no secret
        self._version_2_since = scale.first_day + timedelta(days=VERSION_1_DAYS)

    def company(self, company: Company) -> None:
        state: Object = {
            "id": int(company.id),
            "name": company.name,
            "owner_id": None,
            "label_ids": [],
            **_made(company.made_at),
        }
        self._say("organization", company.id, company.made_at, None, state)

    def contact(self, contact: Contact) -> None:
        at = contact.company.made_at + timedelta(seconds=5)
        name = f"Contact {contact.id}"
        state: Object = {"id": int(contact.id), "name": name, "org_id": int(contact.company.id), **_made(at)}
        self._say("person", contact.id, at, None, state)

    def lead(self, lead: Lead, deal: Deal | None) -> None:
        """Pipedrive deletes a lead that became a deal."""
        made: Object = _made(lead.at)
        state: Object = {
            "id": lead.id,
            "title": f"{lead.contact.company.name} lead",
            "owner_id": int(lead.owner.pipedrive_id),
            "creator_id": int(lead.owner.pipedrive_id),
            "person_id": int(lead.contact.id),
            "organization_id": int(lead.contact.company.id),
            "is_archived": False,
            "origin": "WebForms",
            "origin_id": None,
            "value": None,
            "was_seen": True,
            "label_ids": [],
            "custom_fields": {},
            **made,
        }
        self._say("lead", lead.id, lead.at, None, state)
        if deal:
            self._say("lead", lead.id, deal.created_at + timedelta(seconds=1), state, None)

    def deal(self, deal: Deal, twin: Deal | None) -> None:
        """Made, changed, joined by a twin, or at the end merged away."""
        state, at = _new_deal(deal), deal.created_at
        self._say("deal", deal.id, at, None, state)
        changes = [*_deal_changes(deal), *_joins(twin)]
        for when, changed in sorted(changes, key=lambda change: change[0]):
            at = max(when, at + timedelta(seconds=1))  # update times order the snapshots
            state = self._change("deal", deal.id, at, state, changed)
        if deal.merged_into and deal.merged_at:
            self._say("deal", deal.id, deal.merged_at, state, None, merged_to_id=int(deal.merged_into.id))

    def activity(self, told: Activity) -> None:
        """Calls and e-mails are logged as done; meetings are planned, and then done or deleted."""
        made_at = told.booked_at or told.ends_at
        state: Object = {
            "id": int(told.id),
            "type": told.kind,
            "subject": told.kind.title(),
            "done": told.booked_at is None,
            "owner_id": int(told.owner.pipedrive_id),
            "deal_id": int(told.deal.id) if told.deal else None,
            "lead_id": told.lead.id if told.lead else None,
            "person_id": int(told.contact.id),
            "org_id": int(told.contact.company.id),
            "due_date": f"{told.at.astimezone(ZONE):%Y-%m-%d}",
            "due_time": {"timezone_id": None, "value": f"{told.at:%H:%M:%S}"},
            "duration": {"timezone_id": None, "value": str(timedelta(seconds=told.seconds)).zfill(8)},
            "active_flag": True,
            "custom_fields": {},
            **_made(made_at),
        }
        self._say("activity", told.id, made_at, None, state)
        if told.deleted_at:
            self._say("activity", told.id, told.deleted_at, state, None)
        elif told.kind == "meeting" and told.outcome == "held":
            self._change("activity", told.id, told.ends_at, state, {"done": True})
        elif told.kind == "meeting":
            gone_at = told.at - timedelta(minutes=20) if told.outcome == "canceled" else told.ends_at
            self._say("activity", told.id, gone_at, state, None)

    def _change(self, entity: str, id_: str, at: datetime, before: Object, changes: Object) -> Object:
        """Tell a change; gives the state after it. What the object had not before (a twin) is told in `meta`."""
        fields = {name: value for name, value in changes.items() if name in before} | {"update_time": _utc(at)}
        meta = {name: value for name, value in changes.items() if name not in before}
        after = {**before, **fields}
        self._say(entity, id_, at, {name: before[name] for name in fields}, after, before, **meta)
        return after

    def _say(
        self,
        entity: str,
        id_: str,
        at: datetime,
        previous: Object | None,
        data: Object | None,
        whole_previous: Object | None = None,
        **more: Json,
    ) -> None:
        """`previous` holds what changed, in version 1 the whole object; without `data` the object is gone."""
        action = "delete" if data is None else "create" if previous is None else "change"
        sent = at + timedelta(milliseconds=self._random.randrange(40, 900))
        owner = (data or previous or {}).get("owner_id")
        if entity == "lead" or at.date() >= self._version_2_since:
            payload = self._version_2(entity, id_, action, sent, owner, more)
            payload.update(data=data, previous=previous)
        else:
            payload = self._version_1(entity, id_, action, sent, owner, more)
            payload.update(current=_version_1_of(data), previous=_version_1_of(whole_previous or previous))
        self.told.append(Message(at, payload))

    def _version_2(self, entity: str, id_: str, action: str, sent: datetime, owner: Json, more: Object) -> Object:
        meta: Object = {
            "action": action,
            "company_id": COMPANY,
            "correlation_id": self._uuid(),
            "entity_id": id_,
            "entity": entity,
            "id": self._uuid(),
            "is_bulk_edit": False,
            "timestamp": f"{sent:%Y-%m-%dT%H:%M:%S}.{sent.microsecond // 1000:03}Z",
            "type": "general",
            "user_id": str(owner),
            "version": "2.0",
            "webhook_id": "4710827",
            "webhook_owner_id": "12094821",
            "change_source": "app",
            "permitted_user_ids": ["12094821"],
            "attempt": 1,
            "host": HOST,
        }
        return {"meta": {**meta, **more}}

    def _version_1(self, entity: str, id_: str, action: str, sent: datetime, owner: Json, more: Object) -> Object:
        meta: Object = {
            "action": _VERSION_1_ACTIONS[action],
            "change_source": "app",
            "company_id": int(COMPANY),
            "host": HOST,
            "id": int(id_),
            "is_bulk_update": False,
            "matches_filters": {"current": []},
            "object": entity,
            "permitted_user_ids": [12_094_821],
            "pipedrive_service_name": False,
            "timestamp": ms(sent) // 1000,
            "timestamp_micro": ms(sent) * 1000,
            "prepublish_timestamp": ms(sent),
            "trans_pending": False,
            "user_id": owner,
            "v": 1,
            "webhook_id": "404975",
        }
        event = f"{_VERSION_1_ACTIONS[action]}.{entity}"
        return {"v": 1, "matches_filters": {"current": []}, "meta": {**meta, **more}, "retry": 0, "event": event}

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _made(at: datetime) -> Object:
    return {"add_time": _utc(at), "update_time": _utc(at)}


def _version_1_of(told: Object | None) -> Object | None:
    """Version 1 writes times without a zone, the owner as `user_id`, and clock times as plain text."""
    if told is None:
        return None
    plain = {name: _plain(value) for name, value in told.items()}
    plain.pop("custom_fields", None)
    plain["user_id"] = plain.pop("owner_id", None)
    for name in _TIMES:
        if isinstance(at := plain.get(name), str):
            plain[name] = at.replace("T", " ").removesuffix("Z")
    return plain


def _plain(value: Json) -> Json:
    return value["value"] if isinstance(value, dict) and "value" in value else value


def _joins(twin: Deal | None) -> Iterator[tuple[datetime, Object]]:
    if twin and twin.merged_at:
        yield twin.merged_at, {"merged_from_id": int(twin.id)}


def _new_deal(deal: Deal) -> Object:
    owner = int(deal.owners[0][1].pipedrive_id)
    return {
        "id": int(deal.id),
        "title": deal.title,
        "value": int(deal.amounts[0][1]),
        "currency": "EUR",
        "status": "open",
        "stage_id": 1,
        "pipeline_id": PIPELINE,
        "owner_id": owner,
        "creator_user_id": owner,
        "person_id": int(deal.contact.id),
        "org_id": int(deal.contact.company.id),
        "won_time": None,
        "lost_time": None,
        "close_time": None,
        "first_won_time": None,
        "lost_reason": None,
        "stage_change_time": None,
        "expected_close_date": None,
        "probability": None,
        "origin": "Lead" if deal.lead else "ManuallyCreated",
        "origin_id": deal.lead.id if deal.lead else None,
        "label_ids": [],
        "visible_to": "3",
        "custom_fields": {},
        **_made(deal.created_at),
    }


def _deal_changes(deal: Deal) -> Iterator[tuple[datetime, Object]]:
    """What changed after the deal was made, in no order."""
    for at, amount in deal.amounts[1:]:
        yield at, {"value": int(amount)}
    for at, owner in deal.owners[1:]:
        yield at, {"owner_id": int(owner.pipedrive_id)}
    for at, stage in deal.stages[1:]:
        yield at, {"stage_id": stage + 1, "stage_change_time": _utc(at)}
    won_before: Json = None
    for closing in deal.closings:
        time, status = _utc(closing.at), "won" if closing.is_won else "lost"
        won_before = won_before or (time if closing.is_won else None)
        yield closing.at, {"status": status, f"{status}_time": time, "close_time": time, "first_won_time": won_before}
        if closing.reopened_at:
            yield closing.reopened_at, {"status": "open", "won_time": None, "lost_time": None, "close_time": None}
