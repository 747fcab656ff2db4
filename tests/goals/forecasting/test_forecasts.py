"""Forecasts and their track record over HTTP, from posted events."""

from datetime import date, timedelta
from random import Random
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.calendars.periods import first_instant
from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.support import Api, World

ORGANIZATION = {"type": "organization"}
_DAY = timedelta(days=1)


def history(
    kind: str, first: date, end: date, mean: float, *, seed: int = 1, amounts: bool = False
) -> list[dict[str, Any]]:
    """So many events on working days from one day until before another, by chance."""
    random = Random(seed)
    found: list[dict[str, Any]] = []
    day = first
    while day < end:
        if day.weekday() < 5:
            for n in range(round(max(0.0, random.gauss(mean, mean**0.5)))):
                event: dict[str, Any] = {
                    "external_id": f"{kind}-{day}-{n}",
                    "type": kind,
                    "occurred_at": f"{day}T09:00:00Z",
                    "actor": {"id": "7421"},
                }
                if amounts:
                    event["amount"] = {"value": str(round(random.lognormvariate(7, 0.5), 2)), "currency": "EUR"}
                found.append(event)
        day += _DAY
    return found


def midnight(day: str) -> str:
    """The first instant of a day in Warsaw."""
    return first_instant(date.fromisoformat(day), ZoneInfo("Europe/Warsaw")).isoformat()


async def post_all(api: Api, events: list[dict[str, Any]]) -> None:
    for start in range(0, len(events), 1000):
        await post_events(api, events[start : start + 1000])


async def forecast(api: Api, **changes: Any) -> Any:
    return await api.post(
        "/goal-forecasts/query", {"kpi": "calls_made", "owner": ORGANIZATION, "period": "2026-07"} | changes, expect=200
    )


async def test_a_count_is_forecast_with_its_range_and_probability(api: Api) -> None:
    """Some 4 calls a day: 8 of 23 days are past on 13 July."""
    await define(api, "calls_made")
    await post_all(api, history("call.made", date(2026, 1, 5), date(2026, 7, 13), 4))
    told = await forecast(api, target=70, stretch=120)
    assert (told["status"], told["reason"], told["is_certain"]) == ("ok", None, False)
    assert told["actual"] <= told["p10"] < told["p50"] < told["p90"]
    assert 75 < told["p50"] < 110
    assert told["probability"]["target"] > 0.9 > 0.1 > told["probability"]["stretch"]
    assert told["baselines"]["linear_pace"] == pytest.approx(told["actual"] * 23 / 8)
    assert told["baselines"]["same_period_last_year"] is None
    assert (told["history"]["start"], told["history"]["end"]) == ("2026-01-05", "2026-07-13")
    assert told["history"]["working_days"] == 135
    assert await forecast(api, target=70, stretch=120) == told
    assert (await forecast(api, period="2026-Q3"))["p50"] > 2 * told["p50"]


async def test_a_forecast_as_of_an_earlier_instant_is_the_one_that_was_made_then(api: Api) -> None:
    """S5: whatever is recorded later."""
    await define(api, "calls_made")
    await post_all(api, history("call.made", date(2026, 1, 5), date(2026, 7, 13), 4))
    await api.set_clock("2026-07-13T11:00:00Z")
    then = await forecast(api, target=90)
    await api.set_clock("2026-07-24T10:00:00Z")
    await post_all(api, history("call.made", date(2026, 7, 13), date(2026, 7, 24), 9))
    await post_events(api, [{"external_id": "call.made-2026-07-08-0", "version": 1, "retracted": True}])
    again = await forecast(api, target=90, as_of=then["as_of"])
    assert {**again, "known_at": None} == {**then, "known_at": None}
    now = await forecast(api, target=90)
    assert now["p50"] > then["p50"]
    assert now["history"]["end"] == "2026-07-24"


async def test_a_period_that_is_over_is_certain(api: Api) -> None:
    await define(api, "calls_made")
    events = history("call.made", date(2026, 3, 2), date(2026, 7, 10), 3)
    await post_all(api, events)
    june = sum("2026-06" in event["external_id"] for event in events)
    told = await forecast(api, period="2026-06", target=june, stretch=june + 1)
    assert (told["status"], told["is_certain"], told["actual"]) == ("ok", True, june)
    assert (told["p10"], told["p50"], told["p90"]) == (june, june, june)
    assert told["probability"] == {"target": 1, "stretch": 0}


