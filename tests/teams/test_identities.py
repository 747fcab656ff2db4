"""Identities: who somebody is in a source, and which member that is."""

import asyncio
from datetime import date
from uuid import UUID

from sqlalchemy import func, select

from app.core import clock
from app.core.db import OrganizationId
from app.teams.facts import Mapping, Person
from app.teams.models import Identity
from app.teams.service import resolve_identities
from tests.support import Api, World
from tests.teams.support import NOBODY, api_source, last_recorded, member, structure


async def _resolve(api: Api, source_id: UUID, people: list[Person]) -> dict[str, UUID]:
    org_id = OrganizationId(api.org_id)
    async with api.world.database.write(org_id) as session:
        return await resolve_identities(session, org_id, source_id, people)


async def _stored(api: Api) -> dict[str, tuple[str | None, str | None]]:
    async with api.world.database.read(OrganizationId(api.org_id)) as session:
        found = await session.execute(select(Identity).where(Identity.org_id == api.org_id))
        return {row.external_id: (row.email, row.name) for row in found.scalars()}


async def test_people_are_found_or_made_by_their_exact_id(api: Api) -> None:
    source_id = await api_source(api)
    first = await _resolve(api, source_id, [Person("7421"), Person("Ab"), Person("aB"), Person(" 7421")])
    assert len(set(first.values())) == 4
    again = await _resolve(api, source_id, [Person("7421"), Person("7421"), Person("9")])
    assert again["7421"] == first["7421"]
    assert await _resolve(api, source_id, []) == {}
    assert (await structure(api)).identities == frozenset({*first.values(), again["9"]})


async def test_an_address_or_name_is_filled_in_once_and_never_overwritten(api: Api) -> None:
    source_id = await api_source(api)
    await _resolve(api, source_id, [Person("1"), Person("1", name="Ada"), Person("2", "bo@example.com")])
    assert await _stored(api) == {"1": (None, "Ada"), "2": ("bo@example.com", None)}
    await _resolve(api, source_id, [Person("1", "ada@example.com", "Adela"), Person("2", "x@example.com", "Bo")])
    assert await _stored(api) == {"1": ("ada@example.com", "Ada"), "2": ("bo@example.com", "Bo")}


async def test_thousands_of_people_take_a_few_statements(api: Api) -> None:
    source_id = await api_source(api)
    people = [Person(str(n), f"{n}@example.com") for n in range(5000)]
    async with asyncio.timeout(10):
        assert len(await _resolve(api, source_id, people)) == 5000
        assert len(await _resolve(api, source_id, people[::-1])) == 5000


async def test_the_same_new_people_at_once_become_one_identity_each(api: Api) -> None:
    source_id = await api_source(api)
    people = [Person(str(n)) for n in range(200)]
    answers = await asyncio.gather(*[_resolve(api, source_id, people[::step]) for step in (1, -1, 1, -1)])
    assert all(answer == answers[0] for answer in answers)
    async with api.world.database.read(OrganizationId(api.org_id)) as session:
        count = await session.execute(select(func.count()).where(Identity.org_id == api.org_id))
        assert count.scalar_one() == 200


async def test_an_identity_is_unknown_before_it_was_recorded(api: Api) -> None:
    before = await last_recorded(api)
    made = await _resolve(api, await api_source(api), [Person("1")])
    assert (await structure(api, before)).identities == frozenset()
    assert (await structure(api)).identities == frozenset(made.values())


async def test_an_identity_is_made_by_hand_once(api: Api, world: World) -> None:
    source_id = str(await api_source(api))
    body = {"source_id": source_id, "external_id": "7421", "email": "ada@example.com"}
    made = await api.post("/identities", body, expect=201)
    assert (made["external_id"], made["email"], made["name"]) == ("7421", "ada@example.com", None)
    problem = await api.post("/identities", body, expect=409)
    assert problem["type"] == "/problems/identity-exists"
    theirs = str(await api_source(await world.organization()))
    for wrong, pointer in (({"source_id": theirs}, "/source_id"), ({"external_id": ""}, "/external_id")):
        problem = await api.post("/identities", body | wrong, expect=422)
        assert problem["errors"][0]["pointer"] == pointer


