"""Questions beyond one figure: other windows, other KPIs, groups, people's time, targets, money, comparisons."""

from typing import Any

import pytest

from tests.results.test_results import CALLS, ORGANIZATION, event, query
from tests.support import Api

COUNT = CALLS | {"measures": {"calls": {"aggregate": "count", "events": ["call.made"]}}}
REVENUE: dict[str, Any] = CALLS | {
    "key": "revenue",
    "name": "Revenue",
    "unit": {"kind": "money"},
    "measures": {"won": {"aggregate": "sum", "value": "amount", "events": ["deal.won"]}},
    "formula": "won",
}
WON: dict[str, Any] = CALLS | {
    "key": "won",
    "name": "Won",
    "measures": {"won": {"aggregate": "count", "events": ["deal.won"]}},
    "formula": "won",
}
LOST: dict[str, Any] = CALLS | {
    "key": "lost",
    "name": "Lost",
    "measures": {"lost": {"aggregate": "count", "events": ["deal.lost"]}},
    "formula": "lost",
}


def kpi(key: str, formula: str, unit: str = "ratio", **more: Any) -> dict[str, Any]:
    return CALLS | {"key": key, "name": key, "unit": {"kind": unit}, "measures": {}, "formula": formula} | more


async def define(api: Api, *definitions: dict[str, Any]) -> None:
    for definition in definitions:
        await api.post("/kpis", definition, expect=201)


async def post(api: Api, *events: dict[str, Any]) -> None:
    answer = await api.post("/events/batch", {"events": list(events)})
    assert answer["counts"].get("rejected", 0) == 0, answer


async def member(api: Api, name: str, actor: str, team: str | None = None, **membership: Any) -> str:
    made = await api.post("/members", {"name": name}, expect=201)
    source = next(each for each in (await api.get("/sources"))["items"] if each["key"] == "api")
    identity = await api.post("/identities", {"source_id": source["id"], "external_id": actor}, expect=201)
    await api.post(f"/identities/{identity['id']}/mappings", {"member_id": made["id"]}, expect=201)
    if team is not None:
        body = {"member_id": made["id"], "kind": "member"} | membership
        await api.post(f"/teams/{team}/memberships", body, expect=201)
    return str(made["id"])


def cells(series: Any) -> list[tuple[Any, str]]:
    return list(zip(series["values"], series["statuses"], strict=True))


# ----------------------------------------------------------------------------------------- other windows, other KPIs


async def test_a_formula_reads_the_same_window_of_the_year_before(api: Api) -> None:
    """S21, worked example 17: weeks by number, days by weekday; 2025 has no week 53."""
    await define(api, COUNT | {"key": "yoy", "formula": "calls - same_period_last_year(calls)"})
    await post(
        api,
        event("w", "call.made", at="2026-03-04T08:00:00Z"),
        event("d", "call.made", at="2025-03-11T08:00:00Z"),
    )
    await api.set_clock("2027-04-01T10:00:00Z")
    week = await query(api, kpis=["yoy"], period="2027-W10", grain="week")
    assert cells(week["series"][0]) == [(-1, "ok")]
    day = await query(api, kpis=["yoy"], period="2026-03-10", grain="day")
    assert cells(day["series"][0]) == [(-1, "ok")]
    none = await query(api, kpis=["yoy"], period="2026-W53", grain="week")
    assert cells(none["series"][0]) == [(None, "no_data")]


async def test_the_window_before_of_the_year_before_is_reached_by_both_steps(api: Api) -> None:
    formula = "calls + 10 * previous(same_period_last_year(calls)) + 100 * same_period_last_year(previous(calls))"
    await define(api, COUNT | {"key": "both", "formula": formula})
    await post(api, event("a", "call.made", at="2025-05-04T08:00:00Z"))
    answer = await query(api, kpis=["both"], period="2026-06", grain="month")
    assert answer["series"][0]["values"] == [110]


