"""How many events a figure is made of: each once, however often its formula and its windows meet it (S25)."""

from typing import Any

from tests.results.team import team
from tests.support import Api

DEFINITION: dict[str, Any] = {"direction": "increase", "unit": {"kind": "count"}}
CREATED = {"aggregate": "count", "events": ["deal.created"]}
ORGANIZATION = {"organization": True}


def deal(kind: str, name: str, on: str, **more: Any) -> dict[str, Any]:
    """An event of 2026, unless another year is said, about a deal and a customer of the same name."""
    at = f"{on if len(on) > len('MM-DD') else f'2026-{on}'}T08:00:00Z"
    about = {"deal": name, "customer": name}
    return {"external_id": f"{kind}-{name}-{on}", "type": kind, "occurred_at": at, "about": about} | more


def worth(value: str, currency: str = "EUR") -> dict[str, Any]:
    return {"amount": {"value": value, "currency": currency}}


def open_deals(match: str = "deal", **more: Any) -> dict[str, Any]:
    """Deals that are open at the end of the window."""
    sides = {"from": {"events": ["deal.created"]}, "to": {"events": ["deal.won"]}}
    return {"aggregate": "count", "open_at": {**sides, "match": match, "at": "end"}} | more


async def define(api: Api, formula: str, unit: str, key: str = "kpi", **measures: dict[str, Any]) -> None:
    face = {"key": key, "name": key, "category": "sales_results", "indicator": "lagging"}
    what = {"unit": {"kind": unit}, "measures": measures, "formula": formula}
    await api.post("/kpis", DEFINITION | face | what, expect=201)


async def ask(api: Api, period: str, **more: Any) -> list[dict[str, Any]]:
    """The series by month."""
    body = {"kpis": ["kpi"], "subjects": [ORGANIZATION], "period": period, "grain": "month"} | more
    found: list[dict[str, Any]] = (await api.post("/kpi-results/query", body, expect=200))["series"]
    return found


def samples(series: dict[str, Any]) -> list[int]:
    """Of the total, then of each window."""
    return [series["total"]["sample"], *series["samples"]]


def left_out(series: dict[str, Any]) -> list[int]:
    """Of the total, then of each window."""
    details = [series["total"]["details"], *series["details"]]
    return [each["left_out"] if each else 0 for each in details]


async def test_a_deal_that_was_created_in_the_window_and_is_open_at_its_end_counts_once(api: Api) -> None:
    await define(api, "open / created", "ratio", open=open_deals(), created=CREATED)
    for each in (
        deal("deal.created", "A", "05-05"),
        deal("deal.created", "B", "06-10"),
        deal("deal.created", "C", "06-12"),
        deal("deal.won", "C", "06-20"),
    ):
        await api.post("/events", each)
    [series] = await ask(api, "2026-05-01..2026-06-30")
    # At the end of May A is open, at the end of June A and B.
    assert series["values"] == [1, 1]
    assert samples(series) == [3, 1, 3]


async def test_each_subject_and_group_has_its_own_distinct_events(api: Api) -> None:
    north, members = await team(api, "North", "Ana", "Bo")
    await define(api, "open / created", "ratio", open=open_deals(), created=CREATED)
    shared = {"credits": [{"actor": {"id": who}, "role": "owner", "share": 0.5} for who in ("ana", "bo")]}
    for each in (
        deal("deal.created", "A", "06-05", actor={"id": "ana"}, properties={"tier": "gold"}),
        deal("deal.created", "B", "06-10", properties={"tier": "gold"}, **shared),
        deal("deal.created", "C", "05-12", actor={"id": "bo"}),
    ):
        await api.post("/events", each)
    subjects = [ORGANIZATION, {"team": north}, {"member": members["Ana"]}, {"member": members["Bo"]}]
    found = await ask(api, "2026-06", subjects=subjects)
    # Ana: A and her part of B; Bo: his part of B, and C, which is still open.
    assert [each["total"]["sample"] for each in found] == [3, 3, 2, 2]
    found = await ask(api, "2026-06", subjects=subjects[2:], group_by={"property": "properties.tier"})
    assert {(each["subject"]["name"], each["group"]["value"]): each["total"]["sample"] for each in found} == {
        ("Ana", "gold"): 2, ("Ana", None): 0, ("Bo", "gold"): 1, ("Bo", None): 1,
    }  # fmt: skip