async def test_a_mapping_is_changed_and_the_earlier_one_stays_known(api: Api) -> None:
    """S5, S6: present knowledge applies to all days; an earlier instant keeps its own."""
    identity = (await _resolve(api, await api_source(api), [Person("7421")]))["7421"]
    ada, bo = await member(api, "Ada"), await member(api, "Bo")
    path = f"/identities/{identity}/mappings"
    made = await api.post(path, {"member_id": ada}, expect=201)
    then = await last_recorded(api)
    await api.set_clock("2026-07-20T10:00:00Z")
    await api.patch(f"{path}/{made['id']}", {"valid_to": "2026-07-01"})
    other = await api.post(path, {"member_id": bo, "valid_from": "2026-07-01"}, expect=201)
    assert [row["member_id"] for row in (await api.get(path))["items"]] == [ada, bo]
    july = date(2026, 7, 1)
    assert (await structure(api, then)).mappings == [Mapping(identity, UUID(ada), None, None)]
    assert sorted((await structure(api)).mappings, key=lambda row: row.start or date.min) == [
        Mapping(identity, UUID(ada), None, july),
        Mapping(identity, UUID(bo), july, None),
    ]
    assert (await api.patch(f"{path}/{other['id']}", {"member_id": ada}))["member_id"] == ada
    await api.delete(f"{path}/{other['id']}")
    await api.delete(f"{path}/{other['id']}", expect=404)
    assert [row["id"] for row in (await api.get(path))["items"]] == [made["id"]]


async def test_an_identity_stands_for_one_member_at_a_time(api: Api) -> None:
    identity = (await _resolve(api, await api_source(api), [Person("7421")]))["7421"]
    ada, bo = await member(api, "Ada"), await member(api, "Bo")
    path = f"/identities/{identity}/mappings"
    bodies = [{"member_id": who, "valid_from": "2026-07-01", "valid_to": "2026-07-03"} for who in (ada, bo)]
    answers = await asyncio.gather(*[api.call("POST", path, body) for body in bodies])
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    problem = await api.post(path, {"member_id": bo, "valid_from": "2026-07-02"}, expect=409)
    assert problem["type"] == "/problems/mappings-overlap"
    assert "from 2026-07-01 until before 2026-07-03" in problem["detail"]
    await api.post(path, {"member_id": bo, "valid_from": "2026-07-03"}, expect=201)


async def test_bad_mappings_are_refused_at_their_place(api: Api, world: World) -> None:
    identity = (await _resolve(api, await api_source(api), [Person("7421")]))["7421"]
    ada, theirs = await member(api, "Ada"), await member(await world.organization())
    path = f"/identities/{identity}/mappings"
    for body, pointer in (
        ({"member_id": theirs}, "/member_id"),
        ({"member_id": NOBODY}, "/member_id"),
        ({}, "/member_id"),
        ({"member_id": ada, "valid_from": "2026-07-01", "valid_to": "2026-06-01"}, "/valid_to"),
        ({"member_id": ada, "valid_from": "9999-01-01"}, "/valid_from"),
    ):
        problem = await api.post(path, body, expect=422)
        assert problem["errors"][0]["pointer"] == pointer
    await api.post(f"/identities/{NOBODY}/mappings", {"member_id": ada}, expect=404)
    stranger = await world.organization()
    await stranger.get(path, expect=404)
    assert (await api.get(path))["items"] == []


async def test_changes_of_one_transaction_share_their_instant(api: Api) -> None:
    org_id, source_id = OrganizationId(api.org_id), await api_source(api)
    async with api.world.database.write(org_id) as session:
        at = await clock.tick(session, org_id)
        await resolve_identities(session, org_id, source_id, [Person("1")])
        found = await session.execute(select(Identity.recorded_at).where(Identity.org_id == org_id))
        assert found.scalar_one() == at