async def test_a_period_that_is_over_is_certain_of_any_kpi(api: Api) -> None:
    """Of a median, too, and exactly; without anything nobody can say."""
    body: dict[str, Any] = {"key": "middle", "name": "Middle", "category": "sales_results", "indicator": "leading"}
    median_of = {"aggregate": "median", "events": ["deal.won"], "value": "amount"}
    body |= {"direction": "increase", "unit": {"kind": "money"}, "measures": {"it": median_of}, "formula": "it"}
    await api.post("/kpis", body, expect=201)
    for number, value in enumerate(("10.10", "20.20", "90.90")):
        amount = {"value": value, "currency": "EUR"}
        await post_events(api, happened("deal.won", "2026-06-03T08:00:00Z", amount=amount, name=str(number)))
    told = await forecast(api, kpi="middle", period="2026-06", target=21)
    assert (told["is_certain"], told["p10"], told["p90"], told["probability"]["target"]) == (True, 20.2, 20.2, 0)
    assert (await forecast(api, kpi="middle", period="2026-05"))["reason"]["code"] == "no_data"


async def test_a_team_that_grows_is_expected_to_do_more(api: Api) -> None:
    """Ana alone until the end of June, then with Bo, who does as much: by the working time of both."""
    await define(api, "calls_made")
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    for who, since, seed in (("1", None, 5), ("2", "2026-07-01", 6)):
        member = await member_with_identity(api, who, who)
        await api.post(f"/teams/{north}/memberships", {"member_id": member, "valid_from": since}, expect=201)
        events = history("call.made", date(2026, 1, 5), date(2026, 7, 13), 4, seed=seed)
        await post_all(api, [e | {"actor": {"id": who}, "external_id": e["external_id"] + who} for e in events])
    told = await forecast(api, owner={"type": "team", "id": north}, period="2026-08")
    assert 140 < told["p50"] < 200


async def test_another_organizations_owner_does_not_exist(api: Api, world: World) -> None:
    await define(api, "calls_made")
    other = await world.organization()
    team = (await other.post("/teams", {"name": "North"}, expect=201))["id"]
    body = {"kpi": "calls_made", "owner": {"type": "team", "id": team}, "period": "2026-07"}
    refused = await api.post("/goal-forecasts/query", body, expect=422)
    assert refused["errors"][0]["pointer"] == "/owner/id"


async def test_a_limit_is_kept_with_the_probability_of_few(api: Api) -> None:
    await define(api, "deals_lost")
    await post_all(api, history("deal.lost", date(2026, 2, 2), date(2026, 7, 13), 2))
    told = await forecast(api, kpi="deals_lost", target=200, stretch=1)
    assert told["probability"] == {"target": 1, "stretch": 0}


async def test_a_period_that_has_not_begun_is_forecast_from_history(api: Api) -> None:
    await define(api, "calls_made")
    await post_all(api, history("call.made", date(2026, 1, 5), date(2026, 7, 13), 4))
    told = await forecast(api, period="2026-09")
    assert (told["actual"], told["baselines"]["linear_pace"]) == (0, None)
    assert 60 < told["p50"] < 120


async def test_a_win_rate_is_forecast_by_drawing_working_days(api: Api) -> None:
    await define(api, "win_rate")
    won = history("deal.won", date(2026, 1, 5), date(2026, 7, 13), 2)
    await post_all(api, [*won, *history("deal.lost", date(2026, 1, 5), date(2026, 7, 13), 4, seed=2)])
    told = await forecast(api, kpi="win_rate", period="2026-Q3", target="0.2")
    assert told["method"]["name"] == "working_day_bootstrap"
    assert 0.2 < told["p10"] < told["p50"] < told["p90"] < 0.5
    assert told["probability"]["target"] > 0.95
    assert told["baselines"]["linear_pace"] == told["actual"]


async def test_amounts_of_a_member_follow_their_own_working_time(api: Api) -> None:
    """Away from 20 July on, with nothing to come."""
    await define(api, "revenue_won")
    ana = await member_with_identity(api, "Ana", "7421")
    await post_all(api, history("deal.won", date(2026, 1, 5), date(2026, 7, 13), 2, amounts=True))
    owner = {"type": "member", "id": ana}
    there = await forecast(api, kpi="revenue_won", owner=owner)
    assert there["actual"] < there["p10"] < there["p50"] < there["p90"]
    absence = {"effect": "reschedule", "valid_from": "2026-07-20", "valid_to": "2026-08-03"}
    await api.post(f"/members/{ana}/absences", absence, expect=201)
    away = await forecast(api, kpi="revenue_won", owner=owner)
    assert away["p50"] < there["p50"]


