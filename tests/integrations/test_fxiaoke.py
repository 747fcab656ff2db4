"""Fxiaoke's callbacks, pushes and fetched objects, and the events that follow from them."""

import base64
import copy
import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from app.events.facts import EventFacts
from app.integrations.adapters import wire
from app.integrations.adapters.base import Fetched, Json, NotAuthentic, RawRequest, Unparseable
from app.integrations.adapters.fxiaoke import Fxiaoke
from app.integrations.mapping import Mapping, mapping_of
from tests.integrations.crm import INDEX, VECTORS, World, at_ms, body_of
from tests.integrations.posting import fetch, fxiaoke
from tests.support import Api

SAMPLES = {sample["file"]: sample for sample in INDEX if sample["file"].startswith("fxiaoke/")}
KEY: str = SAMPLES["fxiaoke/3.json"]["secret"]
OTHER_KEY = base64.b64encode(b"x" * 32).decode()
ACCOUNT = "acmecn"
DEAL, RECORD, LEAD = "68dcd4e6e4400e0001210001", "68dcd4e6e4400e0001210002", "68dcd4e6e4400e0001210003"
NOW = at_ms(1790848796000)
START = datetime(2026, 10, 5, 8, tzinfo=UTC)
LATER = datetime(2026, 11, 1, tzinfo=UTC)


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def sha1(*parts: Any) -> str:
    return hashlib.sha1("".join(map(str, parts)).encode()).hexdigest()


