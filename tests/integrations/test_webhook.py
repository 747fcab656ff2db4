"""Systems of one's own: CloudEvents, Standard Webhooks, and signed JSON that rules describe."""

import base64
import hmac
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from app.integrations.adapters.base import NotAuthentic, RawRequest, Unparseable
from app.integrations.adapters.webhook import Webhook
from app.integrations.mapping import Mapping, mapping_of
from tests.integrations.crm import INDEX, VECTORS, World, body_of, redacted, request_of
from tests.integrations.posting import Connection
from tests.support import Api

NOW = datetime(2026, 10, 1, 8, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SAMPLES = {sample["file"]: sample for sample in INDEX if sample["file"].startswith("generic/")}
CLOUD = {"content-type": "application/cloudevents+json"}


def told(message: Any, mapping: Mapping | None = None, headers: dict[str, str] | None = None) -> World:
    """A world to which one message was told."""
    world = World("webhook", mapping)
    return tell(world, message, headers)


def tell(world: World, message: Any, headers: dict[str, str] | None = None) -> World:
    body = redacted(world.adapter, json.dumps(message).encode(), world.mapping, headers)
    for item in world.adapter.split(json.loads(json.dumps(body, default=str))):
        assert item.problem is None
        world._learn(world.adapter.fold(item, world.mapping).fields, ())
    return world


def event(world: World) -> Any:
    (found,) = world.events().values()
    return found


def problem(message: Any, mapping: Mapping | None = None, headers: dict[str, str] | None = None) -> str:
    adapter = Webhook()
    (item,) = adapter.split(redacted(adapter, json.dumps(message).encode(), mapping, headers))
    if item.problem is not None:
        return item.problem
    with pytest.raises(Unparseable) as raised:
        adapter.fold(item, mapping or Mapping())
    return str(raised.value)


def rules(*each: dict[str, Any], **more: Any) -> Mapping:
    return mapping_of({"rules": list(each), **more}, {}, "Europe/Warsaw")


def signed(
    body: bytes, secret: str = SECRET, at: datetime = NOW, id_: str = "msg_1", headers: dict[str, str] | None = None
) -> RawRequest:
    """A call by Standard Webhooks."""
    seconds = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"{id_}.{seconds}.".encode() + body, "sha256")).decode()
    told = {"webhook-id": id_, "webhook-timestamp": seconds, "webhook-signature": f"v1,{signature}"}
    return RawRequest("POST", "", told | (headers or {}), body)


def accepts(request: RawRequest, *secrets: str, now: datetime = NOW, mapping: Mapping | None = None) -> bool:
    try:
        Webhook().authenticate(request, secrets or (SECRET,), now, mapping or Mapping())
    except NotAuthentic:
        return False
    return True


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["name"].startswith(("standard webhooks", "svix docs"))])
def test_published_vectors_hold(vector: dict[str, Any]) -> None:
    told = vector["input"]
    content = told.get("signed_content")
    id_, seconds, body = content.split(".", 2) if content else (told["id"], told["timestamp"], told["body"])
    for family in ("webhook", "svix"):
        headers = {f"{family}-id": id_, f"{family}-timestamp": seconds, f"{family}-signature": vector["expected"]}
        request = RawRequest("POST", "", headers, body.encode())
        now = datetime.fromtimestamp(int(seconds), UTC)
        for secret in {told["secret"], told.get("public", told["secret"])}:
            assert accepts(request, secret, now=now)
            assert accepts(request, "whsec_bm90IHRoZSByaWdodCBzZWNyZXQ=", secret, now=now + timedelta(minutes=5))
            assert not accepts(request, secret, now=now + timedelta(seconds=301))
            assert not accepts(request, secret, now=now - timedelta(seconds=301))
            assert not accepts(RawRequest("POST", "", headers, body.encode() + b" "), secret, now=now)


