"""Dynamics 365's execution contexts and the events that follow from them."""

import copy
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.integrations.adapters.base import NotAuthentic, RawRequest, Unparseable
from app.integrations.adapters.dynamics365 import Dynamics365
from app.integrations.folding import Record
from app.integrations.mapping import Mapping, PropertyFrom
from tests.integrations.crm import World, body_of, redacted
from tests.integrations.posting import Connection
from tests.support import Api

DEAL = "0f82f6f2-bf8e-e911-a95a-000d3a1bca89"
CALL = "9b2c1de0-1234-4c9a-8f00-aaaaaaaaaaaa"
ADA, BOB, TEAM = (f"cc03d281-c95c-e911-a979-00000000000{n}" for n in range(3))
EURO = "71d20dd9-b658-e911-a85f-000d3a4edd1c"
CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def sample(number: int) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(body_of(f"dynamics/{number}.json"))
    return told


def body(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def reference(id_: str, entity: str = "systemuser") -> dict[str, Any]:
    return {"__type": f"EntityReference:{CONTRACTS}", "Id": id_, "LogicalName": entity, "Name": "Somebody"}


def option(value: int) -> dict[str, Any]:
    return {"__type": f"OptionSetValue:{CONTRACTS}", "Value": value}


def money(value: float) -> dict[str, Any]:
    return {"__type": f"Money:{CONTRACTS}", "Value": value}


def ms(at: datetime) -> str:
    return f"/Date({int(at.timestamp() * 1000)})/"


def row(entity: str, id_: str, attributes: dict[str, Any]) -> dict[str, Any]:
    told = [{"key": name, "value": value} for name, value in attributes.items()]
    return {"__type": f"Entity:{CONTRACTS}", "Attributes": told, "Id": id_, "LogicalName": entity}


def message(
    name: str,
    at: datetime,
    inputs: dict[str, Any],
    *,
    entity: str = "opportunity",
    id_: str = DEAL,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A context as a step posts it."""
    told = copy.deepcopy(sample(2))
    told.update(
        MessageName=name,
        OperationCreatedOn=ms(at).replace(")", "+0000)"),
        OperationId=f"1282f6f2-bf8e-e911-a95a-{int(at.timestamp()):012x}",
        PrimaryEntityName=entity,
        PrimaryEntityId=id_,
        InputParameters=[{"key": key, "value": value} for key, value in inputs.items()],
        PreEntityImages=[{"key": "PreImage", "value": row(entity, id_, before)}] if before else [],
        PostEntityImages=[{"key": "PostImage", "value": row(entity, id_, after)}] if after else [],
    )
    return told


def update(at: datetime, attributes: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """What an update set."""
    entity, id_ = rest.get("entity", "opportunity"), rest.get("id_", DEAL)
    return message("Update", at, {"Target": row(entity, id_, {**attributes, "modifiedon": ms(at)})}, **rest)


def made(at: datetime, attributes: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """What a row was made with."""
    return update(at, {"createdon": ms(at), **attributes}, **rest) | {"MessageName": "Create"}


def events_of(*messages: dict[str, Any], mapping: Mapping | None = None) -> dict[str, Any]:
    return World("dynamics365", mapping).tell(*map(body, messages)).events()


def deal(at: datetime = NOON, **more: Any) -> dict[str, Any]:
    """An opportunity of Ada's, worth 12,500."""
    told = {"ownerid": reference(ADA), "statecode": option(0), "estimatedvalue": money(12500.0), **more}
    return made(at, told)


def won(at: datetime, **more: Any) -> dict[str, Any]:
    return update(at, {"statecode": option(1), "statuscode": option(3), **more})


def test_the_samples_are_a_deal_made_and_won_and_a_call() -> None:
    events = events_of(sample(1), sample(2), sample(5))
    assert sorted(events) == [f"call:{CALL}:call.made", f"deal:{DEAL}:deal.created", f"deal:{DEAL}:deal.won"]
    win, call = events[f"deal:{DEAL}:deal.won"], events[f"call:{CALL}:call.made"]
    assert win.occurred_at == datetime(2026, 10, 1, 8, tzinfo=UTC)
    assert (win.occurred_on, win.amount, win.currency) == (date(2026, 10, 1), Decimal(12500), None)
    assert win.actor.external_id == "cc03d281-c95c-e911-a979-000d3a1cc8fe"
    assert (call.duration_seconds, call.properties["connected"]) == (Decimal(360), True)
    assert call.about["deal"] == f"dynamics365:deal:{DEAL}"


def test_nothing_personal_and_nothing_formatted_is_kept() -> None:
    told = sample(1)
    told["InputParameters"][0]["value"]["Attributes"] += [
        {"key": "emailaddress", "value": "jan@example.com"},
        {"key": "description", "value": "Jan said"},
        {"key": "new_region", "value": "north"},
    ]
    kept = json.dumps(redacted(Dynamics365(), body(told)), default=str)
    assert "north" in kept
    assert not any(each in kept for each in ("jan@", "Jan said", "12.500,00", "Offen"))


@pytest.mark.parametrize(
    "query", ["code=11111111-2222-3333-4444-555555555555", "a=b&key=11111111-2222-3333-4444-555555555555"]
)
def test_the_secret_may_stand_in_the_address(query: str) -> None:
    secrets = ["another-secret", "11111111-2222-3333-4444-555555555555"]
    request = RawRequest("POST", "", {}, b"{}", query)
    Dynamics365().authenticate(request, secrets, NOON, Mapping())
    for wrong in (query[:-1], query + "0", "", "&" * 60):
        with pytest.raises(NotAuthentic):
            Dynamics365().authenticate(RawRequest("POST", "", {}, b"{}", wrong), secrets, NOON, Mapping())
    with pytest.raises(NotAuthentic):
        Dynamics365().authenticate(request, [], NOON, Mapping())


def test_a_win_told_as_win_as_update_or_as_both_is_one_win() -> None:
    closing = row(
        "opportunityclose",
        "00000000-0000-0000-0000-000000000001",
        {"opportunityid": reference(DEAL, "opportunity"), "actualrevenue": money(900.5), "actualend": ms(NOON)},
    )
    win = message("Win", NOON, {"OpportunityClose": closing, "Status": option(3)}, id_=closing["Id"])
    updated = won(NOON, actualvalue=money(900.5), actualclosedate=ms(NOON))
    first = deal(NOON - timedelta(days=3))
    for told in ([win], [updated], [win, updated], [updated, win]):
        events = events_of(first, *told)
        assert sorted(each.type for each in events.values()) == ["deal.created", "deal.won"]
        assert events[f"deal:{DEAL}:deal.won"].amount == Decimal("900.5")


def test_reopening_takes_the_win_away_and_a_lost_deal_is_lost() -> None:
    later = NOON + timedelta(hours=1)
    assert f"deal:{DEAL}:deal.won" not in events_of(deal(), won(NOON), update(later, {"statecode": option(0)}))
    lost = message("Lose", later, {"Status": option(4)})
    assert f"deal:{DEAL}:deal.lost" in events_of(deal(), lost)
    set_state = message("SetStateDynamicEntity", later, {"State": option(2), "Status": option(4)})
    assert f"deal:{DEAL}:deal.lost" in events_of(deal(), set_state)


def test_changes_of_one_second_act_in_the_order_of_their_operations() -> None:
    told = [update(NOON, {"actualvalue": money(value)}) for value in (900.0, 1000.0, 20.0)]
    for count, each in enumerate(told):
        operated = ms(NOON + timedelta(milliseconds=100 * count)).replace(")", "+0000)")
        each.update(OperationCreatedOn=operated, OperationId=f"{count:08}-bf8e-e911-a95a-000d3a1bca89")
    for order in permutations(told):
        events = events_of(*order, won(NOON + timedelta(days=1)), deal(NOON - timedelta(days=1)))
        assert events[f"deal:{DEAL}:deal.won"].amount == Decimal(20)


def test_owners_that_are_teams_are_credited_to_nobody() -> None:
    assigned = message("Assign", NOON + timedelta(hours=1), {"Assignee": reference(TEAM, "team")})
    world = World("dynamics365").tell(body(deal()), body(assigned), body(won(NOON + timedelta(hours=2))))
    assert world.records["deal", DEAL].state("ownerid") == f"team:{TEAM}"
    win = world.events()[f"deal:{DEAL}:deal.won"]
    assert (win.actor, win.credits) == (None, ())


def test_an_owner_changed_within_a_week_of_the_win_has_it() -> None:
    for days, owner in ((6, BOB), (8, ADA)):
        assigned = message("Assign", NOON + timedelta(days=days), {"Assignee": reference(BOB)})
        win = events_of(deal(), won(NOON), assigned)[f"deal:{DEAL}:deal.won"]
        assert win.actor.external_id == owner


def test_images_tell_what_the_target_does_not() -> None:
    before = {"ownerid": reference(ADA), "modifiedon": ms(NOON - timedelta(days=30)), "createdon": ms(NOON)}
    after = {"ownerid": reference(BOB), "estimatedvalue": money(70.0), "statecode": option(1)}
    (win,) = (e for e in events_of(won(NOON)).values() if e.type == "deal.won")
    assert (win.actor, win.amount) == (None, None)
    told = message(
        "Update", NOON, {"Target": row("opportunity", DEAL, {"statecode": option(1)})}, before=before, after=after
    )
    (win,) = (e for e in events_of(told).values() if e.type == "deal.won")
    assert (win.actor.external_id, win.amount) == (BOB, Decimal(70))


def test_a_deleted_deal_has_no_events() -> None:
    gone = message("Delete", NOON + timedelta(hours=1), {"Target": reference(DEAL, "opportunity")})
    assert events_of(deal(), won(NOON), gone) == {}
    assert events_of(gone, won(NOON), deal()) == {}


def test_a_merged_row_points_to_the_survivor() -> None:
    other = "0f82f6f2-bf8e-e911-a95a-00000000000b"
    merged = message("Merge", NOON, {"Target": reference(DEAL, "account"), "SubordinateId": other}, entity="account")
    world = World("dynamics365").tell(body(merged))
    assert world.records["company", other].merged_into == DEAL


def test_a_context_that_was_too_large_is_fetched() -> None:
    told = sample(2)
    for part in ("InputParameters", "PreEntityImages", "PostEntityImages", "ParentContext"):
        del told[part]
    world = World("dynamics365").tell(body(told))
    assert (world.wanted, world.events()) == ({("deal", DEAL)}, {})
    fetched = {
        "@odata.etag": 'W/"1"',
        "opportunityid": DEAL.upper(),
        "_ownerid_value": ADA,
        "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "systemuser",
        "_parentaccountid_value": BOB,
        "statecode": 1,
        "actualvalue": Decimal("12500.10"),
        "actualclosedate": "2026-10-01",
        "createdon": "2026-09-14T08:03:55Z",
        "modifiedon": "2026-10-01T08:00:00Z",
        "name": "Rollout",
    }
    world.fetch("deal", fetched, at=NOON, account="BFDDC525-7e84-4d76-a946-a2a895fb8887")
    win = world.events()[f"deal:{DEAL}:deal.won"]
    assert (win.amount, win.occurred_on) == (Decimal("12500.1"), date(2026, 10, 1))
    assert (win.actor and win.actor.external_id, win.about["customer"]) == (ADA, f"dynamics365:company:{BOB}")
    world.fetch("deal", gone=[DEAL], at=NOON, account="x")
    assert world.events() == {}


def test_a_currency_is_named_by_the_mapping_or_unknown() -> None:
    currency: dict[str, Any] = {"transactioncurrencyid": reference(EURO.upper(), "transactioncurrency")}
    told = (deal(**currency), won(NOON))
    for mapping, expected in (
        (Mapping(), None),
        (Mapping(currencies={EURO: "EUR"}), "EUR"),
        (Mapping(currencies={BOB: "USD"}), "XXX"),
    ):
        assert events_of(*told, mapping=mapping)[f"deal:{DEAL}:deal.won"].currency == expected


@pytest.mark.parametrize(
    ("told", "zone", "expected"),
    [
        (datetime(2026, 10, 1, tzinfo=UTC), "America/New_York", date(2026, 10, 1)),
        (datetime(2026, 9, 30, 22, tzinfo=UTC), "Europe/Berlin", date(2026, 10, 1)),
        (datetime(2026, 10, 1, 4, tzinfo=UTC), "America/New_York", date(2026, 10, 1)),
    ],
)
def test_close_dates_are_local_days(told: datetime, zone: str, expected: date) -> None:
    win = won(NOON, actualclosedate=ms(told))
    events = events_of(deal(), win, mapping=Mapping(time_zone=zone))
    assert events[f"deal:{DEAL}:deal.won"].occurred_on == expected
    events = events_of(deal(), win, mapping=Mapping(time_zone=zone, win_dated_by="change"))
    assert events[f"deal:{DEAL}:deal.won"].occurred_on is None


def test_a_lead_is_qualified_and_converted_by_its_opportunity() -> None:
    lead = made(NOON, {"ownerid": reference(ADA), "statecode": option(0)}, entity="lead", id_=BOB)
    qualified = update(NOON + timedelta(hours=1), {"statecode": option(1)}, entity="lead", id_=BOB)
    opportunity = deal(NOON + timedelta(hours=2), originatingleadid=reference(BOB, "lead"))
    events = events_of(opportunity, lead, qualified)
    assert {each.type for each in events.values()} == {
        "lead.created", "lead.qualified", "lead.converted", "deal.created",
    }  # fmt: skip
    assert events[f"lead:{BOB}:lead.converted"].occurred_at == NOON + timedelta(hours=2)


def test_a_quote_is_sent_and_accepted() -> None:
    told = {"ownerid": reference(ADA), "totalamount": money(10.5), "opportunityid": reference(DEAL, "opportunity")}
    steps = [
        made(NOON, {**told, "statecode": option(0)}, entity="quote", id_=BOB),
        update(NOON + timedelta(hours=1), {"statecode": option(1)}, entity="quote", id_=BOB),
    ]
    assert list(events_of(*steps)) == [f"quote:{BOB}:quote.sent"]
    accepted = update(NOON + timedelta(hours=2), {"statecode": option(2)}, entity="quote", id_=BOB)
    event = events_of(*steps, accepted)[f"quote:{BOB}:quote.accepted"]
    assert (event.amount, event.about["deal"]) == (Decimal("10.5"), f"dynamics365:deal:{DEAL}")


def test_meetings_are_booked_held_by_their_end_and_not_when_canceled() -> None:
    end = NOON + timedelta(days=1)
    told = {"ownerid": reference(ADA), "statecode": option(3), "scheduledend": ms(end), "scheduledstart": ms(NOON)}
    booked = made(NOON, told, entity="appointment", id_=BOB)
    events = events_of(booked)
    assert events[f"meeting:{BOB}:meeting.held"].occurred_at == end
    assert events[f"meeting:{BOB}:meeting.held"].duration_seconds == Decimal(86400)
    assert list(events_of(booked, mapping=Mapping(meeting_held="completed"))) == [f"meeting:{BOB}:meeting.booked"]
    canceled = update(NOON + timedelta(hours=1), {"statecode": option(2)}, entity="appointment", id_=BOB)
    assert list(events_of(booked, canceled)) == [f"meeting:{BOB}:meeting.booked"]


def test_emails_count_when_they_were_sent_or_came() -> None:
    def mail(**more: Any) -> list[str]:
        told = {"ownerid": reference(ADA), "statecode": option(1), "senton": ms(NOON), **more}
        return [each.type for each in events_of(made(NOON, told, entity="email", id_=BOB)).values()]

    assert mail(statuscode=option(3)) == ["email.sent"]
    assert mail(statuscode=option(4)) == ["email.received"]
    assert mail(statuscode=option(8)) == []
    assert mail(directioncode=False) == ["email.received"]
    assert mail(statecode=option(0)) == []


def test_a_changed_account_is_the_customer_from_then_on() -> None:
    first, second = "a" * 8, "b" * 8
    made_ = deal(parentaccountid=reference(first, "account"))
    moved = update(
        NOON + timedelta(hours=1),
        {"parentaccountid": reference(second, "account")},
        before={"parentaccountid": reference(first, "account")},
    )
    for told in ((made_, moved), (moved, made_)):
        assert events_of(*told)[f"deal:{DEAL}:deal.created"].about["customer"] == f"dynamics365:company:{second}"


def test_a_custom_field_becomes_a_property_and_another_the_amount() -> None:
    mapping = Mapping(
        fields={"deal": {"amount": "new_annualvalue"}}, properties={"deal": {"region": PropertyFrom("new_region")}}
    )
    told = deal(new_annualvalue=money(99.5), new_region="north")
    event = events_of(told, mapping=mapping)[f"deal:{DEAL}:deal.created"]
    assert (event.amount, event.properties) == (Decimal("99.5"), {"region": "north"})


@pytest.mark.parametrize("told", [b"", b"[]", b"null", b"{}", b'{"MessageName": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_context_is_unparseable(told: bytes) -> None:
    with pytest.raises(Unparseable):
        redacted(Dynamics365(), told)


@pytest.mark.parametrize(
    "change",
    [
        {"OrganizationId": None},
        {"OperationId": {"a": 1}},
        {"PrimaryEntityId": "../.."},
        {"OperationCreatedOn": "/Date(99999999999999999999)/", "InputParameters": []},
        {"InputParameters": {"Target": []}, "OperationCreatedOn": None},
    ],
)
def test_a_context_that_cannot_be_read_says_so(change: dict[str, Any]) -> None:
    adapter = Dynamics365()
    (item,) = adapter.split(redacted(adapter, body(sample(2) | change)))
    if item.problem is None:
        with pytest.raises(Unparseable):
            adapter.fold(item, Mapping())


@pytest.mark.parametrize("hostile", [None, [], "x", 5, [None], [[]], [{"key": 1}], [{"key": "Target", "value": [1]}]])
def test_hostile_parts_break_nothing(hostile: Any) -> None:
    for part in ("InputParameters", "PreEntityImages", "PostEntityImages", "OwningExtension", "PrimaryEntityName"):
        events_of(deal(), sample(2) | {part: hostile})


STORY = [
    deal(parentaccountid=reference(ADA, "account"), originatingleadid=reference(BOB, "lead")),
    update(NOON + timedelta(hours=1), {"salesstage": option(1)}),
    update(NOON + timedelta(hours=2), {"estimatedvalue": money(13000.0), "salesstage": option(2)}),
    message("Assign", NOON + timedelta(hours=3), {"Assignee": reference(BOB)}),
    won(NOON + timedelta(hours=4), actualvalue=money(12900.0), actualclosedate=ms(NOON)),
    update(
        NOON + timedelta(hours=5), {"statecode": option(0)}, before={"statecode": option(1), "modifiedon": ms(NOON)}
    ),
    won(NOON + timedelta(hours=6), actualvalue=money(12800.0)),
    made(NOON - timedelta(days=1), {"ownerid": reference(ADA), "statecode": option(1)}, entity="lead", id_=BOB),
]


@given(st.permutations([*STORY, *STORY[2:5]]))
def test_any_order_and_repetition_gives_the_same_records_and_events(told: list[dict[str, Any]]) -> None:
    expected, found = (World("dynamics365").tell(*map(body, each)) for each in (STORY, told))
    assert _state(found.records) == _state(expected.records)
    assert found.events() == expected.events()
    assert found.events()[f"deal:{DEAL}:deal.won"].amount == Decimal(12800)


def _state(records: dict[Any, Record]) -> dict[Any, Any]:
    return {key: {name: record.history(name) for name in record.fields} for key, record in records.items()}


async def test_a_win_over_http(api: Api) -> None:
    """Samples as they are posted, with the secret in the address; another one, or none, is a 401."""
    secret, account = "11111111-2222-3333-4444-555555555555", sample(1)["OrganizationId"].upper()
    source = await api.post(
        "/sources",
        {"key": "d365", "name": "Dynamics", "system": "dynamics365", "account_id": account, "secrets": [secret],
         "mapping": {"currencies": {EURO: "EUR"}}},
    )  # fmt: skip
    caller = api.world.caller(api.org_id, None)
    for number in (2, 1, 5, 2):
        answer = await caller.call("POST", f"/hooks/{source['id']}?code={secret}", body_of(f"dynamics/{number}.json"))
        assert (answer.status_code, answer.content) == (200, b"")
    for query in ("", "?code=wrong-secret"):
        answer = await caller.call("POST", f"/hooks/{source['id']}{query}", body_of("dynamics/1.json"))
        assert (answer.status_code, answer.content) == (401, b"")
    connection = Connection(api, source)
    await connection.translate()
    events = {event["external_id"]: event for event in await connection.events()}
    assert len(events) == 3
    assert events[f"deal:{DEAL}:deal.won"]["amount"] == {"value": "12500", "currency": "EUR"}
    assert {each["verdict"] for each in await connection.deliveries()} == {"translated"}
