"""Identities with the number of events that credit them."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from app.core.db import OrganizationId
from app.events.facts import Credit, EventFacts, PersonRef, retraction
from app.events.service import record_events
from tests.support import NOON, Api, World
from tests.teams.support import NOBODY, api_source, member


def _call(external_id: str, *people: str, version: int = 0) -> EventFacts:
    share = Decimal(1) / len(people) if people else Decimal(1)
    return EventFacts(
        external_id=external_id,
        version=version,
        type="call.made",
        occurred_at=NOON,
        credits=tuple(Credit("owner", PersonRef(person), share) for person in people),
        about={},
        properties={},
    )


async def _record(api: Api, *facts: EventFacts) -> None:
    org_id, source_id = OrganizationId(api.org_id), await api_source(api)
    async with api.world.database.write(org_id) as session:
        outcomes = await record_events(session, org_id=org_id, source_id=source_id, facts=facts)
    assert {outcome.outcome for outcome in outcomes} <= {"accepted", "corrected", "retracted"}, outcomes


async def _counts(api: Api, **params: Any) -> dict[str, int]:
    items = (await api.get("/identities", **params))["items"]
    return {row["external_id"]: row["event_count"] for row in items}


async def test_identities_tell_how_many_events_credit_them(api: Api) -> None:
    await _record(api, _call("1", "ada"), _call("2", "ada"), _call("3", "ada", "bo"), _call("4"))
    assert await _counts(api) == {"ada": 3, "bo": 1}
    await _record(api, _call("1", "bo", version=1), retraction("2", 1))
    assert await _counts(api) == {"ada": 1, "bo": 2}
    await _record(api, retraction("3", 1), _call("5", "cy"))
    assert await _counts(api) == {"ada": 0, "bo": 1, "cy": 1}


async def test_a_person_credited_in_two_roles_has_one_event(api: Api) -> None:
    roles = tuple(Credit(role, PersonRef("ada"), Decimal(1)) for role in ("owner", "sourcer"))
    facts = EventFacts(external_id="1", type="deal.won", occurred_at=NOON, credits=roles, about={}, properties={})
    await _record(api, facts)
    assert await _counts(api) == {"ada": 1}


async def test_identities_not_mapped_yet_can_be_listed_apart(api: Api, world: World) -> None:
    await _record(api, _call("1", "ada"), _call("2", "bo"), _call("3", "cy"))
    ids = {row["external_id"]: row["id"] for row in (await api.get("/identities"))["items"]}
    mapping = await api.post(f"/identities/{ids['ada']}/mappings", {"member_id": await member(api)}, expect=201)
    assert await _counts(api, mapped=False) == {"bo": 1, "cy": 1}
    assert await _counts(api, mapped=True) == {"ada": 1}
    await api.delete(f"/identities/{ids['ada']}/mappings/{mapping['id']}")
    assert await _counts(api, mapped=True) == {}
    assert await _counts(api, source_id=str(await api_source(api))) == {"ada": 1, "bo": 1, "cy": 1}
    assert await _counts(api, source_id=NOBODY) == {}
    first = await api.get("/identities", limit=2)
    following = await api.get("/identities", limit=2, cursor=first["next_cursor"])
    assert {row["id"] for row in first["items"] + following["items"]} == set(ids.values())

    shown = await api.get(f"/identities/{ids['bo']}")
    assert (shown["is_mapped"], shown["event_count"], UUID(shown["source_id"])) == (False, 1, await api_source(api))
    stranger = await world.organization()
    await stranger.get(f"/identities/{ids['bo']}", expect=404)
    assert await _counts(stranger) == {}
