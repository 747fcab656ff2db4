"""A change of zone, week or fiscal year changes the answers at once; earlier answers stay (S1, S2, S5)."""

from typing import Any

import pytest

from tests.support import Api

CALLS: dict[str, Any] = {
    "key": "calls", "name": "Calls", "category": "team_performance", "indicator": "leading", "direction": "increase",
    "unit": {"kind": "count"}, "measures": {"calls": {"aggregate": "count", "events": ["call.made"]}},
    "formula": "calls",
}  # fmt: skip


async def calls_at(api: Api, *instants: str) -> None:
    await api.post("/kpis", CALLS, expect=201)
    for instant in instants:
        await api.post("/events", {"external_id": instant, "type": "call.made", "occurred_at": instant}, expect=201)


async def counts(api: Api, period: str, grain: str = "day", **options: Any) -> dict[str, float]:
    asked = {"kpis": ["calls"], "subjects": [{"organization": True}], "period": period, "grain": grain, **options}
    answer = await api.post("/kpi-results/query", asked)
    labels = [window["label"] for window in answer["windows"]]
    return dict(zip(labels, answer["series"][0]["values"], strict=True))


async def test_a_change_of_zone_moves_calls_to_other_days_at_once(api: Api) -> None:
    """S1 and worked example 1: 29 March is a day of 23 hours in Warsaw; an answer as of before keeps its zone."""
    await api.set_clock("2026-07-13T10:00:00Z")
    await calls_at(api, "2026-03-28T23:30:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z")
    period = "2026-03-28..2026-03-30"
    warsaw = {"2026-03-28": 0, "2026-03-29": 2, "2026-03-30": 1}
    assert await counts(api, period) == warsaw
    asked = {"kpis": ["calls"], "subjects": [{"organization": True}], "period": "2026-03-29"}
    day = (await api.post("/kpi-results/query", asked))["windows"][0]
    assert (day["starts_at"], day["ends_at"]) == ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")

    await api.set_clock("2026-07-14T10:00:00Z")
    await api.patch("/organization", {"time_zone": "America/New_York"})
    assert await counts(api, period) == {"2026-03-28": 1, "2026-03-29": 2, "2026-03-30": 0}
    assert await counts(api, period, as_of="2026-07-14T09:00:00Z") == warsaw
    await api.patch("/organization", {"time_zone": "Asia/Kolkata"})
    assert await counts(api, period) == {"2026-03-28": 0, "2026-03-29": 1, "2026-03-30": 2}


async def test_a_change_of_the_first_weekday_cuts_other_weeks_at_once(api: Api) -> None:
    """12 July 2026 is a Sunday."""
    await calls_at(api, "2026-07-11T10:00:00Z", "2026-07-12T10:00:00Z", "2026-07-13T08:00:00Z")
    assert await counts(api, "2026-07-06..2026-07-19", "week") == {"2026-W28": 2, "2026-W29": 1}
    await api.patch("/organization", {"week_starts_on": 6})
    assert await counts(api, "2026-07-05..2026-07-18", "week") == {"2026-07-05/P7D": 1, "2026-07-12/P7D": 2}
    assert await counts(api, "2026-07-12/P7D", "week") == {"2026-07-12/P7D": 2}
    assert await counts(api, "this_week", "total") == {"2026-07-12/P7D": 2}


async def test_a_change_of_the_fiscal_pattern_cuts_other_fiscal_periods_at_once(api: Api) -> None:
    """The retail calendar: FY2026 of 4-5-4 weeks begins on Sunday 1 February 2026, its second period on 1 March."""
    assert (await api.get("/organization"))["fiscal_pattern"] == "months"
    await calls_at(api, "2026-02-01T12:00:00Z", "2026-04-01T12:00:00Z", "2026-04-05T12:00:00Z")
    await api.patch("/organization", {"fiscal_year_starts": 2, "fiscal_year_named_after": "starts"})
    assert await counts(api, "FY2026-Q1", "month") == {"FY2026-P01": 1, "FY2026-P02": 0, "FY2026-P03": 2}
    weeks = {"fiscal_pattern": "4-5-4", "fiscal_week_rule": "nearest", "week_starts_on": 6}
    changed = await api.patch("/organization", weeks)
    assert {key: changed[key] for key in weeks} == weeks
    assert await counts(api, "FY2026-Q1", "month") == {"FY2026-P01": 1, "FY2026-P02": 1, "FY2026-P03": 1}
    assert await counts(api, "this_fiscal_year", "total") == {"FY2026": 3}
    assert await counts(api, "last_fiscal_year", "total") == {"FY2025": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"fiscal_pattern": "4-4-4"},
        {"fiscal_pattern": None},
        {"fiscal_week_rule": "first"},
        {"fiscal_year_starts": 13},
        {"week_starts_on": 7},
    ],
)
async def test_a_setting_that_means_nothing_is_refused(api: Api, change: dict[str, Any]) -> None:
    problem = await api.patch("/organization", change, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == [f"/{key}" for key in change]
