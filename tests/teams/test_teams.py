"""Teams: the tree, moves, memberships; what was known when."""

import asyncio
from datetime import date
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.core import clock
from app.core.audit import AuditEntry
from app.core.db import OrganizationId
from app.core.outbox import OutboxMessage
from app.teams.facts import MembershipRow, Placement
from app.teams.models import Membership
from tests.support import NOON, Api, World
from tests.teams.support import NOBODY, last_recorded, member, structure, team

JULY = date(2026, 7, 1)


async def test_a_team_is_made_read_changed_and_archived(api: Api) -> None:
    made = await api.post("/teams", {"name": "North"}, expect=201)
    path = f"/teams/{made['id']}"
    assert await api.get(path) == made
    assert made["parent_id"] is None
    etag = (await api.call("GET", path)).headers["etag"]
    assert (await api.patch(path, {"name": "North East"}, headers={"If-Match": etag}))["version"] == 2
    await api.patch(path, {"name": "x"}, headers={"If-Match": etag}, expect=412)
    await api.delete(path)
    assert (await api.get("/teams"))["items"] == []
    assert (await api.get("/teams", is_archived=True))["items"][0]["name"] == "North East"
    assert (await api.patch(path, {"is_archived": False}))["archived_at"] is None


async def test_a_team_moves_from_a_day_on_and_its_past_stays(api: Api) -> None:
    a, b = await team(api, "A"), await team(api, "B")
    west = await team(api, "West", parent_id=a)
    await api.post(f"/teams/{west}/placements", {"parent_id": b, "valid_from": "2026-07-01"}, expect=201)
    places = (await api.get(f"/teams/{west}/placements"))["items"]
    assert [(row["parent_id"], row["valid_from"], row["valid_to"]) for row in places] == [
        (a, None, "2026-07-01"),
        (b, "2026-07-01", None),
    ]
    assert (await api.get(f"/teams/{west}"))["parent_id"] == b
    assert [row["id"] for row in (await api.get("/teams", parent_id=b))["items"]] == [west]
    assert [row["id"] for row in (await api.get("/teams", parent_id=a, on="2026-06-30"))["items"]] == [west]
    listed = {row["id"]: row["parent_id"] for row in (await api.get("/teams", on="2026-06-30"))["items"]}
    assert listed == {a: None, b: None, west: a}


async def test_a_move_holds_until_the_next_one_that_is_recorded_already(api: Api) -> None:
    a, b, c = await team(api, "A"), await team(api, "B"), await team(api, "C")
    west = await team(api, "West", parent_id=a, placed_from="2026-01-01")
    path = f"/teams/{west}/placements"
    await api.post(path, {"parent_id": b, "valid_from": "2026-09-01"}, expect=201)
    await api.post(path, {"parent_id": c, "valid_from": "2026-07-01"}, expect=201)
    assert await _places(api, west) == [
        (a, "2026-01-01", "2026-07-01"),
        (c, "2026-07-01", "2026-09-01"),
        (b, "2026-09-01", None),
    ]
    await api.post(path, {"parent_id": a, "valid_from": "2026-07-01"}, expect=201)
    await api.post(path, {"parent_id": None, "valid_from": "2026-10-01"}, expect=201)
    await api.post(path, {"parent_id": b}, expect=201)
    assert await _places(api, west) == [
        (b, None, "2026-01-01"),
        (a, "2026-01-01", "2026-07-01"),
        (a, "2026-07-01", "2026-09-01"),
        (b, "2026-09-01", "2026-10-01"),
        (None, "2026-10-01", None),
    ]


async def _places(api: Api, team_id: str) -> list[tuple[str | None, str | None, str | None]]:
    items = (await api.get(f"/teams/{team_id}/placements"))["items"]
    return [(row["parent_id"], row["valid_from"], row["valid_to"]) for row in items]


async def test_a_team_never_stands_below_itself(api: Api) -> None:
    europe = await team(api, "Europe")
    north = await team(api, "North", parent_id=europe, placed_from="2026-07-01")
    west = await team(api, "West", parent_id=north)
    path = f"/teams/{europe}/placements"
    problem = await api.post(path, {"parent_id": west}, expect=409)
    assert problem["type"] == "/problems/team-cycle"
    assert problem["detail"] == (
        "The team would be below itself from 2026-07-01: Europe under West under North under Europe."
    )
    await api.post(path, {"parent_id": europe}, expect=409)
    assert (await api.get(path))["items"] == []
    await api.post(path, {"parent_id": north, "valid_from": "2026-01-01"}, expect=409)
    await api.post(f"/teams/{north}/placements", {"parent_id": None, "valid_from": "2026-08-01"}, expect=201)
    await api.post(path, {"parent_id": west, "valid_from": "2026-08-01"}, expect=201)