async def test_a_measure_over_trailing_days_or_a_period_to_date_reads_those_days(api: Api) -> None:
    measures = {
        "month": {"aggregate": "count", "events": ["call.made"]},
        "trailing": {"aggregate": "count", "events": ["call.made"], "over": "P10D"},
        "to_date": {"aggregate": "count", "events": ["call.made"], "over": "quarter_to_date"},
    }
    await define(api, COUNT | {"measures": measures, "formula": "month + 10 * trailing + 100 * to_date"})
    await post(
        api,
        event("a", "call.made", at="2026-05-29T08:00:00Z"),
        event("b", "call.made", at="2026-06-22T08:00:00Z"),
        event("c", "call.made", at="2026-07-01T08:00:00Z"),
        event("d", "call.made", at="2026-07-13T08:00:00Z"),
    )
    answer = await query(api, period="2026-05-01..2026-07-31", grain="month")
    # May: trailing from the 22nd, quarter from April. June: its last ten days. July: up to the 13th, T's local day.
    assert answer["series"][0]["values"] == [1 + 10 + 100, 1 + 10 + 200, 2 + 10 + 200]
    assert answer["series"][0]["samples"] == [1, 2, 2]
    assert answer["series"][0]["total"] == {
        "value": 4 + 10 + 200, "status": "ok", "sample": 4, "kpi_version": 1, "details": None
    }  # fmt: skip


async def test_a_kpi_refers_to_others_with_their_samples_each_event_once(api: Api) -> None:
    await define(api, WON, LOST, kpi("rate", "kpi.won / (kpi.won + kpi.lost)"))
    await post(api, *[event(f"w{n}", "deal.won") for n in range(3)], event("l", "deal.lost"))
    answer = await query(api, kpis=["rate"])
    total = answer["series"][0]["total"]
    assert (total["value"], total["status"], total["sample"]) == (0.75, "ok", 4)


async def test_what_is_mixed_in_a_referred_kpi_is_mixed_in_the_one_that_refers(api: Api) -> None:
    await define(api, WON, LOST, kpi("rate", "kpi.won / (kpi.won + kpi.lost)"), kpi("double", "kpi.rate * 2"))
    version = {"measures": {}, "unit": {"kind": "ratio"}, "direction": "increase"}
    await api.post("/kpis/rate/versions", version | {"formula": "kpi.won / kpi.lost", "valid_from": "2026-07-01"})
    await post(api, event("w", "deal.won"), event("l", "deal.lost"))
    answer = await query(api, kpis=["double"], period="2026-06-01..2026-07-31", grain="month")
    series = answer["series"][0]
    assert cells(series) == [(None, "no_data"), (2, "ok")]
    assert series["total"]["status"] == "mixed_versions"
    named = await query(api, kpis=["double"], period="2026-06-01..2026-07-31", versions={"rate": 1})
    assert named["series"][0]["total"]["value"] == 1


async def test_a_sum_of_additive_kpis_adds_up_over_their_versions(api: Api) -> None:
    await define(api, WON, LOST, kpi("closed", "kpi.won + kpi.lost", "count"))
    version = {"measures": WON["measures"], "unit": {"kind": "count"}, "direction": "increase"}
    await api.post("/kpis/won/versions", version | {"formula": "won * 10", "valid_from": "2026-07-01"})
    await post(api, event("a", "deal.won", at="2026-06-02T08:00:00Z"), event("b", "deal.won"), event("c", "deal.lost"))
    answer = await query(api, kpis=["closed"], period="2026-06-01..2026-07-31", grain="month")
    assert answer["series"][0]["values"] == [1, 11]
    assert answer["series"][0]["is_additive"] is True
    assert (answer["series"][0]["total"]["value"], answer["series"][0]["total"]["status"]) == (12, "ok")


# ----------------------------------------------------------------------------------------------------- people's time


async def test_working_hours_end_at_the_instant_of_the_answer(api: Api) -> None:
    """T is Monday 13 July, 12:00 in Warsaw: eight whole days of July and three hours, two people, one half the time."""
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    ana = await member(api, "Ana", "1", north)
    await member(api, "Bo", "2")
    await api.post(f"/members/{ana}/assignments", {"fte": "0.5", "valid_from": "2026-01-01"}, expect=201)
    await define(api, kpi("hours", "working_hours()", "duration"), kpi("heads", "headcount()", "count"),
                 kpi("full", "fte()", "count"))  # fmt: skip
    seconds = (8 * 8 + 3) * 3600
    answer = await query(
        api, kpis=["hours", "heads", "full"], subjects=[{"team": north}, ORGANIZATION, {"unassigned": True}]
    )
    totals = [series["total"]["value"] for series in answer["series"]]
    assert totals == [seconds / 2, seconds * 1.5, seconds, 1, 2, 1, 0.5, 1.5, 1]
    future = await query(api, kpis=["hours", "heads"], period="2026-09")
    assert [(each["total"]["value"], each["total"]["status"]) for each in future["series"]] == [
        (0, "ok"),
        (None, "no_data"),
    ]


