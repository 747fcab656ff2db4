"""One figure at two instants: what came, changed and went in between, and what each of it did (S5, S6)."""

from typing import Any

import pytest

from tests.results.team import CALLS, ORGANIZATION, REVENUE, WIN_RATE, ask, count, define, euros, event, kpi, post, team
from tests.support import Api


def won(name: str, amount: int, on: str = "2026-07-10", **more: Any) -> dict[str, Any]:
    return event(name, "deal.won", on, amount=euros(amount), **more)


async def since_then(api: Api) -> str:
    """An instant after all that was recorded, and before all that will be: the clock goes on by an hour."""
    await api.set_clock("2026-07-13T11:00:00Z")
    return "2026-07-13T10:30:00Z"


async def at(api: Api, text: str) -> None:
    await api.set_clock(text)


def of_revenue(since: str, **more: Any) -> dict[str, Any]:
    return {"kpi": "revenue", "subject": ORGANIZATION, "period": "2026-07", "from_as_of": since} | more


async def test_a_correction_and_a_retraction_are_told_field_by_field(api: Api) -> None:
    """Worked example 6: 500, corrected to 450, then retracted."""
    await define(api, REVENUE)
    await post(api, [won("d-1", 500)])
    await at(api, "2026-07-15T10:00:00Z")
    await at(api, "2026-07-20T10:00:00Z")
    await post(api, [won("d-1", 450, version=1)])
    await at(api, "2026-08-02T10:00:00Z")
    await post(api, [event("d-1", "deal.won", "2026-07-10", version=2, retracted=True)])
    until = await ask(api, "diff", of_revenue("2026-07-15T10:00:00Z", to_as_of="2026-07-25T10:00:00Z"))
    assert (until["before"]["figure"]["value"], until["after"]["figure"]["value"]) == (500, 450)
    assert (until["difference"], until["by_time"]["effect"], until["by_recordings"]) == (-50, 0, -50)
    (change,) = until["changes"]
    assert (change["kind"], change["action"], change["name"]) == ("event", "changed", "api:d-1")
    assert change["fields"] == [{"field": "amount", "before": "500", "after": "450"}]
    assert until["steps"] == [
        {
            "recorded_at": change["recorded_at"],
            "before": until["before"]["figure"],
            "after": until["after"]["figure"],
            "effect": -50,
        }
    ]
    whole = await ask(api, "diff", of_revenue("2026-07-15T10:00:00Z"))
    assert [(each["action"], each["kind"]) for each in whole["changes"]] == [
        ("retracted", "event"),
        ("changed", "event"),
    ]
    assert [step["effect"] for step in whole["steps"]] == [-450, -50]
    assert sum(step["effect"] for step in whole["steps"]) == whole["by_recordings"] == whole["difference"] == -500
    assert (whole["after"]["figure"]["value"], whole["after"]["figure"]["status"]) == (0, "ok")