async def test_two_moves_at_once_cannot_make_a_cycle_together(api: Api) -> None:
    a, b = await team(api, "A"), await team(api, "B")
    answers = await asyncio.gather(
        api.call("POST", f"/teams/{a}/placements", {"parent_id": b}),
        api.call("POST", f"/teams/{b}/placements", {"parent_id": a}),
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_a_membership_is_ended_changed_and_taken_back(api: Api) -> None:
    north, cy = await team(api), await member(api, "Cy")
    path = f"/teams/{north}/memberships"
    made = await api.post(path, {"member_id": cy}, expect=201)
    assert made | {"id": "", "recorded_at": ""} == {
        "id": "",
        "team_id": north,
        "member_id": cy,
        "member_name": "Cy",
        "kind": "member",
        "valid_from": None,
        "valid_to": None,
        "recorded_at": "",
    }
    ended = await api.patch(f"{path}/{made['id']}", {"valid_to": "2026-07-15", "kind": "lead"})
    assert (ended["id"], ended["valid_to"], ended["kind"]) == (made["id"], "2026-07-15", "lead")
    assert await api.patch(f"{path}/{made['id']}", {"kind": "lead"}) == ended
    back = await api.post(path, {"member_id": cy, "valid_from": "2026-08-01"}, expect=201)
    assert [row["id"] for row in (await api.get(path))["items"]] == [made["id"], back["id"]]
    assert [row["id"] for row in (await api.get(path, on="2026-07-14"))["items"]] == [made["id"]]
    assert (await api.get(path, on="2026-07-15"))["items"] == []
    await api.delete(f"{path}/{back['id']}")
    await api.patch(f"{path}/{back['id']}", {"kind": "lead"}, expect=404)
    assert [row["id"] for row in (await api.get(path, member_id=cy))["items"]] == [made["id"]]


async def test_answers_as_of_an_earlier_instant_keep_the_old_days(api: Api) -> None:
    """S5: memberships and tree are taken as recorded by the instant."""
    europe, north, cy = await team(api, "Europe"), await team(api, "North"), await member(api, "Cy")
    before = await last_recorded(api)
    membership = await api.post(f"/teams/{north}/memberships", {"member_id": cy}, expect=201)
    await api.post(f"/teams/{north}/placements", {"parent_id": europe}, expect=201)
    then = await last_recorded(api)
    await api.set_clock("2026-07-20T10:00:00Z")
    await api.patch(f"/teams/{north}/memberships/{membership['id']}", {"valid_to": "2026-07-01"})
    await api.post(f"/teams/{north}/placements", {"parent_id": None, "valid_from": "2026-07-01"}, expect=201)
    late = await member(api, "Late")
    north_id, europe_id, cy_id = UUID(north), UUID(europe), UUID(cy)

    earliest = await structure(api, before)
    assert (earliest.memberships, earliest.placements) == ([], [])
    old = await structure(api, then)
    assert old.memberships == [MembershipRow(north_id, cy_id, None, None)]
    assert old.placements == [Placement(north_id, europe_id, None, None)]
    assert old.members[UUID(late)].recorded_at > then
    new = await structure(api)
    assert new.memberships == [MembershipRow(north_id, cy_id, None, JULY)]
    assert sorted(new.placements, key=lambda row: row.start or date.min) == [
        Placement(north_id, europe_id, None, JULY),
        Placement(north_id, None, JULY, None),
    ]
    await api.delete(f"/teams/{north}/memberships/{membership['id']}")
    assert (await structure(api)).memberships == []
    assert (await structure(api, then)).memberships == old.memberships


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ((None, None), (None, None), 409),
        (("2026-07-01", "2026-07-15"), ("2026-07-14", None), 409),
        (("2026-07-01", "2026-07-15"), ("2026-07-15", None), 201),
        (("2026-07-01", "2026-07-15"), (None, "2026-07-02"), 409),
        (("2026-07-01", "2026-07-15"), (None, "2026-07-01"), 201),
        (("2026-07-01", "2026-07-15"), ("2026-07-05", "2026-07-06"), 409),
    ],
)
async def test_the_same_person_is_in_the_same_team_once_at_a_time(
    api: Api, first: tuple[str | None, str | None], second: tuple[str | None, str | None], status: int
) -> None:
    path, cy = f"/teams/{await team(api)}/memberships", await member(api, "Cy")
    await api.post(path, {"member_id": cy, "valid_from": first[0], "valid_to": first[1]}, expect=201)
    body = {"member_id": cy, "kind": "lead", "valid_from": second[0], "valid_to": second[1]}
    answer = await api.post(path, body, expect=status)
    if status == 409:
        assert answer["type"] == "/problems/memberships-overlap"
        assert answer["detail"].startswith("There is one ")
    other = f"/teams/{await team(api, 'South')}/memberships"
    await api.post(other, body, expect=201)