@pytest.mark.parametrize(
    ("measure", "code"),
    [
        ({"aggregate": "median", "events": ["call.made"], "value": "duration_seconds"}, "not_of_days"),
        ({"aggregate": "count_distinct", "events": ["call.made"], "of": "about.lead"}, "not_of_days"),
        ({"aggregate": "count", "events": ["call.received"]}, "no_history"),
    ],
)
async def test_what_cannot_be_forecast_is_unknown_with_the_reason(api: Api, measure: Any, code: str) -> None:
    unit = "duration" if measure["aggregate"] == "median" else "count"
    body: dict[str, Any] = {"key": "tried", "name": "Tried", "category": "sales_results", "indicator": "leading"}
    body |= {"direction": "increase", "unit": {"kind": unit}, "measures": {"it": measure}, "formula": "it"}
    await api.post("/kpis", body, expect=201)
    await post_all(api, history("call.made", date(2026, 1, 5), date(2026, 7, 13), 2))
    told = await forecast(api, kpi="tried", target=5)
    assert (told["status"], told["reason"]["code"]) == ("unknown", code)
    assert (told["p10"], told["p50"], told["p90"]) == (None, None, None)
    assert told["probability"] == {"target": None, "stretch": None}
    assert told["reason"]["message"]
    question = {"kpis": ["tried"], "subjects": [{"organization": True}], "period": "2026-07"}
    result = await api.post("/kpi-results/query", question, expect=200)
    assert told["actual"] == result["series"][0]["total"]["value"]


async def test_too_little_history_is_unknown(api: Api) -> None:
    """Of 19 working days, of 4 days with anything, of 20 days for a year."""
    await define(api, "calls_made", "deals_lost")
    await post_all(api, history("call.made", date(2026, 6, 16), date(2026, 7, 13), 5))
    assert (await forecast(api))["reason"]["code"] == "too_little_history"
    await api.set_clock("2026-07-14T10:00:00Z")
    assert (await forecast(api))["status"] == "ok"
    assert (await forecast(api, period="2026-07-01..2027-06-30"))["reason"]["code"] == "too_little_history"
    few = ["2026-05-04", "2026-05-11", "2026-05-25", "2026-07-06"]
    for day in few:
        await post_all(api, history("deal.lost", date.fromisoformat(day), date.fromisoformat(day) + _DAY, 9))
    assert (await forecast(api, kpi="deals_lost"))["reason"]["code"] == "too_few_events"


async def test_before_anything_was_recorded_it_is_unknown(api: Api) -> None:
    await define(api, "calls_made")
    await api.set_clock("2026-07-20T10:00:00Z")
    await define(api, "deals_lost")
    told = await forecast(api, kpi="deals_lost", as_of="2026-07-14T10:00:00Z")
    assert told["reason"]["code"] == "not_recorded_yet"


async def test_what_does_not_exist_is_refused_at_its_place(api: Api) -> None:
    await define(api, "calls_made")
    nobody = "00000000-0000-7000-8000-000000000000"
    base = {"kpi": "calls_made", "owner": ORGANIZATION, "period": "2026-07"}
    for change, pointer in (
        ({"kpi": "nothing"}, "/kpi"),
        ({"period": "2026-13"}, "/period"),
        ({"owner": {"type": "team", "id": nobody}}, "/owner/id"),
        ({"owner": {"type": "member", "id": nobody}}, "/owner/id"),
        ({"rate_set": "none-such"}, "/rate_set"),
        ({"target": "1e400"}, "/target"),
        ({"target": "NaN"}, "/target"),
    ):
        refused = await api.post("/goal-forecasts/query", base | change, expect=422)
        assert refused["errors"][0]["pointer"] == pointer, refused
    await api.post("/goal-forecasts/query", base | {"as_of": "2027-01-01T00:00:00Z"}, expect=422)
    many = {"kpi": "calls_made", "periods": 36, "owners": [ORGANIZATION] * 5}
    refused = await api.post("/goal-forecasts/backtest", many, expect=422)
    assert refused["errors"][0]["pointer"] == "/periods"
    unknown = {"kpi": "calls_made", "owners": [ORGANIZATION, {"type": "team", "id": nobody}]}
    refused = await api.post("/goal-forecasts/backtest", unknown, expect=422)
    assert refused["errors"][0]["pointer"] == "/owners/1/id"