@pytest.mark.parametrize("file", ["generic/4.json", "generic/5.json"])
def test_samples_with_two_signatures_hold(file: str) -> None:
    assert accepts(request_of(SAMPLES[file]))


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": ""},
        {"webhook-id": "a.b"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "9" * 30},
        {"webhook-timestamp": "-1"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v1," + "00" * 32},
        {"webhook-signature": "v1a,AAAA v2,AAAA ,, v1,===="},
    ],
)
def test_hostile_headers_are_not_authentic(change: dict[str, str]) -> None:
    request = signed(b"{}")
    assert accepts(request)
    assert not accepts(RawRequest("POST", "", {**request.headers, **change}, b"{}"))
    assert not accepts(RawRequest("POST", "", {**request.headers, **change}, b"{}"), "whsec_", "whpk_AA", "whsk_!")


def test_families_of_headers_are_not_mixed() -> None:
    request = signed(b"{}")
    moved = {name.replace("webhook", "svix"): value for name, value in request.headers.items()}
    assert accepts(RawRequest("POST", "", moved, b"{}"))
    assert not accepts(RawRequest("POST", "", {**moved, "webhook-id": "msg_1"}, b"{}"))


def test_ed25519_holds_by_the_public_key() -> None:
    key = Ed25519PrivateKey.generate()
    public = "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()
    request = signed(b"{}")
    signature = base64.b64encode(key.sign(b"msg_1." + request.headers["webhook-timestamp"].encode() + b".{}")).decode()
    headers = {**request.headers, "webhook-signature": f"v1a,{signature}"}
    assert accepts(RawRequest("POST", "", headers, b"{}"), public)
    assert not accepts(RawRequest("POST", "", headers, b"[]"), public)


def test_other_schemes() -> None:
    digest = hmac.digest(b"It's a Secret to Everybody", b"Hello, World!", "sha256")
    for value in (f"sha256={digest.hex()}", digest.hex(), base64.b64encode(digest).decode()):
        request = RawRequest("POST", "", {"x-hub-signature-256": value}, b"Hello, World!")
        assert accepts(request, "It's a Secret to Everybody", mapping=Mapping(scheme="github"))
        assert not accepts(request, "another", mapping=Mapping(scheme="github"))
    seconds = str(int(NOW.timestamp()))
    v1 = hmac.digest(b"whsec_literal", f"{seconds}.{{}}".encode(), "sha256").hex()
    mapping = Mapping(scheme="stripe", signature_header="Calendly-Webhook-Signature")
    for value, expected in ((f"t={seconds},v1=00,v1={v1},v0=1", True), (f"t={seconds},v0={v1}", False), ("", False)):
        request = RawRequest("POST", "", {"calendly-webhook-signature": value}, b"{}")
        assert accepts(request, "whsec_literal", mapping=mapping) is expected
    static = Mapping(scheme="static")
    assert accepts(RawRequest("POST", "", {"authorization": "Bearer a-secret"}, b"{}"), "a-secret", mapping=static)
    assert not accepts(RawRequest("POST", "", {"authorization": "Bearer a-secre"}, b"{}"), "a-secret", mapping=static)


def test_secrets_that_say_how_they_are_written_are_checked() -> None:
    assert Webhook().fault_of_secret(SECRET) is None
    assert Webhook().fault_of_secret("any other text") is None
    for secret in ("whsec_", "whsec_short", "whpk_AAAA", "whsec_!!!!"):
        assert "Base64" in (Webhook().fault_of_secret(secret) or "")


def test_binary_events_are_taken_where_their_attributes_are_proved() -> None:
    attributes = {"ce-specversion": "1.0", "ce-id": "msg_1", "ce-type": "deal.won", "ce-source": "/crm"}
    assert accepts(signed(b"{}", headers=attributes))
    assert not accepts(signed(b"{}", headers={**attributes, "ce-id": "another"}))
    request = RawRequest("POST", "", {**attributes, "x-paceline-key": "a-secret"}, b"{}")
    assert accepts(request, "a-secret", mapping=Mapping(scheme="static"))


