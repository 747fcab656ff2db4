"""Findings: people by quartiles, customers by their own rhythm, and nothing from too little data (V4, V7)."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.results.rhythm import rhythm
from tests.results.team import CALLS, WIN_RATE, ask, define, event, post, team
from tests.support import Api

TODAY = date(2026, 7, 13)


def days(*gaps: int, silence: int) -> list[date]:
    """Days with these gaps between them, the last so long ago."""
    last = TODAY - timedelta(days=silence)
    found = [last]
    for gap in reversed(gaps):
        found.append(found[-1] - timedelta(days=gap))
    return found[::-1]


def test_a_silence_is_unusual_beyond_the_median_and_three_deviations() -> None:
    """Gaps 5 7 7 9 12: median 7, deviations 0 0 2 2 5, MAD 2: 7 + 3 · 1.4826 · 2 = 15.8956."""
    told = rhythm(days(7, 5, 9, 7, 12, silence=16), TODAY)
    assert told is not None
    assert (told.usual, told.limit, told.silence, told.gaps) == (Decimal(7), Decimal("15.8956"), 16, 5)
    assert told.is_broken
    still = rhythm(days(7, 5, 9, 7, 12, silence=15), TODAY)
    assert still is not None
    assert not still.is_broken


def test_a_regular_customer_is_not_at_risk_before_twice_the_usual_gap() -> None:
    for silence, is_broken in ((14, False), (15, True)):
        told = rhythm(days(7, 7, 7, 7, 7, silence=silence), TODAY)
        assert told is not None
        assert told.is_broken is is_broken


def test_fewer_than_5_gaps_tell_no_rhythm() -> None:
    assert rhythm(days(7, 7, 7, 7, silence=300), TODAY) is None
    assert rhythm([], TODAY) is None


def of_kind(answer: Any, kind: str) -> list[Any]:
    return [finding for finding in answer["findings"] if finding["kind"] == kind]


def missing(answer: Any) -> dict[tuple[str, str], int]:
    return {(each["kind"], each["reason"]): each["count"] for each in answer["not_judged"]}


async def test_the_best_and_the_lowest_quarter_are_found_with_their_figures(api: Api) -> None:
    """Calls 9, 5, 4, 3, 0: quartiles 3, 4, 5."""
    await define(api, CALLS)
    north, _ = await team(api, "North", "Ana", "Bo", "Cy", "Di", "Eli")
    numbers = {"ana": 9, "bo": 5, "cy": 4, "di": 3}
    calls = [(person, n) for person, number in numbers.items() for n in range(number)]
    await post(api, [event(f"{person}-{n}", "call.made", "2026-06-10", person) for person, n in calls])
    answer = await ask(api, "findings", {"kpis": ["calls_made"], "team": north, "period": "2026-06"})
    assert answer["members"] == 5
    assert {each["member"]["name"] for each in of_kind(answer, "strength")} == {"Ana", "Bo"}
    assert {each["member"]["name"] for each in of_kind(answer, "weakness")} == {"Di", "Eli"}
    assert {each["member"]["name"] for each in of_kind(answer, "top_performer")} == {"Ana", "Bo"}
    help_ = of_kind(answer, "needs_help")
    assert {each["member"]["name"] for each in help_} == {"Di", "Eli"}
    assert answer["findings"][0]["kind"] == "needs_help"
    best = next(each for each in of_kind(answer, "strength") if each["member"]["name"] == "Ana")
    assert [(each["value"], each["sample"]) for each in best["figures"]] == [(9, 9), (4, 5)]
    opened = await api.post(best["opens"]["path"].removeprefix("/v1"), best["opens"]["body"])
    assert opened["result"]["value"] == 9


async def test_too_few_people_and_too_small_samples_yield_no_finding_but_are_told(api: Api) -> None:
    await define(api, WIN_RATE)
    north, _ = await team(api, "North", "Ana", "Bo")
    await post(api, [event(f"w-{n}", "deal.won", "2026-06-10", "ana") for n in range(6)])
    await post(api, [event("w-bo", "deal.won", "2026-06-10", "bo")])
    answer = await ask(api, "findings", {"kpis": ["win_rate"], "team": north, "period": "2026-06"})
    assert answer["findings"] == []
    told = missing(answer)
    assert told["weakness", "sample_too_small"] == 1
    assert told["weakness", "too_few_people"] == 1
    assert told["declining", "too_few_values"] == 2


async def test_a_run_of_weeks_for_the_worse_is_found_before_the_period_is_over(api: Api) -> None:
    await define(api, CALLS)
    north, _ = await team(api, "North", "Ana")
    events = []
    for week in range(1, 24):
        on = str(date(2026, 7, 8) - timedelta(days=7 * week - 7))
        number = 2 if week <= 8 else 8 + week % 2
        events += [event(f"{on}-{n}", "call.made", on, "ana") for n in range(number)]
    await post(api, events)
    answer = await ask(api, "findings", {"kpis": ["calls_made"], "team": north, "period": "2026-07"})
    (found,) = of_kind(answer, "declining")
    assert (found["member"]["name"], found["figures"][0]["value"]) == ("Ana", 2)


def met(name: str, when: list[date]) -> list[dict[str, Any]]:
    return [event(f"{name}-{on}", "meeting.held", str(on), "ana", about={"customer": name}) for on in when]


async def test_customers_whose_habits_change_and_who_wait_for_a_contact_are_found(api: Api) -> None:
    await define(api, CALLS)
    north, _ = await team(api, "North", "Ana")
    south, _ = await team(api, "South", "Bo")
    await post(api, [
        *met("C-1", days(7, 7, 7, 7, 7, silence=40)),
        *met("C-2", days(7, 7, 7, 7, 7, silence=3)),
        *met("C-3", days(30, silence=20)),
        event("won", "deal.won", "2026-02-01", "bo", about={"customer": "C-4", "deal": "D-4"}),
        event("open", "deal.created", "2026-07-01", "ana", about={"customer": "C-1", "deal": "D-1"}),
        event("gone-won", "deal.won", "2026-02-01", "bo", about={"customer": "C-5", "deal": "D-5"}),
        event("gone", "customer.churned", "2026-03-01", about={"customer": "C-5"}),
    ])  # fmt: skip
    body = {"kpis": ["calls_made"], "period": "2026-06"}
    answer = await ask(api, "findings", body)
    assert answer["customers"] == 5
    (risk,) = of_kind(answer, "customer_at_risk")
    assert (risk["customer"], risk["severity"]) == ("C-1", "high")
    assert {each["name"]: each["value"] for each in risk["figures"]} == {
        "days of silence": 40, "usual gap": 7, "longest usual silence": 14, "days since the last contact": 40,
        "open deals": 1,
    }  # fmt: skip
    assert risk["opens"]["parameters"] == {"about": "customer:C-1"}
    waiting = {each["customer"]: each["severity"] for each in of_kind(answer, "not_contacted")}
    assert waiting == {"C-1": "medium", "C-4": "high"}
    assert missing(answer)["customer_at_risk", "too_few_gaps"] == 2
    of_south = await ask(api, "findings", body | {"team": south})
    assert {each["customer"] for each in of_south["findings"] if each["customer"]} == {"C-4"}
    of_north = await ask(api, "findings", body | {"team": north})
    assert {each["customer"] for each in of_north["findings"] if each["customer"]} == {"C-1"}


async def test_the_gravest_come_first_and_what_exceeds_the_limit_is_counted(api: Api) -> None:
    await define(api, CALLS)
    await post(api, [event(f"w-{n}", "deal.won", "2026-03-01", about={"customer": f"C-{n}"}) for n in range(5)])
    answer = await ask(api, "findings", {"kpis": ["calls_made"], "period": "2026-06", "limit": 2})
    assert (len(answer["findings"]), answer["left_out"]) == (2, 3)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kpis": ["unknown"]}, "/kpis/0"),
        ({"team": "00000000-0000-7000-8000-000000000000"}, "/team"),
        ({"habits": ["x"]}, "/habits/0"),
        ({"contact_every": 0}, "/contact_every"),
    ],
)
async def test_what_cannot_be_looked_at_names_the_place(api: Api, change: dict[str, Any], pointer: str) -> None:
    await define(api, CALLS)
    problem = await ask(api, "findings", {"kpis": ["calls_made"], "period": "2026-06"} | change, expect=422)
    assert problem["errors"][0]["pointer"] == pointer
