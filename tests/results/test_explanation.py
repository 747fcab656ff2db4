"""Figures opened: names and addresses of what the events are about."""

import json

from tests.integrations.crm import HubSpotBatch
from tests.integrations.posting import hubspot
from tests.results.team import CALLS, ORGANIZATION, REVENUE, ask, count, define, euros, event, kpi, post
from tests.support import Api

JULY_2 = 1782979200000  # 2026-07-02T08:00:00Z, in milliseconds


async def test_an_event_of_a_crm_is_shown_with_the_name_and_the_page_of_its_deal(api: Api) -> None:
    await define(api, REVENUE)
    connection = await hubspot(api, key="crm")
    batch = HubSpotBatch().made("deal", 508, JULY_2).set("deal", 508, JULY_2, "dealname", "Acme renewal")
    batch.set("deal", 508, JULY_2, "amount", "500").set("deal", 508, JULY_2, "deal_currency_code", "EUR")
    await connection.tell(batch.set("deal", 508, JULY_2, "dealstage", "closedwon").body())
    found = await ask(api, "explain", {"kpi": "revenue", "subject": ORGANIZATION, "period": "2026-07"})
    assert found["result"]["value"] == 500
    (shown,) = found["events"]
    assert shown["label"] == "Acme renewal"
    assert shown["url"] == "https://app.hubspot.com/contacts/44556677/record/0-3/508"


async def test_an_event_posted_elsewhere_about_a_deal_of_the_crm_is_shown_with_that_deal(api: Api) -> None:
    await define(api, CALLS)
    connection = await hubspot(api, key="crm")
    batch = HubSpotBatch().made("deal", 508, JULY_2).set("deal", 508, JULY_2, "dealname", "Acme renewal")
    await connection.tell(batch.body())
    await post(api, [
        event("c-1", "call.made", about={"deal": "crm:deal:508"}),
        event("c-2", "call.made", about={"deal": "crm:deal:509"}),
        event("c-3", "call.made", about={"deal": "other:deal:508"}),
        event("c-4", "call.made", about={"deal": "D-1", "customer": "::"}),
        event("c:5", "call.made"),
    ])  # fmt: skip
    found = await ask(api, "explain", {"kpi": "calls_made", "subject": ORGANIZATION, "period": "2026-07"})
    shown = {each["external_id"]: (each["label"], each["url"]) for each in found["events"]}
    page = "https://app.hubspot.com/contacts/44556677/record/0-3"
    assert shown == {
        "c-1": ("Acme renewal", f"{page}/508"),
        "c-2": (None, f"{page}/509"),
        "c-3": (None, None),
        "c-4": (None, None),
        "c:5": (None, None),
    }


async def test_another_organizations_crm_names_nothing_here(api: Api) -> None:
    await define(api, REVENUE)
    stranger = await api.world.organization()
    theirs = await hubspot(stranger, key="crm")
    await theirs.tell(HubSpotBatch().made("deal", 508, JULY_2).set("deal", 508, JULY_2, "dealname", "Secret").body())
    await post(api, [event("w-1", "deal.won", amount=euros(5), about={"deal": "crm:deal:508"})])
    found = await ask(api, "explain", {"kpi": "revenue", "subject": ORGANIZATION, "period": "2026-07"})
    assert [(each["label"], each["url"]) for each in found["events"]] == [(None, None)]
    assert "Secret" not in json.dumps(found)


async def test_other_kpis_targets_and_windows_are_opened_with_their_values(api: Api) -> None:
    formula = "coalesce(kpi.revenue / target(kpi.revenue), deals / previous(deals))"
    growth = kpi("growth", formula, "ratio", deals=count("deal.won"))
    await define(api, REVENUE, growth)
    await post(
        api, [event("w-1", "deal.won", amount=euros(50)), event("w-0", "deal.won", "2026-06-03", amount=euros(7))]
    )
    goal = {"name": "R", "owner": {"type": "organization"}, "kpi": "revenue", "period": "2026-07"}
    await api.post("/goals", goal | {"target": {"value": "200"}}, expect=201)
    found = await ask(api, "explain", {"kpi": "growth", "subject": ORGANIZATION, "period": "2026-07"})
    assert found["result"]["value"] == 0.25
    assert found["with_numbers"] == ["coalesce(50 / 200, 1 / previous(1))"]
    assert {each["text"]: each["value"] for each in found["operands"]} == {
        "kpi.revenue": 50, "target(kpi.revenue)": 200, "previous(deals)": 1
    }  # fmt: skip


async def test_a_pair_is_shown_with_its_end_and_a_cadence_with_what_was_not_done(api: Api) -> None:
    answered = {
        "aggregate": "median",
        "elapsed": {"from": {"events": ["lead.created"]}, "to": {"events": ["call.made"]}, "match": "lead"},
    }
    steps = [{"events": ["call.made"], "by": "P1D"}, {"events": ["email.sent"], "by": "P2D"}]
    cadence = {
        "aggregate": "share_done",
        "cadence": {"anchor": {"events": ["lead.created"]}, "match": "lead", "steps": steps},
    }
    await define(api, kpi("answer_time", "m", "duration", m=answered), kpi("kept", "c", "ratio", c=cadence))
    await post(api, [
        event("lead", "lead.created", "2026-07-02", about={"lead": "L"}),
        {**event("call", "call.made", about={"lead": "L"}), "occurred_at": "2026-07-02T09:00:00Z"},
    ])  # fmt: skip
    found = await ask(api, "explain", {"kpi": "answer_time", "subject": ORGANIZATION, "period": "2026-07"})
    (shown,) = found["events"]
    assert (shown["external_id"], shown["value"]) == ("lead", 3600)
    assert [(each["place"], each["external_id"]) for each in shown["related"]] == [("end", "call")]
    found = await ask(api, "explain", {"kpi": "kept", "subject": ORGANIZATION, "period": "2026-07"})
    (shown,) = found["events"]
    assert found["result"]["value"] == 0.5
    assert shown["deviation"] == "email.sent by P2D"
    assert [(each["place"], each["external_id"]) for each in shown["related"]] == [("done 1", "call"), ("done 2", None)]