def sealed(plain: bytes, key: str = KEY) -> str:
    raw = base64.b64decode(key)
    encryptor = Cipher(algorithms.AES(raw), modes.CBC(raw[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


def padded(plain: bytes) -> bytes:
    missing = 16 - len(plain) % 16
    return plain + bytes([missing]) * missing


def signed(key: str = KEY, **parts: Any) -> bytes:
    """An envelope with the signature over its parts."""
    order = ("timestamp", "nonce", "messageId", "retryTimes", "enterpriseAccount", "encryptedContent")
    text = [parts[name] for name in order if parts.get(name) is not None]
    return json.dumps({"signature": sha1(*text, key), **parts}).encode()


def envelope(event: dict[str, Any], key: str = KEY, **parts: Any) -> bytes:
    """A callback as Fxiaoke posts it."""
    told = {
        "timestamp": ms(NOW),
        "nonce": "Qw3eRtY8uIoPaSdF",
        "messageId": event["messageId"],
        "enterpriseAccount": ACCOUNT,
        "encryptedContent": sealed(padded(json.dumps(event).encode()), key),
    }
    return signed(key, **{**told, **parts})


def event(type_: str, at: datetime, api_name: str = "NewOpportunityObj", id_: str = DEAL) -> dict[str, Any]:
    """What is in an envelope."""
    told = {"tenantId": 771234, "eventType": type_, "apiName": api_name, "dataId": id_, "timestamp": ms(at)}
    return {**told, "messageId": f"AC{type_}{ms(at)}"}


def request(body: bytes) -> RawRequest:
    return RawRequest("POST", "", {}, body)


def proved(body: bytes, *secrets: str, now: datetime = NOW) -> bool:
    try:
        Fxiaoke().authenticate(request(body), secrets or (KEY,), now, Mapping())
    except NotAuthentic:
        return False
    return True


def kept(body: bytes, *secrets: str) -> Json:
    return Fxiaoke().redact(request(body), secrets or (KEY,), Mapping())


def answered(item: dict[str, Any]) -> dict[str, Any]:
    """With exact numbers, as clients read an answer."""
    told: Any = wire.parse(json.dumps(item).encode())
    return dict(told)


def world(mapping: dict[str, Any] | None = None) -> World:
    return World("fxiaoke", mapping_of(mapping or {}, Fxiaoke.defaults, "Asia/Shanghai"))


def tell(told: World, *events: dict[str, Any]) -> World:
    """Callbacks of these events."""
    for each in events:
        for item in told.adapter.split(kept(envelope(each))):
            changes = told.adapter.fold(item, told.mapping)
            told._learn(changes.fields, changes.links)
            told.wanted |= set(changes.wanted)
    return told


def fetched(told: World, *items: dict[str, Any], kind: str = "deal", at: datetime = LATER, gone: Any = ()) -> World:
    return told.fetch(kind, *map(answered, items), at=at, account=ACCOUNT, gone=gone)


def deal(at: datetime, **fields: Any) -> dict[str, Any]:
    """A deal as it is fetched after a change at `at`."""
    told = {
        "_id": DEAL,
        "name": "上海示例科技",
        "owner": ["1000"],
        "owner__r": {"name": "王小明", "id": "1000"},
        "created_by": ["1000"],
        "account_id": "5f9cd4e6e4400e0001217faa",
        "account_id__r": "上海示例科技有限公司",
        "amount": "12500.50",
        "sales_stage": "5",
        "sales_status": "2",
        "close_date": ms(datetime(2026, 9, 30, 16, tzinfo=UTC)),  # midnight in Shanghai
        "mc_currency": "CNY",
        "life_status": "normal",
        "is_deleted": False,
        "create_time": ms(datetime(2026, 9, 14, tzinfo=UTC)),
        "last_modified_time": ms(at),
    }
    return {name: value for name, value in {**told, **fields}.items() if value is not None}


def owner_of(event: EventFacts) -> str | None:
    return event.actor.external_id if event.actor else None


WIN = f"deal:{DEAL}:deal.won"


def deal_events(*items: dict[str, Any], mapping: dict[str, Any] | None = None) -> dict[str, Any]:
    return fetched(world(mapping), *items).events()


@pytest.mark.parametrize("file", ["fxiaoke/1.json", "fxiaoke/3.json", "fxiaoke/4.json"])
def test_each_sample_proves_itself_at_its_time(file: str) -> None:
    body, secret = body_of(file), SAMPLES[file]["secret"]
    sent = at_ms(json.loads(body)["timestamp"])
    assert proved(body, OTHER_KEY, secret, now=sent)
    assert not proved(body, OTHER_KEY, now=sent)
    assert not proved(body, now=sent) or secret == KEY
    for off, is_fine in ((-300_001, False), (-300_000, True), (300_000, True), (300_001, False)):
        assert proved(body, secret, now=sent + timedelta(milliseconds=off)) is is_fine


def test_the_published_vectors_are_reproduced() -> None:
    signature, plaintext = (next(v for v in VECTORS if v["name"] == f"fxiaoke event callback {name}")
                            for name in ("signature", "plaintext"))  # fmt: skip
    told, key = signature["input"], signature["input"]["aesKey"]
    body = json.dumps({name: value for name, value in told.items() if name != "aesKey"}).encode()
    assert told["signature"] == signature["expected"]
    assert proved(body, key, now=at_ms(told["timestamp"]))
    opened: Any = kept(body, key)
    assert opened["event"] == json.loads(plaintext["expected"]) == json.loads(body_of("fxiaoke/2.json"))
    (item,) = Fxiaoke().split(opened)
    assert (item.account_id, item.dedupe_key) == ("gxcxkj", f"fxiaoke:gxcxkj:{told['messageId']}")


def test_the_answer_is_success_sealed_and_signed() -> None:
    sample = json.loads(body_of("fxiaoke/6.json"))
    body = body_of("fxiaoke/3.json")
    for secrets in ((KEY,), (OTHER_KEY, KEY)):
        reply = Fxiaoke().acknowledge(request(body), secrets, at_ms(sample["timestamp"]))
        assert (reply.status, reply.media_type) == (200, "application/json")
        told = json.loads(reply.body)
        assert list(told) == list(sample)
        assert (told["encryptedResult"], told["timestamp"]) == (sample["encryptedResult"], sample["timestamp"])
        assert told["signature"] == sha1(told["timestamp"], told["nonce"], told["encryptedResult"], KEY)
        assert sample["signature"] == sha1(sample["timestamp"], sample["nonce"], sample["encryptedResult"], KEY)


def test_whatever_is_wrong_with_an_envelope_it_is_not_authentic() -> None:
    told = event("update", START)
    assert proved(envelope(told))
    assert proved(envelope(told, retryTimes=2))
    assert not proved(envelope(told, OTHER_KEY))
    plain = json.dumps(told).encode()
    bad_contents = [
        sealed(plain + b"\x00" * (16 - len(plain) % 16)),  # no padding
        sealed(padded(plain)[:-1] + b"\x11"),
        sealed(padded(b"not JSON")),
        sealed(padded(b"[]")),
        sealed(padded(json.dumps({**told, "messageId": "another"}).encode())),
        sealed(padded(b"")),
        "",
        "AAAA",
        "not Base64 ü",
    ]
    for content in bad_contents:
        assert not proved(envelope(told, encryptedContent=content)), content
    odd_parts: list[dict[str, Any]] = [
        {"timestamp": "soon"}, {"timestamp": True}, {"timestamp": 1e12}, {"timestamp": []}, {"nonce": {}},
        {"messageId": 5}, {"timestamp": 10**30},
    ]  # fmt: skip
    for odd in odd_parts:
        assert not proved(envelope(told, **odd)), odd
    altered = json.loads(envelope(told))
    for name in ("signature", "timestamp", "nonce", "messageId", "enterpriseAccount", "encryptedContent"):
        less = {key: value for key, value in altered.items() if key != name}
        assert not proved(json.dumps(less).encode()), name
        assert not proved(json.dumps({**altered, name: "x"}).encode()), name
    assert not proved(json.dumps({**altered, "retryTimes": 1}).encode())
    for body in (b"", b"[]", b"null", b"{", b"\xff", b"{}", b'{"sig": 1}', b"[" * 5000):
        assert not proved(body)


def test_nothing_is_decrypted_before_the_signature_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.integrations.adapters.fxiaoke_envelope._decrypted", lambda *_: pytest.fail("decrypted"))
    forged = {**json.loads(envelope(event("update", START))), "signature": "0" * 40}
    assert not proved(json.dumps(forged).encode())


def test_the_written_forms_of_secrets() -> None:
    fault = Fxiaoke().fault_of_secret
    for fine in (KEY, SAMPLES["fxiaoke/1.json"]["secret"], SAMPLES["fxiaoke/7.json"]["secret"]):
        assert fault(fine) is None
    short = base64.b64encode(b"short").decode()
    for wrong in (
        "secret-secret",
        short,
        KEY[:-1],
        "token=a;encodingAesKey=short",
        "token=;encodingAesKey=x",
        "token=;",
    ):
        reason = fault(wrong)
        assert reason is not None
        assert wrong not in reason


def test_a_push_of_the_old_kind_is_answered_in_plain_text_and_tells_nothing() -> None:
    body, secret = body_of("fxiaoke/7.json"), SAMPLES["fxiaoke/7.json"]["secret"]
    sent = at_ms(int(json.loads(body)["timeStamp"]))
    assert proved(body, KEY, secret, now=sent)
    assert not proved(body, KEY, now=sent)
    assert not proved(body, secret.replace("legacy-token", "other"), now=sent)
    assert not proved(body, secret, now=sent + timedelta(minutes=6))
    told = json.loads(body)
    for name in ("sig", "content", "nonce", "timeStamp"):
        assert not proved(json.dumps({**told, name: "x"}).encode(), secret, now=sent)
        assert not proved(json.dumps({key: told[key] for key in told if key != name}).encode(), secret, now=sent)
    reply = Fxiaoke().acknowledge(request(body), (secret,), sent)
    assert (reply.status, reply.media_type, reply.body) == (200, "text/plain", b"success")
    assert kept(body, secret) == {"push": {"timeStamp": "1790848796000", "nonce": "8842"}}
    assert Fxiaoke().split(kept(body, secret)) == []


def test_a_retry_is_the_same_message() -> None:
    told = event("update", START)
    first, second = (Fxiaoke().split(kept(body)) for body in (envelope(told), envelope(told, retryTimes=1)))
    assert first == second


def test_a_callback_is_thin_and_the_fetched_object_tells_the_win() -> None:
    told = tell(world(), event("update", START))
    assert told.wanted == {("deal", DEAL)}
    assert told.events() == {}
    assert Fxiaoke().needs_fetch(told.records["deal", DEAL], told.mapping)
    fetched(told, deal(START))
    assert not Fxiaoke().needs_fetch(told.records["deal", DEAL], told.mapping)
    events = told.events()
    win = events[WIN]
    assert (win.occurred_at, win.occurred_on) == (START, date(2026, 10, 1))
    assert (win.amount, win.currency, owner_of(win)) == (Decimal("12500.5"), "CNY", "1000")
    assert win.about["customer"] == "fxiaoke:company:5f9cd4e6e4400e0001217faa"
    assert events[f"deal:{DEAL}:deal.created"].occurred_at == datetime(2026, 9, 14, tzinfo=UTC)
    assert events[f"deal:{DEAL}:deal.stage_entered:1"].properties["stage"] == "5"


def test_a_deal_is_won_by_its_stage_where_the_mapping_says_so() -> None:
    open_ = deal(START, sales_status="1")
    assert WIN not in deal_events(open_)
    assert WIN in deal_events(open_, mapping={"won_stages": ["5"]})
    lost = deal_events(deal(START, sales_status="3"))
    assert (WIN in lost, f"deal:{DEAL}:deal.lost" in lost) == (False, True)


def test_a_deal_of_the_old_kind_has_its_own_fields() -> None:
    told = tell(world(), event("create", START, "OpportunityObj"))
    assert told.wanted == {("OpportunityObj", DEAL)}
    assert not told.adapter.needs_fetch(told.records["deal", DEAL], told.mapping)
    old = deal(START, amount=None, sales_status=None, close_date=None, status="2", expected_deal_amount=70)
    fetched(told, {**old, "expected_deal_closed_date": ms(START)}, kind="OpportunityObj")
    win = told.events()[WIN]
    assert (win.amount, win.occurred_on) == (Decimal(70), date(2026, 10, 5))


def test_corrections_and_reopening_follow_the_latest_state_in_any_order() -> None:
    won, corrected = deal(START), deal(START + timedelta(days=1), amount=11800)
    reopened = deal(START + timedelta(days=2), sales_status="1", sales_stage="3")
    assert deal_events(corrected, won)[WIN].amount == Decimal(11800)
    assert deal_events(corrected, won)[WIN].occurred_at == START
    assert WIN not in deal_events(reopened, won, corrected)


@pytest.mark.parametrize("word", ["delete", "invalid", "Invalidate", "bulkInvalid", "作废"])
@pytest.mark.parametrize("back", ["recover", "Recovered", "恢复"])
def test_what_was_invalidated_takes_the_win_back_until_it_is_recovered(word: str, back: str) -> None:
    told = tell(fetched(world(), deal(START)), event(word, START + timedelta(days=1)))
    assert told.events() == {}
    assert told.wanted == set()
    tell(told, event(back, START + timedelta(days=2)))
    assert WIN in told.events()
    assert told.wanted == {("deal", DEAL)}


def test_an_object_that_is_fetched_as_invalid_or_is_not_there_leaves_nothing() -> None:
    for item in (deal(START + timedelta(days=1), life_status="invalid"), deal(START + timedelta(1), is_deleted=True)):
        assert fetched(world(), item, deal(START)).events() == {}
    assert fetched(fetched(world(), deal(START)), gone=[DEAL], at=START + timedelta(days=1)).events() == {}
    assert (
        WIN in fetched(world(), deal(START + timedelta(2)), deal(START + timedelta(1), life_status="invalid")).events()
    )


def test_the_first_owner_is_credited_and_a_pool_or_the_system_is_nobody() -> None:
    assert deal_events(deal(START, owner=["1000", "1001"]))[WIN].actor.external_id == "1000"
    for nobody in (None, [], ["-10000"], "", {"id": "1000"}):
        assert deal_events(deal(START, owner=nobody))[WIN].actor is None
    told = fetched(world(), deal(START), deal(START + timedelta(days=1), owner=None))
    assert told.events()[WIN].actor is None
    assert [stamp.value for stamp in told.records["deal", DEAL].history("owner")] == ["1000", None]
    system = fetched(world(), deal(START, owner=["-10000"]))
    assert system.records["deal", DEAL].state("owner") == "-10000"


def test_an_amount_without_a_currency_is_in_the_sources() -> None:
    assert deal_events(deal(START, mc_currency=None))[WIN].currency is None
    assert deal_events(deal(START, mc_currency="RMB!"))[WIN].currency == "XXX"
    assert deal_events(deal(START, mc_currency="RMB!"), mapping={"currencies": {"RMB!": "CNY"}})[WIN].currency == "CNY"
    own = {"fields": {"deal": {"amount": "field_x__c"}}}
    assert deal_events(deal(START, field_x__c="7.25"), mapping=own)[WIN].amount == Decimal("7.25")
    emptied = deal_events(deal(START, field_x__c="7.25"), deal(START + timedelta(days=1)), mapping=own)
    assert emptied[WIN].amount is None


def sales_record(**fields: Any) -> dict[str, Any]:
    told = {
        "_id": RECORD,
        "owner": ["1001"],
        "created_by": ["1001"],
        "interactive_types": "电话",
        "active_record_content": "he said",
        "related_object_data": [{"id": DEAL, "describe_api_name": "NewOpportunityObj", "name": "上海"}],
        "life_status": "normal",
        "create_time": ms(START),
        "last_modified_time": ms(START),
    }
    return {**told, **fields}


def test_a_sales_record_counts_by_its_kind_when_it_was_made() -> None:
    told = tell(world(), event("create", START, "ActiveRecordObj", RECORD))
    assert told.wanted == {("activity", RECORD)}
    fetched(fetched(told, sales_record(), kind="activity"), deal(START))
    made = told.events()[f"activity:{RECORD}:call.made"]
    assert (made.occurred_at, made.properties) == (START, {"automated": False})
    assert owner_of(made) == "1001"
    assert made.about["deal"] == f"fxiaoke:deal:{DEAL}"
    assert made.about["customer"] == "fxiaoke:company:5f9cd4e6e4400e0001217faa"

    def kinds(mapping: dict[str, Any] | None = None, **fields: Any) -> list[str]:
        return [
            event.type for event in fetched(world(mapping), sales_record(**fields), kind="activity").events().values()
        ]

    assert kinds(interactive_types="现场拜访") == ["meeting.held"]
    assert kinds(interactive_types="other") == []
    assert kinds({"activity_types": {"1": "email"}}, interactive_types=None, active_record_type="1") == ["email.sent"]
    related = {"related_object_data": None, "related_object": {"LeadsObj": [LEAD]}}
    about = fetched(world(), sales_record(**related), kind="activity").events()[f"activity:{RECORD}:call.made"].about
    assert about == {"lead": f"fxiaoke:lead:{LEAD}"}
    by_system = fetched(world(), sales_record(created_by=["-10000"]), kind="activity").events()
    assert by_system[f"activity:{RECORD}:call.made"].properties == {"automated": True}


def test_other_objects_count_as_the_mapping_says() -> None:
    mapping = {"objects": {"CheckinsObj": "meeting"}, "fields": {"meeting": {"start": "checkin_time"}}}
    told = tell(world(mapping), event("create", START, "CheckinsObj", RECORD))
    assert told.wanted == {("CheckinsObj", RECORD)}
    fetched(told, sales_record(checkin_time=ms(START - timedelta(hours=1))), kind="CheckinsObj")
    assert told.events()[f"meeting:{RECORD}:meeting.held"].occurred_at == START - timedelta(hours=1)
    assert tell(world(), event("create", START, "CheckinsObj", RECORD)).wanted == set()


def test_a_lead_is_made_and_converted_and_a_quote_is_sent() -> None:
    lead = {"_id": LEAD, "name": "王小明", "tel": "13800000000", "owner": ["1000"], "biz_status": "processed",
            "create_time": ms(START), "last_modified_time": ms(START), "leads_pool_id": "p"}  # fmt: skip
    became = {**lead, "biz_status": "transformed", "last_modified_time": ms(START + timedelta(days=1))}
    events = fetched(world(), became, lead, kind="lead").events()
    assert {key: event.occurred_at for key, event in events.items()} == {
        f"lead:{LEAD}:lead.created": START,
        f"lead:{LEAD}:lead.converted": START + timedelta(days=1),
    }
    quote = {"_id": "q1", "owner": ["1000"], "life_status": "under_review", "quote_amount": "10", "mc_currency": "USD",
             "new_opportunity_id": DEAL, "create_time": ms(START), "last_modified_time": ms(START)}  # fmt: skip
    in_force = {**quote, "life_status": "normal", "last_modified_time": ms(START + timedelta(days=1))}
    (sent,) = fetched(world(), in_force, quote, kind="quote").events().values()
    assert (sent.type, sent.amount, sent.currency) == ("quote.sent", Decimal(10), "USD")
    assert sent.about["deal"] == f"fxiaoke:deal:{DEAL}"


def test_neither_keys_nor_what_is_personal_is_kept() -> None:
    adapter = Fxiaoke()
    lead: dict[str, Any] = {
        "_id": LEAD, "name": "王小明", "tel": "13800000000", "owner__r": {"name": "王小明"}, "source": "web",
        "source__o": "he said", "remark": "he said",
    }  # fmt: skip
    for kind, item in (("lead", lead), ("deal", deal(START)), ("activity", sales_record()), ("contact", lead)):
        text = json.dumps(
            adapter.redact_fetched(Fetched(ACCOUNT, kind, [item], [], LATER), Mapping()), ensure_ascii=False
        )
        assert not any(hidden in text for hidden in ("王小明", "138000", "he said", "有限公司"))
        assert ("web" in text) is (kind == "lead")
    assert KEY not in json.dumps(kept(body_of("fxiaoke/3.json")))


def test_a_webhook_cannot_pass_for_what_was_fetched() -> None:
    told = {**event("update", START), "fetched": "deal", "at": START.isoformat(), "gone": [DEAL], "item": {"_id": DEAL}}
    body = json.loads(envelope(told))
    body.update(fetched="deal", account_id=ACCOUNT, at=START.isoformat(), gone=[DEAL], items=[])
    opened: Any = kept(json.dumps(body).encode())
    assert "fetched" not in opened
    (item,) = Fxiaoke().split(opened)
    changes = Fxiaoke().fold(item, Mapping())
    assert (changes.wanted, [change.field for change in changes.fields]) == (
        [("deal", DEAL)],
        ["object_describe_api_name"],
    )


ODD = [None, True, 5, -1, 10**40, "", "x" * 2000, "\x00\ud800", [], [[1]], {}, {"id": {"id": 1}}, "2026-13-45", 1e300]


@given(
    st.dictionaries(st.sampled_from(["tenantId", "eventType", "apiName", "dataId", "timestamp"]), st.sampled_from(ODD))
)
def test_odd_events_do_no_harm(odd: dict[str, Any]) -> None:
    body = envelope({**event("update", START), **odd})
    assert proved(body)
    for item in Fxiaoke().split(kept(body)):
        try:
            Fxiaoke().fold(item, Mapping())
        except Unparseable:
            continue


@given(
    st.dictionaries(st.sampled_from([*deal(START), *sales_record(), "related_object", "_id"]), st.sampled_from(ODD)),
    st.sampled_from(["deal", "lead", "activity", "quote", "contact", "company", "OpportunityObj"]),
)
def test_odd_objects_do_no_harm(odd: dict[str, Any], kind: str) -> None:
    told = world()
    item = answered({**sales_record(), **deal(START), **odd})
    body = told.adapter.redact_fetched(Fetched(ACCOUNT, kind, [item], [], LATER), told.mapping)
    for each in told.adapter.split(json.loads(json.dumps(body, default=str))):
        try:
            told._learn(*told.adapter.fold(each, told.mapping)[:2])
        except Unparseable:
            continue
    for made in told.events().values():
        assert made.amount is None or abs(made.amount) < 10**18


CHANGES: list[dict[str, Any]] = [
    {"sales_stage": "1", "sales_status": "1", "amount": "100"},
    {"sales_stage": "3", "sales_status": "1", "owner": ["1001"]},
    {"amount": "300", "account_id": "77"},
    {"life_status": "invalid"},
    {"sales_stage": "3", "sales_status": "1"},
    {"amount": "250.25"},
]
STORY = [deal(START + timedelta(days=day), **fields) for day, fields in enumerate(CHANGES)]
TOLD: list[tuple[str, dict[str, Any]]] = [
    ("told", event("create", START)),
    ("told", event("update", START + timedelta(days=2))),
    ("told", event("invalid", START + timedelta(days=3))),
    ("told", event("recover", START + timedelta(days=3, hours=1))),
    *(("fetched", item) for item in STORY),
]


@given(st.permutations(range(len(TOLD))), st.lists(st.integers(0, len(TOLD) - 1), max_size=6))
def test_any_order_and_repetition_gives_the_same_records_and_events(order: list[int], again: list[int]) -> None:
    straight, shuffled = world(), world()
    for told, indexes in ((straight, list(range(len(TOLD)))), (shuffled, [*again, *order])):
        for kind, message in (copy.deepcopy(TOLD[index]) for index in indexes):
            tell(told, message) if kind == "told" else fetched(told, message)
    assert shuffled.events() == straight.events()
    assert shuffled.links == straight.links
    for key, known in straight.records.items():
        other = shuffled.records[key]
        assert {name: known.history(name) for name in known.fields} == {
            name: other.history(name) for name in other.fields
        }
    win = straight.events()[WIN]
    assert (win.amount, win.occurred_at) == (Decimal("250.25"), START + timedelta(days=5))


EDITS = st.lists(
    st.fixed_dictionaries({
        "sales_status": st.sampled_from(["1", "2", "2", "3"]),
        "amount": st.integers(1, 10**12),
        "owner": st.sampled_from([["1000"], ["1001", "1000"]]),
        "life_status": st.sampled_from(["normal", "normal", "normal", "invalid"]),
    }),
    min_size=1,
    max_size=6,
)  # fmt: skip


@given(EDITS, st.randoms(use_true_random=False))
def test_any_story_ends_as_it_ended_in_fxiaoke(edits: list[dict[str, Any]], chance: Any) -> None:
    times = [START + timedelta(days=3 * day) for day in range(len(edits))]
    told: list[Any] = [("told", event("create", START))]
    for at, edit in zip(times, edits, strict=True):
        told.append(("told", event("invalid" if edit["life_status"] == "invalid" else "update", at)))
        told.append(("fetched", deal(at, **edit)))
    told += chance.sample(told[:-1], k=len(told) // 3)
    chance.shuffle(told)
    shuffled = world()
    for kind, message in told:
        tell(shuffled, message) if kind == "told" else fetched(shuffled, message)
    last, type_ = edits[-1], {"2": "deal.won", "3": "deal.lost"}.get(edits[-1]["sales_status"])
    closed = [each for each in shuffled.events().values() if each.type in {"deal.won", "deal.lost"}]
    assert [each.type for each in closed] == ([type_] if type_ and last["life_status"] == "normal" else [])
    if closed:
        (end,) = closed
        run = max(n for n in range(len(edits)) if n == 0 or edits[n - 1]["sales_status"] != last["sales_status"])
        assert (end.amount, end.occurred_at) == (Decimal(last["amount"]), times[run])


async def test_samples_over_http_are_answered_sealed_and_a_push_in_plain_text(api: Api) -> None:
    push = SAMPLES["fxiaoke/7.json"]["secret"]
    connection = await fxiaoke(api, secrets=[OTHER_KEY, KEY, push])
    await api.set_clock("2026-10-01T10:00:00Z")
    for file in ("fxiaoke/3.json", "fxiaoke/4.json"):
        answer = await connection.post(body_of(file))
        told = answer.json()
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert told["signature"] == sha1(told["timestamp"], told["nonce"], told["encryptedResult"], KEY)
        assert told["encryptedResult"] == sealed(padded(b"success"))
    answer = await connection.post(body_of("fxiaoke/7.json"))
    assert (answer.status_code, answer.content) == (200, b"success")
    assert answer.headers["content-type"].startswith("text/plain")
    answer = await connection.post(body_of("fxiaoke/1.json"))  # another key, six years ago
    assert (answer.status_code, answer.content) == (401, b"")
    await connection.translate()
    assert [each["verdict"] for each in await connection.deliveries()] == ["ignored", "translated", "translated"]
    await fetch(connection, "deal", deal(START), at=LATER)
    await fetch(connection, "activity", sales_record(), at=LATER)
    assert (await connection.event(WIN))["amount"] == {"value": "12500.5", "currency": "CNY"}
    assert (await connection.event(f"activity:{RECORD}:call.made"))["actor"]["id"] == "1001"
    answer = await connection.post(envelope(event("invalid", LATER)))
    assert answer.status_code == 200
    await connection.translate()
    assert [each["external_id"] for each in await connection.events()] == [f"activity:{RECORD}:call.made"]


async def test_an_unreadable_secret_is_refused_and_another_enterprise_is_told(api: Api) -> None:
    new = {"key": "f2", "name": "F", "system": "fxiaoke", "account_id": ACCOUNT, "secrets": ["no-key-at-all"]}
    problem = await api.post("/sources", new, expect=422)
    assert "no-key-at-all" not in json.dumps(problem)
    connection = await fxiaoke(api)
    await api.set_clock("2026-10-01T10:00:00Z")
    assert (await connection.post(envelope(event("update", START), enterpriseAccount="another"))).status_code == 200
    odd = {**event("update", START), "dataId": {"a": 1}, "apiName": "NewOpportunityObj"}
    assert (await connection.post(envelope(odd))).status_code == 200
    await connection.translate()
    assert [each["verdict"] for each in await connection.deliveries()] == ["unparseable", "foreign_account"]
    forged = json.loads(envelope(event("update", START)))
    for name in ("signature", "encryptedContent", "nonce"):
        answer = await connection.post(json.dumps({**forged, name: "x"}).encode())
        assert (answer.status_code, answer.content) == (401, b"")
