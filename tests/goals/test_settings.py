"""How goals are judged and decided, over HTTP and as recorded (S5, S32)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.core.snapshots import snapshot
from app.goals.settings import settings_as_known
from tests.support import Api, World

RULE = {"callers": ["manager"], "owners": ["organization"], "may": ["set"]}


async def test_settings_are_the_rules_own_until_somebody_sets_them(api: Api) -> None:
    now = await api.get("/goal-settings")
    assert (now["grace_working_days"], now["too_early_before"]) == (3, "0.05")
    assert (now["behind_below"], now["ahead_above"], now["version"]) == ("0.9", "1.1", 0)
    assert now["recorded_at"] is None
    assert len(now["rules"]) > 0


async def test_settings_are_set_as_a_whole_on_the_version_that_was_read(api: Api) -> None:
    before = (await api.get("/goal-settings"))["rules"]
    new = {"grace_working_days": 0, "behind_below": "0.8", "ahead_above": 1.25, "too_early_before": "0"}
    set_once = await api.put("/goal-settings", new, headers={"If-Match": '"0"'})
    assert (set_once["grace_working_days"], set_once["behind_below"], set_once["ahead_above"]) == (0, "0.8", "1.25")
    assert (set_once["version"], set_once["rules"]) == (1, before)
    assert set_once["changed_by"].startswith("key:")
    assert await api.get("/goal-settings") == set_once
    await api.put("/goal-settings", new, expect=412, headers={"If-Match": '"0"'})
    again = await api.put("/goal-settings", {"rules": [RULE]}, headers={"If-Match": '"1"'})
    assert (again["grace_working_days"], again["behind_below"], again["version"]) == (3, "0.9", 2)
    assert again["rules"] == [RULE]
    assert (await api.put("/goal-settings", {"rules": []}))["rules"] == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"grace_working_days": -1}, "/grace_working_days"),
        ({"grace_working_days": 31}, "/grace_working_days"),
        ({"grace_working_days": 2.5}, "/grace_working_days"),
        ({"grace_working_days": True}, "/grace_working_days"),
        ({"behind_below": "0"}, "/behind_below"),
        ({"behind_below": "1.1"}, "/behind_below"),
        ({"behind_below": "NaN"}, "/behind_below"),
        ({"ahead_above": "0.99"}, "/ahead_above"),
        ({"ahead_above": "1e30"}, "/ahead_above"),
        ({"too_early_before": "-0.1"}, "/too_early_before"),
        ({"too_early_before": "1.1"}, "/too_early_before"),
        ({"rules": [RULE | {"may": ["fly"]}]}, "/rules/0/may/0"),
        ({"rules": [RULE | {"callers": []}]}, "/rules/0/callers"),
        ({"rules": [RULE] * 51}, "/rules"),
        ({"rules": None}, "/rules"),
        ({"grace": 1}, "/grace"),
    ],
)
async def test_settings_that_make_no_sense_are_refused_with_the_place(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    problem = await api.put("/goal-settings", change, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert (await api.get("/goal-settings"))["version"] == 0


async def test_settings_are_set_by_admins_and_seen_by_who_sees_goals(api: Api) -> None:
    manager = await api.key("manager", ["goals:read", "goals:write"])
    await manager.get("/goal-settings")
    await manager.put("/goal-settings", {}, expect=403)


async def test_settings_of_an_organization_are_its_own(api: Api, world: World) -> None:
    await api.put("/goal-settings", {"grace_working_days": 9})
    assert (await (await world.organization()).get("/goal-settings"))["version"] == 0


async def test_settings_are_known_as_recorded(api: Api, world: World) -> None:
    """S5."""
    await api.set_clock("2026-07-14T10:00:00Z")
    await api.put("/goal-settings", {"behind_below": "0.8"})
    await api.set_clock("2026-07-16T10:00:00Z")
    await api.put("/goal-settings", {"behind_below": "0.7"})
    for day, expected in ((13, "0.9"), (15, "0.8"), (16, "0.7")):
        at = datetime(2026, 7, day, 11, tzinfo=UTC)
        async with snapshot(world.database, api.org_id) as session:
            assert (await settings_as_known(session, api.org_id, at)).behind_below == Decimal(expected)
