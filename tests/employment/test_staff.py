"""Who works when, as plain facts, and as loaded from what was known at an instant (S5, S23, S31)."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from app.calendars.service import Calendars
from app.calendars.working import WorkCalendar
from app.core.clock import last_recorded
from app.core.db import OrganizationId
from app.employment.facts import AbsenceDays, Days, Staff, Terms
from app.employment.loading import load_staff
from tests.support import Api

ZONE = ZoneInfo("Europe/Warsaw")
ADA, BO = uuid4(), uuid4()
POLAND = WorkCalendar("Poland", ZONE)
SPAIN = WorkCalendar("Spain", ZONE)
SPANISH = uuid4()


def day(text: str) -> date:
    return date.fromisoformat(text)


def terms(start: str | None, end: str | None, fte: str, calendar_id: UUID | None = None) -> Terms:
    return Terms(start and day(start), end and day(end), Decimal(fte), calendar_id, None, None, None)  # type: ignore[arg-type]  # None stays None


STAFF = Staff(
    terms={ADA: [terms(None, "2026-03-01", "1"), terms("2026-03-01", "2026-06-01", "0.5", SPANISH)]},
    employments={ADA: [Days(day("2026-01-01"), day("2026-02-01")), Days(day("2026-03-01"), None)]},
    absences={ADA: [AbsenceDays(day("2026-04-01"), day("2026-04-03"), "prorate_target")]},
    calendars=Calendars(POLAND, {SPANISH: SPAIN}),
)


def test_a_member_is_employed_on_the_days_of_their_employments() -> None:
    days = ["2025-12-31", "2026-01-01", "2026-01-31", "2026-02-01", "2026-03-01", "2030-01-01"]
    assert [STAFF.is_employed(ADA, day(text)) for text in days] == [False, True, True, False, True, True]


def test_a_member_without_any_employment_is_employed_on_all_days() -> None:
    assert STAFF.is_employed(BO, day("1970-01-01"))
    assert STAFF.works_on(BO, day("2026-04-01"))


def test_an_absence_is_no_work_until_the_first_day_back() -> None:
    days = ["2026-03-31", "2026-04-01", "2026-04-02", "2026-04-03"]
    assert [STAFF.works_on(ADA, day(text)) for text in days] == [True, False, False, True]
    absence = STAFF.absence_on(ADA, day("2026-04-02"))
    assert absence is not None
    assert absence.effect == "prorate_target"
    assert not STAFF.works_on(ADA, day("2026-02-15"))


def test_part_time_and_calendar_follow_the_assignment_of_the_day() -> None:
    days = [day("2026-02-28"), day("2026-03-01"), day("2026-06-01")]
    assert [STAFF.fte_on(ADA, each) for each in days] == [1, Decimal("0.5"), 1]
    assert [STAFF.calendar_on(ADA, each).name for each in days] == ["Poland", "Spain", "Poland"]
    assert (STAFF.fte_on(BO, days[1]), STAFF.calendar_on(BO, days[1]).name) == (Decimal(1), "Poland")


async def loaded(api: Api, known_at: datetime | None = None) -> Staff:
    org_id = OrganizationId(api.org_id)
    async with api.world.database.read(org_id) as session:
        return await load_staff(session, org_id, known_at or await last_recorded(session, org_id))


async def test_staff_is_loaded_as_it_was_known(api: Api) -> None:
    """S5."""
    calendar = await api.post("/calendars", {"name": "Spain", "country": "ES"}, expect=201)
    ada = (await api.post("/members", {"name": "Ada"}, expect=201))["id"]
    bo = (await api.post("/members", {"name": "Bo"}, expect=201))["id"]
    body = {
        "fte": "0.8", "calendar_id": calendar["id"], "revenue_role": "sales_development", "country": "ES",
        "manager_id": bo, "valid_from": "2026-02-01", "valid_to": "2026-07-01",
    }  # fmt: skip
    await api.post(f"/members/{ada}/assignments", body, expect=201)
    await api.post(f"/members/{ada}/employments", {"valid_from": "2026-03-01"}, expect=201)
    await api.post(f"/members/{ada}/employments", {"valid_to": "2026-01-01"}, expect=201)
    away = {"valid_from": "2026-05-01", "valid_to": "2026-05-03", "effect": "reschedule"}
    absence = await api.post(f"/members/{ada}/absences", away, expect=201)
    before = await loaded(api)
    await api.set_clock("2026-07-14T10:00:00Z")
    await api.delete(f"/members/{ada}/absences/{absence['id']}")
    await api.delete(f"/calendars/{calendar['id']}")

    who = UUID(ada)
    assert before.employments == {who: [Days(None, day("2026-01-01")), Days(day("2026-03-01"), None)]}
    assert before.absences == {who: [AbsenceDays(day("2026-05-01"), day("2026-05-03"), "reschedule")]}
    [only] = before.terms[who]
    assert (only.start, only.end, only.fte) == (day("2026-02-01"), day("2026-07-01"), Decimal("0.8"))
    assert (only.revenue_role, only.country, only.manager_id) == ("sales_development", "ES", UUID(bo))
    assert not before.calendar_on(who, day("2026-03-02")).is_working_day(day("2026-12-08"))
    assert before.calendar_on(who, day("2026-07-01")).is_working_day(day("2026-12-08"))

    after = await loaded(api)
    assert after.absences == {}
    assert after.calendar_on(who, day("2026-03-02")).is_working_day(day("2026-12-08"))
    assert await loaded(api, datetime(2026, 7, 13, 12, tzinfo=UTC)) == before
    nothing = await loaded(api, datetime(2026, 7, 1, tzinfo=UTC))
    assert (nothing.terms, nothing.employments, nothing.absences) == ({}, {}, {})