def test_cloud_events_of_all_three_modes_tell_the_same() -> None:
    structured = told(json.loads(body_of("generic/1.json")), headers=CLOUD)
    batch = told(json.loads(body_of("generic/2.json")), headers={"content-type": "application/cloudevents-batch+json"})
    headers = {name.lower(): value for name, value in SAMPLES["generic/3.json"]["headers"].items()}
    binary = told(json.loads(body_of("generic/3.json")), headers=headers)
    win = event(structured)
    assert (win.type, win.occurred_at, win.amount, win.currency) == ("deal.won", NOW, Decimal(12500), "EUR")
    assert win.actor == ("ana.keller@example.com", "ana.keller@example.com", None)
    assert win.about == {"deal": "webhook:deal:508"}
    assert event(binary) == win
    events = batch.events()
    assert events.pop(win.external_id) == win
    (call,) = events.values()
    assert (call.type, call.duration_seconds, call.properties) == ("call.made", Decimal(312), {"connected": True})


def test_standard_webhooks_and_svix_are_read() -> None:
    win = event(told(json.loads(body_of("generic/4.json"))))
    assert (win.type, win.amount, win.about["deal"]) == ("deal.won", Decimal(12500), "webhook:deal:508")
    thin = event(
        told(json.loads(body_of("generic/5.json")), headers={"svix-id": "msg_1", "svix-timestamp": "1790841600"})
    )
    assert (thin.type, thin.occurred_at) == ("deal.won", datetime.fromtimestamp(1790841600, UTC))


def message(type_: str = "deal.won", at: str = "2026-10-01T08:00:00Z", **data: Any) -> dict[str, Any]:
    return {"type": type_, "timestamp": at, "data": {"id": "508", **data}}


def test_a_fact_told_again_is_corrected_field_by_field() -> None:
    later = message("deal.won.corrected", "2026-10-03T08:00:00Z", amount="11000.00")
    for first, second in ((message(amount="1.5", owner_id="7"), later), (later, message(amount="1.5", owner_id="7"))):
        win = event(tell(told(first), second))
        assert (win.amount, win.actor.external_id, win.occurred_at) == (Decimal(11000), "7", NOW)


@pytest.mark.parametrize(
    "back", [message("deal.won.deleted", "2026-10-03T08:00:00Z"), message(at="2026-10-03T08:00:00Z", op="void")]
)
def test_a_fact_is_taken_back_and_told_again(back: dict[str, Any]) -> None:
    assert tell(told(message()), back).events() == {}
    assert tell(told(back), message()).events() == {}
    assert (
        len(
            tell(
                told(message()),
                back,
            ).events()
        )
        == 0
    )
    assert event(tell(tell(told(back), message()), message(at="2026-10-04T08:00:00Z"))).type == "deal.won"


def test_two_calls_about_one_deal_are_two_events() -> None:
    world = told({"type": "call.completed", "timestamp": "2026-10-01T08:00:00Z", "data": {"deal_id": "5"}},
                 headers={"webhook-id": "a"})  # fmt: skip
    tell(world, {"type": "call.completed", "timestamp": "2026-10-01T08:00:00Z", "data": {"deal_id": "5"}},
         headers={"webhook-id": "b"})  # fmt: skip
    assert len(world.events()) == 2


AIRCALL = {
    "when": {"event": "call.ended"},
    "event": "call.made",
    "id": "data.id",
    "updated_at": "timestamp",
    "occurred_at": "data.ended_at",
    "actor": "data.user.id",
    "actor_email": "data.user.email",
    "about": {"deal": "data.deal"},
    "about_source": "hubspot",
    "duration": "data.duration",
    "properties": {"line": "data.number.name", "tries": "data.tries"},
    "constants": {"connected": True},
}