async def test_twelve_months_of_revenue_and_the_customers_who_opened_with_it_are_of_the_same_events(api: Api) -> None:
    sides = {"from": {"events": ["deal.won"]}, "to": {"events": ["deal.lost"]}}
    await define(
        api, "revenue / customers", "money",
        revenue={"aggregate": "sum", "value": "amount", "events": ["deal.won"], "over": "P12M"},
        customers={"aggregate": "count", "open_at": {**sides, "match": "customer", "at": "end"}},
    )  # fmt: skip
    for each in (
        deal("deal.won", "A", "05-10", **worth("100")),
        deal("deal.won", "B", "06-10", **worth("300")),
        deal("deal.won", "C", "2024-05-01", **worth("50")),
        deal("deal.won", "D", "06-11", **worth("70", "GBP")),
        deal("deal.won", "E", "2025-12-01", **worth("200")),
        deal("deal.lost", "E", "06-01"),
    ):
        await api.post("/events", each)
    [series] = await ask(api, "2026-05-01..2026-06-30")
    # May: revenue of A and E, customers A, C and E. June: revenue of A, B and E, and of D in pounds; customers A to D.
    assert series["values"] == [100, 150]
    assert samples(series) == [5, 3, 5]
    assert left_out(series) == [1, 0, 1]


async def test_what_is_open_at_two_moments_and_left_out_at_both_is_left_out_once(api: Api) -> None:
    await define(api, "x - previous(x)", "money", x=open_deals(aggregate="sum", value="amount"))
    for each in (
        deal("deal.created", "A", "04-05", **worth("100")),
        deal("deal.created", "B", "04-06", **worth("10", "GBP")),
        deal("deal.created", "C", "06-06", **worth("20", "GBP")),
        deal("deal.created", "D", "06-07", **worth("7")),
    ):
        await api.post("/events", each)
    [series] = await ask(api, "2026-05-01..2026-06-30")
    assert series["values"] == [0, 7]
    assert samples(series) == [2, 1, 2]
    # In May B alone, at the ends of April and May; in June C too.
    assert left_out(series) == [2, 1, 2]


async def test_what_two_trailing_windows_leave_out_is_left_out_once(api: Api) -> None:
    won = {"aggregate": "sum", "value": "amount", "events": ["deal.won"], "over": "P90D"}
    await define(api, "x - previous(x)", "money", x=won)
    for each in (deal("deal.won", "A", "05-05", **worth("5", "GBP")), deal("deal.won", "B", "05-06", **worth("5"))):
        await api.post("/events", each)
    [series] = await ask(api, "2026-05-01..2026-07-31")
    # July's ninety days go back from T, 13 July, to 15 April, June's from its end to 2 April, May's to 3 March.
    assert series["values"] == [5, 0, 0]
    assert series["samples"] == [1, 1, 1]
    assert left_out(series)[1:] == [1, 1, 1]


async def test_a_meeting_over_the_midnight_between_two_versions_counts_once(api: Api) -> None:
    busy = {"aggregate": "covered", "events": ["meeting.held"]}
    await define(api, "busy", "duration", busy=busy)
    version = DEFINITION | {"unit": {"kind": "duration"}, "measures": {"busy": busy}, "formula": "2 * busy"}
    await api.post("/kpis/kpi/versions", version | {"valid_from": "2026-06-01"}, expect=201)
    # From 23:00 to 1:00 in Warsaw.
    meeting = {"external_id": "m", "type": "meeting.held", "occurred_at": "2026-05-31T23:00:00Z"}
    await api.post("/events", meeting | {"duration_seconds": 7200, "actor": {"id": "ana"}})
    [series] = await ask(api, "2026-05-01..2026-06-30")
    assert series["values"] == [3600, 7200]
    assert series["total"]["value"] == 3600 + 7200
    assert samples(series) == [1, 1, 1]


async def test_trailing_days_and_what_is_open_are_counted_day_by_day(api: Api) -> None:
    await define(api, "open / created", "ratio", open=open_deals(), created=CREATED | {"over": "P3D"})
    for each in (
        deal("deal.created", "A", "06-01"),
        deal("deal.created", "B", "06-03"),
        deal("deal.won", "B", "06-04"),
    ):
        await api.post("/events", each)
    [series] = await ask(api, "2026-06-01..2026-06-07", grain="day")
    # A is open on all days and created within three until the third; B from the third to the fifth.
    assert series["samples"] == [1, 1, 2, 2, 2, 1, 1]
    assert series["values"] == [1, 1, 1, 1, 1, None, None]


async def test_a_measure_may_be_part_of_any_number_of_formulas(api: Api) -> None:
    keys = [f"kpi_{number}" for number in range(40)]
    for number, key in enumerate(keys):
        valued = CREATED | {"where": f"properties.score > {number}"}
        await define(api, "valued / created", "ratio", key, valued=valued, created=CREATED)
    await api.post("/events", deal("deal.created", "A", "06-01", properties={"score": 20}))
    found = await ask(api, "2026-05-01..2026-06-30", kpis=keys, compare=["previous_period", "same_period_last_year"])
    assert [each["total"]["value"] for each in found] == [1] * 20 + [0] * 20
    assert [samples(each) for each in found] == [[1, 0, 1]] * 40
