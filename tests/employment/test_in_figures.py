"""What employments and absences do to figures, asked over HTTP (S8, S23)."""

from typing import Any

from tests.support import Api


async def define(api: Api, key: str, kind: str, formula: str, **measures: Any) -> None:
    kpi = {
        "key": key, "name": key, "category": "team_performance", "indicator": "lagging", "direction": "increase",
        "unit": {"kind": kind}, "measures": measures, "formula": formula,
    }  # fmt: skip
    await api.post("/kpis", kpi, expect=201)


async def figures(api: Api, period: str, *keys: str, **subject: Any) -> list[float]:
    asked = {"kpis": list(keys), "subjects": [subject or {"organization": True}], "period": period}
    answer = await api.post("/kpi-results/query", asked)
    return [series["total"]["value"] for series in answer["series"]]


async def test_staff_counts_from_the_day_they_join_by_part_time_and_without_absences(api: Api) -> None:
    """S23: from 16 June, without three days of absence, 12 of June's 30 days and 8 of its working days are left."""
    ada = (await api.post("/members", {"name": "Ada"}, expect=201))["id"]
    await api.post(f"/members/{ada}/assignments", {"fte": "0.5"}, expect=201)
    await define(api, "heads", "count", "headcount()")
    await define(api, "jobs", "count", "fte()")
    await define(api, "worked", "duration", "working_hours()")
    assert await figures(api, "2026-06", "heads", "jobs", "worked") == [1, 0.5, 22 * 4 * 3600]
    await api.post(f"/members/{ada}/employments", {"valid_from": "2026-06-16"}, expect=201)
    away = {"valid_from": "2026-06-22", "valid_to": "2026-06-25", "effect": "reschedule"}
    absence = await api.post(f"/members/{ada}/absences", away, expect=201)
    expected = [0.4, 0.2, 8 * 4 * 3600]
    assert await figures(api, "2026-06", "heads", "jobs", "worked") == expected
    assert await figures(api, "2026-06", "heads", "jobs", "worked", member=ada) == expected
    await api.delete(f"/members/{ada}/absences/{absence['id']}")
    assert await figures(api, "2026-06", "heads", "jobs", "worked") == [0.5, 0.25, 11 * 4 * 3600]


async def test_who_joins_and_leaves_can_be_counted_for_members_and_teams(api: Api) -> None:
    """S8: who leaves is of the team of the last day, whose membership may end with it."""
    ada, bo = [(await api.post("/members", {"name": name}, expect=201))["id"] for name in ("Ada", "Bo")]
    north = (await api.post("/teams", {"name": "North"}, expect=201))["id"]
    await api.post(f"/teams/{north}/memberships", {"member_id": ada, "valid_to": "2026-07-01"}, expect=201)
    for member in (ada, bo):
        body = {"valid_from": "2026-05-01", "valid_to": "2026-07-01"}
        await api.post(f"/members/{member}/employments", body, expect=201)
    await define(api, "joiners", "count", "joined", joined={"aggregate": "count", "events": ["member.joined"]})
    await define(api, "leavers", "count", "gone", gone={"aggregate": "count", "events": ["member.left"]})
    assert await figures(api, "2026-05", "joiners", "leavers") == [2, 0]
    assert await figures(api, "2026-06-30", "joiners", "leavers") == [0, 2]
    assert await figures(api, "2026", "joiners", "leavers", member=bo) == [1, 1]
    assert await figures(api, "2026", "joiners", "leavers", team=north) == [1, 1]