async def test_the_mean_of_heads_follows_the_days_in_the_team(api: Api) -> None:
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    await member(api, "Ana", "1", north)
    cy = await member(api, "Cy", "2", north, valid_to="2026-07-04")
    await define(api, kpi("heads", "headcount()", "count"))
    answer = await query(api, kpis=["heads"], subjects=[{"team": north}, {"member": cy}, {"members_of": north}])
    shown = {each["subject"]["name"] + str(bool(each["subject"]["within_team"])): each for each in answer["series"]}
    assert shown["NorthFalse"]["total"]["value"] == pytest.approx(16 / 13)
    assert shown["CyFalse"]["total"]["value"] == 1
    assert shown["CyTrue"]["total"]["value"] == pytest.approx(3 / 13)
    current = await query(api, kpis=["heads"], subjects=[{"team": north}], attribution="current")
    assert current["series"][0]["total"]["value"] == 1


async def test_whoever_left_is_shown_where_a_window_looks_back_at_them(api: Api) -> None:
    """The period as a whole does not look back as far as its first windows do."""
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    await member(api, "Ana", "1", north)
    await member(api, "Cy", "2", north, valid_to="2026-06-01")
    trailing = COUNT["measures"]["calls"] | {"over": "P30D"}
    await define(api, COUNT | {"measures": {"calls": trailing}})
    await post(api, event("c1", "call.made", at="2026-05-20T09:00:00Z", actor={"id": "2"}))
    asked = {"kpis": ["calls_made"], "subjects": [{"members_of": north}], "grain": "day"}
    answer = await query(api, **asked, period="2026-06-15..2026-06-20")
    shown = {each["subject"]["name"]: (each["values"], each["total"]["value"]) for each in answer["series"]}
    assert shown == {"Ana": ([0] * 6, 0), "Cy": ([1, 1, 1, 1, 0, 0], 0)}
    later = await query(api, **asked, period="2026-06-19..2026-06-20")
    assert [each["subject"]["name"] for each in later["series"]] == ["Ana"]


# ----------------------------------------------------------------------------------------------------------- targets


async def test_a_formula_reads_the_target_of_a_kpi(api: Api) -> None:
    await define(api, WON, kpi("attainment", "kpi.won / target(kpi.won)"))
    goal = {"name": "Win", "owner": {"type": "organization"}, "kpi": "won", "period": "2026-07"}
    made = await api.post("/goals", goal | {"target": {"value": "10"}}, expect=201)
    await post(api, *[event(f"w{n}", "deal.won") for n in range(4)])
    answer = await query(api, kpis=["attainment", "won"], period="2026-06-01..2026-07-31", grain="month")
    assert cells(answer["series"][0]) == [(None, "no_data"), (0.4, "ok")]
    assert answer["series"][1]["targets"] == {"values": [None, 10], "total": None}
    await api.set_clock("2026-07-14T10:00:00Z")
    await api.post(f"/goals/{made['id']}/targets", {"target": {"value": "20"}, "reason": "More."}, expect=201)
    answer = await query(api, kpis=["won"], grain="month")
    notes = answer["series"][0]["notes"]
    assert [(note["code"], note["on"]) for note in notes] == [("target_changed", "2026-07-14")]
    assert "from 10 to 20" in notes[0]["text"]


# ------------------------------------------------------------------------------------------------------------- money


