"""The SMART check over HTTP, before saving and at any time (G1, G5)."""

from typing import Any
from uuid import uuid4

import pytest

from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.support import Api, World

DRAFT = {
    "name": "Calls in August",
    "owner": {"type": "organization"},
    "kpi": "calls_made",
    "period": "2026-08",
    "target": {"value": "100"},
}
CRITERIA = ("specific", "measurable", "achievable", "relevant", "time_bound")
MONTHS = [f"2025-{month:02}" for month in range(7, 13)] + [f"2026-{month:02}" for month in range(1, 7)]


@pytest.fixture
async def with_history(api: Api) -> Api:
    """Ten to twenty-one calls a month over a year, by one person."""
    await define(api, "calls_made", state="official")
    for number, month in enumerate(MONTHS, 10):
        await post_events(api, happened("call.made", f"{month}-15T08:00:00Z", number))
    return api


async def check(api: Api, draft: Any = None, **changes: Any) -> Any:
    return await api.post("/goals/check", (DRAFT if draft is None else draft) | changes, expect=200)


def codes(answer: Any, criterion: str) -> list[str]:
    return [finding["code"] for finding in answer[criterion]["findings"]]


def finding(answer: Any, code: str) -> Any:
    found = [each for criterion in CRITERIA for each in answer[criterion]["findings"] if each["code"] == code]
    assert found, {criterion: codes(answer, criterion) for criterion in CRITERIA}
    return found[0]


async def test_history_gives_a_realistic_and_an_ambitious_target(with_history: Api) -> None:
    """G5: of 10 to 21 calls a month by their working days, half reached the one and one in five the other."""
    answer = await check(with_history, target={"value": "16"})
    suggested = answer["suggested"]
    assert (suggested["basis"], suggested["values"]) == ("own", 12)
    days = {"2025-07": 23, "2025-08": 21, "2025-09": 22, "2025-10": 23, "2025-11": 20, "2025-12": 23}
    days |= {"2026-01": 22, "2026-02": 20, "2026-03": 22, "2026-04": 22, "2026-05": 21, "2026-06": 22}
    values = sorted(number * 21 / days[month] for number, month in enumerate(MONTHS, 10))
    half, fifth = values[5] + 0.5 * (values[6] - values[5]), values[8] + 0.8 * (values[9] - values[8])
    assert (suggested["realistic"], suggested["ambitious"]) == (str(round(half)), str(round(fifth)))
    assert suggested["reached"] == sum(value >= 16 for value in values)
    assert answer["achievable"]["verdict"] == "pass"
    assert answer["target"] == "16"


@pytest.mark.parametrize(
    ("value", "verdict", "code"),
    [
        ("16", "pass", "within_history"),
        ("23", "warn", "beyond_best"),
        ("100", "fail", "far_beyond_best"),
        ("5", "warn", "too_easy"),
    ],
)
async def test_where_the_target_lies_decides_whether_it_is_achievable(
    with_history: Api, value: str, verdict: str, code: str
) -> None:
    answer = await check(with_history, target={"value": value})
    assert answer["achievable"]["verdict"] == verdict
    assert codes(answer, "achievable") == [code]
    if verdict != "pass":
        assert set(finding(answer, code)["suggestion"]) == {"target"}


async def test_too_little_history_is_unknown_with_the_reason(api: Api) -> None:
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2026-06-15T08:00:00Z", 4))
    answer = await check(api)
    assert (answer["achievable"]["verdict"], codes(answer, "achievable")) == ("unknown", ["history_too_short"])
    assert answer["suggested"]["basis"] == "none"
    assert answer["suggested"]["reason"].startswith("there is one whole period")


async def test_each_period_behind_a_suggestion_is_named(with_history: Api) -> None:
    """By hand: actual × 21 / its working days; the 50th and 80th percentile at 1 + (n − 1) p (S11)."""
    suggested = (await check(with_history))["suggested"]
    assert [each["period"] for each in suggested["periods"]] == MONTHS[::-1]
    assert [each["actual"] for each in suggested["periods"]] == list(range(21, 9, -1))
    values = sorted(each["value"] for each in suggested["periods"])
    assert suggested["p50"] == pytest.approx((values[5] + values[6]) / 2, rel=1e-12)
    assert suggested["p80"] == pytest.approx(values[8] + 0.8 * (values[9] - values[8]), rel=1e-12)
    july = next(each for each in suggested["periods"] if each["period"] == "2025-07")
    assert july["value"] == pytest.approx(10 * 21 / 23, rel=1e-12)


