"""Files of CRM objects, folded as if they had been fetched."""

from typing import Any

import pytest

from tests.imports.posting import imported, rejected, table, work
from tests.integrations.posting import Connection, hubspot, pipedrive, zoho
from tests.support import Api

MADE, CHANGED = "2026-06-01T08:00:00Z", "2026-07-10T09:00:00Z"
HUBSPOT = [
    ["object", "id", "updated_at", "dealname", "dealstage", "amount", "deal_currency_code", "closedate", "createdate"],
    [
        "deal",
        "508",
        "2026-07-10T09:00:00Z",
        "Acme",
        "closedwon",
        "1250.50",
        "EUR",
        "2026-07-10",
        "2026-06-01T08:00:00Z",
    ],
    ["deal", "509", "2026-07-11T09:00:00Z", "Bolt", "closedlost", "10", "EUR", "2026-07-11", MADE],
]


async def standing(connection: Connection) -> dict[str, dict[str, Any]]:
    """The events of the source."""
    return {each["external_id"]: each for each in await connection.events(source=connection.source["key"])}


async def test_records_become_events_as_if_they_were_fetched(api: Api) -> None:
    connection = await hubspot(api)
    told = await imported(api, table(HUBSPOT), "records", source="hubspot")
    assert told["counts"] == {"accepted": 2}
    await work(api)
    found = await standing(connection)
    won = found["deal:508:deal.won"]
    assert won["amount"] == {"value": "1250.5", "currency": "EUR"}
    assert "deal:509:deal.lost" in found
    assert {each["origin"] for each in await connection.deliveries()} == {"backfill"}
    before = len(found)
    await imported(api, table(HUBSPOT), "records", source="hubspot")
    assert len(await standing(connection)) == before


async def test_a_dry_run_of_records_stores_none(api: Api) -> None:
    connection = await hubspot(api)
    lines = [*HUBSPOT, ["spaceship", "1", "2026-07-10T09:00:00Z"], ["deal", "", "2026-07-10T09:00:00Z"]]
    rehearsed = await imported(api, table(lines), "records", source="hubspot", dry_run="true")
    assert await connection.deliveries() == []
    told = await imported(api, table(lines), "records", source="hubspot")
    assert rehearsed["counts"] == told["counts"] == {"accepted": 2, "rejected": 2}
    rows = await rejected(api, told["id"])
    assert [row["problem_column"] for row in rows] == ["object", "id"]
    assert rows == await rejected(api, rehearsed["id"])


@pytest.mark.parametrize("connect", [pipedrive, zoho])
async def test_other_systems_take_records_too(api: Api, connect: Any) -> None:
    connection = await connect(api)
    own = {
        "pipedrive": [
            ["object", "id", "updated_at", "title", "status", "value", "currency", "won_time", "add_time", "stage_id"],
            [
                "deal",
                "77",
                "2026-07-10T09:00:00Z",
                "Acme",
                "won",
                "1250.5",
                "EUR",
                "2026-07-10T09:00:00Z",
                "2026-06-01T08:00:00Z",
                "5",
            ],
        ],
        "zoho": [
            ["object", "id", "updated_at", "Stage", "Amount", "Closing_Date", "Owner.id", "Created_Time"],
            [
                "Deals",
                "5545974000000123456",
                CHANGED,
                "Closed Won",
                "1250.5",
                "2026-07-10",
                "55",
                "2026-06-01T08:00:00+00:00",
            ],
        ],
    }[connection.source["system"]]
    told = await imported(api, table(own), "records", source=connection.source["key"])
    assert told["counts"] == {"accepted": 1}, told
    await work(api)
    found = await standing(connection)
    assert any(key.endswith(":deal.won") for key in found), (found, await connection.last())