async def test_a_change_cannot_make_memberships_overlap(api: Api) -> None:
    path, cy = f"/teams/{await team(api)}/memberships", await member(api, "Cy")
    first = await api.post(path, {"member_id": cy, "valid_to": "2026-07-01"}, expect=201)
    await api.post(path, {"member_id": cy, "valid_from": "2026-07-01"}, expect=201)
    problem = await api.patch(f"{path}/{first['id']}", {"valid_to": None}, expect=409)
    assert problem["detail"].startswith("There is one from 2026-07-01 on already")
    assert (await api.get(path))["items"][0] == first
    problem = await api.patch(f"{path}/{first['id']}", {"valid_from": "2026-07-01"}, expect=422)
    assert problem["errors"][0]["pointer"] == "/valid_to"


async def test_of_overlapping_memberships_posted_at_once_one_is_stored(api: Api) -> None:
    path, cy = f"/teams/{await team(api)}/memberships", await member(api, "Cy")
    answers = await asyncio.gather(*[api.call("POST", path, {"member_id": cy}) for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    assert len((await api.get(path))["items"]) == 1


async def test_the_database_itself_refuses_overlaps(api: Api) -> None:
    """Two writers who do not even wait for the clock."""
    org_id, north, cy = OrganizationId(api.org_id), UUID(await team(api)), UUID(await member(api, "Cy"))

    async def insert(start: date | None) -> None:
        async with api.world.database.write(org_id) as session:
            session.add(
                Membership(
                    org_id=org_id, team_id=north, member_id=cy, kind="member", valid_from=start, recorded_at=NOON
                )
            )
            await session.flush()  # before the clock's lock
            await clock.configure(session, org_id)

    answers = await asyncio.gather(*[insert(start) for start in (None, JULY, None)], return_exceptions=True)
    assert sum(answer is None for answer in answers) == 1
    assert all(isinstance(answer, IntegrityError) for answer in answers if answer is not None)
    assert all("ex_membership_overlap" in str(answer) for answer in answers if answer is not None)


async def test_bad_teams_and_memberships_are_refused_at_their_place(api: Api, world: World) -> None:
    stranger = await world.organization()
    theirs, their_team = await member(stranger), await team(stranger)
    north, cy = await team(api), await member(api, "Cy")
    inverted = {"valid_from": "2026-07-02", "valid_to": "2026-07-01"}
    empty = {"valid_from": "2026-07-02", "valid_to": "2026-07-02"}
    for path, body, pointer in (
        ("/teams", {"name": "A", "parent_id": NOBODY}, "/parent_id"),
        ("/teams", {"name": "A", "parent_id": their_team}, "/parent_id"),
        ("/teams", {"name": "A", "placed_from": "2026-02-30"}, "/placed_from"),
        ("/teams", {"name": "A", "placed_from": "2026-02-28"}, "/placed_from"),
        (f"/teams/{north}/placements", {"parent_id": their_team}, "/parent_id"),
        (f"/teams/{north}/placements", {}, "/parent_id"),
        (f"/teams/{north}/memberships", {"member_id": theirs}, "/member_id"),
        (f"/teams/{north}/memberships", {"member_id": "Cy"}, "/member_id"),
        (f"/teams/{north}/memberships", {"member_id": cy, "kind": "guest"}, "/kind"),
        (f"/teams/{north}/memberships", {"member_id": cy, **inverted}, "/valid_to"),
        (f"/teams/{north}/memberships", {"member_id": cy, **empty}, "/valid_to"),
    ):
        problem = await api.post(path, body, expect=422)
        assert problem["errors"][0]["pointer"] == pointer, body
    for method, path, found in (
        ("GET", f"/teams/{their_team}", None),
        ("PATCH", f"/teams/{their_team}", {"name": "x"}),
        ("DELETE", f"/teams/{their_team}", None),
        ("GET", f"/teams/{their_team}/placements", None),
        ("POST", f"/teams/{their_team}/placements", {"parent_id": None}),
        ("GET", f"/teams/{their_team}/memberships", None),
        ("POST", f"/teams/{their_team}/memberships", {"member_id": cy}),
        ("DELETE", f"/teams/{north}/memberships/{NOBODY}", None),
    ):
        await api.call(method, path, found, expect=404)
    assert (await api.get(f"/teams/{north}/memberships"))["items"] == []


async def test_changes_are_told_to_the_audit_trail_and_the_outbox(api: Api) -> None:
    north, cy = await team(api), await member(api, "Cy")
    made = await api.post(f"/teams/{north}/memberships", {"member_id": cy}, expect=201)
    await api.delete(f"/teams/{north}/memberships/{made['id']}")
    org_id = OrganizationId(api.org_id)
    async with api.world.database.read(org_id) as session:
        topics = (await session.execute(select(OutboxMessage.topic).where(OutboxMessage.org_id == org_id))).scalars()
        assert sorted(topics) == ["member.created", "membership.created", "membership.deleted", "team.created"]
        entry = (
            await session.execute(
                select(AuditEntry).where(AuditEntry.org_id == org_id, AuditEntry.resource_id == made["id"])
            )
        ).scalars()
        assert sorted(row.action for row in entry) == ["create", "delete"]