async def test_periods_without_anything_count_once_something_had_happened(with_history: Api) -> None:
    """From September on nobody called: of the last 12 months half reached nothing."""
    await with_history.set_clock("2027-01-04T10:00:00Z")
    suggested = (await check(with_history, period="2027-01"))["suggested"]
    assert [each["actual"] for each in suggested["periods"]] == [0] * 6 + list(range(21, 15, -1))
    await with_history.set_clock("2027-08-02T10:00:00Z")
    suggested = (await check(with_history, period="2027-08"))["suggested"]
    assert (suggested["basis"], suggested["p80"]) == ("own", 0)


async def test_periods_of_which_too_much_is_left_out_are_not_compared(api: Api) -> None:
    """Months of which half is in a currency without a rate would make any target look high."""
    await define(api, "revenue_won", state="official")
    for month in MONTHS:
        for place, currency in enumerate(["EUR", "EUR" if month < "2026-04" else "CHF"]):
            at, amount = f"{month}-15T08:00:00Z", {"value": "1000", "currency": currency}
            await post_events(api, happened("deal.won", at, name=f"{month}-{place}", amount=amount))
    answer = await check(api, kpi="revenue_won", target={"value": "2000"})
    assert [each["period"] for each in answer["suggested"]["periods"]] == MONTHS[8::-1]
    assert "partial_data" in codes(answer, "measurable")
    in_francs = await check(api, kpi="revenue_won", currency="SEK", target={"value": "2000"})
    assert (in_francs["measurable"]["verdict"], in_francs["suggested"]["basis"]) == ("fail", "none")


async def test_a_change_against_a_period_that_is_not_over_tells_what_to_write(with_history: Api) -> None:
    target = {"change": {"by": "0.1", "on": "previous_period"}}
    told = finding(await check(with_history, period="2026-Q4", target=target), "baseline_not_over")
    assert told["suggestion"] == {"target": {"change": {"by": "0.1", "on": "2026-Q2"}}}
    problem = await with_history.post("/goals", DRAFT | {"period": "2026-Q4", "target": target}, expect=422)
    assert problem["errors"][0]["suggestion"] == "2026-Q2"
    assert "same_period_last_year" in problem["detail"]
    mended = await check(with_history, period="2026-Q4", **told["suggestion"])
    assert mended["measurable"]["verdict"] == "pass"


async def test_money_is_suggested_in_three_digits_and_told_with_its_currency(api: Api) -> None:
    await define(api, "revenue_won", state="official")
    for number, month in enumerate(MONTHS):
        amount = {"value": f"{100000 + 1234.56 * number:.2f}", "currency": "EUR"}
        await post_events(api, happened("deal.won", f"{month}-15T08:00:00Z", amount=amount))
    answer = await check(api, kpi="revenue_won", target={"value": "400000"})
    suggested = answer["suggested"]
    assert all(len(suggested[name].rstrip("0")) <= 3 for name in ("realistic", "ambitious"))
    assert abs(float(suggested["realistic"]) / suggested["p50"] - 1) < 0.005
    told = finding(answer, "far_beyond_best")
    assert told["suggestion"] == {"target": {"value": suggested["ambitious"]}}
    assert "reached 400,000 EUR" in told["message"]


async def test_a_quarter_is_compared_with_months(with_history: Api) -> None:
    answer = await check(with_history, period="2026-Q4", target={"value": "45"})
    assert answer["suggested"]["basis"] == "own_months"
    assert 40 < float(answer["suggested"]["realistic"]) < float(answer["suggested"]["ambitious"]) < 60


async def test_a_newcomer_is_compared_with_colleagues_in_the_same_role(api: Api) -> None:
    await define(api, "calls_made")
    newcomer = await member_with_identity(api, "Zoe", "900")
    for number, name in enumerate(["Ana", "Ben", "Cid"]):
        member = await member_with_identity(api, name, str(number))
        await api.post(f"/members/{member}/assignments", {"revenue_role": "sdr"}, expect=201)
        for month in MONTHS[-4:]:
            await post_events(api, happened("call.made", f"{month}-15T08:00:00Z", 5 + number, actor=str(number)))
    await api.post(f"/members/{newcomer}/assignments", {"revenue_role": "sdr"}, expect=201)
    answer = await check(api, owner={"type": "member", "id": newcomer}, target={"value": "6"})
    suggested = answer["suggested"]
    assert (suggested["basis"], suggested["people"], suggested["values"]) == ("peers", 3, 12)
    assert suggested["realistic"] == "6"


@pytest.mark.parametrize("name", ["Do better", "Lepsze wyniki", "提高业绩", "提升業績", "Improve our sales!", "…"])
async def test_a_name_that_says_nothing_is_told_with_a_better_one(with_history: Api, name: str) -> None:
    answer = await check(with_history, name=name)
    told = finding(answer, "name_vague")
    assert (answer["specific"]["verdict"], told["pointer"]) == ("warn", "/name")
    assert told["suggestion"] == {"name": "Calls made: 100, 2026-08"}


