"""Answers as front ends read them: windows, statuses, explanations, and questions that cannot be answered."""

import asyncio
from typing import Any

import pytest

from tests.support import Api, World

CALLS: dict[str, Any] = {
    "key": "calls_made",
    "name": "Calls made",
    "category": "sales_results",
    "indicator": "leading",
    "direction": "increase",
    "unit": {"kind": "count"},
    "measures": {"calls": {"aggregate": "count", "events": ["call.made"], "where": "has(properties.campaign)"}},
    "formula": "calls",
}
WIN_RATE: dict[str, Any] = CALLS | {
    "key": "win_rate",
    "name": "Win rate",
    "unit": {"kind": "ratio"},
    "measures": {
        "won": {"aggregate": "count", "events": ["deal.won"]},
        "lost": {"aggregate": "count", "events": ["deal.lost"]},
    },
    "formula": "won / (won + lost)",
}
REVENUE: dict[str, Any] = CALLS | {
    "key": "revenue",
    "name": "Revenue",
    "unit": {"kind": "money"},
    "measures": {"won": {"aggregate": "sum", "value": "amount", "events": ["deal.won"]}},
    "formula": "won",
}
ORGANIZATION = {"organization": True}


def event(external_id: str, kind: str, at: str = "2026-07-06T08:00:00Z", **more: Any) -> dict[str, Any]:
    return {"external_id": external_id, "type": kind, "occurred_at": at, **more}


async def query(api: Api, **more: Any) -> Any:
    body = {"kpis": ["calls_made"], "subjects": [ORGANIZATION], "period": "2026-07"} | more
    return await api.post("/kpi-results/query", body, expect=200)


async def explain(api: Api, kpi: str, **more: Any) -> Any:
    body = {"kpi": kpi, "subject": ORGANIZATION, "period": "2026-07"} | more
    return await api.post("/kpi-results/explain", body, expect=200)


async def test_an_answer_says_when_and_from_what_it_was_computed(api: Api) -> None:
    await api.post("/kpis", CALLS, expect=201)
    answer = await query(api, grain="week")
    assert answer["as_of"] == "2026-07-13T10:00:00Z"
    assert (answer["time_zone"], answer["currency"]) == ("Europe/Warsaw", "EUR")
    first = answer["windows"][0]
    assert first["label"] == "2026-W27"
    assert (first["start"], first["end"], first["is_partial"]) == ("2026-07-01", "2026-07-06", True)
    assert (first["starts_at"], first["ends_at"]) == ("2026-06-30T22:00:00Z", "2026-07-05T22:00:00Z")
    assert [window["is_complete"] for window in answer["windows"]] == [True, True, False, False, False]
    series = answer["series"][0]
    assert series["subject"] == {"type": "organization", "id": None, "name": None, "within_team": None}
    assert series["values"] == [0, 0, 0, 0, 0]
    assert series["statuses"] == ["ok"] * 5


async def test_the_same_answer_has_the_same_etag_and_is_not_sent_again(api: Api) -> None:
    await api.post("/kpis", CALLS, expect=201)
    body = {"kpis": ["calls_made"], "subjects": [ORGANIZATION], "period": "2026-07"}
    first = await api.call("POST", "/kpi-results/query", body, expect=200)
    tag = {"If-None-Match": first.headers["etag"]}
    await api.call("POST", "/kpi-results/query", body, expect=304, headers=tag)
    await api.post("/events", event("c-1", "call.made", properties={"campaign": "x"}))
    await api.call("POST", "/kpi-results/query", body, expect=200, headers=tag)


async def test_an_answer_as_of_an_instant_stays_the_same_whatever_is_written_later(api: Api) -> None:
    await api.post("/kpis", CALLS, expect=201)
    await api.post("/events", event("c-1", "call.made", properties={"campaign": "x"}))
    now = (await api.get("/me"))["now"]
    before = await query(api, as_of=now)
    await api.post("/events", event("c-2", "call.made", properties={"campaign": "x"}))
    assert await query(api, as_of=now) == before
    await api.set_clock("2026-07-13T11:00:00Z")
    assert (await query(api))["series"][0]["total"]["value"] == 2


