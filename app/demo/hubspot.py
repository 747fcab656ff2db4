"""The story as HubSpot tells it: classic and generic webhook events, signed by version 3, a hundred in a batch."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count

from app.demo.messages import Json, Message, in_time, ms
from app.demo.story import Activity, Closing, Company, Contact, Deal, Lead, Story, local, of_system

PORTAL = 24_681_357
APP = 8_123_456
BATCH = 100

CONTACT, COMPANY, DEAL, MEETING, CALL, EMAIL, LEAD = "0-1", "0-2", "0-3", "0-47", "0-48", "0-49", "0-136"
OPEN_STAGES = (
    "appointmentscheduled",
    "qualifiedtobuy",
    "presentationscheduled",
    "decisionmakerboughtin",
    "contractsent",
)
WON, LOST = "closedwon", "closedlost"
DISPOSITIONS = {
    "connected": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    "busy": "9d9162e7-6cf3-4944-bf63-4dff82258764",
    "no_answer": "73a0d17f-1163-4015-bdd5-ec830791da20",
    "left_voicemail": "b2cf5968-551e-4856-9783-52b3da59a7d0",
}
OUTCOMES = {"held": "COMPLETED", "no_show": "NO SHOW", "canceled": "CANCELED"}
_ASSOCIATIONS = {
    (DEAL, COMPANY): 5,
    (DEAL, CONTACT): 3,
    (CONTACT, COMPANY): 1,
    (LEAD, CONTACT): 578,
    (CALL, CONTACT): 194,
    (CALL, DEAL): 206,
    (EMAIL, CONTACT): 198,
    (EMAIL, DEAL): 210,
    (MEETING, CONTACT): 200,
    (MEETING, DEAL): 212,
}
_CLASSIC = {CONTACT: "contact", COMPANY: "company", DEAL: "deal"}


def messages(story: Story) -> list[Message]:
    """All events until the end of the story, in order of time."""
    portal = _Portal()
    for company in of_system(story.companies, "hubspot"):
        portal.company(company)
    for contact in of_system(story.contacts, "hubspot"):
        portal.contact(contact)
    for lead in of_system(story.leads, "hubspot"):
        portal.lead(lead)
    for deal in of_system(story.deals, "hubspot"):
        portal.deal(deal)
    for activity in of_system(story.activities, "hubspot"):
        portal.activity(activity)
    return in_time(portal.told, story.scale.ends_at)


def again(payload: dict[str, Json]) -> dict[str, Json]:
    """The same event, sent once more."""
    attempts = payload["attemptNumber"]
    return {**payload, "attemptNumber": attempts + 1 if isinstance(attempts, int) else 1}


def body(events: Sequence[dict[str, Json]]) -> bytes:
    """The array that is posted."""
    return json.dumps(events, ensure_ascii=False, separators=(",", ":")).encode()


def headers(secret: str, url: str, content: bytes, now: datetime) -> dict[str, str]:
    """What HubSpot sends beside the body, with the signature of version 3."""
    stamp = str(ms(now))
    signed = b"POST" + url.encode() + content + stamp.encode()
    return {
        "Content-Type": "application/json",
        "User-Agent": "HubSpot Connect 2.0 (http://dev.hubspot.com/) (namespace: webhooks-nio-http-client)",
        "X-HubSpot-Signature": hashlib.sha256(secret.encode() + content).hexdigest(),
        "X-HubSpot-Signature-Version": "v1",
        "X-HubSpot-Request-Timestamp": stamp,
        "X-HubSpot-Signature-v3": base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode(),
    }


class _Portal:
    """Collects the events; each is thin: one property, one association."""

    def __init__(self) -> None:
        self.told: list[Message] = []
        self._ids = count(3_100_000_001)

    def company(self, company: Company) -> None:
        self._made(COMPANY, company.id, company.made_at)
        self._set(COMPANY, company.id, company.made_at, name=company.name)

    def contact(self, contact: Contact) -> None:
        at = contact.company.made_at + timedelta(seconds=5)
        self._made(CONTACT, contact.id, at, source="FORM")
        self._link((CONTACT, contact.id), (COMPANY, contact.company.id), at, is_primary=True)

    def lead(self, lead: Lead) -> None:
        self._set(LEAD, lead.id, lead.at, hubspot_owner_id=lead.owner.hubspot_id, hs_pipeline_stage="new-stage-id")
        self._made(LEAD, lead.id, lead.at, source="FORM")
        self._link((LEAD, lead.id), (CONTACT, lead.contact.id), lead.at, is_primary=True)
        if lead.qualified_at:
            self._set(LEAD, lead.id, lead.qualified_at, hs_pipeline_stage="qualified-stage-id")

    def deal(self, deal: Deal) -> None:
        at = deal.created_at
        self._set(
            DEAL,
            deal.id,
            at,
            dealname=deal.title,
            pipeline="default",
            dealstage=OPEN_STAGES[0],
            amount=f"{deal.amounts[0][1]}.00",
            deal_currency_code="EUR",
            hubspot_owner_id=deal.owners[0][1].hubspot_id,
            closedate=str(ms(at + timedelta(days=60))),
        )
        self._made(DEAL, deal.id, at)  # after its properties, as HubSpot really sends it
        self._link((DEAL, deal.id), (COMPANY, deal.contact.company.id), at, is_primary=True, both=True)
        self._link((DEAL, deal.id), (CONTACT, deal.contact.id), at, both=True)
        self._changes(deal)
        if deal.merged_into and deal.merged_at:
            self._merge(deal.merged_into, deal, deal.merged_at)

    def _changes(self, deal: Deal) -> None:
        for at, amount in deal.amounts[1:]:
            self._set(DEAL, deal.id_at(at), at, amount=f"{amount}.00")
        for at, owner in deal.owners[1:]:
            self._set(DEAL, deal.id_at(at), at, hubspot_owner_id=owner.hubspot_id)
        for at, stage in deal.stages[1:]:
            self._set(DEAL, deal.id_at(at), at, dealstage=OPEN_STAGES[stage])
        for closing in deal.closings:
            self._closing(deal, closing)

    def _closing(self, deal: Deal, closing: Closing) -> None:
        stage = WON if closing.is_won else LOST
        close_date = str(ms(local(closing.on, 12)))
        self._set(DEAL, deal.id_at(closing.at), closing.at, dealstage=stage, closedate=close_date)
        if closing.reopened_at:
            reached = OPEN_STAGES[deal.stages[-1][1]]
            self._set(DEAL, deal.id_at(closing.reopened_at), closing.reopened_at, dealstage=reached)

    def _merge(self, into: Deal, twin: Deal, at: datetime) -> None:
        self._event(
            "deal.merge",
            at,
            objectId=int(into.id),
            primaryObjectId=int(into.id),
            mergedObjectIds=[int(twin.id)],
            newObjectId=int(into.merged_id or into.id),
            numberOfPropertiesMoved=7,
        )

    def activity(self, told: Activity) -> None:
        kind = {"call": CALL, "email": EMAIL, "meeting": MEETING}[told.kind]
        at = told.booked_at or told.ends_at
        self._made(kind, told.id, at, source=_source(told))
        if told.kind == "call":
            self._call(told, at)
        elif told.kind == "email":
            self._set(
                EMAIL, told.id, at, hs_timestamp=str(ms(told.at)), hs_email_direction="EMAIL", hs_email_status="SENT"
            )
        else:
            self._meeting(told, at)
        self._set(kind, told.id, at, hubspot_owner_id=told.owner.hubspot_id)
        self._link((kind, told.id), (CONTACT, told.contact.id), at)
        if told.deal:
            self._link((kind, told.id), (DEAL, told.deal.id_at(at)), at)
        if told.deleted_at:
            self._event(
                "object.deletion", told.deleted_at, objectTypeId=kind, objectId=int(told.id), changeFlag="DELETED"
            )

    def _call(self, told: Activity, at: datetime) -> None:
        self._set(
            CALL,
            told.id,
            at,
            hs_timestamp=str(ms(told.at)),
            hs_call_direction="OUTBOUND",
            hs_call_duration=str(told.seconds * 1000),
            hs_call_disposition=DISPOSITIONS[told.outcome],
        )

    def _meeting(self, told: Activity, booked: datetime) -> None:
        self._set(
            MEETING,
            told.id,
            booked,
            hs_meeting_start_time=str(ms(told.at)),
            hs_meeting_end_time=str(ms(told.ends_at)),
            hs_meeting_outcome="SCHEDULED",
        )
        known_at = told.at - timedelta(minutes=20) if told.outcome == "canceled" else told.ends_at
        self._set(MEETING, told.id, known_at, hs_meeting_outcome=OUTCOMES[told.outcome])

    def _made(self, kind: str, id_: str, at: datetime, *, source: str = "CRM_UI") -> None:
        self._of(kind, "creation", id_, at, changeFlag="CREATED", changeSource=source)

    def _set(self, kind: str, id_: str, at: datetime, **properties: str) -> None:
        for name, value in properties.items():
            self._of(kind, "propertyChange", id_, at, propertyName=name, propertyValue=value)

    def _of(self, kind: str, action: str, id_: str, at: datetime, **rest: Json) -> None:
        """Classic subscriptions for contacts, companies and deals, generic ones for the rest."""
        if kind in _CLASSIC:
            self._event(f"{_CLASSIC[kind]}.{action}", at, objectId=int(id_), **rest)
        else:
            self._event(f"object.{action}", at, objectId=int(id_), objectTypeId=kind, **rest)

    def _link(
        self,
        one: tuple[str, str],
        other: tuple[str, str],
        at: datetime,
        *,
        is_primary: bool = False,
        both: bool = False,
    ) -> None:
        """As the first side reports it, and where both sides are subscribed to, as the other does too."""
        self._association(one, other, at, is_primary=is_primary)
        if both:
            self._association(other, one, at, is_primary=is_primary)

    def _association(self, one: tuple[str, str], other: tuple[str, str], at: datetime, *, is_primary: bool) -> None:
        ends: dict[str, Json] = {"fromObjectId": int(one[1]), "toObjectId": int(other[1])}
        flags: dict[str, Json] = {"associationRemoved": False, "isPrimaryAssociation": is_primary}
        if one[0] in _CLASSIC:
            names = f"{_CLASSIC[one[0]]}_to_{_CLASSIC[other[0]]}".upper()
            kind = f"{_CLASSIC[one[0]]}.associationChange"
            self._event(kind, at, associationType=names, **ends, **flags, changeSource="USER")
        else:
            self._event(
                "object.associationChange",
                at,
                associationCategory="HUBSPOT_DEFINED",
                associationTypeId=_ASSOCIATIONS[one[0], other[0]],
                fromObjectTypeId=one[0],
                toObjectTypeId=other[0],
                **ends,
                **flags,
                changeSource="USER",
            )

    def _event(self, kind: str, at: datetime, **rest: Json) -> None:
        payload: dict[str, Json] = {
            "eventId": next(self._ids),
            "subscriptionId": 2_200_000 + sum(kind.encode()) % 1000,
            "portalId": PORTAL,
            "appId": APP,
            "occurredAt": ms(at),
            "subscriptionType": kind,
            "attemptNumber": 0,
            "changeSource": "CRM_UI",
            **rest,
        }
        self.told.append(Message(at, payload))


def _source(told: Activity) -> str:
    if told.automated:
        return "AUTOMATION_PLATFORM"
    return "EMAIL_INTEGRATION" if told.kind == "email" else "INTEGRATION" if told.kind == "call" else "CRM_UI"