async def test_the_effects_of_all_pages_and_of_time_add_up_to_the_difference(api: Api) -> None:
    await define(api, REVENUE)
    await post(api, [won("future", 1000, "2026-07-14")])
    since = await since_then(api)
    for n in range(5):
        await post(api, [won(f"d-{n}", 10 ** (n % 3), "2026-07-10")])
    await post(api, [won("other-month", 7, "2026-03-10")])
    await at(api, "2026-07-15T10:00:00Z")
    effects, cursor, seen = [], None, []
    while True:
        page = await ask(api, "diff", of_revenue(since, limit=2, cursor=cursor))
        effects += [step["effect"] for step in page["steps"]]
        seen += [change["name"] for change in page["changes"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == [f"api:d-{n}" for n in reversed(range(5))]
    assert page["by_time"]["effect"] == 1000
    assert page["by_time"]["effect"] + sum(effects) == page["difference"] == 1000 + 122 - 0
    assert sum(effects) == page["by_recordings"]


async def test_a_mapping_and_a_membership_are_causes_with_the_names_of_people(api: Api) -> None:
    await define(api, CALLS)
    north, _ = await team(api, "North", "Ana")
    await post(api, [event(f"c-{n}", "call.made", "2026-07-06", "bo") for n in range(3)])
    since = await since_then(api)
    bo = (await api.post("/members", {"name": "Bo"}))["id"]
    identities = (await api.get("/identities"))["items"]
    identity = next(each["id"] for each in identities if each["external_id"] == "bo")
    await api.post(f"/identities/{identity}/mappings", {"member_id": bo})
    await api.post(f"/teams/{north}/memberships", {"member_id": bo})
    body = {"kpi": "calls_made", "subject": {"team": north}, "period": "2026-07", "from_as_of": since}
    answer = await ask(api, "diff", body)
    assert [(each["kind"], each["action"]) for each in answer["changes"]] == [
        ("membership", "added"),
        ("mapping", "added"),
    ]
    assert [step["effect"] for step in answer["steps"]] == [3, 0]
    assert answer["names"][bo] == "Bo"
    assert {"field": "member_id", "before": None, "after": bo} in answer["changes"][0]["fields"]
    assert answer["difference"] == 3


async def test_another_definition_of_a_ratio_is_a_cause(api: Api) -> None:
    await define(api, WIN_RATE)
    await post(api, [event("w", "deal.won"), event("l", "deal.lost")])
    since = await since_then(api)
    version = {name: WIN_RATE[name] for name in ("measures", "unit", "direction")}
    await api.post("/kpis/win_rate/versions", version | {"formula": "won / lost", "valid_from": None})
    answer = await ask(
        api, "diff", {"kpi": "win_rate", "subject": ORGANIZATION, "period": "2026-07", "from_as_of": since}
    )
    (change,) = answer["changes"]
    assert (change["kind"], change["name"]) == ("kpi_version", "win_rate")
    assert {"field": "formula", "before": "won / (won + lost)", "after": "won / lost"} in change["fields"]
    assert (answer["difference"], answer["steps"][0]["effect"]) == (0.5, 0.5)


async def test_settings_and_what_a_source_counts_for_are_causes(api: Api) -> None:
    await define(api, CALLS)
    await post(api, [{**event("late", "call.made"), "occurred_at": "2026-07-31T23:30:00Z"}])
    await at(api, "2026-08-05T10:00:00Z")
    since = "2026-08-04T10:00:00Z"
    current = await api.call("GET", "/organization", expect=200)
    await api.patch("/organization", {"time_zone": "UTC"}, headers={"If-Match": current.headers["etag"]})
    body = {"kpi": "calls_made", "subject": ORGANIZATION, "period": "2026-07", "from_as_of": since}
    answer = await ask(api, "diff", body)
    assert (answer["before"]["figure"]["value"], answer["after"]["figure"]["value"]) == (0, 1)
    (change,) = answer["changes"]
    assert (change["kind"], change["action"]) == ("settings", "changed")
    assert change["fields"] == [{"field": "time_zone", "before": "Europe/Warsaw", "after": "UTC"}]
    assert [step["effect"] for step in answer["steps"]] == [1]


async def test_a_rate_that_came_later_is_a_cause(api: Api) -> None:
    await define(api, REVENUE)
    await api.post("/exchange-rates/sets", {"key": "daily", "kind": "daily", "name": "Daily"})
    await post(api, [event("w", "deal.won", "2026-07-10", amount={"value": "110", "currency": "USD"})])
    since = await since_then(api)
    rate = {"set": "daily", "base": "EUR", "quote": "USD", "rate": "1.10", "valid_from": "2026-07-10"}
    await api.post("/exchange-rates", rate)
    answer = await ask(api, "diff", of_revenue(since))
    assert (answer["before"]["figure"]["value"], answer["after"]["figure"]["value"]) == (0, 100)
    assert (answer["before"]["figure"]["status"], answer["after"]["figure"]["status"]) == ("partial", "ok")
    assert [(each["kind"], each["action"]) for each in answer["changes"]] == [("rate", "added")]
    assert answer["steps"][0]["effect"] == answer["difference"] == 100


async def test_a_target_that_changed_is_a_cause_of_what_reads_it(api: Api) -> None:
    quota = kpi("quota", "kpi.revenue / target(kpi.revenue)", "ratio", unused=count("call.made"))
    await define(api, REVENUE, quota)
    await post(api, [won("d-1", 50)])
    goal = {"name": "R", "owner": {"type": "organization"}, "kpi": "revenue", "period": "2026-07"}
    made = await api.post("/goals", goal | {"target": {"value": "100"}}, expect=201)
    since = await since_then(api)
    await api.post(f"/goals/{made['id']}/targets", {"target": {"value": "200"}, "reason": "Grown."})
    answer = await ask(api, "diff", of_revenue(since) | {"kpi": "quota"})
    (change,) = answer["changes"]
    assert (change["kind"], change["action"]) == ("target", "changed")
    assert {"field": "value", "before": "100", "after": "200"} in change["fields"]
    assert answer["steps"][0]["effect"] == answer["difference"] == -0.25


async def test_an_event_that_moves_out_of_the_period_is_told_with_its_effect(api: Api) -> None:
    await define(api, CALLS)
    await post(api, [event("c-1", "call.made", "2026-07-06")])
    since = await since_then(api)
    await post(api, [event("c-1", "call.made", "2026-05-06", version=1)])
    answer = await ask(
        api, "diff", {"kpi": "calls_made", "subject": ORGANIZATION, "period": "2026-07", "from_as_of": since}
    )
    assert [change["fields"][0]["field"] for change in answer["changes"]] == ["occurred_at"]
    assert [step["effect"] for step in answer["steps"]] == [-1]


async def test_before_the_kpi_was_recorded_there_is_no_difference_but_a_cause(api: Api) -> None:
    since = await since_then(api)
    await define(api, CALLS)
    answer = await ask(
        api, "diff", {"kpi": "calls_made", "subject": ORGANIZATION, "period": "2026-07", "from_as_of": since}
    )
    assert (answer["before"]["figure"]["status"], answer["difference"]) == ("not_recorded_yet", None)
    assert [(each["kind"], each["action"]) for each in answer["changes"]] == [("kpi_version", "added")]
    assert answer["steps"][0]["effect"] is None


async def test_another_organizations_changes_are_no_causes(api: Api) -> None:
    await define(api, CALLS)
    since = await since_then(api)
    stranger = await api.world.organization()
    await post(stranger, [event("c-1", "call.made")])
    answer = await ask(
        api, "diff", {"kpi": "calls_made", "subject": ORGANIZATION, "period": "2026-07", "from_as_of": since}
    )
    assert answer["changes"] == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kpi": "unknown"}, "/kpi"),
        ({"subject": {"team": "00000000-0000-7000-8000-000000000000"}}, "/subject"),
        ({"within_team": "00000000-0000-7000-8000-000000000000"}, "/within_team"),
        ({"period": "2026-13"}, "/period"),
        ({"cursor": "x"}, "?cursor"),
        ({"where": "1 +"}, "/where"),
    ],
)
async def test_what_cannot_be_compared_names_the_place(api: Api, change: dict[str, Any], pointer: str) -> None:
    await define(api, CALLS)
    body = {"kpi": "calls_made", "subject": ORGANIZATION, "period": "2026-07", "from_as_of": "2026-07-01T00:00:00Z"}
    problem = await ask(api, "diff", body | change, expect=422)
    assert problem["errors"][0]["pointer"] == pointer


async def test_instants_that_run_backwards_or_lie_in_the_future_are_refused(api: Api) -> None:
    await define(api, CALLS)
    body = {"kpi": "calls_made", "subject": ORGANIZATION, "period": "2026-07", "from_as_of": "2026-07-01T00:00:00Z"}
    await ask(api, "diff", body | {"to_as_of": "2026-06-01T00:00:00Z"}, expect=422)
    future = await ask(api, "diff", body | {"from_as_of": "2026-08-01T00:00:00Z"}, expect=422)
    assert future["type"] == "/problems/as-of-in-the-future"
    future = await ask(api, "diff", body | {"to_as_of": "2026-08-01T00:00:00Z"}, expect=422)
    assert future["type"] == "/problems/as-of-in-the-future"
