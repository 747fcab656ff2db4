"""An organization's own words for days, over HTTP and in questions (S2, S5)."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from app.calendars.periods import CalendarSettings, DayRange, PeriodError, is_form, parse_period
from app.calendars.service import calendar_settings
from app.core.clock import last_recorded
from app.core.db import OrganizationId
from tests.support import Api, World

TODAY = date(2026, 7, 14)
SPRING = {"key": "spring_campaign", "name": "Spring campaign", "first_day": "2026-03-16", "last_day": "2026-05-10"}

CALLS: dict[str, Any] = {
    "key": "calls", "name": "Calls", "category": "team_performance", "indicator": "leading", "direction": "increase",
    "unit": {"kind": "count"}, "measures": {"calls": {"aggregate": "count", "events": ["call.made"]}},
    "formula": "calls",
}  # fmt: skip


async def named(api: Api, known_at: datetime | None = None) -> dict[str, DayRange]:
    org_id = OrganizationId(api.org_id)
    async with api.world.database.read(org_id) as session:
        at = known_at or await last_recorded(session, org_id)
        return dict((await calendar_settings(session, org_id, at)).named)


async def test_a_named_period_is_made_read_listed_changed_and_deleted(api: Api) -> None:
    made = await api.post("/calendars/periods", SPRING, expect=201)
    assert {key: made[key] for key in SPRING} == SPRING
    assert made["version"] == 1
    path = f"/calendars/periods/{made['id']}"
    assert await api.get(path) == made
    winter = {"key": "winter", "name": "Winter", "first_day": "2026-01-01", "last_day": "2026-01-01"}
    earlier = await api.post("/calendars/periods", winter, expect=201)
    assert (await api.get("/calendars/periods"))["items"] == [earlier, made]
    changed = await api.patch(path, {"last_day": "2026-05-17"})
    assert (changed["last_day"], changed["first_day"], changed["version"]) == ("2026-05-17", "2026-03-16", 2)
    assert changed["created_at"] == made["created_at"]
    await api.delete(path)
    await api.get(path, expect=404)
    assert (await api.get("/calendars/periods"))["items"] == [earlier]
    again = await api.post("/calendars/periods", SPRING, expect=201)
    assert again["id"] != made["id"]


async def test_a_named_period_can_be_asked_for_and_the_answer_tells_its_days(api: Api) -> None:
    await api.post("/calendars/periods", SPRING, expect=201)
    for day, count in (("2026-03-15", 1), ("2026-03-16", 2), ("2026-05-10", 3), ("2026-05-11", 4)):
        for number in range(count):
            event = {"external_id": f"{day}-{number}", "type": "call.made", "occurred_at": f"{day}T10:00:00Z"}
            await api.post("/events", event)
    await api.post("/kpis", CALLS, expect=201)
    asked = {"kpis": ["calls"], "subjects": [{"organization": True}], "period": "spring_campaign", "grain": "month"}
    answer = await api.post("/kpi-results/query", asked)
    assert answer["series"][0]["values"] == [2, 0, 3]
    assert answer["series"][0]["total"]["value"] == 5
    assert [window["label"] for window in answer["windows"]] == ["2026-03", "2026-04", "2026-05"]
    assert [window["is_partial"] for window in answer["windows"]] == [True, False, True]


async def test_a_goal_keeps_the_days_that_the_name_had_when_it_was_set(api: Api) -> None:
    await api.post("/kpis", CALLS, expect=201)
    made = await api.post("/calendars/periods", SPRING, expect=201)
    goal = {"name": "Calls", "owner": {"type": "organization"}, "kpi": "calls", "target": {"value": "10"}}
    set_then = await api.post("/goals", {**goal, "period": "spring_campaign"}, expect=201)
    await api.patch(f"/calendars/periods/{made['id']}", {"last_day": "2026-03-20"})
    assert (await api.get(f"/goals/{set_then['id']}"))["period"] == "2026-03-16..2026-05-10"
    await api.delete(f"/calendars/periods/{made['id']}")
    assert (await api.get(f"/goals/{set_then['id']}"))["period"] == "2026-03-16..2026-05-10"
    await api.post("/goals", {**goal, "period": "spring_campaign"}, expect=422)


async def test_an_unknown_name_is_refused_with_the_nearest_one(api: Api) -> None:
    await api.post("/kpis", CALLS, expect=201)
    await api.post("/calendars/periods", SPRING, expect=201)
    asked = {"kpis": ["calls"], "subjects": [{"organization": True}], "period": "spring_campain"}
    problem = await api.post("/kpi-results/query", asked, expect=422)
    assert problem["errors"][0]["pointer"] == "/period"
    assert "spring_campaign" in problem["errors"][0]["message"]


async def test_a_change_leaves_what_was_known_before(api: Api) -> None:
    """S5."""
    made = await api.post("/calendars/periods", SPRING, expect=201)
    await api.set_clock("2026-07-14T08:00:00Z")
    await api.patch(f"/calendars/periods/{made['id']}", {"first_day": "2026-03-01"})
    await api.set_clock("2026-07-15T08:00:00Z")
    await api.delete(f"/calendars/periods/{made['id']}")
    known = [await named(api, datetime(2026, 7, day, 11, tzinfo=UTC)) for day in (12, 13, 14, 15)]
    assert [days["spring_campaign"].start.day if days else None for days in known] == [None, 16, 1, None]
    assert known[1] == {"spring_campaign": DayRange(date(2026, 3, 16), date(2026, 5, 11))}


async def test_a_key_is_taken_once_in_an_organization(api: Api, world: World) -> None:
    await api.post("/calendars/periods", SPRING, expect=201)
    problem = await api.post("/calendars/periods", SPRING, expect=409)
    assert problem["type"].endswith("period-key-taken")
    other = await world.organization()
    await other.post("/calendars/periods", SPRING, expect=201)
    assert len((await other.get("/calendars/periods"))["items"]) == 1


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"key": "today"}, "/key"),
        ({"key": "last_month"}, "/key"),
        ({"key": "this_fiscal_year"}, "/key"),
        ({"key": "last_14_days"}, "/key"),
        ({"key": "2026"}, "/key"),
        ({"key": "Spring"}, "/key"),
        ({"key": ""}, "/key"),
        ({"key": "s" * 61}, "/key"),
        ({"name": " "}, "/name"),
        ({"first_day": "2026-05-11"}, "/last_day"),
        ({"first_day": "2026-02-30"}, "/first_day"),
        ({"last_day": "9999-01-01"}, "/last_day"),
        ({"last_day": None}, "/last_day"),
        ({"color": "red"}, "/color"),
    ],
)
async def test_what_makes_no_named_period_is_refused_where_it_is_wrong(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    problem = await api.post("/calendars/periods", SPRING | change, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_a_change_is_checked_and_guarded_like_the_making(api: Api) -> None:
    made = await api.post("/calendars/periods", SPRING, expect=201)
    path = f"/calendars/periods/{made['id']}"
    problem = await api.patch(path, {"last_day": "2026-03-15"}, expect=422)
    assert problem["errors"][0]["pointer"] == "/last_day"
    await api.patch(path, {"key": "other"}, expect=422)
    await api.patch(path, {"name": "Spring"}, headers={"If-Match": '"2"'}, expect=412)
    await api.delete(path, headers={"If-Match": '"2"'}, expect=412)
    assert await api.get(path) == made
    await api.patch(f"/calendars/periods/{uuid4()}", {"name": "x"}, expect=404)
    await api.delete(f"/calendars/periods/{uuid4()}", expect=404)


def test_a_name_is_read_only_where_no_other_form_means_something() -> None:
    days = DayRange(date(2026, 3, 16), date(2026, 5, 11), "2026")
    calendar = CalendarSettings(ZoneInfo("UTC"), named={"spring": days, "2025": days, "today": days})
    assert (parse_period("spring", TODAY, calendar), parse_period("spring", TODAY, calendar).text) == (days, "")
    assert parse_period("2025", TODAY, calendar).start == date(2025, 1, 1)
    assert parse_period("today", TODAY, calendar).start == TODAY
    assert [is_form(text) for text in ("spring", "today", "FY2026-P99", "2026-W99")] == [False, True, True, True]


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("sprin", "spring"), ("thismonth", "this_month"), ("last_fiscal_qarter", "last_fiscal_quarter")],
)
def test_what_is_no_period_is_told_with_the_nearest_word_and_the_forms(text: str, nearest: str) -> None:
    calendar = CalendarSettings(ZoneInfo("UTC"), named={"spring": DayRange(TODAY, TODAY)})
    with pytest.raises(PeriodError, match=f"Did you mean {nearest}\\?.*FY2026-P07.*of your own: spring"):
        parse_period(text, TODAY, calendar)
