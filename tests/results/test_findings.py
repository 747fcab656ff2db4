"""Findings: people by quartiles, customers by their own rhythm, and nothing from too little data (V4, V7)."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.results.rhythm import rhythm
from tests.results.team import CALLS, WIN_RATE, ask, count, define, event, kpi, post, team
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
    # One KPI is little to judge a person by.
    assert [each["severity"] for each in help_] == ["medium", "medium"]
    assert help_[0]["sentence"].endswith(
        " has a weakness in the only KPI that could be compared (Calls made), and no strength."
    )
    best = next(each for each in of_kind(answer, "strength") if each["member"]["name"] == "Ana")
    assert [(each["value"], each["sample"]) for each in best["figures"]] == [(9, 9), (4, 5)]
    assert best["sentence"] == (
        "Ana is at 9 by Calls made, at or above the upper quartile of 5 people, 5; their median is 4."
    )
    opened = await api.post(best["opens"]["path"].removeprefix("/v1"), best["opens"]["body"])
    assert opened["result"]["value"] == 9


async def test_nobody_at_the_median_is_weak_or_strong_however_many_share_it(api: Api) -> None:
    """Win rates 0.9, 0.7, 0.5, 0.5, 0.5, 0.1 of ten deals each: the lower quartile is the median, 0.5."""
    await define(api, WIN_RATE, CALLS)
    won = {"ana": 9, "bo": 7, "cy": 5, "di": 5, "ed": 5, "fy": 1}
    north, _ = await team(api, "North", *[person.capitalize() for person in won])
    ends = [(person, n, "won" if n < number else "lost") for person, number in won.items() for n in range(10)]
    await post(api, [event(f"{person}-{n}", f"deal.{end}", "2026-06-10", person) for person, n, end in ends])
    body = {"kpis": ["win_rate"], "team": north, "period": "2026-06"}
    answer = await ask(api, "findings", body)
    assert {each["member"]["name"] for each in of_kind(answer, "strength")} == {"Ana", "Bo"}
    assert {each["member"]["name"] for each in of_kind(answer, "top_performer")} == {"Ana", "Bo"}
    assert [each["member"]["name"] for each in of_kind(answer, "needs_help")] == ["Fy"]
    (weak,) = of_kind(answer, "weakness")
    assert weak["sentence"] == (
        "Fy is at 10.0% by Win rate, at or below the lower quartile of 6 people, 50.0%; their median is 50.0%."
    )
    # By calls all are alike: nothing is said of them, and one KPI of two is not more than half.
    both = await ask(api, "findings", body | {"kpis": ["win_rate", "calls_made"]})
    assert {each["kind"] for each in both["findings"]} == {"strength", "weakness"}


async def test_where_less_is_better_the_median_is_no_strength_either(api: Api) -> None:
    """Deals lost 1, 2, 2, 3, 9: the lower quartile is the median, 2; the upper is 3."""
    lost = kpi("deals_lost", "lost", direction="decrease", lost=count("deal.lost"))
    too = kpi("deals_lost_too", "lost", direction="decrease", lost=count("deal.lost"))
    await define(api, lost, too)
    numbers = {"ana": 1, "bo": 2, "cy": 2, "di": 3, "ed": 9}
    north, _ = await team(api, "North", *[person.capitalize() for person in numbers])
    ends = [(person, n) for person, number in numbers.items() for n in range(number)]
    await post(api, [event(f"{person}-{n}", "deal.lost", "2026-06-10", person) for person, n in ends])
    answer = await ask(api, "findings", {"kpis": ["deals_lost", "deals_lost_too"], "team": north, "period": "2026-06"})
    assert {each["member"]["name"] for each in of_kind(answer, "strength")} == {"Ana"}
    assert [each["member"]["name"] for each in of_kind(answer, "top_performer")] == ["Ana"]
    help_ = of_kind(answer, "needs_help")
    assert {each["member"]["name"]: each["severity"] for each in help_} == {"Di": "high", "Ed": "high"}
    assert {each["sentence"] for each in of_kind(answer, "weakness") if each["member"]["name"] == "Ed"} == {
        f"Ed is at 9 by {name}, at or above the upper quartile of 5 people, 3; their median is 2."
        for name in ("Deals lost", "Deals lost too")
    }
    assert "2 of the 2 KPIs that could be compared (Deals lost, Deals lost too)" in help_[0]["sentence"]


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
    mean = found["figures"][1]["value"]
    assert found["sentence"] == (
        "Ana was at 2 by Calls made in the week from 2026-07-06 to 2026-07-12, which belongs to a signal for the "
        f"worse; the mean of {found['figures'][1]['sample']} weeks is {mean:.1f}."
    )


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
    assert risk["sentence"] == "Nothing from C-1 for 40 days; the usual gap is 7 days."
    assert risk["opens"]["parameters"] == {"about": "customer:C-1"}
    waiting = {each["customer"]: each["severity"] for each in of_kind(answer, "not_contacted")}
    assert waiting == {"C-1": "medium", "C-4": "high"}
    assert {each["customer"]: each["sentence"] for each in of_kind(answer, "not_contacted")} == {
        "C-1": "Nobody has been in contact with C-1 for 40 days.",
        "C-4": "No contact with C-4 is known; their first deal in two years was 162 days ago.",
    }
    assert missing(answer)["customer_at_risk", "too_few_gaps"] == 2
    of_south = await ask(api, "findings", body | {"team": south})
    assert {each["customer"] for each in of_south["findings"] if each["customer"]} == {"C-4"}
    of_north = await ask(api, "findings", body | {"team": north})
    assert {each["customer"] for each in of_north["findings"] if each["customer"]} == {"C-1"}


async def test_a_customer_of_yesterday_has_not_waited_yet(api: Api) -> None:
    await define(api, CALLS)
    await post(api, [
        event("new", "deal.created", "2026-07-12", about={"customer": "C-1", "deal": "D-1"}),
        event("late", "deal.created", "2026-06-03", about={"customer": "C-2", "deal": "D-2"}),
        event("again", "deal.won", "2026-07-12", about={"customer": "C-2", "deal": "D-3"}),
    ])  # fmt: skip
    answer = await ask(api, "findings", {"kpis": ["calls_made"], "period": "2026-06"})
    assert {each["customer"]: each["severity"] for each in of_kind(answer, "not_contacted")} == {"C-2": "medium"}


async def test_a_gap_of_one_day_is_one_day(api: Api) -> None:
    await define(api, CALLS)
    await post(api, [
        event(f"C-1-{on}", "feedback.received", str(on), about={"customer": "C-1"})
        for on in days(1, 1, 1, 1, 1, silence=3)
    ])  # fmt: skip
    answer = await ask(api, "findings", {"kpis": ["calls_made"], "period": "2026-06"})
    (risk,) = of_kind(answer, "customer_at_risk")
    assert risk["sentence"] == "Nothing from C-1 for 3 days; the usual gap is 1 day."


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
