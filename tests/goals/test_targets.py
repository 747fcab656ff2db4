"""Targets beside results (S22)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from app.calendars.periods import CalendarSettings, DayRange, Grain, parse_period, windows
from app.core.clock import last_recorded
from app.core.db import OrganizationId
from app.core.schemas import zone
from app.goals.targets import target_values
from app.goals.tiling import enclosing, exact, tiles
from app.kpis.attribution import Days, Subject
from tests.goals.facts import define
from tests.support import Api

CUT = CalendarSettings(zone("Europe/Warsaw"))
ORGANIZATION = Subject("organization")


def days(text: str) -> DayRange:
    return parse_period(text, date(2026, 7, 13), CUT)


@dataclass(frozen=True)
class Aim:
    period: DayRange


AIMS = [Aim(days(text)) for text in ("2026", "2026-Q1", "2026-Q3", "2026-01", "2026-02", "2026-03", "2026-04")]


def test_the_goal_of_that_period_speaks_first() -> None:
    assert exact(AIMS, days("2026-01-01..2026-03-31")) == AIMS[1]
    assert exact(AIMS, days("2026-Q2")) is None


def test_goals_tile_a_window_the_longest_first_or_not_at_all() -> None:
    assert tiles(AIMS, days("2026-01-01..2026-04-30")) == [AIMS[1], AIMS[6]]
    assert tiles(AIMS, days("2026-02-01..2026-04-30")) == AIMS[4:7]
    assert tiles(AIMS, days("2026-01-01..2026-05-31")) == []
    assert tiles(AIMS, days("2026-01-15..2026-04-30")) == []
    assert tiles(AIMS, DayRange(date(2026, 1, 1), date(2026, 1, 1))) == []


def test_many_goals_that_almost_tile_are_looked_through_quickly() -> None:
    many = [
        Aim(days(f"{year}-{part}")) for year in range(2000, 2100) for part in ("Q1", "Q2", "Q3", "Q4", "01", "02", "03")
    ]
    assert tiles(many, days("2000-01-01..2100-01-01")) == []
    assert len(tiles(many, days("2000-01-01..2099-12-31"))) == 400


def test_the_shortest_goal_around_a_window_encloses_it() -> None:
    assert enclosing(AIMS, days("2026-08")) == AIMS[2]
    assert enclosing(AIMS, days("2026-05")) == AIMS[0]
    assert enclosing(AIMS, days("2025-12")) is None


async def aimed(
    api: Api, kpi: str, period: str, grain: Grain, subject: Subject = ORGANIZATION, **changes: object
) -> object:
    org_id = OrganizationId(api.org_id)
    async with api.world.database.read(org_id) as session:
        known_at = changes.pop("known_at", None) or await last_recorded(session, org_id)
        assert isinstance(known_at, datetime)
        asked = [Days(window.start, window.end) for window in windows(days(period), grain, CUT)]
        found = await target_values(
            session,
            org_id,
            kpis={kpi: kpi != "win_rate"},
            subjects=[subject],
            windows=asked,
            known_at=known_at,
            currency="EUR",
        )
    return [found.get((kpi, subject, each)) for each in asked] if found else None


async def set_goal(api: Api, kpi: str, period: str, value: str, **changes: object) -> str:
    body = {"name": period, "owner": {"type": "organization"}, "kpi": kpi, "period": period, "target": {"value": value}}
    return str((await api.post("/goals", body | changes, expect=201))["id"])


async def test_a_window_takes_its_goal_or_the_sum_of_its_tiles_or_its_part_by_working_time(api: Api) -> None:
    """July has 23 working days, August 21, September 22; Friday 10 July is one of 23."""
    await define(api, "calls_made")
    await set_goal(api, "calls_made", "2026-Q3", "660")
    assert await aimed(api, "calls_made", "2026-Q3", "month") == [230, 210, 220]
    assert await aimed(api, "calls_made", "2026-Q3", "total") == [660]
    await set_goal(api, "calls_made", "2026-07", "460")
    assert await aimed(api, "calls_made", "2026-Q3", "month") == [460, 210, 220]
    assert await aimed(api, "calls_made", "2026-07-10..2026-07-11", "day") == [20, 0]
    await set_goal(api, "calls_made", "2026-08", "1")
    assert await aimed(api, "calls_made", "2026-07-01..2026-08-31", "total") == [461]
    assert await aimed(api, "calls_made", "2026-Q2", "month") is None


async def test_a_ratio_keeps_the_enclosing_target_as_it_is(api: Api) -> None:
    await define(api, "win_rate")
    await set_goal(api, "win_rate", "2026-Q3", "0.4")
    assert await aimed(api, "win_rate", "2026-Q3", "month") == [Decimal("0.4")] * 3
    await set_goal(api, "win_rate", "2026-10", "0.5")
    assert await aimed(api, "win_rate", "2026-07-01..2026-10-31", "total") is None


async def test_only_goals_of_the_subject_that_are_open_count(api: Api) -> None:
    await define(api, "calls_made", "deals_lost")
    member = (await api.post("/members", {"name": "Ana"}, expect=201))["id"]
    assert await aimed(api, "calls_made", "2026-07", "total") is None
    await set_goal(api, "calls_made", "2026-07", "10", owner={"type": "member", "id": member})
    await set_goal(api, "calls_made", "2026-07", "20", state="draft")
    assert await aimed(api, "calls_made", "2026-07", "total") is None
    assert await aimed(api, "calls_made", "2026-07", "total", Subject("member", UUID(member))) == [10]
    assert await aimed(api, "deals_lost", "2026-07", "total", Subject("member", UUID(member))) is None
    assert await aimed(api, "calls_made", "2026-07", "total", Subject("unassigned")) is None


async def test_targets_are_taken_as_known(api: Api) -> None:
    """S5: set on the 13th, changed on the 14th, cancelled on the 15th."""
    await define(api, "calls_made")
    goal = await set_goal(api, "calls_made", "2026-07", "10")
    await api.set_clock("2026-07-14T10:00:00Z")
    await api.post(f"/goals/{goal}/targets", {"target": {"value": "20"}, "reason": "More."}, expect=201)
    await api.set_clock("2026-07-15T10:00:00Z")
    await api.patch(f"/goals/{goal}", {"state": "cancelled"})
    known = [datetime(2026, 7, day, 11, tzinfo=UTC) for day in (12, 13, 14, 15)]
    found = [await aimed(api, "calls_made", "2026-07", "total", known_at=at) for at in known]
    assert found == [None, [10], [20], None]


@pytest.mark.parametrize(("currency", "expected"), [("EUR", [100]), ("PLN", None)])
async def test_a_target_in_another_currency_is_left_out(
    api: Api, currency: str, expected: list[Decimal] | None
) -> None:
    await define(api, "revenue_won")
    await set_goal(api, "revenue_won", "2026-07", "100", currency=currency)
    assert await aimed(api, "revenue_won", "2026-07", "total") == expected


async def test_several_kpis_are_asked_about_at_once_and_each_keeps_its_own_goals(api: Api) -> None:
    await define(api, "calls_made", "win_rate")
    await set_goal(api, "calls_made", "2026-Q3", "660")
    await set_goal(api, "win_rate", "2026-Q3", "0.4")
    july = days("2026-07")
    async with api.world.database.read(OrganizationId(api.org_id)) as session:
        found = await target_values(
            session,
            OrganizationId(api.org_id),
            kpis={"calls_made": True, "win_rate": False, "no_such": True},
            subjects=[ORGANIZATION],
            windows=[Days(july.start, july.end)],
            known_at=await last_recorded(session, api.org_id),
        )
    assert {kpi: value for (kpi, _, _), value in found.items()} == {"calls_made": 230, "win_rate": Decimal("0.4")}
