"""Salesforce's messages as it sends them: Outbound Messages, change events by three transports, fetched rows."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

ORG, ORG15 = "00D5g000000Abc1EAC", "00D5g000000Abc1"
DEAL, OTHER_DEAL = "0065g00000STAmAAAX", "0065g00000STAmBAAX"
COMPANY, OTHER_COMPANY = "0015g00000BFDeLAAX", "0015g00000BFDeMAAX"
CONTACT, LEAD = "0035g00000gg9GAAAY", "00Q5g00000AbCdEEAV"
TASK, MEETING, QUEUE = "00T5g00000QwErTEAV", "00U5g00000ZxCvBEAV", "00G5g000001abcDEAQ"
ADA, BOB = "0055g00000BhqR0AAJ", "0055g00000BhqR1AAJ"

TRANSPORTS = ("pubsub", "cometd", "eventbridge")
_DATES = frozenset({"CloseDate", "ConvertedDate"})


def at(day: int, hour: int = 12, second: int = 0) -> datetime:
    """An instant in September 2026."""
    return datetime(2026, 9, day, hour, 0, second, tzinfo=UTC)


def iso(when: datetime, zone: str = "Z") -> str:
    """As SOAP (`Z`) and REST (`+0000`) write instants."""
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03}{zone}"


def ms(when: datetime) -> int:
    """As the Pub/Sub API decodes instants."""
    return round(when.timestamp() * 1000)


def number(count: int) -> str:
    """The id of the n-th notification; ids grow."""
    return f"04l5g0000528{count:03}AAQ"[:15]


def notification(count: int, entity: str, fields: dict[str, Any] | None) -> str:
    """One notification; without fields it names no record."""
    told = (
        "" if fields is None else f'<sObject xsi:type="q:{entity}">{"".join(map(_element, fields.items()))}</sObject>'
    )
    return f"<Notification><Id>{number(count)}</Id>{told}</Notification>"


def _element(field: tuple[str, Any]) -> str:
    name, value = field
    if value is None:
        return f'<q:{name} xsi:nil="true"/>'
    return f"<q:{name}>{escape(_text(value))}</q:{name}>"


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return iso(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def envelope(*notifications: str, organization: str = ORG, session: str = '<SessionId xsi:nil="true"/>') -> bytes:
    """The whole message, with prefixes of its own choice."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:q="urn:sobject.enterprise.soap.sforce.com">'
        '<s:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{organization}</OrganizationId><ActionId>04k5g0000008V3hAAE</ActionId>{session}"
        f"<EnterpriseUrl>https://acme.my.salesforce.com/</EnterpriseUrl>{''.join(notifications)}"
        "</notifications></s:Body></s:Envelope>"
    ).encode()


def outbound(count: int, entity: str, fields: dict[str, Any] | None) -> bytes:
    """An Outbound Message of one notification."""
    return envelope(notification(count, entity, fields))


def change(
    type_: str,
    when: datetime,
    fields: dict[str, Any] | None = None,
    *,
    entity: str = "Opportunity",
    ids: Sequence[str] = (DEAL,),
    by: str = "cometd",
    transaction: str | None = None,
    place: int = 1,
    enriched: dict[str, Any] | None = None,
) -> bytes:
    """One change event, by one of the transports."""
    fields = fields or {}
    told: dict[str, Any] = {
        "entityName": entity,
        "recordIds": list(ids),
        "changeType": type_,
        "changeOrigin": "",
        "transactionKey": transaction or f"000003ff-1a2b-bbe3-9c2b-{ms(when):012x}",
        "sequenceNumber": place,
        "commitTimestamp": ms(when),
        "commitNumber": 1790236800433528300,
        "commitUser": ADA,
        "changedFields": sorted(fields) if type_ == "UPDATE" else [],
    }
    shown = {**(enriched or {}), **fields}
    if by == "pubsub":
        told |= {"nulledFields": [name for name, value in fields.items() if value is None], "diffFields": []}
        unchanged = dict.fromkeys(("Description", "NextStep", "StageName", "Amount", "AccountId"))
        told["changedFields"] = ["0x1020830"] if type_ == "UPDATE" and not enriched else told["changedFields"]
        payload = {**unchanged, **{name: _decoded(name, value) for name, value in shown.items()}}
        return json.dumps({"ChangeEventHeader": told, **payload}).encode()
    payload = {name: iso(value) if isinstance(value, datetime) else value for name, value in shown.items()}
    inner = {"schema": "IeRuaY6cbI", "payload": {"ChangeEventHeader": told, **payload}, "event": {"replayId": 6}}
    if by == "cometd":
        return json.dumps({"channel": f"/data/{entity}ChangeEvent", "data": inner}).encode()
    source = f"aws.partner/salesforce.com/{ORG}/0YL5g0000004ABC"
    return json.dumps({
        "version": "0", "id": "1", "detail-type": f"{entity}ChangeEvent", "source": source,
        "detail": {"payload": inner["payload"], "schemaId": "IeRuaY6cbI"},
    }).encode()  # fmt: skip


def _decoded(name: str, value: Any) -> Any:
    if name in _DATES and value is not None:
        return ms(datetime.fromisoformat(f"{value}T00:00:00+00:00"))
    return ms(value) if isinstance(value, datetime) else value


def row(entity: str, id_: str, **fields: Any) -> dict[str, Any]:
    """A row as the REST API gives it."""
    told = {name: iso(value, "+0000") if isinstance(value, datetime) else value for name, value in fields.items()}
    url = f"/services/data/v62.0/sobjects/{entity}/{id_}"
    return {"attributes": {"type": entity, "url": url}, "Id": id_, **told}


def won(when: datetime, **more: Any) -> dict[str, Any]:
    """The fields of a won opportunity, changed then."""
    return {
        "Id": DEAL, "AccountId": COMPANY, "Amount": "45000.0", "CloseDate": "2026-09-30", "CreatedDate": at(1),
        "CurrencyIsoCode": "EUR", "IsClosed": True, "IsWon": True, "LastModifiedDate": when, "Name": "Acme",
        "OwnerId": ADA, "StageName": "Closed Won", "SystemModstamp": when, **more,
    }  # fmt: skip