def call(**data: Any) -> dict[str, Any]:
    user = {"id": 456, "name": "Ana Keller", "email": "Ana.Keller@example.com"}
    inner = {"id": 812345678, "ended_at": 1789986422, "duration": 312, "user": user, "number": {"name": "DE"}, **data}
    return {"event": "call.ended", "timestamp": 1789986455, "data": inner}


def test_a_rule_reads_any_json() -> None:
    found = event(told(call(deal=77, tries=3), rules(AIRCALL)))
    assert (found.type, found.duration_seconds) == ("call.made", Decimal(312))
    assert found.occurred_at == datetime.fromtimestamp(1789986422, UTC)
    assert found.actor == ("456", "ana.keller@example.com", None)
    assert found.about == {"deal": "hubspot:deal:77"}
    assert found.properties == {"connected": True, "line": "DE", "tries": Decimal(3)}


def test_names_of_people_and_what_no_rule_reads_is_not_kept() -> None:
    kept = json.dumps(redacted(Webhook(), json.dumps(call(comment="call me", phone="123")).encode(), rules(AIRCALL)))
    assert "Ana Keller" not in kept
    assert "call me" not in kept
    assert "ana.keller" in kept.lower()


def test_long_names_are_cut_before_they_stand_in_paths() -> None:
    body = {"type": "deal.won", "n" * 600: {"m" * 600: [{"deal": 1, "email": "a"}]}, "data": {"deal_id": 7}}
    kept = redacted(Webhook(), json.dumps(body).encode(), rules())
    assert isinstance(kept, list)
    assert kept[0] == {
        "type": "deal.won", "n" * 500: {"m" * 500: [{"deal": 1}]}, "data": {"deal_id": 7}, "@id": None, "@sent": None,
    }  # fmt: skip


def test_ways_to_reach_people_are_not_kept_whatever_their_name() -> None:
    data = {"to": "max@kunde.example", "from": "+49 30 1234567", "line": "Berlin", "count": "+3", "id": "4930123456"}
    kept = redacted(Webhook(), json.dumps({"type": "call.made", "data": data}).encode(), rules())
    assert isinstance(kept, list)
    assert kept[0] == {
        "type": "call.made", "data": {"line": "Berlin", "count": "+3", "id": "4930123456"}, "@id": None, "@sent": None,
    }  # fmt: skip


def test_secrets_in_bodies_are_not_kept_unless_a_rule_reads_them() -> None:
    body = b'{"type": "call.made", "token": "s3cret", "apiKey": "s3cret", "data": {"accessToken": "s3cret", "id": 5}}'
    assert "s3cret" not in json.dumps(redacted(Webhook(), body, rules()))
    assert b"s3cret" not in Webhook().scrub(body[:-20])
    kept = redacted(
        Webhook(), b'{"type": "a", "form": {"token": "f1"}}', rules({"event": "call.made", "id": "form.token"})
    )
    assert isinstance(kept, list)
    assert isinstance(kept[0], dict)
    assert kept[0]["form"] == {"token": "f1"}


def test_several_messages_in_one_body_each_have_their_verdict() -> None:
    mapping = rules({"when": {"kind": "won"}, "event": "deal.won", "id": "deal", "updated_at": "at"}, items="events")
    world = told({"events": [{"kind": "won", "deal": n, "at": 1790841600} for n in range(3)]}, mapping)
    assert len(world.events()) == 3
    adapter = Webhook()
    body = json.dumps({"events": [{"kind": "won", "deal": 1, "at": "never"}, {"kind": "won", "deal": 2, "at": 5}, 7]})
    items = adapter.split(redacted(adapter, body.encode(), mapping))
    assert len(items) == 3
    with pytest.raises(Unparseable, match="at is no instant"):
        adapter.fold(items[0], mapping)
    assert adapter.fold(items[1], mapping).fields


