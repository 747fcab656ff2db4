"""The time that events cover: overlapping ones of one person count once."""

from typing import Any

import pytest

from tests.support import Api

TYPES = ["call.made", "meeting.held"]


def _event(key: str, kind: str, at: str, seconds: int | None, who: str, **more: Any) -> dict[str, Any]:
    return {
        "external_id": key, "type": kind, "occurred_at": at, "actor": {"id": who}, "duration_seconds": seconds, **more
    }  # fmt: skip


@pytest.fixture
async def selling(api: Api) -> Api:
    """An organization in Warsaw with the KPI `busy`, asked on 13 July at noon."""
    await api.post(
        "/kpis",
        {
            "key": "busy", "name": "Time in calls and meetings", "category": "team_performance", "indicator": "leading",
            "direction": "increase", "unit": {"kind": "duration"}, "formula": "busy",
            "measures": {"busy": {"aggregate": "covered", "events": TYPES}},
        },
        expect=201,
    )  # fmt: skip
    return api


async def _member(api: Api, name: str, *identities: str) -> str:
    made = await api.post("/members", {"name": name}, expect=201)
    known = {item["external_id"]: item["id"] for item in (await api.get("/identities"))["items"]}
    for identity in identities:
        await api.post(f"/identities/{known[identity]}/mappings", {"member_id": made["id"]}, expect=201)
    return str(made["id"])


async def _busy(api: Api, subject: dict[str, Any], period: str = "2026-07", **more: Any) -> dict[str, Any]:
    body = {"kpis": ["busy"], "subjects": [subject], "period": period, **more}
    answer = await api.post("/kpi-results/query", body, expect=200)
    (series,) = answer["series"]
    return {"values": series["values"], "value": series["total"]["value"], "sample": series["total"]["sample"]}


async def test_overlapping_times_of_a_person_count_once_and_those_of_two_people_twice(selling: Api) -> None:
    events = [
        _event("a", "call.made", "2026-07-06T08:00:00Z", 1800, "ana"),
        _event("b", "call.made", "2026-07-06T08:20:00Z", 1200, "ana-phone"),
        _event("c", "meeting.held", "2026-07-06T09:30:00Z", 3600, "ana"),
        _event("d", "call.made", "2026-07-06T08:00:00Z", 600, "bo"),
        _event("e", "call.made", "2026-07-06T08:00:00Z", None, "bo"),
    ]
    await selling.post("/events/batch", {"events": events})
    ana, bo = await _member(selling, "Ana", "ana", "ana-phone"), await _member(selling, "Bo", "bo")
    # Ana 8:00 to 8:40 and, the meeting ending at 9:30, 8:30 to 9:30: 5,400 s; Bo 600 s.
    assert (await _busy(selling, {"member": ana}))["value"] == 5400
    assert (await _busy(selling, {"member": bo}))["value"] == 600
    assert await _busy(selling, {"organization": True}) == {"values": [6000], "value": 6000, "sample": 4}


async def test_a_shared_event_is_the_time_of_each_who_is_credited(selling: Api) -> None:
    halves = [{"actor": {"id": who}, "share": "0.5"} for who in ("ana", "bo")]
    meeting = _event("m", "meeting.held", "2026-07-06T10:00:00Z", 3600, "ana", credits=halves)
    call = _event("c", "call.made", "2026-07-06T09:30:00Z", 3600, "ana")
    await selling.post("/events/batch", {"events": [meeting, call]})
    ana, bo = await _member(selling, "Ana", "ana"), await _member(selling, "Bo", "bo")
    assert (await _busy(selling, {"member": ana}))["value"] == 5400
    assert (await _busy(selling, {"member": bo}))["value"] == 3600
    assert (await _busy(selling, {"organization": True}))["value"] == 9000
    assert (await _busy(selling, {"unassigned": True}))["value"] == 9000
    assert (await _busy(selling, {"organization": True}))["sample"] == 2


async def test_what_ended_as_the_days_began_is_not_in_them(selling: Api) -> None:
    """Warsaw's July began at 22:00 UTC."""
    await selling.post("/events", _event("before", "meeting.held", "2026-06-30T22:00:00Z", 3600, "ana"))
    assert await _busy(selling, {"organization": True}, "2026-06") == {"values": [3600], "value": 3600, "sample": 1}
    assert await _busy(selling, {"organization": True}) == {"values": [0], "value": 0, "sample": 0}
    await selling.post("/events", _event("short", "meeting.held", "2026-06-30T22:00:00Z", 0, "ana"))
    assert await _busy(selling, {"organization": True}) == {"values": [0], "value": 0, "sample": 1}


async def test_what_nobody_is_credited_with_overlaps_with_nothing(selling: Api) -> None:
    events = [_event(key, "call.made", "2026-07-06T08:00:00Z", 60, "x") | {"actor": None} for key in ("a", "b")]
    await selling.post("/events/batch", {"events": events})
    assert (await _busy(selling, {"organization": True}))["value"] == 120


async def test_a_call_over_midnight_is_time_of_both_days(selling: Api) -> None:
    # Midnight in Warsaw is 22:00 UTC in summer.
    await selling.post("/events/batch", {"events": [_event("a", "call.made", "2026-07-06T21:50:00Z", 1800, "ana")]})
    days = await _busy(selling, {"organization": True}, "2026-07-06..2026-07-07", grain="day")
    assert days == {"values": [600, 1200], "value": 1800, "sample": 1}


async def test_time_after_now_and_outside_the_days_is_not_covered_yet(selling: Api) -> None:
    now = "2026-07-13T10:00:00Z"
    await selling.set_clock(now)
    events = [
        _event("a", "call.made", "2026-07-13T09:50:00Z", 3600, "ana"),
        _event("b", "meeting.held", "2026-07-13T11:00:00Z", 7200, "ana"),
        _event("c", "call.made", "2026-07-12T10:00:00Z", 10**12, "bo"),
    ]
    await selling.post("/events/batch", {"events": events})
    # The first until now; the second has not been held yet; the third from the midnight on that began today.
    assert (await _busy(selling, {"organization": True}, "2026-07-13"))["value"] == 600 + 12 * 3600


async def test_each_group_has_the_time_that_it_covers_itself(selling: Api) -> None:
    events = [
        _event("a", "call.made", "2026-07-06T08:00:00Z", 1800, "ana", properties={"kind": "new"}),
        _event("b", "call.made", "2026-07-06T08:20:00Z", 1200, "ana", properties={"kind": "old"}),
    ]
    await selling.post("/events/batch", {"events": events})
    body = {"kpis": ["busy"], "subjects": [{"organization": True}], "period": "2026-07",
            "group_by": {"property": "properties.kind"}}  # fmt: skip
    answer = await selling.post("/kpi-results/query", body, expect=200)
    assert {series["group"]["value"]: series["total"]["value"] for series in answer["series"]} == {
        "new": 1800, "old": 1200
    }  # fmt: skip


async def test_a_covered_measure_has_no_value_to_be_named(api: Api) -> None:
    body = {"measures": {"x": {"aggregate": "covered", "events": TYPES, "value": "amount"}}, "formula": "x"}
    answer = await api.post("/kpis/validate", body, expect=200)
    assert [error["pointer"] for error in answer["errors"]] == ["/measures/x/value"]