async def test_money_is_converted_by_the_set_that_the_query_names(api: Api) -> None:
    """S26, worked example 10: the inverse of Friday's rate on a Sunday."""
    await define(api, REVENUE)
    for key, rate in (("daily", "1.10"), ("plan-2026", "2")):
        await api.post("/exchange-rates/sets", {"key": key, "name": key, "kind": "daily"}, expect=201)
        rates = {"set": key, "base": "EUR", "quote": "USD", "rate": rate, "valid_from": "2026-07-10"}
        await api.post("/exchange-rates", rates, expect=201)
    await post(
        api, event("a", "deal.won", at="2026-07-12T10:00:00Z", amount={"value": "100", "currency": "USD"}),
        event("b", "deal.won", at="2026-07-09T10:00:00Z", amount={"value": "7", "currency": "USD"}),
    )  # fmt: skip
    answer = await query(api, kpis=["revenue"], grain="day", period="2026-07-09..2026-07-12")
    assert answer["rate_set"] == "daily"
    assert cells(answer["series"][0])[::3] == [(0, "partial"), (90.9090909090909, "ok")]
    planned = await query(api, kpis=["revenue"], period="2026-07-12", rate_set="plan-2026")
    assert (planned["rate_set"], planned["series"][0]["total"]["value"]) == ("plan-2026", 50)
    in_dollars = await query(api, kpis=["revenue"], currency="USD")
    assert (in_dollars["series"][0]["total"]["value"], in_dollars["series"][0]["total"]["status"]) == (107, "ok")
    body = {"kpis": ["revenue"], "subjects": [ORGANIZATION], "period": "2026-07", "rate_set": "dayly"}
    problem = await api.post("/kpi-results/query", body, expect=422)
    assert problem["errors"][0]["pointer"] == "/rate_set"


# ------------------------------------------------------------------------------------------------------- comparisons


async def test_a_query_compares_with_the_year_before_window_by_window(api: Api) -> None:
    await define(api, COUNT)
    await post(
        api,
        event("a", "call.made", at="2025-07-02T08:00:00Z"),
        event("b", "call.made", at="2025-07-28T08:00:00Z"),
        event("c", "call.made", at="2026-07-02T08:00:00Z"),
    )
    both = ["previous_period", "same_period_last_year"]
    answer = await query(api, grain="month", compare=both)
    compared = answer["series"][0]["comparisons"]
    assert compared["previous_period"]["values"] == [0]
    year = compared["same_period_last_year"]
    assert (year["windows"], year["values"], year["total"]["value"]) == (["2025-07"], [2], 2)
    assert year["to_date"] == {"working_days": 8, "current": 1, "previous": 1}
    days = await query(api, grain="day", period="2026-07-01", compare=["same_period_last_year"])
    year = days["series"][0]["comparisons"]["same_period_last_year"]
    assert (year["windows"], year["values"]) == (["2025-07-02"], [1])
    await api.set_clock("2027-02-01T10:00:00Z")
    week = await query(api, grain="week", period="2026-W53", compare=["same_period_last_year"])
    year = week["series"][0]["comparisons"]["same_period_last_year"]
    assert (year["windows"], year["statuses"], year["total"]["status"]) == ([None], ["no_data"], "no_data")


# ------------------------------------------------------------------------------------------------------------ groups


def won(name: str, region: Any = None, amount: str = "1", **more: Any) -> dict[str, Any]:
    properties = {} if region is None else {"region": region}
    return event(name, "deal.won", amount={"value": amount, "currency": "EUR"}, properties=properties, **more)


def shown_groups(answer: Any, kpi_key: str | None = None) -> dict[Any, Any]:
    return {
        (each["group"]["kind"], each["group"]["value"]): each["total"]["value"]
        for each in answer["series"]
        if kpi_key in {None, each["kpi"]}
    }


async def test_groups_come_with_the_greatest_first_and_the_rest_has_figures_of_its_own(api: Api) -> None:
    await define(api, REVENUE)
    await post(
        api, won("a", "north", "10"), won("b", "south", "30"), won("c", "west", "5"), won("d", "east", "5"),
        won("e", None, "7"), won("f", 3, "2"), won("g", "north", "1"), event("h", "deal.won"),
    )  # fmt: skip
    answer = await query(api, kpis=["revenue"], group_by={"property": "properties.region"}, grain="month")
    assert list(shown_groups(answer).items()) == [
        (("value", "south"), 30), (("value", "north"), 11), (("none", None), 7), (("value", "east"), 5),
        (("value", "west"), 5), (("value", 3), 2),
    ]  # fmt: skip
    top = await query(api, kpis=["revenue"], group_by={"property": "properties.region", "top": 2})
    assert list(shown_groups(top).items()) == [(("value", "south"), 30), (("value", "north"), 11), (("rest", None), 19)]