def test_money_and_lengths_are_read_in_their_units() -> None:
    rule = {"event": "deal.won", "id": "id", "updated_at": "at", "amount": "amount", "duration": "length"}
    body = {"id": "1", "at": 1790841600, "amount": 1250099, "length": 1500}
    found = event(told(body, rules({**rule, "amount_unit": "cents", "duration_unit": "ms"})))
    assert (found.amount, found.duration_seconds) == (Decimal("12500.99"), Decimal("1.5"))
    found = event(
        told({**body, "amount": "12500000000"}, rules({**rule, "amount_unit": "micros", "duration_unit": "min"}))
    )
    assert (found.amount, found.duration_seconds) == (Decimal(12500), Decimal(90000))
    found = event(told({**body, "length": "01:02:03"}, rules({**rule, "duration_unit": "hh:mm:ss"})))
    assert found.duration_seconds == Decimal(3723)


def test_local_times_are_the_organizations_and_gaps_are_refused() -> None:
    rule = {"event": "deal.won", "id": "id", "occurred_at": "at", "updated_at": "at", "occurred_on": "day"}
    found = event(told({"id": 1, "at": "2026-07-01T10:00:00", "day": "2026-07-02"}, rules(rule)))
    assert (found.occurred_at, found.occurred_on) == (datetime(2026, 7, 1, 8, tzinfo=UTC), date(2026, 7, 2))
    found = event(told({"id": 1, "at": "2026-07-01T10:00:00"}, rules(rule, naive_times="utc")))
    assert found.occurred_at == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert "does not exist" in problem({"id": 1, "at": "2026-03-29T02:30:00"}, rules(rule))


