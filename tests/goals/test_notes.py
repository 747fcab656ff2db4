"""Notes on goals over HTTP."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from app.core import clock
from app.goals.notes import notes_of
from tests.goals.people import House, furnish
from tests.goals.test_proposals import topics
from tests.support import Api, World


@pytest.fixture
async def house(api: Api) -> House:
    return await furnish(api)


@pytest.fixture
async def goal(house: House) -> dict[str, Any]:
    """Ana's goal of July."""
    made: dict[str, Any] = await house.admin.post("/goals", house.goal("Ana"), expect=201)
    return made


async def texts(api: Api, goal: dict[str, Any], **query: Any) -> list[str]:
    return [note["text"] for note in (await api.get(f"/goals/{goal['id']}/notes", **query))["items"]]


async def test_members_note_things_of_any_goal(house: House, goal: dict[str, Any], world: World) -> None:
    path = f"/goals/{goal['id']}/notes"
    note = await house.keys["Eve"].post(path, {"text": "Trade fair.", "on_day": "2026-07-09"}, expect=201)
    assert (note["text"], note["on_day"], note["member_id"]) == ("Trade fair.", "2026-07-09", house.ids["Eve"])
    assert (await house.keys["Ana"].get(path))["items"] == [note]
    assert (await topics(world, house.admin))[-1] == "goal.note_added"
    assert (await house.admin.get(f"/goals/{goal['id']}"))["version"] == goal["version"]


async def test_notes_are_listed_newest_first_or_by_day(house: House, goal: dict[str, Any]) -> None:
    path = f"/goals/{goal['id']}/notes"
    for text, day in (("a", "2026-07-20"), ("b", None), ("c", "2026-07-01"), ("d", "2026-07-20")):
        await house.admin.post(path, {"text": text, "on_day": day}, expect=201)
    assert await texts(house.admin, goal) == ["d", "c", "b", "a"]
    assert await texts(house.admin, goal, sort="on_day") == ["c", "a", "d", "b"]
    assert await texts(house.admin, goal, on_day="2026-07-20") == ["d", "a"]
    for sort, whole in (("on_day", ["c", "a", "d", "b"]), ("-created_at", ["d", "c", "b", "a"])):
        walked: list[str] = []
        cursor: dict[str, Any] = {}
        while True:
            page = await house.admin.get(path, limit=1, sort=sort, **cursor)
            walked += [note["text"] for note in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert walked == whole
    await house.admin.get(path, expect=422, sort="text")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"text": ""}, "/text"),
        ({"text": " \n"}, "/text"),
        ({"text": "a\x00b"}, "/text"),
        ({"text": "x" * 10_001}, "/text"),
        ({}, "/text"),
        ({"text": "a", "on_day": "2026-06-30"}, "/on_day"),
        ({"text": "a", "on_day": "2026-08-01"}, "/on_day"),
        ({"text": "a", "on_day": "2026-07-32"}, "/on_day"),
        ({"text": "a", "on_day": 20260709}, "/on_day"),
        ({"text": "a", "colour": "red"}, "/colour"),
    ],
)
async def test_a_note_that_makes_no_sense_is_refused_with_the_place(
    house: House, goal: dict[str, Any], body: Any, pointer: str
) -> None:
    problem = await house.admin.post(f"/goals/{goal['id']}/notes", body, expect=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert await texts(house.admin, goal) == []


async def test_a_note_is_deleted_by_its_author_or_who_may_set_the_goal(house: House, goal: dict[str, Any]) -> None:
    path = f"/goals/{goal['id']}/notes"
    notes = [(await house.keys["Eve"].post(path, {"text": f"{n}"}, expect=201))["id"] for n in range(2)]
    for who in ("Ana", "Bo"):
        refused = await house.keys[who].call("DELETE", f"{path}/{notes[0]}", expect=403)
        assert refused.json()["type"] == "/problems/note-not-yours"
    await house.keys["Eve"].delete(f"{path}/{notes[0]}")
    await house.keys["Lea"].delete(f"{path}/{notes[1]}")
    assert await texts(house.admin, goal) == []
    await house.keys["Eve"].delete(f"{path}/{notes[0]}", expect=404)
    await house.admin.delete(f"{path}/{uuid4()}", expect=404)


async def test_any_key_of_a_member_deletes_their_notes(house: House, goal: dict[str, Any]) -> None:
    path = f"/goals/{goal['id']}/notes"
    note = await house.keys["Eve"].post(path, {"text": "Mine."}, expect=201)
    again = await house.admin.key("member", ["goals:read", "goals:write"], house.ids["Eve"])
    await again.delete(f"{path}/{note['id']}")
    nobody = await house.admin.key("member", ["goals:read", "goals:write"])
    other = await house.admin.key("member", ["goals:read", "goals:write"])
    note = await nobody.post(path, {"text": "Whose?"}, expect=201)
    await other.delete(f"{path}/{note['id']}", expect=403)
    await nobody.delete(f"{path}/{note['id']}")


async def test_a_note_belongs_to_its_goal(house: House, goal: dict[str, Any]) -> None:
    other = await house.admin.post("/goals", house.goal(), expect=201)
    note = await house.admin.post(f"/goals/{goal['id']}/notes", {"text": "Here."}, expect=201)
    await house.admin.delete(f"/goals/{other['id']}/notes/{note['id']}", expect=404)
    assert await texts(house.admin, other) == []


async def test_closed_and_locked_goals_are_noted_of_too(house: House, goal: dict[str, Any]) -> None:
    path = f"/goals/{goal['id']}"
    await house.admin.post(f"{path}/lock", {"reason": "Letter."})
    await house.keys["Ana"].post(f"{path}/notes", {"text": "Locked."}, expect=201)
    await house.admin.set_clock("2026-08-10T10:00:00Z")
    await house.admin.post(f"{path}/close")
    await house.keys["Ana"].post(f"{path}/notes", {"text": "Closed.", "on_day": "2026-07-31"}, expect=201)
    assert await texts(house.admin, goal) == ["Closed.", "Locked."]


async def test_notes_are_those_written_by_an_instant(house: House, goal: dict[str, Any], world: World) -> None:
    path = f"/goals/{goal['id']}/notes"
    await house.admin.post(path, {"text": "Before."}, expect=201)
    async with world.database.read(house.admin.org_id) as session:
        then = await clock.last_recorded(session, house.admin.org_id)
    await house.admin.post(path, {"text": "After."}, expect=201)
    async with world.database.read(house.admin.org_id) as session:
        goal_id = UUID(goal["id"])
        found = await notes_of(session, house.admin.org_id, goal_id, then)
        assert [note.text for note in found] == ["Before."]
        every = await notes_of(session, house.admin.org_id, goal_id)
        assert [note.text for note in every] == ["Before.", "After."]


async def test_writing_a_note_needs_the_scope(house: House, goal: dict[str, Any]) -> None:
    reader = await house.admin.key("member", ["goals:read"], house.ids["Ana"])
    assert await texts(reader, goal) == []
    await reader.post(f"/goals/{goal['id']}/notes", {"text": "No."}, expect=403)