async def test_an_answer_as_of_now_is_settled_against_writers_that_are_still_running(world: World) -> None:
    api = await world.organization(now=None)
    await api.post("/kpis", CALLS, expect=201)

    async def write(n: int) -> None:
        await api.post("/events", event(f"c-{n}", "call.made", properties={"campaign": "x"}))

    async def ask() -> tuple[str, int]:
        now = (await api.get("/me"))["now"]
        answer = await query(api, as_of=now, period="2026-07-01..2026-07-31")
        return now, answer["series"][0]["total"]["value"]

    answers = await asyncio.gather(*[part for n in range(20) for part in (write(n), ask())])
    for now, value in [answer for answer in answers if answer is not None]:
        again = await query(api, as_of=now, period="2026-07-01..2026-07-31")
        assert again["series"][0]["total"]["value"] == value


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kpis": ["calls"]}, "/kpis/0"),
        ({"kpis": ["Calls Made"]}, "/kpis/0"),
        ({"period": "2026-02-30"}, "/period"),
        ({"period": "tomorrow"}, "/period"),
        ({"grain": "fortnight"}, "/grain"),
        ({"subjects": []}, "/subjects"),
        ({"subjects": [{"team": "00000000-0000-7000-8000-000000000000"}]}, "/subjects/0"),
        ({"subjects": [{"organization": True, "unassigned": True}]}, "/subjects/0"),
        ({"subjects": [{"organization": None}]}, "/subjects/0"),
        ({"where": "amount >"}, "/where"),
        ({"where": "'; DROP TABLE event; --'"}, "/where"),
        ({"where": "(" * 300 + "1" + ")" * 300}, "/where"),
        ({"currency": "XXX1"}, "/currency"),
        ({"as_of": "2026-07-13T10:00:00"}, "/as_of"),
        ({"versions": {"calls_made": 7}}, "/versions/calls_made"),
        ({"versions": {"calls_maid": 1}}, "/versions/calls_maid"),
        ({"group": 1}, "/group"),
    ],
)
async def test_a_question_that_cannot_be_answered_names_the_place(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    await api.post("/kpis", CALLS, expect=201)
    body = {"kpis": ["calls_made"], "subjects": [ORGANIZATION], "period": "2026-07"} | change
    problem = await api.post("/kpi-results/query", body, expect=422)
    assert problem["errors"][0]["pointer"] == pointer


async def test_the_future_and_too_much_are_refused(api: Api) -> None:
    await api.post("/kpis", CALLS, expect=201)
    body = {"kpis": ["calls_made"], "subjects": [ORGANIZATION], "period": "2026-07"}
    problem = await api.post("/kpi-results/query", body | {"as_of": "2026-07-13T10:00:01Z"}, expect=422)
    assert problem["type"] == "/problems/as-of-in-the-future"
    much = body | {"period": "1970-01-01..2199-12-31", "grain": "day"}
    assert (await api.post("/kpi-results/query", much, expect=422))["type"] == "/problems/query-too-large"


async def test_an_explanation_puts_the_numbers_in_and_shows_the_events(api: Api) -> None:
    await api.post("/kpis", WIN_RATE, expect=201)
    events = [event(f"w-{n}", "deal.won") for n in range(3)] + [event("l-1", "deal.lost")]
    await api.post("/events/batch", {"events": events})
    found = await explain(api, "win_rate")
    assert found["result"]["value"] == 0.75
    assert (found["formula"], found["with_numbers"]) == (["won / (won + lost)"], ["3 / (3 + 1)"])
    assert [(each["name"], each["value"]) for each in found["measures"]] == [("won", 3), ("lost", 1)]
    assert {each["external_id"] for each in found["events"]} == {"w-0", "w-1", "w-2"}
    assert {each["weight"] for each in found["events"]} == {1}
    first = await explain(api, "win_rate", limit=2)
    rest = await explain(api, "win_rate", limit=2, cursor=first["next_cursor"])
    assert [each["external_id"] for each in (*first["events"], *rest["events"])] == ["w-0", "w-1", "w-2"]
    assert rest["next_cursor"] is None


async def test_an_explanation_says_why_an_event_is_not_in_a_figure(api: Api) -> None:
    await api.post("/kpis", CALLS, expect=201)
    await api.post("/kpis", REVENUE, expect=201)
    tagged = {"campaign": "x"}
    events = [
        event("in", "call.made", properties=tagged),
        event("filtered", "call.made"),
        event("future", "call.made", at="2026-07-20T08:00:00Z", properties=tagged),
        event("gone", "call.made", properties=tagged),
        event("gone", "call.made", properties=tagged, version=1, retracted=True),
        event("w-eur", "deal.won", amount={"value": "100.00", "currency": "EUR"}),
        event("w-sek", "deal.won", amount={"value": "1000", "currency": "SEK"}),
        event("w-none", "deal.won"),
    ]
    await api.post("/events/batch", {"events": events})
    found = await explain(api, "calls_made", show="left_out")
    assert {each["external_id"]: each["reason"] for each in found["events"]} == {
        "filtered": "filtered",
        "future": "in_the_future",
        "gone": "retracted",
    }
    found = await explain(api, "revenue", show="left_out")
    assert (found["result"]["value"], found["result"]["status"]) == (100, "partial")
    assert {each["external_id"]: each["reason"] for each in found["events"]} == {
        "w-sek": "unconverted",
        "w-none": "no_value",
    }


async def test_an_explanation_of_a_team_tells_the_unmapped_from_those_outside_their_membership(api: Api) -> None:
    await api.post("/kpis", CALLS, expect=201)
    north = (await api.post("/teams", {"name": "North"}))["id"]
    ada = (await api.post("/members", {"name": "Ada"}))["id"]
    await api.post(f"/teams/{north}/memberships", {"member_id": ada, "kind": "member", "valid_to": "2026-07-06"})
    tagged = {"campaign": "x"}
    events = [
        event("then", "call.made", at="2026-07-03T08:00:00Z", actor={"id": "1"}, properties=tagged),
        event("after", "call.made", actor={"id": "1"}, properties=tagged),
        event("nobody", "call.made", actor={"id": "2"}, properties=tagged),
    ]
    await api.post("/events/batch", {"events": events})
    identities = (await api.get("/identities"))["items"]
    known = next(each for each in identities if each["external_id"] == "1")
    await api.post(f"/identities/{known['id']}/mappings", {"member_id": ada})
    found = await explain(api, "calls_made", subject={"team": north}, show="left_out")
    assert {each["external_id"]: each["reason"] for each in found["events"]} == {
        "after": "outside_membership",
        "nobody": "unmapped",
    }
    found = await explain(api, "calls_made", subject={"team": north})
    assert [each["external_id"] for each in found["events"]] == ["then"]


async def test_a_change_of_definition_is_noted(api: Api) -> None:
    await api.post("/kpis", WIN_RATE, expect=201)
    version = {name: WIN_RATE[name] for name in ("measures", "unit", "direction")}
    await api.post("/kpis/win_rate/versions", version | {"formula": "won / lost", "valid_from": "2026-07-01"})
    answer = await query(api, kpis=["win_rate"], period="2026", grain="quarter")
    series = answer["series"][0]
    assert series["kpi_versions"] == [1, 1, 2, 2]
    assert series["total"]["status"] == "mixed_versions"
    assert [(note["code"], note["on"]) for note in series["notes"]] == [("definition_changed", "2026-07-01")]


async def test_another_organizations_team_is_unknown(api: Api, world: World) -> None:
    await api.post("/kpis", CALLS, expect=201)
    stranger = await world.organization()
    team = (await stranger.post("/teams", {"name": "Theirs"}))["id"]
    body = {"kpis": ["calls_made"], "subjects": [{"team": team}], "period": "2026-07"}
    await api.post("/kpi-results/query", body, expect=422)


async def test_what_lies_before_a_month_cut_to_date_is_as_many_days_and_not_a_month(api: Api) -> None:
    """21 working days of March are past, more than February has: the cut February is the whole month's days."""
    change = CALLS | {"key": "change", "name": "Change", "formula": "calls - previous(calls)"}
    await api.post("/kpis", change, expect=201)
    await api.post("/events", event("c-1", "call.made", at="2026-01-02T08:00:00Z", properties={"campaign": "x"}))
    await api.set_clock("2026-03-31T10:00:00Z")
    answer = await query(api, kpis=["change"], period="2026-03", grain="month", compare=["previous_period"])
    compared = answer["series"][0]["comparisons"]["previous_period"]
    assert compared["values"] == [-1]
    assert compared["to_date"] == {"working_days": 21, "current": 0, "previous": 0}


async def test_who_left_the_team_before_is_no_row_of_it_whatever_they_did_elsewhere(api: Api) -> None:
    """S8: with `whole_person` the rows are those of who was there or contributed, each with all that they did."""
    await api.post("/kpis", CALLS, expect=201)
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    await api.post("/events/batch", {"events": [
        event(who, "call.made", actor={"id": who}, properties={"campaign": "x"}) for who in ("ana", "bo")
    ]})  # fmt: skip
    identities = {each["external_id"]: each["id"] for each in (await api.get("/identities"))["items"]}
    for who, until in (("ana", None), ("bo", "2026-06-01")):
        made = (await api.post("/members", {"name": who}, expect=201))["id"]
        await api.post(f"/identities/{identities[who]}/mappings", {"member_id": made}, expect=201)
        await api.post(f"/teams/{north}/memberships", {"member_id": made, "valid_to": until}, expect=201)
    asked = {"kpis": ["calls_made"], "subjects": [{"members_of": north}], "period": "2026-07", "whole_person": True}
    answer = await api.post("/kpi-results/query", asked, expect=200)
    assert [(each["subject"]["name"], each["total"]["value"]) for each in answer["series"]] == [("ana", 1)]