async def test_the_track_record_is_that_of_the_forecasts_themselves(api: Api) -> None:
    """Each case is what a forecast gives that is asked as of its day, by present knowledge."""
    await define(api, "calls_made")
    events = history("call.made", date(2025, 6, 2), date(2026, 7, 13), 3)
    await post_all(api, events)
    body = {"kpi": "calls_made", "every": "month", "periods": 4, "elapsed": ["0.25", "0.75"]}
    told = await api.post("/goal-forecasts/backtest", body, expect=200)
    assert [case["period"] for case in told["cases"][::2]] == ["2026-03", "2026-04", "2026-05", "2026-06"]
    assert (told["knowledge"], told["judged"], told["unknown"]) == ("hindsight", 8, 0)
    for case in told["cases"]:
        one = await forecast(api, period=case["period"], as_of=midnight(case["day"]), known_at=told["known_at"])
        assert [case[name] for name in ("p10", "p50", "p90")] == [one[name] for name in ("p10", "p50", "p90")]
        assert case["linear_pace"] == one["baselines"]["linear_pace"]
        ended = sum(case["period"] in event["external_id"] for event in events)
        assert case["ended"] == ended
        assert case["has_held"] == (case["p10"] <= ended <= case["p90"])
    assert told["held"] == sum(case["has_held"] for case in told["cases"])
    assert told["errors"]["forecast"] == pytest.approx(
        median(abs(case["p50"] - case["ended"]) for case in told["cases"])
    )
    assert told["held_interval"]["low"] < told["held_share"] <= told["held_interval"]["high"]
    assert "Too few cases (8)" in told["verdict"]


async def test_a_track_record_by_what_was_recorded_then_knows_no_correction(api: Api) -> None:
    """S5: what happened from 13 July on is recorded in September."""
    await define(api, "calls_made")
    await post_all(api, history("call.made", date(2026, 1, 5), date(2026, 7, 13), 3))
    await api.set_clock("2026-09-01T10:00:00Z")
    await post_all(api, history("call.made", date(2026, 7, 13), date(2026, 9, 1), 3))
    body = {"kpi": "calls_made", "periods": 2, "elapsed": ["0.7"]}
    then = await api.post("/goal-forecasts/backtest", body | {"knowledge": "as_of"}, expect=200)
    assert (then["knowledge"], then["judged"]) == ("as_of", 2)
    later = await api.post("/goal-forecasts/backtest", body, expect=200)
    for case, seen in zip(then["cases"], later["cases"], strict=True):
        one = await forecast(api, period=case["period"], as_of=midnight(case["day"]))
        assert [case[name] for name in ("p10", "p50", "p90")] == [one[name] for name in ("p10", "p50", "p90")]
        assert case["ended"] == seen["ended"]
        assert case["p50"] < seen["p50"]


async def test_a_goal_has_the_track_record_of_its_kpi_and_owner(api: Api) -> None:
    await define(api, "calls_made")
    await post_all(api, history("call.made", date(2025, 11, 3), date(2026, 7, 13), 3))
    goal = {"name": "July", "owner": ORGANIZATION, "kpi": "calls_made", "period": "2026-07", "target": {"value": "60"}}
    made = await api.post("/goals", goal, expect=201)
    told = await api.get(f"/goals/{made['id']}/forecast-track-record", periods=5)
    assert [case["period"] for case in told["cases"][::3]] == ["2026-02", "2026-03", "2026-04", "2026-05", "2026-06"]
    same = await api.post("/goal-forecasts/backtest", {"kpi": "calls_made", "periods": 5}, expect=200)
    assert same["cases"] == told["cases"]
    await api.get(f"/goals/{made['id']}/forecast-track-record", periods=0, expect=422)
    await api.get("/goals/00000000-0000-7000-8000-000000000000/forecast-track-record", expect=404)


async def test_forecasts_are_figures_for_keys_that_may_read_results(api: Api) -> None:
    await define(api, "calls_made")
    key = await api.key("member", ["goals:read"])
    asked = {"kpi": "calls_made", "owner": {"type": "organization"}, "period": "2026-07"}
    await key.post("/goal-forecasts/query", asked, expect=403)
    await key.post("/goal-forecasts/backtest", {"kpi": "calls_made"}, expect=403)
    await (await api.key("member", ["goals:read", "results:read"])).post("/goal-forecasts/query", asked, expect=200)
