"""Absences over HTTP (S31)."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.core.audit import AuditEntry
from app.core.outbox import OutboxMessage
from tests.support import Api

HOLIDAYS = {"valid_from": "2026-08-03", "valid_to": "2026-08-17", "effect": "reschedule", "reason": "holidays"}
LEAVE = {"valid_from": "2026-09-01", "valid_to": "2027-03-01", "effect": "prorate_target"}


@pytest.fixture
async def path(api: Api) -> str:
    ada = (await api.post("/members", {"name": "Ada"}, expect=201))["id"]
    return f"/members/{ada}/absences"


async def test_an_absence_is_made_listed_changed_and_deleted(api: Api, path: str) -> None:
    leave = await api.post(path, LEAVE, expect=201)
    assert {key: leave[key] for key in LEAVE} == LEAVE
    assert (leave["reason"], leave["version"]) == (None, 1)
    away = await api.post(path, HOLIDAYS, expect=201)
    assert (await api.get(path))["items"] == [away, leave]
    assert (await api.get(path, on="2026-08-16"))["items"] == [away]
    assert (await api.get(path, on="2026-08-17"))["items"] == []
    changed = await api.patch(f"{path}/{away['id']}", {"valid_to": "2026-08-10", "reason": None})
    assert (changed["valid_to"], changed["reason"], changed["effect"], changed["version"]) == (
        "2026-08-10", None, "reschedule", 2,
    )  # fmt: skip
    await api.delete(f"{path}/{leave['id']}")
    assert (await api.get(path))["items"] == [changed]


async def test_the_reason_of_an_absence_stands_nowhere_else(api: Api, path: str) -> None:
    """It may be a matter of health: neither the audit trail nor the outbox is told."""
    made = await api.post(path, {**HOLIDAYS, "reason": "a broken leg"}, expect=201)
    await api.patch(f"{path}/{made['id']}", {"reason": "two broken legs"})
    async with api.world.database.read(api.org_id) as session:
        audited = (await session.execute(select(AuditEntry.changes).where(AuditEntry.org_id == api.org_id))).scalars()
        sent = (
            await session.execute(select(OutboxMessage.payload).where(OutboxMessage.org_id == api.org_id))
        ).scalars()
    for kept in (list(audited), list(sent)):
        assert "reschedule" in str(kept)
        assert "broken" not in str(kept)


async def test_a_member_has_one_absence_at_a_time(api: Api, path: str) -> None:
    await api.post(path, HOLIDAYS, expect=201)
    problem = await api.post(path, {**LEAVE, "valid_from": "2026-08-16"}, expect=409)
    assert problem["type"].endswith("absences-overlap")
    next_day = await api.post(path, {**LEAVE, "valid_from": "2026-08-17"}, expect=201)
    await api.patch(f"{path}/{next_day['id']}", {"valid_from": "2026-08-01"}, expect=409)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"effect": "vacation"}, "/effect"),
        ({"effect": None}, "/effect"),
        ({"valid_from": None}, "/valid_from"),
        ({"valid_to": None}, "/valid_to"),
        ({"valid_to": "2026-08-03"}, "/valid_to"),
        ({"valid_to": "2026-08-02"}, "/valid_to"),
        ({"reason": ""}, "/reason"),
        ({"reason": "x" * 201}, "/reason"),
        ({"hours": 4}, "/hours"),
    ],
)
async def test_what_makes_no_absence_is_refused_where_it_is_wrong(
    api: Api, path: str, change: dict[str, Any], pointer: str
) -> None:
    problem = await api.post(path, HOLIDAYS | change, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    made = await api.post(path, HOLIDAYS, expect=201)
    problem = await api.patch(f"{path}/{made['id']}", change, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_changes_are_guarded_by_the_version_that_was_read(api: Api, path: str) -> None:
    made = await api.post(path, HOLIDAYS, expect=201)
    mine = f"{path}/{made['id']}"
    await api.patch(mine, {"effect": "prorate_target"}, headers={"If-Match": '"2"'}, expect=412)
    await api.delete(mine, headers={"If-Match": '"2"'}, expect=412)
    await api.delete(mine, headers={"If-Match": '"1"'})
    await api.patch(mine, {"reason": "late"}, expect=404)
    await api.delete(f"{path}/{uuid4()}", expect=404)