async def test_groups_of_a_ratio_come_from_sums_of_their_own_and_all_kpis_share_the_groups(api: Api) -> None:
    rate = {
        "won": {"aggregate": "count", "events": ["deal.won"]},
        "lost": {"aggregate": "count", "events": ["deal.lost"]},
    }
    await define(api, kpi("rate", "won / (won + lost)", measures=rate), WON)
    lost = [event(f"l{n}", "deal.lost", properties={"region": "north"}) for n in range(3)]
    await post(api, won("a", "north"), won("b", "south"), *lost)
    answer = await query(api, kpis=["rate", "won"], group_by={"property": "properties.region", "top": 5})
    assert shown_groups(answer, "rate") == {("value", "south"): 1, ("value", "north"): 0.25}
    assert shown_groups(answer, "won") == {("value", "south"): 1, ("value", "north"): 1}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("type", {("value", "deal.won"): 2}),
        ("source", {("value", "api"): 2}),
        ("currency", {("value", "EUR"): 2}),
        ("about.customer", {("value", "C-1"): 1, ("none", None): 1}),
        ("customer", {("value", "C-1"): 1, ("none", None): 1}),
        ("properties['a key']", {("none", None): 2}),
    ],
)
async def test_events_are_grouped_by_what_they_are(api: Api, name: str, found: dict[Any, Any]) -> None:
    await define(api, WON)
    await post(api, won("a", about={"customer": "C-1"}), won("b"))
    assert shown_groups(await query(api, kpis=["won"], group_by={"property": name})) == found


async def test_groups_by_an_attribute_of_people_split_shared_events_and_add_up(api: Api) -> None:
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    ana, bo = await member(api, "Ana", "1", north), await member(api, "Bo", "2", north)
    await member(api, "Cy", "3", north)
    role = {"valid_from": "2026-01-01"}
    await api.post(f"/members/{ana}/assignments", role | {"revenue_role": "hunter", "manager_id": bo}, expect=201)
    await api.post(
        f"/members/{bo}/assignments", role | {"revenue_role": "farmer", "valid_to": "2026-07-06"}, expect=201
    )
    shares = [{"actor": {"id": "1"}, "share": "0.6"}, {"actor": {"id": "2"}, "share": "0.4"}]
    early = "2026-07-02T08:00:00Z"
    await define(api, REVENUE, kpi("heads", "headcount()", "count"))
    await post(
        api, won("a", None, "1000", at=early, credits=shares), won("b", None, "100", actor={"id": "2"}),
        won("c", None, "50", actor={"id": "3"}), won("d", None, "7", actor={"id": "9"}), won("e", None, "3"),
    )  # fmt: skip
    asked = {"kpis": ["revenue"], "group_by": {"subject": "revenue_role"}, "subjects": [ORGANIZATION]}
    answer = await query(api, **asked)
    assert shown_groups(answer) == {("value", "hunter"): 600, ("value", "farmer"): 400, ("none", None): 160}
    team = await query(api, **asked | {"subjects": [{"team": north}]})
    assert shown_groups(team) == {("value", "hunter"): 600, ("value", "farmer"): 400, ("none", None): 150}
    top = await query(api, **asked | {"group_by": {"subject": "revenue_role", "top": 1}})
    assert shown_groups(top) == {("value", "hunter"): 600, ("rest", None): 560}
    heads = await query(api, **asked | {"kpis": ["heads"], "period": "2026-07-01..2026-07-10"})
    assert shown_groups(heads) == {("value", "hunter"): 1, ("value", "farmer"): 0.5, ("none", None): 1.5}
    managed = await query(api, **asked | {"group_by": {"subject": "manager"}})
    assert [each["group"]["label"] for each in managed["series"]] == ["Bo", None]
    teams = await query(api, **asked | {"group_by": {"subject": "team"}})
    assert [(each["group"]["label"], each["total"]["value"]) for each in teams["series"]] == [
        ("North", 1150),
        (None, 10),
    ]


