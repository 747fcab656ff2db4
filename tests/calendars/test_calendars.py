"""Working calendars over HTTP, and what is known of them as of an instant (S5)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from app.calendars import service
from app.calendars.periods import DayRange
from app.calendars.working import WorkCalendar
from app.core.clock import last_recorded
from app.core.db import OrganizationId
from tests.support import Api, World

OFFICE = [{"start": "09:00", "end": "17:00"}]
NOVEMBER = DayRange(date(2026, 11, 1), date(2026, 12, 1))


async def calendar_of(api: Api, known_at: datetime | None = None) -> WorkCalendar:
    org_id = OrganizationId(api.org_id)
    async with api.world.database.read(org_id) as session:
        at = known_at or await last_recorded(session, org_id)
        return await service.organization_calendar(session, org_id, at)


async def test_an_organization_without_a_calendar_works_monday_to_friday(api: Api) -> None:
    calendar = await calendar_of(api)
    assert calendar.working_days(NOVEMBER) == 21
    assert calendar.working_time(NOVEMBER) == timedelta(hours=168)
    assert calendar.zone.key == "Europe/Warsaw"


async def test_a_calendar_is_made_read_listed_changed_and_deleted(api: Api) -> None:
    made = await api.post("/calendars", {"name": "Poland", "country": "PL", "is_default": True}, expect=201)
    assert made["weekdays"]["monday"] == OFFICE
    assert made["weekdays"]["sunday"] == []
    assert (made["version"], made["is_default"], made["time_zone"]) == (1, True, None)
    path = f"/calendars/{made['id']}"
    assert await api.get(path) == made
    changed = await api.patch(path, {"name": "Polska", "extra_working_days": ["2026-11-14"]})
    assert (changed["name"], changed["version"], changed["created_at"]) == ("Polska", 2, made["created_at"])
    assert (await api.get("/calendars"))["items"] == [changed]
    await api.delete(path)
    await api.get(path, expect=404)
    assert (await api.get("/calendars"))["items"] == []


async def test_public_holidays_further_holidays_and_extra_days_decide_what_is_worked(api: Api) -> None:
    """11 November is a holiday in Poland; 14 November 2026 is a Saturday."""
    body = {
        "name": "Poland",
        "country": "PL",
        "holidays": ["2026-11-02"],
        "extra_working_days": ["2026-11-14"],
        "is_default": True,
    }
    await api.post("/calendars", body, expect=201)
    calendar = await calendar_of(api)
    worked = [calendar.is_working_day(date(2026, 11, day)) for day in (2, 3, 11, 14, 15)]
    assert worked == [False, True, False, True, False]
    assert calendar.working_days(NOVEMBER) == 20


async def test_a_subdivision_has_holidays_of_its_own(api: Api) -> None:
    await api.post(
        "/calendars", {"name": "Bavaria", "country": "DE", "subdivision": "BY", "is_default": True}, expect=201
    )
    assert not (await calendar_of(api)).is_working_day(date(2026, 1, 6))


async def test_hours_follow_the_weekday_and_the_calendars_own_zone(api: Api) -> None:
    weekdays = {"sunday": [{"start": "08:00", "end": "12:00"}, {"start": "20:00", "end": "24:00"}]}
    body = {"name": "Lagos", "time_zone": "Africa/Lagos", "weekdays": weekdays, "is_default": True}
    await api.post("/calendars", body, expect=201)
    calendar = await calendar_of(api)
    assert calendar.zone.key == "Africa/Lagos"
    assert calendar.working_time(NOVEMBER) == timedelta(hours=40)


async def test_a_change_of_the_calendar_leaves_earlier_answers_as_they_were(api: Api) -> None:
    """S5."""
    made = await api.post("/calendars", {"name": "Plain", "is_default": True}, expect=201)
    await api.set_clock("2026-07-14T08:00:00Z")
    await api.patch(f"/calendars/{made['id']}", {"country": "PL"})
    await api.set_clock("2026-07-15T08:00:00Z")
    await api.delete(f"/calendars/{made['id']}")
    known = [datetime(2026, 7, day, 9, tzinfo=UTC) for day in (12, 13, 14, 15)]
    days = [(await calendar_of(api, at)).working_days(NOVEMBER) for at in known]
    names = [(await calendar_of(api, at)).name for at in known]
    assert days == [21, 21, 20, 21]
    assert names == ["Monday to Friday", "Monday to Friday", "Plain", "Monday to Friday"]


async def test_one_calendar_is_the_default_and_the_one_before_steps_down(api: Api) -> None:
    """Like every change, the step down is a revision (S5)."""
    first = await api.post("/calendars", {"name": "First", "is_default": True}, expect=201)
    second = await api.post("/calendars", {"name": "Second", "is_default": True}, expect=201)
    listed = {item["id"]: item for item in (await api.get("/calendars"))["items"]}
    assert (listed[first["id"]]["is_default"], listed[first["id"]]["version"]) == (False, 2)
    assert (await calendar_of(api)).name == "Second"
    await api.patch(f"/calendars/{first['id']}", {"is_default": True})
    assert (await calendar_of(api)).name == "First"
    assert not (await api.get(f"/calendars/{second['id']}"))["is_default"]
    await api.patch(f"/calendars/{first['id']}", {"is_default": False})
    assert (await calendar_of(api)).name == "Monday to Friday"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({}, "/name"),
        ({"name": "x", "country": "XX"}, "/country"),
        ({"name": "x", "country": "pl"}, "/country"),
        ({"name": "x", "subdivision": "BY"}, "/subdivision"),
        ({"name": "x", "country": "DE", "subdivision": "ZZ"}, "/subdivision"),
        ({"name": "x", "holidays": ["2026-02-30"]}, "/holidays/0"),
        ({"name": "x", "holidays": ["2026-12-24", 20260101]}, "/holidays/1"),
        ({"name": "x", "holidays": ["1492-10-12"]}, "/holidays/0"),
        ({"name": "x", "extra_working_days": ["2026-12-24T00:00:00"]}, "/extra_working_days/0"),
        ({"name": "x", "time_zone": "Europe/Atlantis"}, "/time_zone"),
        ({"name": "x", "weekdays": {}}, "/weekdays"),
        ({"name": "x", "weekdays": {"someday": OFFICE}}, "/weekdays/someday"),
        ({"name": "x", "weekdays": {"monday": [{"start": "17:00", "end": "09:00"}]}}, "/weekdays/monday/0"),
        ({"name": "x", "weekdays": {"monday": [{"start": "25:00", "end": "26:00"}]}}, "/weekdays/monday/0/start"),
        ({"name": "x", "weekdays": {"monday": [*OFFICE, {"start": "12:00", "end": "18:00"}]}}, "/weekdays"),
        ({"name": "x", "colour": "red"}, "/colour"),
    ],
)
async def test_a_wrong_calendar_is_refused_with_the_place(api: Api, body: Any, pointer: str) -> None:
    refused = await api.post("/calendars", body, expect=422)
    assert pointer in [error["pointer"] for error in refused["errors"]]
    assert (await api.get("/calendars"))["items"] == []


async def test_a_change_on_an_old_version_is_refused(api: Api) -> None:
    made = await api.post("/calendars", {"name": "Plain"}, expect=201)
    path = f"/calendars/{made['id']}"
    answer = await api.call("GET", path, expect=200)
    await api.patch(path, {"name": "Mine"}, headers={"If-Match": answer.headers["etag"]})
    await api.patch(path, {"name": "Yours"}, expect=412, headers={"If-Match": answer.headers["etag"]})
    await api.delete(path, expect=412, headers={"If-Match": answer.headers["etag"]})
    assert (await api.get(path))["name"] == "Mine"


async def test_calendars_of_another_organization_are_not_found(api: Api, world: World) -> None:
    made = await api.post("/calendars", {"name": "Plain"}, expect=201)
    stranger = await world.organization()
    for path in (f"/calendars/{made['id']}", f"/calendars/{uuid4()}"):
        await stranger.get(path, expect=404)
        await stranger.patch(path, {"name": "Taken"}, expect=404)
        await stranger.delete(path, expect=404)
    assert (await stranger.get("/calendars"))["items"] == []


async def test_reading_calendars_does_not_allow_to_change_them(api: Api) -> None:
    reader = await api.key("manager", ["calendars:read"])
    await reader.get("/calendars")
    await reader.post("/calendars", {"name": "Plain"}, expect=403)


async def test_calendars_are_paged(api: Api) -> None:
    made = [(await api.post("/calendars", {"name": f"Calendar {n}"}, expect=201))["id"] for n in range(3)]
    first = await api.get("/calendars", limit=2)
    second = await api.get("/calendars", limit=2, cursor=first["next_cursor"])
    assert [item["id"] for item in first["items"] + second["items"]] == made
    assert second["next_cursor"] is None


async def test_weekdays_that_a_change_does_not_name_are_free(api: Api) -> None:
    path = f"/calendars/{(await api.post('/calendars', {'name': 'Plain'}, expect=201))['id']}"
    night = [{"start": "02:00", "end": "03:00"}]
    changed = await api.patch(path, {"weekdays": {"sunday": night}})
    assert {day: hours for day, hours in changed["weekdays"].items() if hours} == {"sunday": night}


@pytest.mark.parametrize("value", [1.5, 1, "text", True, []])
async def test_what_is_no_object_is_refused_where_one_belongs(api: Api, value: Any) -> None:
    path = f"/calendars/{(await api.post('/calendars', {'name': 'Plain'}, expect=201))['id']}"
    problem = await api.patch(path, {"weekdays": value}, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == ["/weekdays"]