def test_long_ids_and_addresses_are_taken() -> None:
    rule = {"event": "meeting.held", "id": "uri", "updated_at": "at", "about": {"meeting": "uri"}}
    uri = "https://api.example.com/events/" + "A" * 200
    found = event(told({"uri": uri, "at": 1790841600}, rules(rule)))
    assert len(found.external_id) < 100
    number = 2**63 + 12345678901234567890
    assert event(told({"uri": number, "at": 1790841600}, rules(rule))).about["meeting"].endswith(str(number))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"5", {}),
        (b"\xff", {}),
        (b"{", {}),
        (b"[" * 100_000, {}),
        (b"{}", {"content-type": "application/cloudevents-batch+json"}),
        (b"{}", {"ce-specversion": "1.0"}),
        (b"{}", {"ce-specversion": "1.0", "ce-id": "%ff", "ce-type": "a", "ce-source": "b"}),
        (json.dumps([{}] * 1001).encode(), {}),
    ],
)
def test_what_is_no_message_is_unparseable(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(Unparseable):
        redacted(Webhook(), body, headers=headers)


@pytest.mark.parametrize(
    "event",
    [
        {"specversion": "0.3", "id": "1", "source": "a", "type": "deal.won"},
        {"specversion": "1.0", "id": "", "source": "a", "type": "deal.won"},
        {"specversion": "1.0", "id": "1", "source": None, "type": "deal.won"},
        {"specversion": "1.0", "id": "1", "source": "a", "type": "deal.won", "data": {}, "data_base64": "e30="},
        {"specversion": "1.0", "id": "1", "source": "a", "type": "deal.won", "data_base64": "!"},
        {"specversion": "1.0", "id": "1", "source": "a", "type": "deal.won", "time": "later"},
        {"specversion": "1.0", "id": "1", "source": "a", "type": "deal.won"},
        {"specversion": "1.0", "id": "1", "source": "a", "type": "deal.won", "time": "2026-10-01T08:00:00Z",
         "data": {"amount": "a lot"}},
    ],
)  # fmt: skip
def test_one_bad_event_says_so_itself(event: dict[str, Any]) -> None:
    assert problem(event, headers=CLOUD)


def test_data_in_base64_is_opened() -> None:
    data = base64.b64encode(b'{"deal_id": "508", "amount": "5"}').decode()
    told_ = {"specversion": "1.0", "id": "1", "source": "a", "type": "deal.won", "time": "2026-10-01T08:00:00Z"}
    assert event(told({**told_, "data_base64": data}, headers=CLOUD)).amount == Decimal(5)


STORY = [
    message("deal.created", amount="100", owner_id="7"),
    message(amount="100.50", owner_id="7"),
    message("deal.won.corrected", "2026-10-02T08:00:00Z", owner_id="8"),
    message("deal.won.deleted", "2026-10-03T08:00:00Z"),
    message("deal.won", "2026-10-04T08:00:00Z", amount="99"),
]


@given(st.permutations([*STORY, *STORY[1:4]]))
def test_any_order_and_repetition_gives_the_same_events(messages: list[dict[str, Any]]) -> None:
    world, expected = World("webhook"), World("webhook")
    for each in messages:
        tell(world, each)
    for each in STORY:
        tell(expected, each)
    assert world.events() == expected.events()
    win = next(each for each in world.events().values() if each.type == "deal.won")
    assert (win.amount, win.actor and win.actor.external_id) == (Decimal(99), "8")


async def test_a_source_of_ones_own_over_http(api: Api) -> None:
    """A rule is configured, a signed call is taken, its event stands in the ledger; the call again changes nothing."""
    source = await api.post(
        "/sources",
        {
            "key": "phone",
            "name": "Telephones",
            "system": "webhook",
            "secrets": [SECRET],
            "mapping": {"rules": [AIRCALL]},
        },
    )
    assert (source["account_id"], source["mapping"]["rules"][0]["event"]) == (None, "call.made")
    await api.set_clock("2026-10-01T08:00:00Z")
    caller = api.world.caller(api.org_id, None)
    connection = Connection(api, source)
    for _ in range(2):
        request = signed(json.dumps(call(deal="D-1")).encode())
        answer = await caller.call("POST", f"/hooks/{source['id']}", request.body, headers=dict(request.headers))
        assert (answer.status_code, answer.content) == (200, b"")
    wrong = dict(request.headers) | {"webhook-signature": "v1,AAAA"}
    assert (await caller.call("POST", f"/hooks/{source['id']}", request.body, headers=wrong)).status_code == 401
    await connection.translate()
    (found,) = await connection.events()
    assert (found["type"], found["about"]) == ("call.made", {"deal": "hubspot:deal:D-1"})
    assert {each["verdict"] for each in await connection.deliveries()} == {"translated"}


async def test_the_consent_to_cloud_events_is_given(api: Api) -> None:
    source = await api.post("/sources", {"key": "own", "name": "Own", "system": "webhook", "secrets": [SECRET]})
    caller = api.world.caller(api.org_id, None)
    asked = {"WebHook-Request-Origin": "eventemitter.example.com"}
    answer = await caller.call("OPTIONS", f"/hooks/{source['id']}", headers=asked)
    assert (answer.status_code, answer.headers["webhook-allowed-origin"]) == (200, "eventemitter.example.com")
    assert (await caller.call("OPTIONS", f"/hooks/{source['id']}")).status_code == 405
    assert (await caller.call("GET", f"/hooks/{source['id']}")).status_code == 405


@pytest.mark.parametrize(
    "mapping",
    [
        {"rules": [{"event": "Deal Won"}]},
        {"rules": [{"event": "deal.won", "id": []}]},
        {"rules": [{"event": "deal.won", "amount_unit": "pounds"}]},
        {"scheme": "none"},
        {"signature_header": "a b"},
    ],
)
async def test_wrong_rules_are_refused_by_name(api: Api, mapping: dict[str, Any]) -> None:
    new = {"key": "own", "name": "Own", "system": "webhook", "secrets": [SECRET], "mapping": mapping}
    refused = await api.post("/sources", new, expect=422)
    assert refused["errors"][0]["pointer"].startswith("/mapping/")