@pytest.mark.parametrize("name", ["Calls made", "Calls in August", "Więcej telefonów", "每月拨打电话", "20 more"])
async def test_a_name_that_says_something_passes(with_history: Api, name: str) -> None:
    assert (await check(with_history, name=name))["specific"]["verdict"] == "pass"


async def test_the_forecast_of_a_running_period_tells_how_likely_it_is(api: Api) -> None:
    await define(api, "calls_made", state="official")
    for month in MONTHS:
        for day in range(1, 29):
            await post_events(api, happened("call.made", f"{month}-{day:02}T08:00:00Z", 2))
    assert (await check(api))["suggested"]["likelihood"] is None
    lively = await check(api, period="2026-07", target={"value": "200"})
    assert 0 <= lively["suggested"]["likelihood"] < 0.1
    assert finding(lively, "forecast")["severity"] == "warning"


@pytest.mark.parametrize(
    ("owner", "code"),
    [
        (None, "owner_missing"),
        ({}, "owner_missing"),
        ({"type": "organization", "id": str(uuid4())}, "value_error"),
        ({"type": "member", "id": str(uuid4())}, "owner_unknown"),
    ],
)
async def test_what_is_wrong_with_the_owner_is_told_once(api: Api, owner: Any, code: str) -> None:
    await define(api, "calls_made")
    answer = await check(api, owner=owner)
    assert codes(answer, "specific") == [code]
    assert {answer[each]["verdict"] for each in ("achievable", "relevant")} == {"unknown"}


async def test_two_goals_on_the_same_thing_are_told(with_history: Api) -> None:
    goal = await with_history.post("/goals", DRAFT, expect=201)
    answer = await check(with_history)
    assert finding(answer, "same_goal")["evidence"]["goal_id"] == goal["id"]
    assert answer["specific"]["verdict"] == "warn"
    assert "goals_overlap" in codes(await check(with_history, period="2026-08-15..2026-09-15"), "specific")
    within = await check(with_history, period="2026-Q3", target={"value": "45"})
    assert codes(within, "specific") == ["goal_within_goal"]


async def test_a_kpi_without_data_is_not_measurable(api: Api) -> None:
    await define(api, "calls_made")
    answer = await check(api)
    assert answer["measurable"]["verdict"] == "fail"
    assert finding(answer, "source_missing")["evidence"]["events"] == ["call.made"]
    assert "kpi_draft" in codes(answer, "measurable")


async def test_a_member_without_figures_is_warned_of(with_history: Api) -> None:
    member = await with_history.post("/members", {"name": "Ana"}, expect=201)
    answer = await check(with_history, owner={"type": "member", "id": member["id"]})
    assert (answer["measurable"]["verdict"], codes(answer, "measurable")) == ("warn", ["no_data"])


async def test_a_ratio_of_forty_is_meant_as_per_cent(api: Api) -> None:
    await define(api, "win_rate")
    answer = await check(api, kpi="win_rate", target={"value": "40"})
    assert finding(answer, "target_in_percent")["suggestion"] == {"target": {"value": "0.4"}}


async def test_half_a_call_cannot_be_made(with_history: Api) -> None:
    assert "target_not_whole" in codes(await check(with_history, target={"value": "16.5"}), "measurable")


async def test_a_goal_without_parent_is_told_which_it_could_serve(with_history: Api) -> None:
    api = with_history
    member = await api.post("/members", {"name": "Ana"}, expect=201)
    team = await api.post("/teams", {"name": "North"}, expect=201)
    await api.post(f"/teams/{team['id']}/memberships", {"member_id": member["id"]}, expect=201)
    whole = await api.post("/goals", DRAFT | {"period": "2026-Q3"}, expect=201)
    own = await api.post("/goals", DRAFT | {"owner": {"type": "team", "id": team["id"]}}, expect=201)
    draft = DRAFT | {"owner": {"type": "member", "id": member["id"]}}
    told = finding(await check(api, draft), "parent_missing")
    assert told["suggestion"] == {"parent_id": own["id"]}
    assert [goal["id"] for goal in told["evidence"]["goals"]] == [own["id"], whole["id"]]
    assert "parent_missing" not in codes(await check(api, draft, parent_id=own["id"]), "relevant")


async def test_a_kpi_of_another_role_is_warned_of(api: Api) -> None:
    await define(api, "revenue_won")
    member = await member_with_identity(api, "Ana", "1")
    await api.post(f"/members/{member}/assignments", {"revenue_role": "SDR"}, expect=201)
    answer = await check(api, kpi="revenue_won", owner={"type": "member", "id": member})
    assert finding(answer, "kpi_not_of_role")["evidence"]["role"] == "prospecting"


