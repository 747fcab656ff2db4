"""Relative targets over HTTP: computed once from a baseline, which is frozen with them (S30)."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.goals.baselines import resolved
from app.goals.schemas import Baseline, TargetInput
from tests.goals.facts import define, happened, member_with_identity, post_events
from tests.support import NOON, Api, World

AUGUST = {"name": "August", "owner": {"type": "organization"}, "kpi": "calls_made", "period": "2026-08"}


async def relative(api: Api, change: dict[str, Any], *, expect: int = 201, **more: Any) -> Any:
    return await api.post("/goals", AUGUST | {"target": {"change": change}} | more, expect=expect)


async def refused(api: Api, change: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    """Where and why the change is refused."""
    problem = await relative(api, change, expect=422, **more)
    assert (await api.get("/goals"))["items"] == []
    return [(error["pointer"], error["code"]) for error in problem["errors"]]


@pytest.fixture
async def called(api: Api) -> Api:
    """An organization on 13 August with 40 calls in August 2025 and 95 in July 2026."""
    await define(api, "calls_made")
    await post_events(api, happened("call.made", "2025-08-12T08:00:00Z", 40))
    await post_events(api, happened("call.made", "2026-07-12T08:00:00Z", 95))
    await api.set_clock("2026-08-13T10:00:00Z")
    return api


@pytest.mark.parametrize(
    ("change", "value", "stretch", "period"),
    [
        ({"by": "0.10"}, "104.5", None, "2026-07"),
        ({"by": "0.10", "on": "previous_period", "stretch": "0.2"}, "104.5", "114", "2026-07"),
        ({"amount": "5", "stretch": "10"}, "100", "105", "2026-07"),
        ({"by": 1, "on": "same_period_last_year"}, "80", None, "2025-08"),
        ({"amount": "0.5", "on": "2026-Q2"}, "0.5", None, "2026-Q2"),
        ({"by": "0.2", "on": "2026-07-10..2026-07-12"}, "114", None, "2026-07-10..2026-07-12"),
        ({"by": "0.2", "on": "last_month"}, "114", None, "2026-07"),
    ],
)
async def test_a_change_is_a_target_computed_from_its_baseline(
    called: Api, change: dict[str, Any], value: str, stretch: str | None, period: str
) -> None:
    target = (await relative(called, change))["target"]
    assert (target["value"], target["stretch"], target["low"]) == (value, stretch, None)
    baseline = target["baseline"]
    assert (baseline["period"], baseline["status"]) == (period, "ok")
    assert (baseline["as_of"], baseline["known_at"] <= baseline["as_of"]) == ("2026-08-13T10:00:00Z", True)


async def test_the_baseline_is_frozen_whatever_is_recorded_later(called: Api) -> None:
    goal = await relative(called, {"by": "0.1"})
    await post_events(called, happened("call.made", "2026-07-13T08:00:00Z", 5))
    again = await called.get(f"/goals/{goal['id']}")
    assert again["target"] == goal["target"]
    assert again["target"]["baseline"]["value"] == "95"
    assert again["target"]["baseline"]["by"] == "0.1"
    listed = (await called.get("/goals"))["items"]
    assert listed == [again]
    revision = (await called.get(f"/goals/{goal['id']}/targets"))["items"][0]["new"]
    assert revision["baseline"] == again["target"]["baseline"]


async def test_another_change_is_computed_anew_and_a_value_has_no_baseline(called: Api) -> None:
    goal = await relative(called, {"by": "0.1"})
    await post_events(called, happened("call.made", "2026-07-13T08:00:00Z", 5))
    path = f"/goals/{goal['id']}/targets"
    body = {"target": {"change": {"by": "0.1"}}, "reason": "Five more came in."}
    revision = await called.post(path, body, expect=201)
    assert (revision["old"]["value"], revision["new"]["value"]) == ("104.5", "110")
    assert (revision["old"]["baseline"]["value"], revision["new"]["baseline"]["value"]) == ("95", "100")
    plain = await called.post(path, {"target": {"value": "120"}, "reason": "Rounded."}, expect=201)
    assert (plain["new"]["value"], plain["new"]["baseline"]) == ("120", None)
    assert (await called.get(f"/goals/{goal['id']}"))["target"]["baseline"] is None


async def test_a_change_is_of_the_owners_own_figure(called: Api) -> None:
    ana = await member_with_identity(called, "Ana", "1")
    team = (await called.post("/teams", {"name": "North"}, expect=201))["id"]
    await called.post(f"/teams/{team}/memberships", {"member_id": ana, "valid_from": "2026-07-10"}, expect=201)
    await post_events(called, happened("call.made", "2026-07-02T08:00:00Z", 3, actor="1"))
    await post_events(called, happened("call.made", "2026-07-12T09:00:00Z", 7, actor="1"))
    mine = await relative(called, {"by": "1"}, owner={"type": "member", "id": ana})
    ours = await relative(called, {"by": "1"}, owner={"type": "team", "id": team})
    assert (mine["target"]["value"], ours["target"]["value"]) == ("20", "14")


async def test_a_limit_is_changed_downwards(api: Api) -> None:
    await define(api, "deals_lost")
    await post_events(api, happened("deal.lost", "2026-06-12T08:00:00Z", 20))
    july: dict[str, Any] = {"kpi": "deals_lost", "period": "2026-07"}
    target = (await relative(api, {"by": "-0.25", "stretch": "-0.5"}, **july))["target"]
    assert (target["value"], target["stretch"]) == ("15", "10")
    wrong = await relative(api, {"by": "0.25"}, expect=422, **july)
    assert [error["code"] for error in wrong["errors"]] == ["change_against_direction"]
    wrong = await relative(api, {"by": "-0.25", "stretch": "-0.2"}, expect=422, **july)
    assert [error["pointer"] for error in wrong["errors"]] == ["/target/change/stretch"]


async def test_a_ratio_changes_by_its_points(api: Api) -> None:
    """A third, and 10 % or 5 points more."""
    await define(api, "win_rate")
    await post_events(api, happened("deal.won", "2026-06-02T08:00:00Z", 1))
    await post_events(api, happened("deal.lost", "2026-06-02T08:00:00Z", 2))
    july: dict[str, Any] = {"kpi": "win_rate", "period": "2026-07"}
    assert (await relative(api, {"by": "0.1"}, **july))["target"]["value"] == "0.366666666666667"
    target = (await relative(api, {"amount": "0.05"}, **july))["target"]
    assert (target["value"], target["baseline"]["value"]) == ("0.383333333333333", "0.333333333333333")


async def test_money_is_compared_in_the_goals_currency_by_its_rates(api: Api) -> None:
    await define(api, "revenue_won")
    await api.post("/exchange-rates/sets", {"key": "plan", "name": "Plan", "kind": "fixed"}, expect=201)
    rate = {"set": "plan", "base": "EUR", "quote": "PLN", "rate": "4", "valid_from": "2026-01-01"}
    await api.post("/exchange-rates", rate, expect=201)
    won = happened("deal.won", "2026-06-02T08:00:00Z", 1, amount={"value": "100", "currency": "EUR"})
    await post_events(api, won)
    money: dict[str, Any] = {"kpi": "revenue_won", "period": "2026-07", "currency": "PLN"}
    goal = await relative(api, {"by": "0.5"}, rate_set="plan", **money)
    assert (goal["target"]["value"], goal["currency"], goal["rate_set"]) == ("600", "PLN", "plan")


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        ({"by": "0"}, "/target/change/by", "change_against_direction"),
        ({"by": "-0.1"}, "/target/change/by", "change_against_direction"),
        ({"amount": "-10"}, "/target/change/amount", "change_against_direction"),
        ({"by": "0.1", "stretch": "0.1"}, "/target/change/stretch", "stretch_not_beyond"),
        ({"by": "0.1", "stretch": "-2"}, "/target/change/stretch", "target_out_of_range"),
        ({"by": "1e17"}, "/target/change/by", "target_out_of_range"),
        ({"by": "0.1", "on": "2026-08"}, "/target/change/on", "baseline_not_over"),
        ({"by": "0.1", "on": "2026-Q3"}, "/target/change/on", "baseline_not_over"),
        ({"by": "0.1", "on": "2030"}, "/target/change/on", "baseline_not_over"),
        ({"by": "0.1", "on": "last_moon"}, "/target/change/on", "baseline_period"),
        ({"by": "0.1", "on": "2026-02-30"}, "/target/change/on", "baseline_period"),
        ({"by": "0.1", "on": "2026-Q2"}, "/target/change/by", "baseline_not_positive"),
    ],
)
async def test_a_change_that_makes_no_target_is_refused_with_the_place(
    called: Api, change: dict[str, Any], place: str, code: str
) -> None:
    assert await refused(called, change) == [(place, code)]


@pytest.mark.parametrize(
    "target",
    [
        {"change": {}},
        {"change": {"by": "0.1", "amount": "5"}},
        {"change": {"by": "NaN"}},
        {"change": {"by": "1e400"}},
        {"change": {"by": "0.1", "on": ""}},
        {"change": {"by": "0.1", "onn": "2026-07"}},
        {"change": {"by": "0.1"}, "value": "5"},
        {"change": {"by": "0.1"}, "stretch": "5"},
        {"change": {"by": "0.1"}, "low": "5", "high": "6"},
        {"change": 0.1},
    ],
)
async def test_a_change_is_written_as_one(called: Api, target: dict[str, Any]) -> None:
    problem = await called.post("/goals", AUGUST | {"target": target}, expect=422)
    assert all(error["pointer"].startswith("/target") for error in problem["errors"])


async def test_without_data_nothing_can_be_compared_with(api: Api) -> None:
    await define(api, "win_rate")
    found = await refused(api, {"by": "0.1"}, kpi="win_rate", period="2026-07")
    assert found == [("/target/change/on", "baseline_without_figure")]


async def test_a_period_without_counterpart_needs_its_baseline_named(called: Api) -> None:
    """2025 has no week 53, and nothing is known of 1969."""
    change = {"by": "0.1", "on": "same_period_last_year"}
    assert await refused(called, change, period="2026-W53") == [("/target/change/on", "baseline_period")]
    assert await refused(called, change, period="1970-05") == [("/target/change/on", "baseline_period")]


async def test_a_band_is_no_change(api: Api) -> None:
    await define(api, "calls_made", direction="maintain")
    await post_events(api, happened("call.made", "2026-06-02T08:00:00Z", 3))
    assert await refused(api, {"by": "0.1"}, period="2026-07") == [("/target/change", "target_kind")]


async def test_a_change_of_an_unknown_goal_or_kpi_is_refused_as_any(called: Api, world: World) -> None:
    goal = await relative(called, {"by": "0.1"})
    stranger = await world.organization()
    body = {"target": {"change": {"by": "0.1"}}, "reason": "Mine."}
    await stranger.post(f"/goals/{goal['id']}/targets", body, expect=404)
    problem = await relative(called, {"by": "0.1"}, kpi="calls_mode", expect=422)
    assert [error["pointer"] for error in problem["errors"]] == ["/kpi"]


async def test_a_fiscal_quarter_is_compared_with_the_fiscal_one_before(api: Api) -> None:
    await define(api, "calls_made")
    await api.patch("/organization", {"fiscal_year_starts": 2})
    await post_events(api, happened("call.made", "2026-02-02T08:00:00Z", 10))
    target = (await relative(api, {"by": "0.5"}, period="FY2027-Q2"))["target"]
    assert (target["value"], target["baseline"]["period"]) == ("15", "FY2027-Q1")
    assert (target["baseline"]["start"], target["baseline"]["end"]) == ("2026-02-01", "2026-05-01")


SIZES = st.decimals(min_value="0.000001", max_value=10**8, places=6)
BASES = st.decimals(min_value="0.000001", max_value=10**9, places=9)


@given(BASES, SIZES, st.booleans())
def test_a_target_is_its_baseline_and_the_change_of_it(base: Decimal, size: Decimal, is_share: bool) -> None:
    """By fractions, to 15 digits; and always beyond the baseline."""
    change = {"change": {"by" if is_share else "amount": size}}
    baseline = Baseline(
        on="2026-06", period="2026-06", start=date(2026, 6, 1), end=date(2026, 7, 1), value=base, status="ok",
        by=None, amount=None, as_of=NOON, known_at=NOON,
    )  # fmt: skip
    found = resolved(TargetInput.model_validate(change), baseline, "increase").value
    exact = Fraction(base) * (1 + Fraction(size)) if is_share else Fraction(base) + Fraction(size)
    assert found is not None
    assert abs(Fraction(found) - exact) <= exact / 10**14
    assert len(found.as_tuple().digits) <= 15
