"""What is missing before a source's figures can be trusted."""

from typing import Any

from tests.integrations.crm import HubSpotBatch
from tests.integrations.posting import Connection, hubspot, pipedrive
from tests.support import Api

T = 1_783_900_000_000  # in July 2026


async def checklist(api: Api, connection: Connection) -> dict[str, dict[str, Any]]:
    """The points by code."""
    told = await api.get(f"/sources/{connection.id}/checklist")
    points = {point["code"]: point for point in told["items"]}
    assert told["is_ready"] == all(point["state"] != "missing" for point in points.values())
    return points


def states(points: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {code: point["state"] for code, point in points.items()}


async def test_nothing_was_received_yet(api: Api) -> None:
    connection = await hubspot(api)
    points = await checklist(api, connection)
    assert states(points) == {"secret": "ok", "delivery": "missing", "credentials": "warning", "events": "unknown"}
    (secret,) = connection.source["secrets"]
    await api.call("DELETE", f"/sources/{connection.id}/secrets/{secret['id']}")
    assert (await checklist(api, connection))["secret"]["state"] == "missing"


async def test_what_was_not_subscribed_to_is_told(api: Api) -> None:
    connection = await hubspot(api)
    batch = (
        HubSpotBatch().made("deal", 7, T).set("deal", 7, T, "dealstage", "closedwon").set("deal", 7, T, "amount", "5")
    )
    await connection.tell(batch.made("0-48", 8, T).set("0-48", 8, T, "hs_timestamp", str(T)).body())
    points = await checklist(api, connection)
    found = states(points)
    assert found["owners"] == "missing"
    assert found["currency"] == "missing"
    assert found["call_durations"] == "missing"
    assert found["links"] == "warning"
    assert found["incomplete"] == "warning"
    assert (points["call_durations"]["count"], points["call_durations"]["of"]) == (1, 1)
    assert "Subscribe" in points["owners"]["fix"]


async def test_what_was_mended_is_ok(api: Api) -> None:
    connection = await hubspot(api)
    batch = (
        HubSpotBatch().made("deal", 7, T).set("deal", 7, T, "dealstage", "closedwon").set("deal", 7, T, "amount", "5")
    )
    batch.set("deal", 7, T, "hubspot_owner_id", "910901").set("deal", 7, T, "deal_currency_code", "EUR")
    await connection.tell(batch.body())
    points = await checklist(api, connection)
    assert {code: states(points)[code] for code in ("owners", "currency", "people")} == {
        "owners": "ok", "currency": "ok", "people": "missing",
    }  # fmt: skip
    (identity,) = (await api.get("/identities", source_id=connection.id))["items"]
    member = await api.post("/members", {"name": "Ada Nowak"})
    await api.post(
        "/identity-mappings", {"mappings": [{"identity_id": identity["id"], "member_id": member["id"]}]}, expect=200
    )
    await api.post(
        f"/sources/{connection.id}/people", {"people": [{"external_id": "910901", "name": "Ada"}]}, expect=200
    )
    found = states(await checklist(api, connection))
    assert found["people"] == "ok"
    assert "names" not in found


async def test_stages_that_the_crm_takes_for_won_are_told(api: Api) -> None:
    connection = await hubspot(api)
    stages = [
        {"stage_id": "48591", "name": "Signed", "outcome": "won"},
        {"stage_id": "closedlost", "name": "Lost", "outcome": "lost"},
    ]
    await api.call("PUT", f"/sources/{connection.id}/stages", {"stages": stages})
    points = await checklist(api, connection)
    assert (points["won_stages"]["state"], points["won_stages"]["examples"]) == ("missing", ["48591 (Signed)"])
    assert points["lost_stages"]["state"] == "ok"
    await api.patch(f"/sources/{connection.id}", {"mapping": {"won_stages": ["closedwon", "48591"]}})
    assert (await checklist(api, connection))["won_stages"]["state"] == "ok"


async def test_calls_that_could_not_be_used_are_counted(api: Api) -> None:
    connection = await pipedrive(api)
    await connection.post(b"nonsense")
    await connection.post(b'{"meta": {"company_id": 1, "entity": "deal", "entity_id": "7", "action": "create", '
                          b'"timestamp": "2026-07-01T00:00:00Z", "version": "2.0"}, "data": {}}')  # fmt: skip
    await connection.translate()
    points = await checklist(api, connection)
    assert (points["unparseable"]["count"], points["unparseable"]["of"]) == (1, 2)
    assert points["foreign_account"]["count"] == 1


async def test_a_source_of_ones_own_posts_has_no_checklist(api: Api) -> None:
    (own,) = [source for source in (await api.get("/sources"))["items"] if source["system"] == "api"]
    assert await api.get(f"/sources/{own['id']}/checklist") == {"is_ready": True, "items": []}