async def test_a_trailing_measure_is_opened_over_its_own_days(api: Api) -> None:
    trailing = kpi("trailing", "calls", calls=count("call.made", over="P90D"))
    await define(api, trailing)
    await post(api, [event("old", "call.made", "2026-05-01"), event("older", "call.made", "2026-01-01")])
    found = await ask(api, "explain", {"kpi": "trailing", "subject": ORGANIZATION, "period": "2026-06"})
    assert [each["external_id"] for each in found["events"]] == ["old"]
    assert (found["measures"][0]["start"], found["measures"][0]["end"]) == ("2026-04-02", "2026-07-01")


async def test_the_rate_that_converted_an_amount_is_told(api: Api) -> None:
    """Worked example 10: 100 USD by the inverse of EUR/USD 1.10."""
    await define(api, REVENUE)
    await api.post("/exchange-rates/sets", {"key": "daily", "kind": "daily", "name": "Daily"})
    await api.post(
        "/exchange-rates", {"set": "daily", "base": "EUR", "quote": "USD", "rate": "1.10", "valid_from": "2026-07-10"}
    )
    await post(api, [event("w", "deal.won", "2026-07-12", amount={"value": "100", "currency": "USD"})])
    found = await ask(api, "explain", {"kpi": "revenue", "subject": ORGANIZATION, "period": "2026-07"})
    assert found["result"]["value"] == 90.9090909090909
    (shown,) = found["events"]
    assert (shown["amount"], shown["currency"]) == ("100", "USD")
    assert len(shown["rates"]) == 1
    assert "EUR" in shown["rates"][0]
    assert "1.1" in shown["rates"][0]


async def test_an_open_sum_names_the_event_of_its_latest_value_with_the_rate_of_that(api: Api) -> None:
    """S18a: 100 EUR of the start, then 220 USD by the inverse of EUR/USD 1.10."""
    deals = {"from": {"events": ["deal.created"]}, "to": {"events": ["deal.won"]}, "match": "deal"}
    await define(api, kpi("pipeline", "open", "money", open={"aggregate": "sum", "value": "amount", "open_at": deals}))
    await api.post("/exchange-rates/sets", {"key": "daily", "kind": "daily", "name": "Daily"})
    await api.post(
        "/exchange-rates", {"set": "daily", "base": "EUR", "quote": "USD", "rate": "1.10", "valid_from": "2026-06-02"}
    )
    dollars = {"value": "220", "currency": "USD"}
    await post(api, [
        event("first", "deal.created", "2026-06-01", amount=euros(100), about={"deal": "D"}),
        event("then", "deal.created", "2026-06-02", amount=dollars, about={"deal": "D"}),
    ])  # fmt: skip
    asked = {"kpi": "pipeline", "subject": ORGANIZATION, "period": "2026-06"}
    found = await ask(api, "explain", asked)
    assert found["result"]["value"] == 200
    (shown,) = found["events"]
    assert (shown["external_id"], shown["amount"], shown["value"]) == ("first", "100", 200)
    (gave,) = shown["related"]
    assert (gave["place"], gave["external_id"], gave["amount"], gave["currency"]) == ("value", "then", "220", "USD")
    assert [("EUR" in rate, "1.1" in rate) for rate in shown["rates"]] == [(True, True)]
    assert (await ask(api, "explain", asked | {"show": "left_out"}))["events"] == []


async def test_what_several_people_did_together_over_several_days_is_one_event_of_the_list(api: Api) -> None:
    busy = {"aggregate": "covered", "events": ["call.made"]}
    await define(api, kpi("busy", "b", "duration", b=busy))
    halves = [{"actor": {"id": who}, "share": "0.5"} for who in ("ana", "bo")]
    await post(api, [
        event(name, "call.made", "2026-07-06", credits=halves, duration_seconds=2 * 86400) for name in ("a", "b", "c")
    ])  # fmt: skip
    asked = {"kpi": "busy", "subject": ORGANIZATION, "period": "2026-07", "limit": 1}
    names, values, cursor = [], [], None
    while True:
        found = await ask(api, "explain", asked | ({"cursor": cursor} if cursor else {}))
        names += [each["external_id"] for each in found["events"]]
        values += [each["value"] for each in found["events"]]
        if (cursor := found["next_cursor"]) is None:
            break
    assert sorted(names) == ["a", "b", "c"]
    assert sum(values) == found["result"]["value"] == 2 * 2 * 86400


async def test_what_there_is_not_is_told_with_its_place_in_the_question(api: Api) -> None:
    await define(api, CALLS)
    ada = (await api.post("/members", {"name": "Ada"}, expect=201))["id"]
    nobody = "00000000-0000-0000-0000-000000000000"
    asked = {"kpi": CALLS["key"], "subject": {"member": ada}, "period": "2026-07"}
    for wrong, pointer in (
        ({"within_team": nobody}, "/within_team"),
        ({"subject": {"team": nobody}}, "/subject"),
        ({"kpi": "missing"}, "/kpi"),
        ({"version": 7}, "/version"),
        ({"period": "soon"}, "/period"),
    ):
        problem = await api.post("/kpi-results/explain", asked | wrong, expect=422)
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
    diff = asked | {"within_team": nobody, "from_as_of": "2026-07-13T10:00:00Z"}
    problem = await api.post("/kpi-results/diff", diff, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == ["/within_team"]