@pytest.mark.parametrize(
    ("group_by", "suggestion"),
    [
        ({"property": "propertys.region"}, "properties"),
        ({"property": "amount"}, None),
        ({"property": "properties.region == 'x'"}, None),
        ({"property": "curency"}, "currency"),
        ({"property": "properties."}, None),
        ({"property": "type", "subject": "team"}, None),
        ({}, None),
        ({"property": "type", "top": 0}, None),
        ({"subject": "shoe_size"}, None),
    ],
)
async def test_a_name_that_cannot_be_grouped_by_is_refused(
    api: Api, group_by: dict[str, Any], suggestion: str | None
) -> None:
    await define(api, WON)
    body = {"kpis": ["won"], "subjects": [ORGANIZATION], "period": "2026-07", "group_by": group_by}
    problem = await api.post("/kpi-results/query", body, expect=422)
    assert problem["errors"][0]["pointer"].startswith("/group_by")
    if suggestion is not None:
        assert suggestion in problem["errors"][0]["suggestion"]


async def test_too_many_groups_are_refused_with_the_way_out(api: Api) -> None:
    await define(api, WON)
    await post(api, *[won(f"w{n}", f"region {n}") for n in range(201)])
    body = {"kpis": ["won"], "subjects": [ORGANIZATION], "period": "2026-07"}
    problem = await api.post("/kpi-results/query", body | {"group_by": {"property": "properties.region"}}, expect=422)
    assert problem["errors"][0]["pointer"] == "/group_by"
    assert "top" in problem["detail"]
    top = await query(api, kpis=["won"], group_by={"property": "properties.region", "top": 200})
    assert (len(top["series"]), top["series"][-1]["group"]["kind"]) == (201, "rest")


async def test_a_group_that_only_the_period_before_knew_is_in_the_rest(api: Api) -> None:
    await define(api, WON)
    await post(api, won("a", "north"), won("b", "south", at="2026-06-03T08:00:00Z"))
    answer = await query(api, kpis=["won"], group_by={"property": "properties.region"}, compare=["previous_period"])
    before = [each["comparisons"]["previous_period"]["total"]["value"] for each in answer["series"]]
    assert ([each["group"]["kind"] for each in answer["series"]], before) == (["value", "rest"], [0, 1])


async def test_nothing_at_all_has_no_groups(api: Api) -> None:
    await define(api, WON)
    assert (await query(api, kpis=["won"], group_by={"property": "properties.region"}))["series"] == []


# -------------------------------------------------------------------------------------------------- notes and status


async def test_a_window_whose_cohort_may_still_change_is_immature(api: Api) -> None:
    """S17: a lead of 10 July can still convert within 30 days."""
    measure = {
        "aggregate": "conversion",
        "conversion": {"from": {"events": ["lead.created"]}, "to": {"events": ["deal.won"]}, "match": "lead"},
        "within": "P30D",
    }
    await define(api, kpi("conversion", "rate", measures={"rate": measure}))
    await post(
        api,
        event("a", "lead.created", at="2026-05-10T08:00:00Z", about={"lead": "L1"}),
        event("b", "deal.won", at="2026-05-20T08:00:00Z", about={"lead": "L1"}),
        event("c", "lead.created", at="2026-07-10T08:00:00Z", about={"lead": "L2"}),
    )
    answer = await query(api, kpis=["conversion"], period="2026-05-01..2026-07-31", grain="month")
    series = answer["series"][0]
    assert cells(series) == [(1, "ok"), (None, "no_data"), (0, "immature")]
    assert series["details"][2]["immature"] == 1


async def test_holidays_are_noted_where_the_windows_are_days(api: Api) -> None:
    weekdays = {
        name: [{"start": "09:00", "end": "17:00"}] for name in ("monday", "tuesday", "wednesday", "thursday", "friday")
    }
    calendar = {"name": "Poland", "weekdays": weekdays, "country": "PL", "is_default": True}
    await api.post("/calendars", calendar, expect=201)
    await define(api, COUNT)
    answer = await query(api, period="2026-05-01..2026-05-03", grain="day")
    notes = [(note["code"], note["on"]) for note in answer["series"][0]["notes"]]
    assert notes == [("holiday", "2026-05-01"), ("holiday", "2026-05-03")]
    assert (await query(api, period="2026-05", grain="month"))["series"][0]["notes"] == []