@pytest.mark.parametrize(
    ("period", "code", "verdict"),
    [
        ("2026-06", "period_over", "fail"),
        ("2026-05-01..2026-07-31", "started_long_ago", "warn"),
        ("2026-08-01..2026-08-02", "period_short", "warn"),
        ("2027", "no_milestones", "warn"),
        ("2026-08", None, "pass"),
    ],
)
async def test_days_have_to_lie_ahead_and_be_enough(
    with_history: Api, period: str, code: str | None, verdict: str
) -> None:
    answer = await check(with_history, period=period)
    assert answer["time_bound"]["verdict"] == verdict
    assert codes(answer, "time_bound")[:1] == ([code] if code else [])


async def test_less_than_one_unit_is_too_little_to_wait_for(api: Api) -> None:
    await define(api, "calls_made", state="official")
    for month in MONTHS:
        await post_events(api, happened("call.made", f"{month}-15T08:00:00Z"))
    answer = await check(api, period="2026-08-03..2026-08-07", target={"value": "1"})
    assert "less_than_one_expected" in codes(answer, "time_bound")


@pytest.mark.parametrize(
    "draft",
    [
        {},
        {"name": ""},
        {"name": "x" * 500},
        {"owner": {}},
        {"owner": {"type": "team"}},
        {"owner": {"type": "member", "id": str(uuid4())}},
        {"kpi": "calls_mode"},
        {"kpi": "x" * 400},
        {"period": "2026-13"},
        {"period": "2026-08-01..2026-07-01"},
        {"target": {}},
        {"target": {"value": "0"}},
        {"target": {"value": "-5"}},
        {"target": {"value": "1" + "0" * 60}},
        {"target": {"low": "1"}},
        {"target": {"change": {}}},
        {"currency": "EURO"},
        {"weight": "0"},
        {"parent_id": str(uuid4())},
        {"milestones": [{}]},
        {"state": "closed"},
        {"yields": "kpi."},
        {"counts": "other"},
    ],
)
async def test_a_draft_that_saving_would_refuse_gets_findings(with_history: Api, draft: dict[str, Any]) -> None:
    answer = await check(with_history, {**DRAFT, **draft} if draft else {})
    assert answer["verdict"] == "fail"
    errors = [each for each in CRITERIA if answer[each]["verdict"] == "fail"]
    assert errors
    assert (await with_history.get("/goals"))["items"] == []


@pytest.mark.parametrize(
    "body", [[], {"colour": "red"}, {"target": {"value": "NaN"}}, {"owner": "me"}, {"name": 5}, {"name": "a\x00b"}]
)
async def test_only_what_is_no_goal_at_all_is_refused(with_history: Api, body: Any) -> None:
    await with_history.post("/goals/check", body, expect=422)


async def test_the_same_content_is_judged_the_same_before_and_after_saving(with_history: Api) -> None:
    api = with_history
    before = await check(api)
    goal = await api.post("/goals", DRAFT, expect=201)
    after = await api.get(f"/goals/{goal['id']}/check")
    assert {name: after[name] for name in (*CRITERIA, "suggested", "verdict", "target")} == {
        name: before[name] for name in (*CRITERIA, "suggested", "verdict", "target")
    }
    await api.set_clock("2026-09-20T10:00:00Z")
    later = await api.get(f"/goals/{goal['id']}/check", as_of="2026-07-13T11:00:00Z")
    assert later["achievable"] == after["achievable"]
    assert (await api.get(f"/goals/{goal['id']}/check"))["time_bound"] == after["time_bound"]


async def test_a_check_answers_as_of_an_instant(with_history: Api) -> None:
    api = with_history
    goal = await api.post("/goals", DRAFT | {"target": {"value": "16"}}, expect=201)
    await api.set_clock("2026-07-14T10:00:00Z")
    then = "2026-07-14T09:00:00Z"
    await api.post(f"/goals/{goal['id']}/targets", {"target": {"value": "100"}, "reason": "More."}, expect=201)
    assert (await api.get(f"/goals/{goal['id']}/check"))["achievable"]["verdict"] == "fail"
    assert (await api.get(f"/goals/{goal['id']}/check", as_of=then))["achievable"]["verdict"] == "pass"
    await api.get(f"/goals/{goal['id']}/check", expect=404, as_of="2026-07-13T09:00:00Z")
    await api.get(f"/goals/{goal['id']}/check", expect=422, as_of="2027-07-13T09:00:00Z")


async def test_others_see_nothing_of_it(with_history: Api, world: World) -> None:
    goal = await with_history.post("/goals", DRAFT, expect=201)
    stranger = await world.organization()
    await stranger.get(f"/goals/{goal['id']}/check", expect=404)
    assert "kpi_unknown" in codes(await check(stranger), "measurable")
    reader = await with_history.key("member", ["teams:read"])
    await reader.post("/goals/check", DRAFT, expect=403)
