"""What a process keeps of a forecast changes none: the present's is that of the same instant asked for by name."""

from typing import Any

import pytest

from tests.goals.facts import define, happened, post_events
from tests.goals.test_parts_forecast import work
from tests.goals.test_progress import goal_of, progress
from tests.support import Api

MONEY = {"value": "33.10", "currency": "EUR"}


async def asked(api: Api, goal: str, at: str) -> Any:
    """Twice of the present, and of the same instant by name, which looks at nothing that is kept."""
    await api.set_clock(at)
    first, again = [(await progress(api, goal, include="forecast"))["forecast"] for _ in range(2)]
    named = (await progress(api, goal, include="forecast", as_of=at))["forecast"]
    assert first == again == named
    return named


@pytest.mark.parametrize("kpi", ["calls_made", "revenue_won", "win_rate"])
async def test_what_happens_is_in_the_next_forecast(api: Api, kpi: str) -> None:
    await define(api, kpi)
    await work(api, "1", 2)
    for day in range(1, 11):
        await post_events(api, happened("deal.won", f"2026-07-{day:02}T08:00:00Z", 1 + day % 3, amount=MONEY))
        await post_events(api, happened("deal.lost", f"2026-06-{day:02}T08:00:00Z", 2))
        await post_events(api, happened("deal.won", f"2026-06-{day + 10}T08:00:00Z", 1 + day % 2, amount=MONEY))
    goal = await goal_of(api, "0.5" if kpi == "win_rate" else "100", kpi=kpi)
    told = [await asked(api, goal, "2026-07-13T10:05:00Z")]
    more = [("call.made", "07-13"), ("deal.won", "07-13"), ("deal.won", "06-16"), ("call.made", "06-16")]
    for minute, (type_, at) in enumerate(more, start=10):
        rest: dict[str, Any] = {"amount": MONEY} if type_ == "deal.won" else {}
        await post_events(api, happened(type_, f"2026-{at}T09:00:00Z", 2, name=f"more-{type_}-{at}", **rest))
        told.append(await asked(api, goal, f"2026-07-13T10:{minute}:00Z"))
    told += [await asked(api, goal, at) for at in ("2026-07-13T12:00:00Z", "2026-07-14T10:00:00Z")]
    assert len({str(each) for each in told}) >= 4