async def test_waiting_is_measured_in_the_working_hours_of_whoever_answered(api: Api) -> None:
    """S16: from Friday 16:00 to Monday 10:00: two hours for Ana, one for Bo, who is off on Fridays."""
    office = [{"start": "09:00", "end": "17:00"}]
    weekdays = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), office)
    mornings = [{"start": "09:00", "end": "13:00"}]
    short = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday"), mornings)
    full: dict[str, list[dict[str, str]]] = {"friday": [], "saturday": [], "sunday": []}
    await api.post("/calendars", {"name": "Office", "weekdays": weekdays, "is_default": True}, expect=201)
    made = await api.post("/calendars", {"name": "Short", "weekdays": full | short}, expect=201)
    ana, bo = await member(api, "Ana", "1"), await member(api, "Bo", "2")
    await api.post(f"/members/{bo}/assignments", {"calendar_id": made["id"], "valid_from": "2026-01-01"}, expect=201)
    measure = {
        "aggregate": "avg",
        "elapsed": {
            "from": {"events": ["lead.created"]},
            "to": {"events": ["email.sent"]},
            "match": "lead",
            "clock": "working_hours",
        },
    }
    await define(api, kpi("response", "waited", "duration", measures={"waited": measure}))
    for number in (1, 2):
        lead = {"about": {"lead": f"L{number}"}}
        await post(
            api,
            event(f"a{number}", "lead.created", at="2026-07-10T14:00:00Z", **lead),
            event(f"b{number}", "email.sent", at="2026-07-13T08:00:00Z", actor={"id": str(number)}, **lead),
        )
    answer = await query(api, kpis=["response"], subjects=[{"member": ana}, {"member": bo}, ORGANIZATION])
    assert [each["total"]["value"] for each in answer["series"]] == [2 * 3600, 3600, 5400]


@pytest.mark.parametrize("as_of", [None, "2026-07-10T10:00:00Z"])
async def test_what_will_be_recorded_is_not_known_yet(api: Api, as_of: str | None) -> None:
    """S5: an answer by knowledge of the future could be another tomorrow."""
    await api.post("/kpis", CALLS, expect=201)
    asked = {"kpis": ["calls_made"], "subjects": [{"organization": True}], "period": "2026-07", "as_of": as_of}
    problem = await api.post("/kpi-results/query", {**asked, "known_at": "2026-07-13T10:00:01Z"}, expect=422)
    assert problem["type"] == "/problems/as-of-in-the-future"


async def test_an_answer_by_what_was_known_just_now_never_changes(api: Api) -> None:
    """S5: what is recorded at the same moment is recorded after it."""
    await api.post("/kpis", CALLS, expect=201)
    now = "2026-07-13T10:05:00Z"
    await api.set_clock(now)
    asked = {"kpis": ["calls_made"], "subjects": [{"organization": True}], "period": "2026-07", "known_at": now}
    before = (await api.post("/kpi-results/query", asked, expect=200))["series"]
    await api.post("/events", event("late", "call.made", properties={"campaign": "x"}))
    assert (await api.post("/kpi-results/query", asked, expect=200))["series"] == before


async def test_events_without_the_value_make_no_group(api: Api) -> None:
    """S11: what is skipped takes no part, and takes no place among the `top` either."""
    biggest = CALLS | {
        "key": "biggest",
        "unit": {"kind": "money"},
        "measures": {"calls": {"aggregate": "max", "value": "amount", "events": ["deal.won"]}},
    }
    await api.post("/kpis", biggest, expect=201)
    await api.post("/events/batch", {"events": [
        event("a", "deal.won", properties={"kind": "a"}),
        event("b", "deal.won", properties={"kind": "b"}, amount={"value": "5", "currency": "SEK"}),
        event("c", "deal.won", properties={"kind": "c"}, amount={"value": "7", "currency": "EUR"}),
    ]})  # fmt: skip
    asked = {"kpis": ["biggest"], "subjects": [{"organization": True}], "period": "2026-07"}
    grouped = asked | {"group_by": {"property": "properties.kind", "top": 2}}
    answer = await api.post("/kpi-results/query", grouped, expect=200)
    shown = [(each["group"]["value"], each["total"]["value"], each["total"]["status"]) for each in answer["series"]]
    assert shown == [("c", 7, "ok"), ("b", None, "no_data")]
